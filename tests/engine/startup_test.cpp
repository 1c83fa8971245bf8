// The table of starts: each situation meets exactly one row, what is missing is what a search by hand finds, and over
// directories put together from every kind of part, the start and `karma check` agree, and nothing is lost silently.
#include "engine/startup.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "support/engine_fixture.h"

namespace karma::engine {
namespace {

template <class Act>
void for_each_situation(Act act) {
  for (int named = 0; named < 2; ++named)
    for (int checkpoints = 0; checkpoints < 3; ++checkpoints)
      for (int log = 0; log < 4; ++log)
        for (int manifest = 0; manifest < 5; ++manifest)
          for (int parts = 0; parts < 4; ++parts)
            for (int entries = 0; entries < 3; ++entries)
              for (int numbers = 0; numbers < 2; ++numbers)
                for (int load = 0; load < 2; ++load)
                  act(Situation{Named(named), CheckpointState(checkpoints), LogState(log), ManifestState(manifest),
                                Parts(parts), Entries(entries), Numbers(numbers), Load(load)});
}

TEST(StartTable, EachSituationMeetsExactlyOneRow) {
  std::size_t situations = 0;
  for_each_situation([&](const Situation& s) {
    ++situations;
    const auto fits = [&](const StartRow& row) { return row.fits(s); };
    EXPECT_EQ(std::count_if(start_table().begin(), start_table().end(), fits), 1);
  });
  EXPECT_EQ(situations, 2u * 3 * 4 * 5 * 4 * 3 * 2 * 2);
}

TEST(StartTable, NothingDamagedOrMissingIsEverPassedOver) {
  for_each_situation([&](const Situation& s) {
    const bool bad = s.named == Named::unknown || s.checkpoints == CheckpointState::damaged ||
                     s.log == LogState::damaged || s.log == LogState::newer || s.manifest == ManifestState::newer ||
                     s.manifest == ManifestState::damaged || s.parts == Parts::damaged || s.entries == Entries::missing;
    if (bad) {
      EXPECT_EQ(decide(s), Decision::refuse);
    }
    if (s.load == Load::no) {
      EXPECT_TRUE(decide(s) == Decision::refuse || decide(s) == Decision::start_empty) << "nothing is overwritten";
    }
    if (!bad && s.load == Load::yes) {
      EXPECT_NE(decide(s), Decision::refuse);
    }
  });
}

// Every LSN that something proves is in the snapshots or in the log.
TEST(StartTable, MissingIsWhatNeitherSnapshotsNorLogHold) {
  for (std::uint64_t covered = 0; covered < 5; ++covered)
    for (std::uint64_t first = 0; first < 6; ++first)
      for (std::uint64_t last = first; last < (first == 0 ? 1 : 7); ++last)
        for (std::uint64_t trimmed = 0; trimmed < 8; ++trimmed)
          for (std::uint64_t newest = 0; newest < 8; ++newest)
            for (std::uint64_t replicated = 0; replicated < 8; ++replicated) {
              const LsnFacts facts{.covered = Lsn{covered},
                                   .first = Lsn{first},
                                   .last = Lsn{last},
                                   .first_file = "log",
                                   .trimmed = Lsn{trimmed},
                                   .newest = Lsn{newest},
                                   .newest_file = "snapshot",
                                   .replicated = Lsn{replicated}};
              std::optional<std::uint64_t> lowest;
              for (std::uint64_t lsn = 1; lsn <= std::max({last, trimmed, newest, replicated}) && !lowest; ++lsn)
                if (lsn > covered && (lsn < first || lsn > last)) lowest = lsn;
              const std::optional<Missing> missing = find_missing(facts);
              ASSERT_EQ(missing.has_value(), lowest.has_value())
                  << covered << " " << first << "-" << last << " " << trimmed << " " << newest << " " << replicated;
              if (missing) {
                ASSERT_EQ(missing->from.value, *lowest);
              }
              if (missing) {
                ASSERT_NE(missing->file, "");
              }
            }
}

TEST(StartTable, WhatSnapshotsCover) {
  const auto lsn = [](const SnapshotFacts& facts) { return covered(facts).value; };
  EXPECT_EQ(lsn({}), 0u);
  EXPECT_EQ(lsn({.has_manifest = true, .set = Lsn{10}, .any = true, .newest = Lsn{50}}), 10u)
      << "a snapshot of one series says nothing of the others";
  EXPECT_EQ(lsn({.has_manifest = true, .set = Lsn{10}, .any = true, .newest = Lsn{50}, .exactly_once = Lsn{40}}), 40u);
  EXPECT_EQ(lsn({.has_manifest = true, .set = Lsn{10}, .any = true, .newest = Lsn{10}, .exactly_once = Lsn{40}}), 10u)
      << "an exactly-once state from elsewhere";
  EXPECT_EQ(lsn({.any = true, .newest = Lsn{14}, .exactly_once = Lsn{14}}), 14u);
  EXPECT_EQ(lsn({.any = true, .newest = Lsn{50}, .exactly_once = Lsn{10}}), 10u);
  EXPECT_EQ(lsn({.any = true, .newest = Lsn{14}, .trimmed = Lsn{90}}), 14u) << "trimmed is not covered";
  EXPECT_EQ(lsn({.any = true, .lsn_unknown = true, .trimmed = Lsn{7}}), 7u);
  EXPECT_EQ(lsn({.exactly_once = Lsn{14}, .trimmed = Lsn{14}}), 0u);
  EXPECT_EQ(lsn({.any = true, .newest = Lsn{21}, .restarted = true}), 0u);
  EXPECT_EQ(lsn({.any = true, .newest = Lsn{5}, .trimmed = Lsn{5}, .restarted = true, .renumbered = true}), 5u);
}

// --- directories -----------------------------------------------------------------------------------------------------

using test::check;
using test::in_directory;
using test::Node;
using Unsynced = test::CrashableFileSystem::Unsynced;

// One history: entry n adds 2^(n-1), so that a total tells which entries are in it.
class StartDirectories : public testing::Test {
 protected:
  static constexpr int kBackup = 3;
  static constexpr int kSet = 10;
  static constexpr int kEnd = 15;

