// File names, sidecars and the manifest: text in, values out.
#include <random>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "core/crc32c.h"
#include "snapshot/file_name.h"
#include "snapshot/manifest.h"
#include "snapshot/manifest_text.h"

namespace karma::snapshot {
namespace {

TEST(SnapshotFileName, KeepsTheNamesOfKarma10Verbatim) {
  for (const std::string name :
       {"links", "a_b", "_x", "1_2", "\xc3\x9cn\xc3\xaf \xe6\x97\xa5", "with space", "-x", "*?[]{}", "q\"uo'te",
        "back\\slash", "x.tree", "%41", "%", "..", ".hidden", "tab\tnew\nline", "\xff\xfe"}) {
    const std::string file = make_file_name(1795333161, name);
    EXPECT_EQ(file, "1795333161_" + name + ".tree");
    const auto parsed = parse_file_name(file);
    ASSERT_TRUE(parsed) << name;
    EXPECT_EQ(parsed->series, name);
    EXPECT_EQ(parsed->timestamp, 1795333161);
    EXPECT_FALSE(parsed->abridged);
  }
}

TEST(SnapshotFileName, EscapesWhatNoFileCanBeCalled) {
  std::set<std::string> files;
  const std::string nul("a\0b", 3);
  for (const std::string& name :
       {std::string(), std::string("a/5_b"), std::string("../../x"), nul, std::string("/"), std::string("%karma%"),
        std::string("%karma%2F"), std::string("%karma-long%x"), std::string("%karma%/%41")}) {
    const std::string file = make_file_name(5, name);
    EXPECT_EQ(file.find('/'), file.npos);
    EXPECT_EQ(file.find('\0'), file.npos);
    EXPECT_TRUE(files.insert(file).second);
    const auto parsed = parse_file_name(file);
    ASSERT_TRUE(parsed) << file;
    EXPECT_EQ(parsed->series, name);
    EXPECT_FALSE(parsed->abridged);
  }
  EXPECT_EQ(make_file_name(5, "a/5_b"), "5_%karma%a%2F5_b.tree");
}

TEST(SnapshotFileName, AbridgesLongNames) {
  const std::string long_name(201, 'n');
  const std::string other = long_name.substr(0, 200) + "m";
  EXPECT_EQ(make_file_name(5, long_name.substr(1)), "5_" + long_name.substr(1) + ".tree");
  EXPECT_NE(make_file_name(5, long_name), make_file_name(5, other));
  const auto parsed = parse_file_name(make_file_name(5, long_name));
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->abridged);
  for (const std::string& name : {std::string(100000, 'x'), std::string(300, '/'), std::string(200, 'y')}) {
    EXPECT_LE(sidecar_name(make_file_name(1234567890123, name)).size() + 49, 280u);
    EXPECT_LE(staged_name(sidecar_name(make_file_name(1234567890123, name))).size(), 255u);
  }
}

TEST(SnapshotFileName, ParsesTimestampsAsKarma10Does) {
  const auto timestamp = [](std::string_view file) { return parse_file_name(file)->timestamp; };
  EXPECT_EQ(timestamp("0005_x.tree"), 5);
  EXPECT_EQ(timestamp("+5_x.tree"), 5);
  EXPECT_EQ(timestamp("-5_x.tree"), -5);
  EXPECT_EQ(timestamp(" 5_x.tree"), 5);
  for (const char* const file :
       {"x.tree", "5.tree", "5_.tree", "_x.tree", "5x_y.tree", "+-5_x.tree", "99999999999999999999_x.tree",
        "9223372036854775807_x.tree", ".5_x.tree", "5_x", "5_x.tree.meta.json", "5_x.tree.new", "", ".tree",
        "5_%karma%%2.tree", "5_%karma%%zz.tree"}) {
    EXPECT_FALSE(parse_file_name(file)) << file;
  }
}

TEST(SnapshotFileName, ClientsMayNameOnlyFilesOfTheDirectory) {
  EXPECT_EQ(file_name_fault("1_s.tree"), "");
  for (const std::string& file :
       {std::string(), std::string("../1_s.tree"), std::string("/etc/x.tree"), std::string("a/1_s.tree"),
        std::string("."), std::string(".."), std::string("karma.wal"), std::string("1_s.tree.meta.json"),
        std::string("1_\0.tree", 8)}) {
    EXPECT_NE(file_name_fault(file), "") << file;
  }
}

TEST(Sidecar, IsTheLineOfKarma10) {
  const Meta meta = {"links", "1795333161_links.tree", 1795333161, Lsn{2}, 66, true};
  const std::string text =
      "{\"tree\":\"links\",\"file\":\"1795333161_links.tree\",\"timestamp\":1795333161,\"last_lsn\":2,\"bytes\":66}\n";
  EXPECT_EQ(encode_sidecar(meta), text);
  const auto read = decode_sidecar(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(encode_sidecar(*read), text);
}

TEST(Sidecar, TakesOtherOrdersAndFurtherFieldsAndNothingElse) {
  const auto read = decode_sidecar(
      "{ \"x\":[1,{}], "
      "\"bytes\":18446744073709551615,\"last_lsn\":0,\"timestamp\":-3,\"file\":\"f\",\"tree\":\"\\u00e4\" }");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->bytes, ~std::uint64_t{0});
  EXPECT_EQ(read->timestamp, -3);
  EXPECT_EQ(read->series, "\xc3\xa4");
  for (const char* const text :
       {"", "{oops", "[]", "{}", "{\"tree\":\"s\",\"file\":\"f\",\"timestamp\":1,\"last_lsn\":1}",
        "{\"tree\":\"s\",\"file\":\"f\",\"timestamp\":1,\"last_lsn\":-1,\"bytes\":1}",
        "{\"tree\":\"s\",\"file\":\"f\",\"timestamp\":1,\"last_lsn\":1.5,\"bytes\":1}",
        "{\"tree\":5,\"file\":\"f\",\"timestamp\":1,\"last_lsn\":1,\"bytes\":1}",
        "{\"tree\":\"s\",\"file\":\"f\",\"timestamp\":1,\"last_lsn\":1,\"bytes\":1}x"}) {
    EXPECT_FALSE(decode_sidecar(text)) << text;
  }
}

TEST(Sidecar, BringsBackNamesThatAreNoText) {
  for (const std::string& name : {std::string("\xff\x80x"), std::string("a\0\"\\\n\x1f\x7f", 7), std::string()}) {
    const auto read = decode_sidecar(encode_sidecar({name, "f", 1, Lsn{1}, 1, true}));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->series, name);
  }
}

