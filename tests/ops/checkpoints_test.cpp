#include "ops/checkpoints.h"

#include <gtest/gtest.h>

#include "core/crc32c.h"
#include "support/crashable_file_system.h"

namespace karma::ops {
namespace {

using test::CrashableFileSystem;

class CheckpointsTest : public testing::Test {
 protected:
  CheckpointsTest() { EXPECT_TRUE(files.create_directories("data").ok()); }

  static Checkpoints::Map read(CrashableFileSystem& files) {
    Result<Checkpoints::Map> read = Checkpoints::read(files, "data");
    EXPECT_TRUE(read.ok());
    return read ? std::move(*read) : Checkpoints::Map();
  }

  CrashableFileSystem files;
};

TEST_F(CheckpointsTest, AreThereAfterACrashOnceTheyAreAnswered) {
  Checkpoints checkpoints(files, "data");
  ASSERT_TRUE(checkpoints.put({.source = "b\"", .offset = "1", .event_id = {}, .updated_at = 5}).ok());
  ASSERT_TRUE(checkpoints.put({.source = "a", .offset = {}, .event_id = "e", .updated_at = 7}).ok());
  ASSERT_TRUE(checkpoints.put({.source = "b\"", .offset = "2", .event_id = {}, .updated_at = 6}).ok());
  const auto disk = files.after_crash(CrashableFileSystem::Unsynced::lost);
  Checkpoints restored(*disk, "data");
  restored.restore(read(*disk));
  const std::vector<Checkpoint> all = restored.list({});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].source, "a");
  EXPECT_EQ(all[0].event_id, "e");
  EXPECT_FALSE(all[0].offset);
  EXPECT_EQ(all[1].offset, "2");
  EXPECT_EQ(restored.last_updated_at(), 7);
  EXPECT_EQ(restored.list("b\"").size(), 1u);
  EXPECT_TRUE(restored.list("c").empty());
  const std::string before =
      "{\"checkpoints\":[{\"source\":\"a\",\"event_id\":\"e\",\"updated_at_unix\":7},"
      "{\"source\":\"b\\\"\",\"offset\":\"2\",\"updated_at_unix\":6}]";
  EXPECT_EQ(disk->content("data/recovery.json"), before + ",\"crc32c\":" + std::to_string(crc32c(before)) + "}\n");
}

TEST_F(CheckpointsTest, OthersMayTakeThePlaceOfAll) {
  Checkpoints checkpoints(files, "data", 1);
  ASSERT_TRUE(checkpoints.put({.source = "a", .offset = "1", .event_id = {}, .updated_at = 5}).ok());
  const Checkpoints::Map others = {
      {"b", {.source = "b", .offset = "2", .event_id = {}, .updated_at = 6}},
      {"c", {.source = "c", .offset = {}, .event_id = "e", .updated_at = 7}},
  };
  const std::uint64_t revision = checkpoints.revision();
  ASSERT_TRUE(checkpoints.replace(others).ok()) << "however many they are";
  EXPECT_NE(checkpoints.revision(), revision);
  EXPECT_EQ(read(*files.after_crash(CrashableFileSystem::Unsynced::lost)), others);
  const std::uint64_t writes = files.changes();
  const std::uint64_t same = checkpoints.revision();
  ASSERT_TRUE(checkpoints.replace(others).ok());
  EXPECT_EQ(files.changes(), writes) << "nothing has changed";
  EXPECT_EQ(checkpoints.revision(), same);
  files.fail({.operation = CrashableFileSystem::Operation::write});
  EXPECT_FALSE(checkpoints.replace({}).ok());
  EXPECT_EQ(checkpoints.count(), 2U);
}

TEST_F(CheckpointsTest, EveryFlippedBitIsNoticed) {
  {
    Checkpoints checkpoints(files, "data");
    ASSERT_TRUE(checkpoints.put({.source = "ch", .offset = "1000", .event_id = "b42", .updated_at = 1795332858}).ok());
  }
  const std::string good = *files.content("data/recovery.json");
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      files.edit("data/recovery.json", bad);
      EXPECT_FALSE(Checkpoints::read(files, "data").ok()) << bad;
    }
  }
  for (std::size_t length = 0; length < good.size(); ++length) {
    files.edit("data/recovery.json", good.substr(0, length));
    EXPECT_FALSE(Checkpoints::read(files, "data").ok()) << length;
  }
}

TEST_F(CheckpointsTest, TheFileOfKarma1HasNoChecksum) {
  files.edit("data/recovery.json", "{\"checkpoints\":[{\"source\":\"a\",\"offset\":\"1\",\"updated_at_unix\":5}]}\n");
  Checkpoints checkpoints(files, "data");
  checkpoints.restore(read(files));
  EXPECT_EQ(checkpoints.list("a")[0].offset, "1");
}

TEST_F(CheckpointsTest, AFailedWriteChangesNothing) {
  Checkpoints checkpoints(files, "data");
  ASSERT_TRUE(checkpoints.put({.source = "a", .offset = "1", .event_id = {}, .updated_at = 1}).ok());
  files.fail({.operation = CrashableFileSystem::Operation::write});
  EXPECT_FALSE(checkpoints.put({.source = "a", .offset = "2", .event_id = {}, .updated_at = 2}).ok());
  EXPECT_EQ(checkpoints.list("a")[0].offset, "1");
  EXPECT_TRUE(checkpoints.put({.source = "a", .offset = "3", .event_id = {}, .updated_at = 3}).ok());
}

TEST_F(CheckpointsTest, AreBoundedAndCanBeForgotten) {
  Checkpoints checkpoints(files, "data", 2);
  const auto put = [&](const char* source) {
    return checkpoints.put({.source = source, .offset = "1", .event_id = {}, .updated_at = 1});
  };
  ASSERT_TRUE(put("a").ok());
  ASSERT_TRUE(put("b").ok());
  const Status refused = put("c");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::validation_error);
  EXPECT_NE(refused.error().message.find("the limit is 2"), std::string::npos);
  EXPECT_TRUE(put("b").ok()) << "one that is known goes on";
  EXPECT_FALSE(*checkpoints.forget("c"));
  EXPECT_TRUE(*checkpoints.forget("a"));
  EXPECT_TRUE(put("c").ok());
  files.fail({.operation = CrashableFileSystem::Operation::write});
  EXPECT_FALSE(checkpoints.forget("b").ok());
  EXPECT_EQ(checkpoints.count(), 2u);

  Checkpoints fewer(files, "data", 1);
  fewer.restore(read(files));
  EXPECT_EQ(fewer.count(), 2u) << "what a file holds is not lost";
  ASSERT_EQ(fewer.list_behind("b", 10).size(), 1u);
  EXPECT_EQ(fewer.list_behind("b", 10)[0].source, "c");
  EXPECT_EQ(fewer.list_behind("", 1)[0].source, "b");
}

TEST_F(CheckpointsTest, ADamagedFileIsNamed) {
  for (const char* text : {"", "{", "[]", "{}", R"({"checkpoints":5})", R"({"checkpoints":[{"offset":"1"}]})",
                           R"({"checkpoints":[{"source":"a","updated_at_unix":-1}]})"}) {
    files.edit("data/recovery.json", text);
    const Result<Checkpoints::Map> read = Checkpoints::read(files, "data");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_NE(read.error().message.find("recovery.json"), std::string::npos);
  }
}

}  // namespace
}  // namespace karma::ops