  static std::string total(std::uint64_t lsn) {
    return "{\"series\":\"links\",\"key\":1,\"bucket\":20260505,\"value\":" + std::to_string((1ull << lsn) - 1) + "}\n";
  }
  static void add(Node& node, int from, int to) {
    for (int i = from; i <= to; ++i)
      node.expect("counter.increment",
                  ",\"series\":\"links\",\"key\":1,\"bucket\":20260505,\"value\":" + std::to_string(1ull << (i - 1)));
  }

  void SetUp() override {
    Node node;
    node.open();
    add(node, 1, kBackup);
    node.close(true);
    backup_ = node.after_crash(Unsynced::kept);
    node.clock.advance(10);
    node.open();
    add(node, kBackup + 1, kSet);
    node.close(true);
    set_ = node.after_crash(Unsynced::kept);
    Node logged;
    logged.open();
    add(logged, 1, kEnd);
    logged.close();
    const std::string log = *logged.files->content(in_directory("karma.wal"));
    for (std::size_t at = 0; at < log.size(); at = log.find('\n', at) + 1)
      lines_.push_back(log.substr(at, log.find('\n', at) + 1 - at));
    ASSERT_EQ(lines_.size(), std::size_t{kEnd});
  }

  struct Made {
    std::unique_ptr<Node> node;
    std::uint64_t proven = 0;  // the largest LSN that any of its files tells
  };

  static bool is_tree(const std::string& name) { return name.ends_with(".tree") || name.ends_with(".tree.meta.json"); }
  static bool is_exactly_once(const std::string& name) { return name.starts_with("karma.idempotency"); }

  static void take(Made& made, Node& from, bool (*wanted)(const std::string&), std::uint64_t lsn) {
    for (const std::string& name : test::names(*from.files))
      if (wanted(name)) made.node->files->edit(in_directory(name), *from.files->content(in_directory(name)));
    made.proven = std::max(made.proven, lsn);
  }

