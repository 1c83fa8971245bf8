// The entries of a log that are in memory, too.
#include "wal/recent_entries.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "wal/log_support.h"

namespace karma::wal {
namespace {

void add(RecentEntries& recent, std::uint64_t first, std::uint64_t last, std::size_t padding = 0) {
  std::vector<std::string> texts;
  for (std::uint64_t lsn = first; lsn <= last; ++lsn) texts.push_back(entry_text(lsn) + std::string(padding, ' '));
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  recent.add(Lsn{first}, views);
}

// The LSNs that are there from `next` on; each with its own text.
std::vector<std::uint64_t> lsns(const RecentEntries& recent, std::uint64_t next, std::uint64_t to,
                                std::size_t most = SIZE_MAX) {
  std::vector<std::uint64_t> found;
  bool wanted = true;
  const auto visit = [&](Lsn lsn, std::string_view entry) {
    EXPECT_EQ(entry.substr(0, entry_text(lsn.value).size()), entry_text(lsn.value));
    found.push_back(lsn.value);
    return found.size() < most;
  };
  const Lsn after = recent.read(Lsn{next}, Lsn{to}, visit, wanted);
  EXPECT_EQ(after.value, next + found.size());
  EXPECT_EQ(wanted, found.size() < most);
  return found;
}

using Lsns = std::vector<std::uint64_t>;

TEST(RecentEntries, NothingIsKeptUntilSomebodyReads) {
  RecentEntries recent;
  add(recent, 1, 3);
  EXPECT_EQ(lsns(recent, 1, 3), Lsns());
  recent.want(Lsn{3});
  add(recent, 4, 6);
  EXPECT_EQ(lsns(recent, 4, 6), Lsns({4, 5, 6}));
  EXPECT_EQ(lsns(recent, 3, 6), Lsns());
  EXPECT_EQ(lsns(recent, 5, 5), Lsns({5}));
  EXPECT_EQ(lsns(recent, 7, 9), Lsns());
  EXPECT_EQ(lsns(recent, 4, 6, 2), Lsns({4, 5}));
}

TEST(RecentEntries, NothingIsKeptWhenNobodyHasReadForLong) {
  RecentEntries recent;
  recent.want(Lsn{0});
  add(recent, RecentEntries::kKeptUnread, RecentEntries::kKeptUnread);
  EXPECT_EQ(lsns(recent, RecentEntries::kKeptUnread, UINT64_MAX).size(), 1u);
  add(recent, RecentEntries::kKeptUnread + 1, RecentEntries::kKeptUnread + 1);
  EXPECT_EQ(lsns(recent, RecentEntries::kKeptUnread, UINT64_MAX).size(), 0u);
}

TEST(RecentEntries, AHoleBeginsAnew) {
  RecentEntries recent;
  recent.want(Lsn{0});
  add(recent, 1, 3);
  add(recent, 5, 6);
  EXPECT_EQ(lsns(recent, 1, 9), Lsns());
  EXPECT_EQ(lsns(recent, 5, 9), Lsns({5, 6}));
}

TEST(RecentEntries, TheNewestFitIntoTheirBound) {
  RecentEntries recent;
  recent.want(Lsn{0});
  constexpr std::size_t kPadding = 10000;
  const std::uint64_t last = RecentEntries::kMaxBytes / kPadding * 2;
  add(recent, 1, last, kPadding);
  EXPECT_EQ(lsns(recent, 1, last), Lsns());
  EXPECT_EQ(lsns(recent, last, last), Lsns({last}));
  std::uint64_t first = last;
  while (first > 1 && !lsns(recent, first - 1, first - 1).empty()) --first;
  const std::size_t bytes = (last - first + 1) * kPadding;
  EXPECT_LE(bytes, RecentEntries::kMaxBytes);
  EXPECT_GE(bytes, RecentEntries::kMaxBytes / 10 * 9);
  // One that is larger than all of it is there alone.
  add(recent, last + 1, last + 1, RecentEntries::kMaxBytes * 2);
  EXPECT_EQ(lsns(recent, last, last), Lsns());
  EXPECT_EQ(lsns(recent, last + 1, last + 1).size(), 1u);
}

TEST(RecentEntries, AreReadWhileTheyAreAdded) {
  RecentEntries recent;
  recent.want(Lsn{0});
  constexpr std::uint64_t kLast = 30000;
  std::atomic<std::uint64_t> published{0};
  std::thread writer([&] {
    for (std::uint64_t lsn = 1; lsn <= kLast; ++lsn) {
      add(recent, lsn, lsn);
      published = lsn;
    }
  });
  for (std::uint64_t next = 1; next <= kLast;) next += lsns(recent, next, published).size();
  writer.join();
}

}  // namespace
}  // namespace karma::wal
