// What the tests of the log have in common.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "support/crashable_file_system.h"
#include "wal/format.h"
#include "wal/log.h"

namespace karma::wal {

inline const std::string kDirectory = "data";
inline const std::string kActivePath = kDirectory + "/karma.wal";

inline std::string entry_text(std::uint64_t number) {
  return R"({"v":2,"op":"counter.increment","series":"links","key":)" + std::to_string(number) + "}";
}

// The line of that LSN, by default with the entry of that number.
inline std::string line_text(std::uint64_t lsn, std::string_view entry) {
  Buffer line;
  append_line(line, Lsn{lsn}, entry);
  return std::string(line.view());
}
inline std::string line_text(std::uint64_t lsn) { return line_text(lsn, entry_text(lsn)); }

// As Karma 1.0 writes it.
inline std::string plain_line(std::uint64_t lsn) {
  return R"({"v":2,"lsn":)" + std::to_string(lsn) + R"(,"entry":)" + entry_text(lsn) + "}\n";
}

inline std::string segment_path(std::uint64_t first) { return kDirectory + "/" + segment_name(Lsn{first}); }

using Entries = std::map<std::uint64_t, std::string>;

struct Scanned {
  Scan scan;
  Entries entries;
};

inline Scanned scan_log(FileSystem& files, bool beyond_damage = false) {
  Scanned scanned;
  const Visit visit = [&](Lsn lsn, std::string_view entry) {
    EXPECT_TRUE(scanned.entries.emplace(lsn.value, entry).second) << "LSN " << lsn.value << " was visited twice";
    return Status();
  };
  ScanOptions options;
  options.beyond_damage = beyond_damage;
  auto result = scan(files, kDirectory, visit, options);
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
  if (result) scanned.scan = std::move(*result);
  EXPECT_EQ(scanned.scan.entry_count, scanned.entries.size());
  return scanned;
}

inline std::unique_ptr<Log> open_scanned(FileSystem& files, const Scan& scan, LogOptions options = {}) {
  auto log = open_log(files, kDirectory, scan, scan.last, std::move(options));
  EXPECT_TRUE(log.ok()) << (log.ok() ? "" : log.error().message);
  return log ? std::move(*log) : nullptr;
}

inline std::unique_ptr<Log> open_anew(FileSystem& files, LogOptions options = {}) {
  return open_scanned(files, scan_log(files).scan, std::move(options));
}

// Appends entries numbered by their LSNs, as one batch.
inline Status append(Log& log, std::size_t count) {
  std::vector<std::string> texts;
  for (std::size_t i = 1; i <= count; ++i) texts.push_back(entry_text(log.last().value + i));
  const std::vector<std::string_view> entries(texts.begin(), texts.end());
  return log.append(entries);
}

// Exactly the entries `first` to `last`, each with its own text.
inline void expect_entries(const Entries& entries, std::uint64_t first, std::uint64_t last) {
  ASSERT_EQ(entries.size(), last + 1 - first);
  for (std::uint64_t lsn = first; lsn <= last; ++lsn) {
    const auto found = entries.find(lsn);
    ASSERT_NE(found, entries.end()) << lsn;
    ASSERT_EQ(found->second, entry_text(lsn));
  }
}

inline Entries read_log(Log& log, std::uint64_t after) {
  Entries entries;
  const Status read = log.read(Lsn{after}, [&](Lsn lsn, std::string_view entry) {
    EXPECT_TRUE(entries.emplace(lsn.value, entry).second);
    return true;
  });
  EXPECT_TRUE(read.ok()) << (read.ok() ? "" : read.error().message);
  return entries;
}

// A new one each run, printed on failure; KARMA_TEST_SEED repeats one.
inline std::uint64_t test_seed() {
  const char* given = std::getenv("KARMA_TEST_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

}  // namespace karma::wal