  enum Snapshots { kComplete, kOlder, kMissing, kForeign, kSnapshotKinds };
  enum Manifest { kToday, kOldManifest, kNone, kDamaged, kManifestKinds };
  enum ExactlyOnceState { kTodays, kOldExactlyOnce, kNoExactlyOnce, kExactlyOnceKinds };
  enum Log { kTrimmed, kBeginningMissing, kGap, kEmpty, kWhole, kOfTheBackup, kNewer, kLogKinds };
  enum LsnFile { kRight, kBehind, kAbsent, kAhead, kGarbage, kLsnFileKinds };

  Made make(int snapshots, int manifest, int exactly_once, int log, int lsn_file) {
    Made made{std::make_unique<Node>(), 0};
    EXPECT_TRUE(made.node->files->create_directories(test::kDirectory).ok());
    if (snapshots == kComplete || snapshots == kForeign) take(made, *set_, is_tree, kSet);
    if (snapshots == kOlder) take(made, *backup_, is_tree, kBackup);
    if (snapshots == kForeign) made.node->files->edit(in_directory("7_x.tree"), "of somebody else");
    const auto is_manifest = [](const std::string& name) { return name == "karma.manifest.json"; };
    if (manifest == kToday || manifest == kDamaged) take(made, *set_, is_manifest, kSet);
    if (manifest == kOldManifest) take(made, *backup_, is_manifest, kBackup);
    if (manifest == kDamaged) {
      std::string text = *made.node->files->content(in_directory("karma.manifest.json"));
      text[text.size() / 2] ^= 1;
      made.node->files->edit(in_directory("karma.manifest.json"), text);
    }
    if (exactly_once == kTodays) take(made, *set_, is_exactly_once, kSet);
    if (exactly_once == kOldExactlyOnce) take(made, *backup_, is_exactly_once, kBackup);
    std::vector<int> lsns;
    const auto put = [&](int from, int to) {
      for (int lsn = from; lsn <= to; ++lsn) lsns.push_back(lsn);
    };
    if (log == kTrimmed) put(kSet + 1, kEnd);
    if (log == kBeginningMissing) put(kSet + 2, kEnd);
    if (log == kGap) put(kSet + 1, kSet + 2), put(kSet + 4, kEnd);
    if (log == kWhole) put(1, kEnd);
    if (log == kOfTheBackup) put(1, kBackup);
    if (log == kNewer) put(kBackup + 1, kEnd);
    std::string text;
    for (const int lsn : lsns) text += lines_[static_cast<std::size_t>(lsn) - 1];
    made.node->files->edit(in_directory("karma.wal"), text);
    if (!lsns.empty()) made.proven = std::max<std::uint64_t>(made.proven, static_cast<std::uint64_t>(lsns.back()));
    static constexpr std::array<const char*, kLsnFileKinds> kTexts{"10\n", "3\n", nullptr, "40\n", "x\n"};
    if (kTexts[static_cast<std::size_t>(lsn_file)] != nullptr)
      made.node->files->edit(in_directory("karma.wal.lsn"), kTexts[static_cast<std::size_t>(lsn_file)]);
    static constexpr std::array<std::uint64_t, kLsnFileKinds> kProven{10, 3, 0, 40, 0};
    made.proven = std::max(made.proven, kProven[static_cast<std::size_t>(lsn_file)]);
    made.node->files->edit(in_directory("recovery.json"), "{\"checkpoints\":[]}\n");
    return made;
  }

  template <class Act>
  void for_each_directory(Act act) {
    for (int snapshots = 0; snapshots < kSnapshotKinds; ++snapshots)
      for (int manifest = 0; manifest < kManifestKinds; ++manifest)
        for (int exactly_once = 0; exactly_once < kExactlyOnceKinds; ++exactly_once)
          for (int log = 0; log < kLogKinds; ++log)
            for (int lsn_file = 0; lsn_file < kLsnFileKinds; ++lsn_file) {
              SCOPED_TRACE(testing::Message()
                           << "snapshots " << snapshots << " manifest " << manifest << " exactly-once state "
                           << exactly_once << " log " << log << " lsn file " << lsn_file);
              act(make(snapshots, manifest, exactly_once, log, lsn_file), manifest, log);
              if (testing::Test::HasFailure()) return;
            }
  }

