#include "wal/segment_index.h"

#include <gtest/gtest.h>

#include "wal/log_support.h"

namespace karma::wal {
namespace {

using test::CrashableFileSystem;

struct Segment {
  CrashableFileSystem files;
  std::string name = segment_name(Lsn{1});
  std::string content;
  std::map<std::uint64_t, std::uint64_t> offsets;
  std::string index_path = kDirectory + "/" + index_name(name);

  explicit Segment(std::uint64_t count) {
    for (std::uint64_t lsn = 1; lsn <= count; ++lsn) {
      offsets[lsn] = content.size();
      content += line_text(lsn);
    }
    files.edit(kDirectory + "/" + name, content);
  }
  Status index() {
    std::vector<std::uint64_t> found;
    for (const auto& [lsn, offset] : offsets) found.push_back(offset);
    return write_segment_index(files, kDirectory, name, content.size(), Lsn{1}, found);
  }
  std::uint64_t find(std::uint64_t lsn) { return find_in_index(files, kDirectory, name, content.size(), Lsn{lsn}); }
};

// As Karma 1.0 writes and reads it.
TEST(SegmentIndex, HasTheDocumentedForm) {
  Segment segment(0);
  const std::size_t one = plain_line(1).size();
  const std::uint64_t offsets[] = {0, one, 2 * one + 1};  // a blank line stands before the third
  ASSERT_TRUE(write_segment_index(segment.files, kDirectory, segment.name, 3 * one + 1, Lsn{1}, offsets).ok());
  EXPECT_EQ(segment.files.content(segment.index_path), "KARMA_WAL_INDEX_V1 size=" + std::to_string(3 * one + 1) +
                                                           "\n1 0\n2 " + std::to_string(one) + "\n3 " +
                                                           std::to_string(2 * one + 1) + "\n");
}

TEST(SegmentIndex, FindsEveryLine) {
  for (const std::uint64_t count : {1, 2, 3, 100, 5000}) {
    Segment segment(count);
    ASSERT_TRUE(segment.index().ok());
    for (std::uint64_t lsn = 1; lsn <= count; ++lsn) ASSERT_EQ(segment.find(lsn), segment.offsets[lsn]) << lsn;
    EXPECT_EQ(segment.find(count + 5), segment.offsets[count]) << "at or before";
  }
}

TEST(SegmentIndex, ReadsLittleOfALongIndex) {
  Segment segment(5000);
  ASSERT_TRUE(segment.index().ok());
  const std::uint64_t before = segment.files.count(CrashableFileSystem::Operation::read);
  segment.find(2500);
  EXPECT_LT(segment.files.count(CrashableFileSystem::Operation::read) - before, 80u);
}

TEST(SegmentIndex, ThatIsOfNoUseSendsToTheStart) {
  Segment segment(100);
  EXPECT_EQ(segment.find(50), 0u) << "missing";
  ASSERT_TRUE(segment.index().ok());
  const std::string good = *segment.files.content(segment.index_path);
  for (const std::string& bad :
       {std::string(), std::string("KARMA_WAL_INDEX_V1 size=5\n1 0\n"), std::string(good.size(), '\0'),
        good.substr(0, good.find('\n') + 1), good.substr(0, good.find('\n') + 1) + "x y\n",
        good.substr(0, good.find('\n') + 1) + "1 99999999\n"}) {
    segment.files.edit(segment.index_path, bad);
    EXPECT_EQ(segment.find(50), 0u) << bad;
  }
}

TEST(SegmentIndex, ThatIsDamagedNeverPointsOutsideTheSegment) {
  Segment segment(60);
  ASSERT_TRUE(segment.index().ok());
  const std::string good = *segment.files.content(segment.index_path);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      segment.files.edit(segment.index_path, bad);
      for (const std::uint64_t lsn : {1, 30, 60}) ASSERT_LT(segment.find(lsn), segment.content.size());
    }
  }
}

}  // namespace
}  // namespace karma::wal