TEST(Sidecar, OfTheExactlyOnceIsTheLineOfKarma10) {
  const std::string text =
      "{\"file\":\"karma.idempotency.json\",\"timestamp\":5,\"last_lsn\":7,\"bytes\":40,\"record_count\":2,"
      "\"committed_stream_count\":1}\n";
  const auto read = decode_exactly_once_sidecar(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(encode_sidecar(*read), text);
  EXPECT_FALSE(
      decode_exactly_once_sidecar("{\"file\":\"other\",\"timestamp\":5,\"last_lsn\":7,\"bytes\":40,\"record_count\":2,"
                                  "\"committed_stream_count\":1}"));
}

Manifest example() {
  Manifest manifest;
  manifest.generation = 7;
  manifest.timestamp = 1700000000;
  manifest.lsn = Lsn{99};
  manifest.log_complete = true;
  manifest.unlogged_lsn = Lsn{3};
  manifest.series = {{{"a", "5_a.tree", 5, Lsn{9}, 34, true}, 0xffffffffu, 1u, store::Digest(0xfedcba9876543210)},
                     {{std::string("\xff\"/", 3), "6_%karma%x.tree", 6, Lsn{9}, 35, false}, 0u, {}, {}}};
  manifest.older = {{{"a", "-4_a.tree", -4, Lsn{1}, 34, false}, {}, {}, {}}};
  manifest.exactly_once = ManifestExactlyOnce{{5, Lsn{9}, 12, 1, 2}, 77, 78u};
  return manifest;
}

TEST(ManifestText, BringsBackEverything) {
  const std::string text = encode_manifest(example());
  const auto read = decode_manifest(text);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(encode_manifest(*read), text);
  EXPECT_EQ(read->series[1].meta.series, example().series[1].meta.series);
  EXPECT_EQ(read->older[0].meta.timestamp, -4);
  EXPECT_FALSE(read->older[0].crc);
  EXPECT_EQ(read->unlogged_lsn, Lsn{3});
  EXPECT_EQ(read->exactly_once->sidecar_crc, 78u);
}

TEST(ManifestText, EndsWithTheChecksumOfAllBeforeIt) {
  const std::string text = encode_manifest(example());
  const std::size_t at = text.rfind(",\"crc32c\":");
  EXPECT_EQ(text.substr(at), ",\"crc32c\":" + std::to_string(crc32c(text.substr(0, at))) + "}\n");
}

TEST(ManifestText, NoticesEveryFlippedBitAndEveryTruncation) {
  const std::string text = encode_manifest(example());
  for (std::size_t at = 0; at < text.size(); ++at) {
    EXPECT_FALSE(decode_manifest(text.substr(0, at)).ok());
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = text;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      EXPECT_FALSE(decode_manifest(damaged).ok()) << at << "." << bit;
    }
  }
}

TEST(ManifestText, RefusesOtherFormatsAndContradictions) {
  const auto sealed = [](std::string text) {
    const std::uint32_t crc = crc32c(text);
    return text + ",\"crc32c\":" + std::to_string(crc) + "}\n";
  };
  const std::string file = "{\"tree\":\"a\",\"file\":\"5_a.tree\",\"timestamp\":5,\"last_lsn\":9,\"bytes\":34}";
  const std::string start = "{\"format\":1,\"generation\":1,\"timestamp\":1,\"lsn\":1,";
  EXPECT_TRUE(decode_manifest(sealed(start + "\"series\":[" + file + "]")).ok());
  auto future = decode_manifest(sealed("{\"format\":2,\"series\":{}"));
  ASSERT_FALSE(future.ok());
  EXPECT_EQ(future.error().message, "written by a newer Karma (format 2; this one reads 1)");
  EXPECT_FALSE(decode_manifest(sealed(start + "\"series\":[" + file + "," + file + "]")).ok());
  EXPECT_FALSE(decode_manifest(sealed(start + "\"series\":[5]")).ok());
  EXPECT_FALSE(decode_manifest(sealed(start + "\"series\":[],\"registry\":{}")).ok());
  EXPECT_FALSE(decode_manifest(sealed(start + "\"older\":[]")).ok());
  EXPECT_FALSE(
      decode_manifest(
          sealed(start +
                 "\"series\":[{\"tree\":\"a\",\"file\":\"../5_a.tree\",\"timestamp\":5,\"last_lsn\":9,\"bytes\":34}]"))
          .ok());
}

}  // namespace
}  // namespace karma::snapshot