  std::unique_ptr<Node> backup_;
  std::unique_ptr<Node> set_;
  std::vector<std::string> lines_;
};

TEST_F(StartDirectories, EachStartsWithAllThatItsFilesProveOrNotAtAll) {
  std::size_t started = 0;
  std::size_t refused = 0;
  for_each_directory([&](Made made, int manifest, int log) {
    Node& node = *made.node;
    const std::string found = check(*node.files);
    const auto untouched = node.after_crash(Unsynced::kept);
    const std::string refusal = node.try_open();
    ++(refusal.empty() ? started : refused);
    if (manifest == kDamaged || log == kGap) {
      ASSERT_NE(refusal, "");
    }
    if (found[0] == '0') {
      ASSERT_EQ(refusal, "") << "check is content: " << found;
    }
    if (!refusal.empty()) {
      ASSERT_EQ(found[0], '1') << refusal << "\n" << found;
      ASSERT_EQ(test::names(*node.files), test::names(*untouched->files)) << "a refused start changes nothing";
      return;
    }
    ASSERT_EQ(node.live_content(), made.proven == 0 ? "" : total(made.proven));
    ASSERT_EQ(node.lsn(), made.proven);
    node.close();
    // What a file that plays no part is called by --recover changes nothing; a name that does not exist is an error.
    untouched->config.recover = {"recovery.json"};
    ASSERT_EQ(untouched->try_open(), "");
    ASSERT_EQ(untouched->live_content(), made.proven == 0 ? "" : total(made.proven));
  });
  EXPECT_GT(started, 50u);
  EXPECT_GT(refused, 500u);
}

TEST_F(StartDirectories, WhatIsGivenUpIsWhatIsNamed) {
  for_each_directory([&](Made made, int, int) {
    const auto again = made.node->after_crash(Unsynced::kept);
    const std::string refusal = made.node->try_open();
    again->config.recover = {"nosuch.file"};
    ASSERT_NE(again->try_open().find("nosuch.file"), std::string::npos);
    if (refusal.empty()) return;
    again->config.recover = {"recovery.json"};
    ASSERT_EQ(again->try_open(), refusal);
    // One name after the other, as the refusals give them: in the end it starts, and then without them.
    again->config.recover.clear();
    std::string next = refusal;
    for (int names = 0; !next.empty(); ++names) {
      ASSERT_LT(names, 6) << next;
      const std::size_t at = next.find("--recover=");
      ASSERT_NE(at, std::string::npos) << next;
      again->config.recover.push_back(next.substr(at + 10, next.find_first_of(" ,", at) - at - 10));
      next = again->try_open();
    }
    const std::string content = again->live_content();
    again->close();
    again->config.recover.clear();
    const std::string found = check(*again->files);
    // A note that cannot be read stays until the log is trimmed the next time.
    ASSERT_TRUE(found[0] == '0' || found.find("karma.wal.lsn: not a number") != std::string::npos) << found;
    ASSERT_EQ(again->try_open(), "");
    ASSERT_EQ(again->live_content(), content);
  });
}

TEST_F(StartDirectories, WithoutRestoreNothingOfValueIsOverwritten) {
  for_each_directory([&](Made made, int, int) {
    Node& node = *made.node;
    const auto restored = node.after_crash(Unsynced::kept);
    const std::string refusal = restored->try_open();
    node.config.restore = false;
    const std::string without = node.try_open();
    if (!refusal.empty()) {
      ASSERT_NE(without, "");
    }
    if (!without.empty()) return;
    ASSERT_EQ(node.live_content(), "");
    node.close(true);
    node.config.restore = true;
    ASSERT_EQ(node.try_open(), "");
    ASSERT_EQ(node.live_content(), restored->live_content());
  });
}

}  // namespace
}  // namespace karma::engine
