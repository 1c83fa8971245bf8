// What the scan makes of a log that is not as it was written.
#include <gtest/gtest.h>

#include <span>

#include "wal/log_support.h"

namespace karma::wal {
namespace {

using test::CrashableFileSystem;

std::string lines(std::uint64_t first, std::uint64_t last) {
  std::string text;
  for (std::uint64_t lsn = first; lsn <= last; ++lsn) text += line_text(lsn);
  return text;
}

std::string plain_lines(std::uint64_t first, std::uint64_t last) {
  std::string text;
  for (std::uint64_t lsn = first; lsn <= last; ++lsn) text += plain_line(lsn);
  return text;
}

Scanned scan_active(const std::string& content) {
  CrashableFileSystem files;
  files.edit(kActivePath, content);
  return scan_log(files);
}

// The log goes on after what was found: entry `last` + 1 is appended, and all is there at the next start.
void expect_heals(CrashableFileSystem& files, std::uint64_t first, std::uint64_t last) {
  {
    const auto log = open_anew(files);
    ASSERT_TRUE(log);
    ASSERT_TRUE(append(*log, 1).ok());
  }
  const Scanned again = scan_log(files);
  EXPECT_TRUE(again.scan.damage.empty());
  EXPECT_EQ(again.scan.torn_bytes, 0u);
  EXPECT_FALSE(again.scan.unfinished_line);
  expect_entries(again.entries, first, last + 1);
}

void expect_cut(const std::string& content, std::uint64_t last, std::uint64_t torn) {
  CrashableFileSystem files;
  files.edit(kActivePath, content);
  const Scanned scanned = scan_log(files);
  ASSERT_TRUE(scanned.scan.damage.empty()) << scanned.scan.damage.front().to_string();
  EXPECT_EQ(scanned.scan.torn_bytes, torn);
  expect_entries(scanned.entries, 1, last);
  expect_heals(files, 1, last);
}

void expect_damage(const std::string& content, std::uint64_t offset, std::uint64_t lsn) {
  CrashableFileSystem files;
  files.edit(kActivePath, content);
  const Scanned scanned = scan_log(files);
  ASSERT_EQ(scanned.scan.damage.size(), 1u);
  const Damage& damage = scanned.scan.damage.front();
  EXPECT_EQ(damage.file, "karma.wal");
  EXPECT_EQ(damage.offset, offset) << damage.what;
  EXPECT_EQ(damage.lsn.value, lsn) << damage.what;
  EXPECT_FALSE(open_log(files, kDirectory, scanned.scan, scanned.scan.last, {}).ok());
  EXPECT_EQ(files.content(kActivePath), content) << "a damaged log is left as it is";
}

TEST(WalScan, FindsNothingInAnEmptyDirectory) {
  CrashableFileSystem files;
  const Scanned scanned = scan_log(files);
  EXPECT_TRUE(scanned.scan.files.empty());
  EXPECT_EQ(scanned.scan.last, Lsn{});
  EXPECT_TRUE(scanned.scan.damage.empty());
}

TEST(WalScan, GivesEntriesInOrderThroughAllFiles) {
  CrashableFileSystem files;
  files.edit(segment_path(8), lines(8, 9));
  files.edit(segment_path(10), lines(10, 12));
  files.edit(kActivePath, lines(13, 13));
  files.edit(kDirectory + "/karma.wal.lsn", "7\n");
  files.edit(kDirectory + "/karma.wal.x.segment", "not ours");
  const Scanned scanned = scan_log(files);
  expect_entries(scanned.entries, 8, 13);
  EXPECT_EQ(scanned.scan.first.value, 8u);
  EXPECT_EQ(scanned.scan.last.value, 13u);
  EXPECT_EQ(scanned.scan.lsn_file.value, 7u);
  EXPECT_TRUE(scanned.scan.checksummed);
  ASSERT_EQ(scanned.scan.files.size(), 3u);
  EXPECT_EQ(scanned.scan.files[1].first.value, 10u);
  EXPECT_EQ(scanned.scan.files[1].last.value, 12u);
  EXPECT_EQ(scanned.scan.files[2].name, "karma.wal");
  EXPECT_EQ(scanned.scan.files[2].bytes, lines(13, 13).size());
}

TEST(WalScan, ReadsALogOfKarma1) {
  CrashableFileSystem files;
  files.edit(kActivePath, "\n" + plain_line(1) + "\r\n" + plain_line(2).insert(plain_line(2).size() - 1, "\r") + "\n");
  const Scanned scanned = scan_log(files);
  expect_entries(scanned.entries, 1, 2);
  EXPECT_FALSE(scanned.scan.checksummed);
  expect_heals(files, 1, 2);
}

TEST(WalScan, AcceptsLinesAsKarma1WritesThemAnywhere) {
  for (const std::string& text : {plain_lines(1, 2) + lines(3, 6), lines(1, 2) + plain_line(3) + lines(4, 6),
                                  lines(1, 4) + plain_lines(5, 6), line_text(1) + plain_lines(2, 5) + line_text(6)}) {
    const Scanned scanned = scan_active(text);
    EXPECT_TRUE(scanned.scan.damage.empty());
    expect_entries(scanned.entries, 1, 6);
  }
  EXPECT_EQ(scan_active(plain_lines(1, 2) + lines(3, 4)).scan.later_plain_lines, 0u);
  EXPECT_EQ(scan_active(line_text(1) + plain_lines(2, 3) + line_text(4)).scan.later_plain_lines, 2u);
}

TEST(WalScan, OtherLinesWithoutChecksumAreDamageAfterOneThatHasIt) {
  const std::string spaced = "{\"v\":2, \"lsn\":3, \"entry\":" + entry_text(3) + "}\n";
  const std::string turned = "{\"lsn\":3,\"v\":2,\"entry\":" + entry_text(3) + "}\n";
  for (const std::string& line : {spaced, turned}) {
    EXPECT_EQ(scan_active(plain_lines(1, 2) + line + line_text(4)).entries.size(), 4u);
    expect_damage(lines(1, 2) + line, lines(1, 2).size(), 3);
    expect_damage(lines(1, 2) + line + line_text(4), lines(1, 2).size(), 3);
  }
}

// 1.0 upgraded, rolled back and upgraded again at any moment: between any two lines, in files of any division.
TEST(WalScan, LinesOfBothVersionsInEveryOrderAndInSegments) {
  for (unsigned which = 0; which < 64; ++which) {
    for (std::uint64_t cut = 1; cut <= 6; ++cut) {
      SCOPED_TRACE(std::to_string(which) + " " + std::to_string(cut));
      std::string parts[2];
      for (std::uint64_t lsn = 1; lsn <= 6; ++lsn)
        parts[lsn > cut] += (which >> (lsn - 1)) & 1 ? plain_line(lsn) : line_text(lsn);
      CrashableFileSystem files;
      files.edit(segment_path(1), parts[0]);
      files.edit(kActivePath, parts[1] + (which % 3 == 0 ? plain_line(7).substr(0, 40) : ""));
      const Scanned scanned = scan_log(files);
      ASSERT_TRUE(scanned.scan.damage.empty()) << scanned.scan.damage.front().to_string();
      expect_entries(scanned.entries, 1, 6);
      const auto log = open_anew(files);
      ASSERT_TRUE(append(*log, 1).ok());
      expect_entries(read_log(*log, 0), 1, 7);
      expect_entries(read_log(*log, 3), 4, 7);
      ASSERT_TRUE(log->rotate().ok());
      expect_entries(scan_log(files).entries, 1, 7);
      if (HasFailure()) return;
    }
  }
}

TEST(WalScan, ReportsABadLsnFile) {
  CrashableFileSystem files;
  files.edit(kDirectory + "/karma.wal.lsn", "x");
  EXPECT_TRUE(scan_log(files).scan.lsn_file_bad);
  files.edit(kDirectory + "/karma.wal.lsn", " \n");
  EXPECT_FALSE(scan_log(files).scan.lsn_file_bad);
}

TEST(WalScan, StopsAtAnErrorOfTheVisitor) {
  CrashableFileSystem files;
  files.edit(kActivePath, lines(1, 3));
  int visits = 0;
  const auto result = scan(files, kDirectory, [&](Lsn, std::string_view) {
    ++visits;
    return Status(internal_error("no"));
  });
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(visits, 1);
}

TEST(WalScan, ReportsAFileThatCannotBeRead) {
  CrashableFileSystem files;
  files.edit(kActivePath, lines(1, 3));
  files.fail({.operation = CrashableFileSystem::Operation::read});
  EXPECT_FALSE(scan(files, kDirectory, {}).ok());
}

TEST(WalScan, ReportsProgressToTheEnd) {
  CrashableFileSystem files;
  files.edit(segment_path(1), lines(1, 3));
  files.edit(kActivePath, lines(4, 5));
  std::uint64_t done = 0;
  ScanOptions options;
  options.progress = [&](std::uint64_t bytes, std::uint64_t all) {
    done = bytes;
    EXPECT_EQ(all, lines(1, 5).size());
  };
  ASSERT_TRUE(scan(files, kDirectory, {}, options).ok());
  EXPECT_EQ(done, lines(1, 5).size());
}

// --- torn tails ------------------------------------------------------------------------------------------------------

TEST(WalTail, IsCutAtEveryLengthOfTheLastLine) {
  const std::string whole = lines(1, 2);
  const std::string last = line_text(3);
  for (std::size_t length = 0; length + 2 < last.size(); ++length) {
    SCOPED_TRACE(length);
    expect_cut(whole + last.substr(0, length), 2, length);
  }
}

TEST(WalTail, IsCutAtEveryLengthOfAPlainLine) {
  const std::string whole = plain_lines(1, 2);
  const std::string last = plain_line(3);
  for (std::size_t length = 0; length + 2 < last.size(); ++length) {
    SCOPED_TRACE(length);
    expect_cut(whole + last.substr(0, length), 2, length);
  }
}

TEST(WalTail, KeepsAWholeLineThatLacksItsLineFeed) {
  for (const std::string& content : {lines(1, 3), plain_lines(1, 3)}) {
    CrashableFileSystem files;
    files.edit(kActivePath, content.substr(0, content.size() - 1));
    const Scanned scanned = scan_log(files);
    EXPECT_TRUE(scanned.scan.unfinished_line);
    EXPECT_EQ(scanned.scan.torn_bytes, 0u);
    expect_entries(scanned.entries, 1, 3);
    expect_heals(files, 1, 3);
  }
}

TEST(WalTail, OfZerosIsCutWhereverTheyBegin) {
  const std::string last = line_text(3);
  for (std::size_t kept = 0; kept + 2 < last.size(); ++kept) {
    for (const std::size_t zeros : {1, 2, 600}) {
      SCOPED_TRACE(std::to_string(kept) + " " + std::to_string(zeros));
      expect_cut(lines(1, 2) + last.substr(0, kept) + std::string(zeros, '\0'), 2, kept + zeros);
    }
  }
}

TEST(WalTail, KeepsAWholeLineInFrontOfZeros) {
  expect_cut(lines(1, 3).substr(0, lines(1, 3).size() - 1) + std::string(50, '\0'), 3, 50);
}

TEST(WalTail, OfGarbageIsCut) {
  const std::string hole = line_text(3).replace(20, 30, std::string(30, '\0'));
  for (const std::string& garbage :
       {std::string("garbage\n"), std::string("gar\nba\nge"), std::string("\xff\xfe\n\n\x80"),
        std::string("{\"v\":2,\"lsn\":3,\"ent\n"), std::string("\0\0\0\n", 4), hole}) {
    expect_cut(lines(1, 2) + garbage, 2, garbage.size());
  }
}

TEST(WalTail, ThatIsTheWholeFileIsCut) {
  CrashableFileSystem files;
  files.edit(kActivePath, std::string(100, '\0'));
  EXPECT_EQ(scan_log(files).scan.torn_bytes, 100u);
  expect_heals(files, 1, 0);
}

TEST(WalTail, BehindSegmentsIsCutOnlyInTheActiveFile) {
  CrashableFileSystem files;
  files.edit(segment_path(1), lines(1, 2));
  files.edit(kActivePath, line_text(3) + "{\"v\":2");
  EXPECT_EQ(scan_log(files).scan.torn_bytes, 6u);
  files.edit(segment_path(1), lines(1, 2) + "{\"v\":2");
  const Scanned scanned = scan_log(files);
  ASSERT_EQ(scanned.scan.damage.size(), 1u);
  EXPECT_EQ(scanned.scan.damage.front().file, segment_name(Lsn{1}));
  EXPECT_EQ(scanned.scan.damage.front().offset, lines(1, 2).size());
}

// --- sectors that are lacking ----------------------------------------------------------------------------------------

// A log that overwrites zeros with batches; all its lines are `shift` bytes further behind.
struct Overwritten {
  std::vector<std::string> contents;  // without the zeros at the end, after each batch
  std::uint64_t first = 0;            // LSN of their first entry
};

Overwritten overwrite_zeros(std::uint64_t shift, const std::vector<std::size_t>& batches) {
  CrashableFileSystem files;
  files.edit(kActivePath, std::string(shift, '\n') + line_text(1));
  LogOptions options;
  options.preallocate_bytes = 8000;
  const auto log = open_anew(files, options);
  while (log->bytes() < 8000) EXPECT_TRUE(append(*log, 20).ok());
  Overwritten result;
  result.first = log->last().value + 1;
  const auto note = [&] {
    std::string content = *files.content(kActivePath);
    content.resize(log->bytes());
    result.contents.push_back(std::move(content));
  };
  note();
  for (const std::size_t count : batches) {
    EXPECT_TRUE(append(*log, count).ok());
    note();
  }
  return result;
}

// The sectors in which two states of a file differ.
std::vector<std::uint64_t> sectors_between(const std::string& before, const std::string& after) {
  std::vector<std::uint64_t> sectors;
  for (std::uint64_t at = before.size() / kSectorBytes; at * kSectorBytes < after.size(); ++at) sectors.push_back(at);
  return sectors;
}

// As on a disk on which these sectors are still as they were before.
std::string with_old_sectors(std::string before, std::string content, std::span<const std::uint64_t> sectors,
                             std::uint64_t which) {
  content.resize((content.size() / kSectorBytes + 2) * kSectorBytes, '\0');
  before.resize(content.size(), '\0');
  for (std::size_t i = 0; i < sectors.size(); ++i) {
    const std::uint64_t at = sectors[i] * kSectorBytes;
    if ((which >> i) & 1) content.replace(at, kSectorBytes, before, at, kSectorBytes);
  }
  return content;
}

TEST(WalTail, ThatLacksAnySectorsOfTheLastBatchIsCut) {
  for (const std::size_t count : {2, 5, 9, 17, 30}) {
    for (std::uint64_t shift = 0; shift < kSectorBytes; shift += count == 5 ? 1 : 37) {
      const Overwritten log = overwrite_zeros(shift, {count});
      const std::vector<std::uint64_t> sectors = sectors_between(log.contents[0], log.contents[1]);
      ASSERT_LE(sectors.size(), 12u);
      for (std::uint64_t which = 1; which < std::uint64_t{1} << sectors.size(); which += count < 17 ? 1 : 5) {
        SCOPED_TRACE(std::to_string(count) + " entries, shift " + std::to_string(shift) + ", sectors " +
                     std::to_string(which));
        CrashableFileSystem files;
        files.edit(kActivePath, with_old_sectors(log.contents[0], log.contents[1], sectors, which));
        const Scanned scanned = scan_log(files);
        ASSERT_TRUE(scanned.scan.damage.empty()) << scanned.scan.damage.front().to_string();
        const std::uint64_t last = scanned.scan.last.value;
        ASSERT_GE(last + 1, log.first) << "what was acknowledged";
        ASSERT_LE(last, log.first + count - 1);
        expect_entries(scanned.entries, 1, last);
        if (which % 7 == 1) expect_heals(files, 1, last);
        if (HasFailure()) return;
      }
    }
  }
}

// The batch has been acknowledged: another one was written after it.
TEST(WalDamage, IsASectorThatIsLackingBeforeTheLastBatch) {
  for (const std::size_t next : {1, 2, 9}) {
    for (std::uint64_t shift = 0; shift < kSectorBytes; shift += 13) {
      const Overwritten log = overwrite_zeros(shift, {9, next});
      const std::vector<std::uint64_t> sectors = sectors_between(log.contents[0], log.contents[2]);
      const std::uint64_t acknowledged = log.first + 8;
      for (std::uint64_t which = 1; which < std::uint64_t{1} << sectors.size(); ++which) {
        SCOPED_TRACE(std::to_string(next) + " entries, shift " + std::to_string(shift) + ", sectors " +
                     std::to_string(which));
        const std::string content = with_old_sectors(log.contents[0], log.contents[2], sectors, which);
        const Scanned scanned = scan_active(content);
        expect_entries(scanned.entries, 1, scanned.scan.last.value);
        // Where nothing of the last batch is left, nothing tells that there was one.
        bool is_left = false;
        for (std::uint64_t lsn = acknowledged + 1; lsn <= acknowledged + next; ++lsn) {
          is_left = is_left || content.find(line_text(lsn)) != content.npos;
        }
        if (is_left && scanned.scan.damage.empty()) {
          ASSERT_GE(scanned.scan.last.value, acknowledged);
        }
        if (HasFailure()) return;
      }
    }
  }
}

TEST(WalDamage, IsALineOfZerosThatFillsNoSector) {
  const Overwritten log = overwrite_zeros(0, {20});
  std::size_t refused = 0;
  for (std::uint64_t lsn = log.first; lsn + 1 < log.first + 20; ++lsn) {
    std::string content = log.contents[1];
    const std::size_t at = content.find("{\"v\":2,\"lsn\":" + std::to_string(lsn) + ",");
    const std::size_t size = content.find('\n', at) - at;
    content.replace(at, size, std::string(size, '\0'));
    if (at % kSectorBytes == 0 && (at + size) % kSectorBytes == 0) continue;
    expect_damage(content, content.find(std::string(2, '\0')), lsn);
    ++refused;
  }
  EXPECT_GT(refused, 15u);
}

// --- damage ----------------------------------------------------------------------------------------------------------

TEST(WalDamage, OfTheLastWholeLineIsNoTornTail) {
  std::string last = line_text(3);
  last[40] ^= 1;
  expect_damage(lines(1, 2) + last, lines(1, 2).size(), 3);
  expect_damage(lines(1, 2) + last + "{\"v\":2,\"ls", lines(1, 2).size(), 3);
}

TEST(WalDamage, IsAWholeObjectThatIsNoLine) {
  for (const char* object : {"{}\n", "{\"x\":1}\n"}) expect_damage(lines(1, 2) + object, lines(1, 2).size(), 3);
}

TEST(WalDamage, IsALineFeedThatIsMissing) {
  const std::string glued = line_text(3).substr(0, line_text(3).size() - 1) + line_text(4);
  const std::size_t at = lines(1, 2).size() + line_text(3).size() - 1;
  expect_damage(lines(1, 2) + glued, at, 4);
  expect_damage(lines(1, 2) + glued + line_text(5), at, 4);
  expect_damage(lines(1, 2) + glued.substr(0, glued.size() - 1) + line_text(5), at, 4);
}

TEST(WalDamage, IsOneByteThatBecameZero) {
  std::string last = line_text(3, R"({"v":2,"op":"tree.create","series":"two words"})");
  last[last.find(' ')] = '\0';
  expect_damage(lines(1, 2) + last, lines(1, 2).size(), 3);
}

TEST(WalDamage, IsABadLineBeforeAGoodOne) {
  const std::string before = lines(1, 2);
  for (const std::string& bad : {std::string("garbage\n"), std::string(100, '\0'), std::string(100, '\0') + "\n",
                                 line_text(3).substr(0, 30), line_text(3).substr(0, 30) + "\n"}) {
    expect_damage(before + bad + line_text(4), before.size(), 3);
  }
}

TEST(WalDamage, IsAGapARepeatAStepBackAndASwap) {
  expect_damage(lines(1, 2) + line_text(4), lines(1, 2).size(), 3);
  expect_damage(lines(1, 2) + line_text(2), lines(1, 2).size(), 3);
  expect_damage(lines(1, 2) + line_text(1), lines(1, 2).size(), 3);
  expect_damage(line_text(1) + line_text(3) + line_text(2), line_text(1).size(), 2);
  expect_damage(plain_lines(1, 2) + plain_line(4), plain_lines(1, 2).size(), 3);
  expect_damage(plain_line(1) + plain_line(1), plain_line(1).size(), 2);
}

TEST(WalDamage, IsALineWithoutProperLsn) {
  const std::string before = plain_lines(1, 2);
  for (const char* lsn : {"\"3\"", "0", "-3", "3.0", "null"}) {
    expect_damage(before + "{\"v\":2,\"lsn\":" + lsn + ",\"entry\":{}}\n", before.size(), 3);
  }
  expect_damage(before + "{\"v\":2,\"entry\":{}}\n", before.size(), 3);
  expect_damage(before + "{\"v\":2,\"lsn\":3}\n", before.size(), 3);
}

struct SegmentCase {
  const char* name;
  void (*break_it)(CrashableFileSystem&);
  std::uint64_t file;  // the segment named, 0 for the active file
  std::uint64_t expected_lsn;
};

class WalSegmentDamage : public testing::TestWithParam<SegmentCase> {};

TEST_P(WalSegmentDamage, IsFoundAndNamed) {
  CrashableFileSystem files;
  files.edit(segment_path(1), lines(1, 2));
  files.edit(segment_path(3), lines(3, 4));
  files.edit(segment_path(5), lines(5, 6));
  files.edit(kActivePath, lines(7, 8));
  GetParam().break_it(files);
  const Scanned scanned = scan_log(files);
  ASSERT_EQ(scanned.scan.damage.size(), 1u);
  const Damage& damage = scanned.scan.damage.front();
  EXPECT_EQ(damage.file, GetParam().file ? segment_name(Lsn{GetParam().file}) : "karma.wal") << damage.to_string();
  EXPECT_EQ(damage.lsn.value, GetParam().expected_lsn) << damage.to_string();
}

const SegmentCase kSegmentCases[] = {
    {"Missing", [](CrashableFileSystem& f) { f.erase(segment_path(3)); }, 5, 3},
    {"MissingBeforeTheActiveFile", [](CrashableFileSystem& f) { f.erase(segment_path(5)); }, 0, 5},
    {"Empty", [](CrashableFileSystem& f) { f.edit(segment_path(3), ""); }, 3, 3},
    {"CutAtALine", [](CrashableFileSystem& f) { f.edit(segment_path(3), line_text(3)); }, 5, 4},
    {"CutInALine", [](CrashableFileSystem& f) { f.edit(segment_path(3), lines(3, 4).substr(0, 110)); }, 3, 4},
    {"WithoutItsFirstLine", [](CrashableFileSystem& f) { f.edit(segment_path(1), line_text(2)); }, 1, 1},
    {"Swapped",
     [](CrashableFileSystem& f) {
       f.edit(segment_path(3), lines(5, 6));
       f.edit(segment_path(5), lines(3, 4));
     },
     3, 3},
    {"Repeated", [](CrashableFileSystem& f) { f.edit(kActivePath, lines(5, 6)); }, 0, 7},
    {"ReplacedByAnother", [](CrashableFileSystem& f) { f.edit(segment_path(5), lines(3, 4)); }, 5, 5},
    {"WithZerosBehind", [](CrashableFileSystem& f) { f.edit(segment_path(5), lines(5, 6) + std::string(10, '\0')); }, 5,
     7},
};

INSTANTIATE_TEST_SUITE_P(Cases, WalSegmentDamage, testing::ValuesIn(kSegmentCases),
                         [](const auto& test) { return std::string(test.param.name); });

// Every bit of every file: found, or without any effect on the entries. Nothing that was acknowledged is cut.
TEST(WalDamage, EveryFlippedBitIsFoundOrHarmless) {
  const std::string contents[] = {lines(1, 2), lines(3, 4), lines(5, 6)};
  const std::string paths[] = {segment_path(1), segment_path(3), kActivePath};
  int found = 0;
  int harmless = 0;
  for (std::size_t file = 0; file < 3; ++file) {
    for (std::size_t at = 0; at < contents[file].size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        CrashableFileSystem files;
        for (std::size_t i = 0; i < 3; ++i) files.edit(paths[i], contents[i]);
        std::string flipped = contents[file];
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
        files.edit(paths[file], flipped);
        const Scanned scanned = scan_log(files);
        SCOPED_TRACE(paths[file] + " " + std::to_string(at) + " bit " + std::to_string(bit));
        if (scanned.scan.damage.empty()) {
          ++harmless;
          expect_entries(scanned.entries, 1, 6);
        } else {
          ++found;
          ASSERT_EQ(scanned.scan.damage.size(), 1u);
          ASSERT_EQ(kDirectory + "/" + scanned.scan.damage.front().file, paths[file]);
          ASSERT_LE(scanned.scan.damage.front().offset, at);
          // Nothing after the damage was given out, and nothing before it was changed.
          for (const auto& [lsn, entry] : scanned.entries) ASSERT_EQ(entry, entry_text(lsn));
        }
      }
    }
  }
  // Harmless: the last line feed.
  EXPECT_LT(harmless, 10);
  EXPECT_GT(found, 3000);
}

TEST(WalDamage, BeyondItTheScanGoesOnWhenAsked) {
  CrashableFileSystem files;
  std::string bad = line_text(3);
  bad[40] ^= 1;
  files.edit(segment_path(1), lines(1, 2) + bad + line_text(4));
  files.edit(segment_path(7), lines(7, 8));
  files.edit(kActivePath, line_text(9) + line_text(9) + line_text(10) + "{\"v\":2,");
  const Scanned scanned = scan_log(files, true);
  Entries expected;
  for (const std::uint64_t lsn : {1, 2, 4, 7, 8, 9, 10}) expected[lsn] = entry_text(lsn);
  EXPECT_EQ(scanned.entries, expected);
  ASSERT_EQ(scanned.scan.damage.size(), 3u);
  EXPECT_EQ(scanned.scan.damage[0].to_string(), segment_name(Lsn{1}) + ", offset " +
                                                    std::to_string(lines(1, 2).size()) +
                                                    ", expected LSN 3: the checksum is wrong");
  EXPECT_EQ(scanned.scan.damage[1].lsn.value, 5u);
  EXPECT_EQ(scanned.scan.damage[2].lsn.value, 10u);
  EXPECT_EQ(scanned.scan.last.value, 10u);
  EXPECT_EQ(scanned.scan.torn_bytes, 7u);
  LogOptions options;
  options.accept_damage = true;
  const auto log = open_scanned(files, scanned.scan, options);
  ASSERT_TRUE(log);
  EXPECT_TRUE(append(*log, 1).ok());
  EXPECT_EQ(log->last().value, 11u);
}

}  // namespace
}  // namespace karma::wal
