#include "engine/history.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/crashable_file_system.h"

namespace karma::engine {
namespace {

std::string id(char digit) { return std::string(32, digit); }

TEST(History, AnEntryIsOfTheLatestEpochThatBeganBeforeIt) {
  const History history({{id('a'), Lsn{1}, 1}, {id('b'), Lsn{5}, 1}});
  EXPECT_EQ(history.at(Lsn{0}), nullptr);
  EXPECT_EQ(history.at(Lsn{1})->id, id('a'));
  EXPECT_EQ(history.at(Lsn{4})->id, id('a'));
  EXPECT_EQ(history.at(Lsn{5})->id, id('b'));
  EXPECT_EQ(history.at(Lsn{900})->id, id('b'));
}

TEST(History, EachStartBeginsAnEpochThatNobodyElseHas) {
  History history;
  history.begin_epoch(Lsn{0});
  const History first = history;
  history.begin_epoch(Lsn{0});
  EXPECT_EQ(history.epochs().size(), 1U) << "nothing was written under the one before";
  EXPECT_NE(history, first);
  history.begin_epoch(Lsn{7});
  EXPECT_EQ(history.epochs().size(), 2U);
  EXPECT_EQ(history.epochs().back().first, Lsn{8});
  history.begin_epoch(Lsn{3});
  EXPECT_EQ(history.epochs().size(), 2U) << "the log was put back: the epoch from 8 on is of entries that are gone";
  EXPECT_EQ(history.epochs().back().first, Lsn{4});
  EXPECT_EQ(history.term(), 1U);
  history.follow();
  history.begin_epoch(Lsn{5});
  EXPECT_EQ(history.term(), 2U) << "a slave that starts as master";
  EXPECT_FALSE(history.following());
  for (std::uint64_t last = 10; last < 10 + 2 * History::kMaxEpochs; ++last) history.begin_epoch(Lsn{last});
  EXPECT_EQ(history.epochs().size(), History::kMaxEpochs);
}

TEST(History, RelationsOfTwoLogs) {
  const History none;
  const History a({{id('a'), Lsn{1}, 1}});
  const History ab({{id('a'), Lsn{1}, 1}, {id('b'), Lsn{5}, 1}});
  const History ac({{id('a'), Lsn{1}, 1}, {id('c'), Lsn{4}, 1}});
  const History late({{id('b'), Lsn{5}, 1}});
  const History foreign({{id('f'), Lsn{1}, 1}});
  EXPECT_EQ(relation(a, ab, Lsn{4}), Relation::same);
  EXPECT_EQ(relation(a, ab, Lsn{5}), Relation::diverged) << "the slave has an entry more of the old epoch";
  EXPECT_EQ(relation(ab, ab, Lsn{9}), Relation::same);
  EXPECT_EQ(relation(ab, a, Lsn{9}), Relation::diverged);
  EXPECT_EQ(relation(ab, a, Lsn{4}), Relation::same) << "nothing of the later epoch is here";
  const History promoted({{id('a'), Lsn{1}, 1}, {id('d'), Lsn{5}, 2}});
  EXPECT_EQ(relation(promoted, ab, Lsn{9}), Relation::outdated);
  EXPECT_EQ(relation(promoted, foreign, Lsn{9}), Relation::diverged)
      << "it was wiped: no older one has no common epoch";
  EXPECT_EQ(relation(ab, promoted, Lsn{4}), Relation::same);
  EXPECT_EQ(relation(ab, promoted, Lsn{5}), Relation::diverged);
  EXPECT_EQ(relation(ab, ac, Lsn{5}), Relation::diverged);
  EXPECT_EQ(relation(ab, ac, Lsn{3}), Relation::same);
  EXPECT_EQ(relation(a, none, Lsn{1}), Relation::unknown);
  EXPECT_EQ(relation(none, a, Lsn{1}), Relation::unknown);
  EXPECT_EQ(relation(a, late, Lsn{3}), Relation::unknown) << "the master has forgotten it";
  EXPECT_EQ(relation(a, ac, Lsn{0}), Relation::same) << "nothing is the beginning of everything";
}

TEST(History, WhereTwoLogsPart) {
  const History none;
  const History a({{id('a'), Lsn{1}, 1}});
  const History ab({{id('a'), Lsn{1}, 1}, {id('b'), Lsn{5}, 1}});
  const History ad({{id('a'), Lsn{1}, 1}, {id('d'), Lsn{4}, 2}});
  EXPECT_EQ(fork(a, Lsn{9}, ad), Lsn{3}) << "the other one was promoted at 3";
  EXPECT_EQ(fork(a, Lsn{2}, ad), Lsn{2}) << "the other one has all of it";
  EXPECT_EQ(fork(ab, Lsn{9}, ad), Lsn{3});
  EXPECT_EQ(fork(ab, Lsn{9}, a), Lsn{4});
  EXPECT_EQ(fork(ab, Lsn{4}, a), Lsn{4});
  EXPECT_EQ(fork(ab, Lsn{3}, a), Lsn{3}) << "nothing of the later epoch is here";
  EXPECT_EQ(fork(ab, Lsn{9}, ab), Lsn{9}) << "as far as epochs tell";
  EXPECT_EQ(fork(a, Lsn{9}, History({{id('c'), Lsn{1}, 1}})), Lsn{0}) << "nothing in common, from the first entry on";
  EXPECT_EQ(fork(a, Lsn{9}, History({{id('c'), Lsn{2}, 1}})), std::nullopt) << "the first entry may be the same";
  EXPECT_EQ(fork(History({{id('c'), Lsn{2}, 1}}), Lsn{9}, a), std::nullopt);
  EXPECT_EQ(fork(a, Lsn{9}, none), std::nullopt);
  EXPECT_EQ(fork(none, Lsn{9}, a), std::nullopt);
  EXPECT_EQ(fork(a, Lsn{9}, History({{id('a'), Lsn{2}, 1}})), std::nullopt) << "that cannot be";
}

TEST(History, TextsThatAreNone) {
  for (const std::string& text :
       std::vector<std::string>{std::string(), std::string("[["), std::string("{}"), std::string("[[\"a\",1]]"),
                                "[[\"" + id('a') + "\",0,1]]", "[[\"" + id('a') + "\",1,1],[\"" + id('b') + "\",1,1]]",
                                "[[\"" + id('a') + "\"]]", "[[\"" + id('a') + "\",1,2,3]]",
                                "[[\"" + id('a') + "\",1,0]]", "[[\"" + id('a') + "\",1,1]]x"})
    EXPECT_FALSE(History::of_json(text)) << text;
  EXPECT_EQ(History::of_json("[]"), History());
}

TEST(History, EveryFlippedBitOfTheFileIsNoticed) {
  test::CrashableFileSystem files;
  ASSERT_TRUE(files.create_directories("data").ok());
  EXPECT_EQ(*read_history(files, "data"), History()) << "there is none";
  const History written({{id('a'), Lsn{1}, 1}, {id('b'), Lsn{5}, 1}});
  ASSERT_TRUE(write_history(files, "data", written).ok());
  EXPECT_EQ(*read_history(files, "data"), written);
  const std::string path = "data/" + std::string(kHistoryName);
  const std::string good = *files.content(path);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    files.edit(path, bad);
    EXPECT_FALSE(read_history(files, "data").ok()) << bit;
  }
}

}  // namespace
}  // namespace karma::engine
