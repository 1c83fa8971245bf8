// The digest that the manifest holds of each file: of the series as it was written, and of what is read back.
#include <gtest/gtest.h>

#include <string>

#include "core/crc32c.h"
#include "snapshot/fixture.h"
#include "snapshot/manifest.h"
#include "support/engine_fixture.h"

namespace karma::snapshot {
namespace {

// Edits the manifest and gives it its right checksum again.
void edit_manifest(Node& node, const std::function<void(std::string&)>& edit) {
  std::string text = node.text(kManifestName);
  text.resize(text.rfind(",\"crc32c\":"));
  edit(text);
  node.write(kManifestName, text + checksum_end(text));
}

std::string digest_of(const Content& content, const std::string& series) {
  store::Digest digest;
  EXPECT_TRUE(store_of(content)->find(series)->view().add_to(digest, {}));
  return digest.text();
}

void replace(std::string& text, const std::string& old, const std::string& with) {
  const std::size_t at = text.find(old);
  ASSERT_NE(at, std::string::npos) << text;
  text.replace(at, old.size(), with);
}

TEST(SnapshotDigest, IsOfTheSeriesAsItIsHoweverItsCountersAreOrdered) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  test::Random random(seed);
  for (int round = 0; round < 20; ++round) {
    Content content;
    content["empty"] = {};
    for (int i = 0; i < 300; ++i)
      content["s"][random.up_to(60)][random.one_in(5) ? random.any() : 20260101 + random.up_to(30)] =
          1 + random.up_to(random.one_in(4) ? UINT32_MAX : 300);
    Node node;
    ASSERT_TRUE(node.save(content, 4).ok());
    const Result<Manifest> manifest = decode_manifest(node.text(kManifestName));
    ASSERT_TRUE(manifest.ok());
    ASSERT_EQ(manifest->series.size(), 2u);
    EXPECT_EQ(manifest->series[0].digest, store::Digest());
    ASSERT_TRUE(manifest->series[1].digest);
    EXPECT_EQ(manifest->series[1].digest->text(), digest_of(content, "s"));
    const Node::Found found = node.restore();
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(found.content, content);
  }
}

TEST(SnapshotDigest, AFileThatGivesAnotherIsDamagedWhateverItsChecksumSays) {
  const Content content = {{"s", {{1, {{20260101, 5}}}}}};
  Node node;
  ASSERT_TRUE(node.save(content, 4).ok());
  const std::string digest = digest_of(content, "s");
  edit_manifest(node, [&](std::string& text) { replace(text, digest, "00000000000000aa"); });
  Node::Found found = node.restore();
  ASSERT_FALSE(found.ok());
  EXPECT_NE(found.error().find("its digest is " + digest + " and not 00000000000000aa"), std::string::npos)
      << found.error();
  const auto checked = node.manager().check();
  ASSERT_TRUE(checked.ok());
  EXPECT_EQ(checked->faults.size(), 1u);
  // The log replaces it as it replaces any damaged file.
  EXPECT_TRUE(node.restore(log_from(1, 4)).ok());
}

TEST(SnapshotDigest, AManifestWithoutAnyIsAsGoodAsItWas) {
  const Content content = {{"s", {{1, {{20260101, 5}}}}}};
  Node node;
  ASSERT_TRUE(node.save(content, 4).ok());
  const std::string field = ",\"digest\":\"" + digest_of(content, "s") + "\"";
  edit_manifest(node, [&](std::string& text) { replace(text, field, ""); });
  const Node::Found found = node.restore();
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.content, content);
  edit_manifest(node, [&](std::string& text) { replace(text, "\"sidecar\":", "\"digest\":\"none\",\"sidecar\":"); });
  EXPECT_FALSE(node.restore().ok());
}

}  // namespace
}  // namespace karma::snapshot
