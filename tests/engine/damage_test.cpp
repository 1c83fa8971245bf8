// Damaged files: whatever single byte is changed, whatever the last line was cut down to, a start either refuses and
// names the file, or the counts are exactly right. Never a wrong count. And with --recover it starts, and from then on
// without.
#include <gtest/gtest.h>

#include <set>

#include "core/crc32c.h"
#include "support/engine_fixture.h"

namespace karma::test {
namespace {

using Unsynced = CrashableFileSystem::Unsynced;

std::string point(std::string_view series, int key, int value) {
  return "{\"series\":\"" + std::string(series) + "\",\"key\":" + std::to_string(key) +
         ",\"bucket\":20260505,\"value\":" + std::to_string(value) + "}\n";
}

void add(Node& node, std::string_view series, int key, int value) {
  node.expect("counter.increment", ",\"series\":\"" + std::string(series) + "\",\"key\":" + std::to_string(key) +
                                       ",\"bucket\":20260505,\"value\":" + std::to_string(value));
}

struct Flips {
  std::size_t refused = 0;
  std::size_t started = 0;
};

class Damage : public testing::Test {
 protected:
  // Every byte of the file in turn, by one bit and by all; the disk must hold `expected` otherwise.
  Flips flip_every_byte(const CrashableFileSystem& disk, const std::string& name, const std::string& expected) {
    SCOPED_TRACE(name);
    Flips flips;
    const std::string good = disk.content(in_directory(name)).value_or("");
    EXPECT_FALSE(good.empty());
    for (std::size_t at = 0; at < good.size() && !HasFailure(); ++at) {
      for (const int mask : {1 << (at % 8), 0xff}) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ mask);
        start_damaged(disk, name, bad, expected, flips, "byte " + std::to_string(at) + " xor " + std::to_string(mask));
      }
    }
    return flips;
  }

  void start_damaged(const CrashableFileSystem& disk, const std::string& name, const std::string& bad,
                     const std::string& expected, Flips& flips, const std::string& what) {
    SCOPED_TRACE(what);
    Node node(disk.after_crash(Unsynced::kept));
    node.files->edit(in_directory(name), bad);
    const std::string refusal = node.try_open();
    if (!refusal.empty()) {
      ++flips.refused;
      EXPECT_NE(refusal.find(name), std::string::npos) << "the refusal does not name the file: " << refusal;
      EXPECT_EQ(node.files->content(in_directory(name)), bad) << "a refused start changes nothing";
      return;
    }
    ++flips.started;
    ASSERT_EQ(node.live_content(), expected);
    // What follows rests on it, too.
    if (flips.started % 8 != 0) return;
    add(node, "after", 1, 1);
    node.expect("snapshot.create_all");
    node.reopen();
    ASSERT_EQ(node.live_content(), point("after", 1, 1) + expected);
  }
};

// A log of six lines and nothing else.
class DamagedLog : public Damage {
 protected:
  void SetUp() override {
    node_.open();
    for (int i = 1; i <= 6; ++i) {
      contents_.push_back(node_.live_content());
      add(node_, "links", i, i * 10);
    }
    expected_ = node_.live_content();
    node_.close();
    log_ = *node_.files->content(in_directory("karma.wal"));
  }

  // Starts on a log of that content. Appends, and starts again.
  void expect_start(const std::string& log, const std::string& expected, std::uint64_t lsn) {
    Node node(node_.files->after_crash(Unsynced::kept));
    node.files->edit(in_directory("karma.wal"), log);
    ASSERT_EQ(check(*node.files).front(), '0') << check(*node.files);
    node.open();
    ASSERT_TRUE(node.is_open());
    ASSERT_EQ(node.live_content(), expected);
    ASSERT_EQ(node.lsn(), lsn);
    add(node, "after", 1, 1);
    node.close();
    ASSERT_EQ(check(*node.files).front(), '0') << check(*node.files);
    node.open();
    ASSERT_EQ(node.live_content(), point("after", 1, 1) + expected);
    ASSERT_EQ(node.lsn(), lsn + 1);
  }

  Node node_;
  std::vector<std::string> contents_;  // before each entry
  std::string expected_;
  std::string log_;
};

TEST_F(DamagedLog, EveryByteFlipped) {
  const Flips flips = flip_every_byte(*node_.files, "karma.wal", expected_);
  EXPECT_GT(flips.refused, log_.size());
}

TEST_F(DamagedLog, TheLastLineCutAtEveryLength) {
  const std::size_t last = log_.rfind('\n', log_.size() - 2) + 1;
  for (std::size_t length = last; length < log_.size() && !HasFailure(); ++length) {
    SCOPED_TRACE("cut to " + std::to_string(length - last));
    // Only the line end is missing: then the entry is whole.
    const bool whole = length + 1 == log_.size();
    expect_start(log_.substr(0, length), whole ? expected_ : contents_[5], whole ? 6 : 5);
  }
}

TEST_F(DamagedLog, WhatTheDiskHeldBehindTheLogIsCut) {
  for (const std::string& tail :
       {std::string(1, '\0'), std::string(5000, '\0'), std::string("garbage"), std::string("gar\nbage\n"),
        std::string("{\"v\":2,\"lsn\":7,\"entry\":{\"v\":2,"), std::string("\n\n")}) {
    SCOPED_TRACE(tail.substr(0, 20));
    expect_start(log_ + tail, expected_, 6);
    if (HasFailure()) return;
  }
}

std::string with_checksum(const std::string& body) {
  return body + ",\"crc32c\":" + std::to_string(crc32c(body)) + "}\n";
}

TEST_F(DamagedLog, WhatANewerKarmaWroteIsNotPassedOver) {
  const std::string increment = R"("op":"counter.increment","series":"links","key":7,"bucket":20260505,"value":1})";
  const std::string newer[] = {
      with_checksum(R"({"v":2,"lsn":7,"entry":{"v":2,"op":"counter.decay","series":"links"})"),
      with_checksum(R"({"v":2,"lsn":7,"entry":{"v":2,"op":"tree.sum","series":"links"})"),
      with_checksum(R"({"v":2,"lsn":7,"entry":{"v":2})"),
      with_checksum(R"({"v":2,"lsn":7,"entry":{"v":3,)" + increment),
      with_checksum(R"({"v":3,"lsn":7,"entry":{"v":2,)" + increment),
      with_checksum(R"({"v":2,"lsn":7,"history":"a","entry":{"v":2,)" + increment),
      with_checksum(R"({"v":2,"lsn":7,"entry":{"v":2,)" + increment + R"(,"history":"a")"),
  };
  const std::string after = with_checksum(R"({"v":2,"lsn":8,"entry":{"v":2,)" + increment);
  for (const std::string& line : newer) {
    for (const std::string& log : {log_ + line, log_ + line + after, log_ + line.substr(0, line.size() - 1)}) {
      SCOPED_TRACE(log.substr(log_.size()));
      Node node(node_.files->after_crash(Unsynced::kept));
      node.files->edit(in_directory("karma.wal"), log);
      const std::string refusal = node.try_open();
      const std::string where =
          "karma.wal, offset " + std::to_string(log_.size()) + ", expected LSN 7: written by a newer Karma";
      EXPECT_NE(refusal.find("The log cannot be read: " + where), std::string::npos) << refusal;
      EXPECT_EQ(node.files->content(in_directory("karma.wal")), log) << "a refused start changes nothing";
      EXPECT_EQ(check(*node.files).substr(0, 2), "1 ");
      EXPECT_NE(check(*node.files).find(where), std::string::npos) << check(*node.files);
      node.config.recover = {"karma.wal"};
      ASSERT_EQ(node.try_open(), "");
      EXPECT_EQ(node.live_content(), log.ends_with(after) ? expected_ + point("links", 7, 1) : expected_);
    }
  }
}

TEST_F(DamagedLog, WhatANewerKarmaWroteIsFoundInSegmentsToo) {
  Node node(node_.files->after_crash(Unsynced::kept));
  node.files->edit(in_directory("karma.wal.00000000000000000001.segment"),
                   log_ + with_checksum(R"({"v":2,"lsn":7,"entry":{"v":2,"op":"counter.decay","series":"links"})"));
  node.files->edit(in_directory("karma.wal"), "");
  EXPECT_NE(node.try_open().find("written by a newer Karma: the op counter.decay"), std::string::npos);
}

// 1.0 logged before it refused, and its lines have no checksum.
TEST_F(DamagedLog, AnUnknownOpOfKarma1HasNoEffect) {
  expect_start(R"({"v":2,"lsn":1,"entry":{"v":2,"op":"counter.decay","series":"links"}})"
               "\n",
               "", 1);
}

TEST_F(DamagedLog, LinesThatAreMissingRepeatedOrSwappedAreRefused) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < log_.size(); at = log_.find('\n', at) + 1)
    lines.push_back(log_.substr(at, log_.find('\n', at) + 1 - at));
  ASSERT_EQ(lines.size(), 6u);
  const auto refused = [&](const std::vector<std::size_t>& order) {
    std::string text;
    for (const std::size_t line : order) text += lines[line];
    Node node(node_.files->after_crash(Unsynced::kept));
    node.files->edit(in_directory("karma.wal"), text);
    const std::string refusal = node.try_open();
    EXPECT_NE(refusal.find("karma.wal"), std::string::npos) << refusal;
    EXPECT_EQ(check(*node.files)[0], '1');
    return refusal;
  };
  EXPECT_NE(refused({0, 1, 3, 4, 5}).find("LSN 3"), std::string::npos) << "a gap says what is missing";
  refused({0, 1, 1, 2, 3, 4, 5});
  refused({0, 2, 1, 3, 4, 5});
  refused({1, 0, 2, 3, 4, 5});
  refused({1, 2, 3, 4, 5});
}

TEST_F(DamagedLog, GivenUpByTheOperatorItStartsWithoutTheLineAndStaysSo) {
  std::string bad = log_;
  const std::size_t third = log_.find("\"lsn\":3");
  bad[log_.find("\"value\":30", third) + 8] = '9';
  Node node(node_.files->after_crash(Unsynced::kept));
  node.files->edit(in_directory("karma.wal"), bad);
  const std::string refusal = node.try_open();
  EXPECT_NE(refusal.find("--recover=karma.wal"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("LSN 3"), std::string::npos) << refusal;

  std::string without = expected_;
  without.erase(without.find(point("links", 3, 30)), point("links", 3, 30).size());
  node.config.recover = {"karma.wal"};
  node.open();
  EXPECT_EQ(node.live_content(), without);
  EXPECT_EQ(node.lsn(), 6u) << "LSNs never go back";
  add(node, "links", 7, 70);
  without += point("links", 7, 70);
  node.close();
  node.config.recover.clear();
  node.open();
  EXPECT_EQ(node.live_content(), without);
  EXPECT_EQ(node.lsn(), 7u);
  EXPECT_EQ(check(*node.after_crash(Unsynced::lost)->files).front(), '0');
}

// Segments of one line or two, each with its index.
class DamagedSegments : public Damage {
 protected:
  void SetUp() override {
    node_.config.wal_segment_bytes = 200;
    node_.open();
    for (int i = 1; i <= 8; ++i) add(node_, "links", i, i);
    expected_ = node_.live_content();
    node_.close();
    for (const std::string& name : names(*node_.files)) {
      if (name.ends_with(".segment")) segments_.push_back(name);
      if (name.ends_with(".idx")) indexes_.push_back(name);
    }
    ASSERT_GE(segments_.size(), 3u);
    ASSERT_EQ(indexes_.size(), segments_.size());
  }

  Node node_;
  std::string expected_;
  std::vector<std::string> segments_;
  std::vector<std::string> indexes_;
};

TEST_F(DamagedSegments, EveryByteFlippedIsRefused) {
  const Flips flips = flip_every_byte(*node_.files, segments_[1], expected_);
  EXPECT_GT(flips.refused, 100u);
}

TEST_F(DamagedSegments, AnIndexIsAHintAndNoMore) {
  EXPECT_EQ(flip_every_byte(*node_.files, indexes_[1], expected_).refused, 0u);
}

TEST_F(DamagedSegments, AMissingOneIsRefused) {
  for (const std::string& name : segments_) {
    Node node(node_.files->after_crash(Unsynced::kept));
    node.files->erase(in_directory(name));
    EXPECT_NE(node.try_open(), "") << name;
  }
}

// A whole set, with nothing in the log that could replace it.
class DamagedSet : public Damage {
 protected:
  void SetUp() override {
    node_.open();
    add(node_, "links", 1, 10);
    add(node_, "links", 2, 300);
    add(node_, "users", 1, 70000);
    node_.clock.advance(10);
    node_.close(true);
    expected_ = content(*node_.files);
    ASSERT_EQ(expected_, point("links", 1, 10) + point("links", 2, 300) + point("users", 1, 70000));
  }

  std::string tree() { return find_name(*node_.files, "", "_links.tree"); }

  Node node_;
  std::string expected_;
};

TEST_F(DamagedSet, EveryByteOfEveryFileFlipped) {
  std::set<std::string> refusing;
  for (const std::string& name : names(*node_.files)) {
    if (node_.files->content(in_directory(name)).value_or("").empty()) continue;
    if (flip_every_byte(*node_.files, name, expected_).refused != 0) refusing.insert(name);
    if (HasFailure()) return;
  }
  EXPECT_TRUE(refusing.contains(tree()));
  EXPECT_TRUE(refusing.contains("karma.manifest.json"));
  EXPECT_TRUE(refusing.contains("karma.idempotency.json"));
}

TEST_F(DamagedSet, EveryFileMissingOrEmpty) {
  for (const std::string& name : names(*node_.files)) {
    if (node_.files->content(in_directory(name)).value_or("").empty()) continue;
    SCOPED_TRACE(name);
    Flips flips;
    start_damaged(*node_.files, name, "", expected_, flips, "empty");
    Node node(node_.files->after_crash(Unsynced::kept));
    node.files->erase(in_directory(name));
    const std::string refusal = node.try_open();
    if (refusal.empty()) {
      EXPECT_EQ(node.live_content(), expected_);
      EXPECT_GE(node.lsn(), 3u) << "LSNs never go back";
    } else {
      EXPECT_NE(refusal.find(name), std::string::npos) << refusal;
    }
  }
}

TEST_F(DamagedSet, VerifyAndCheckFindIt) {
  for (const std::string& name : names(*node_.files)) {
    std::string bytes = node_.files->content(in_directory(name)).value_or("");
    // karma.wal.lsn is a note that may lag behind; a wrong number in it shows only where it runs ahead.
    if (bytes.empty() || name == "karma.wal.lsn") continue;
    SCOPED_TRACE(name);
    Node node(node_.files->after_crash(Unsynced::kept));
    node.open();
    node.expect("snapshot.verify");
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    node.files->edit(in_directory(name), bytes);
    const std::string reply = node.call("snapshot.verify");
    EXPECT_TRUE(failed_with(reply, "validation_error")) << reply;
    EXPECT_NE(reply.find(name), std::string::npos) << reply;
    EXPECT_EQ(node.live_content(), expected_) << "verify changes nothing";
    node.close();
    const std::string found = check(*node.files);
    EXPECT_EQ(found[0], '1');
    EXPECT_NE(found.find(name), std::string::npos) << found;
  }
}

TEST_F(DamagedSet, GivenUpByTheOperatorTheRestStartsAndStaysSo) {
  const std::string name = tree();
  std::string bytes = *node_.files->content(in_directory(name));
  bytes.resize(bytes.size() / 2);
  node_.files->edit(in_directory(name), bytes);
  const std::string refusal = node_.try_open();
  EXPECT_NE(refusal.find(name), std::string::npos) << refusal;
  node_.config.recover = {name};
  node_.open();
  ASSERT_TRUE(node_.is_open());
  const std::string rest = point("users", 1, 70000);
  std::string seen = node_.live_content();
  EXPECT_TRUE(seen == rest || seen == "{\"series\":\"links\"}\n" + rest) << seen;
  add(node_, "users", 1, 1);
  node_.close();
  node_.config.recover.clear();
  node_.open();
  ASSERT_TRUE(node_.is_open());
  EXPECT_NE(node_.live_content().find(point("users", 1, 70001)), std::string::npos);
}

// Snapshots of single series leave the log whole: it replaces what is damaged.
TEST_F(Damage, WhereTheLogReachesBackADamagedSnapshotIsMadeAnew) {
  Node node;
  node.open();
  add(node, "links", 1, 10);
  add(node, "users", 1, 5);
  node.expect("snapshot.create", R"(,"series":"links")");
  node.clock.advance(10);
  add(node, "links", 1, 20);
  node.expect("snapshot.create", R"(,"series":"links")");
  add(node, "links", 2, 1);
  const std::string expected = node.live_content();
  node.close();
  const std::string newest = find_name(*node.files, std::to_string(ManualClock::kNoon + 10), "_links.tree");
  const Flips flips = flip_every_byte(*node.files, newest, expected);
  EXPECT_EQ(flips.refused, 0u);
  node.files->erase(in_directory(newest));
  node.open();
  EXPECT_EQ(node.live_content(), expected);
}

// The lines that were given up are missing in whatever the log would make.
TEST_F(Damage, ALogWithAHoleIsNoReplacement) {
  for (const bool with_older : {true, false}) {
    SCOPED_TRACE(with_older);
    Node node;
    node.open();
    add(node, "links", 1, 10);
    if (with_older) node.expect("snapshot.create", R"(,"series":"links")");
    node.clock.advance(10);
    add(node, "links", 2, 20);
    add(node, "links", 3, 30);
    node.expect("snapshot.create", R"(,"series":"links")");
    add(node, "links", 4, 40);
    const std::string expected = node.live_content();
    node.close();
    const std::string newest = find_name(*node.files, std::to_string(ManualClock::kNoon + 10), "_links.tree");
    std::string log = *node.files->content(in_directory("karma.wal"));
    log[log.find("\"value\":20") + 8] = '9';
    node.files->edit(in_directory("karma.wal"), log);
    node.config.recover = {"karma.wal"};
    const auto whole = node.after_crash(Unsynced::kept);
    ASSERT_EQ(whole->try_open(), "");
    EXPECT_EQ(whole->live_content(), expected) << "the snapshot has it";
    whole->close();

    std::string tree = *node.files->content(in_directory(newest));
    tree[tree.size() / 2] = static_cast<char>(tree[tree.size() / 2] ^ 1);
    node.files->edit(in_directory(newest), tree);
    const std::string refusal = node.try_open();
    EXPECT_NE(refusal.find("--recover=" + newest + " "), std::string::npos)
        << (node.is_open() ? "starts with " + node.live_content() : refusal);
    node.close();
    node.config.recover.push_back(newest);
    ASSERT_EQ(node.try_open(), "");
    EXPECT_EQ(node.live_content(), point("links", 1, 10) + point("links", 3, 30) + point("links", 4, 40));
  }
}

// What is in the damaged file is in the other, up to the same entry.
TEST_F(Damage, ASnapshotOfTheSameContentStandsInForAllThatTheDamagedOneHeld) {
  Node node;
  node.open();
  add(node, "links", 1, 5);
  node.expect("snapshot.create", R"(,"series":"links")");
  node.expect("counter.reset", R"(,"series":"links","key":1)");
  node.clock.advance(10);
  node.expect("snapshot.create_all");
  const std::string between = find_name(*node.files, std::to_string(ManualClock::kNoon + 10), "_links.tree");
  add(node, "links", 1, 5);
  node.clock.advance(10);
  node.expect("snapshot.create", R"(,"series":"links")");
  const std::string newest = find_name(*node.files, std::to_string(ManualClock::kNoon + 20), "_links.tree");
  node.close();
  node.files->erase(in_directory(between));
  node.files->erase(in_directory(between + ".meta.json"));
  EXPECT_EQ(flip_every_byte(*node.files, newest, point("links", 1, 5)).refused, 0u);
}

// A set that holds what was written with --wal=false cannot be made from the log, however whole the log looks.
TEST_F(Damage, TheLogIsNoReplacementForWhatItNeverHeld) {
  Node node;
  node.open();
  add(node, "links", 1, 10);
  node.close();
  node.config.wal = false;
  node.open();
  add(node, "links", 1, 5);
  node.close(true);
  node.config.wal = true;
  node.open();
  ASSERT_EQ(node.live_content(), point("links", 1, 15));
  node.close();
  const Flips flips = flip_every_byte(*node.files, find_name(*node.files, "", "_links.tree"), point("links", 1, 15));
  EXPECT_GT(flips.refused, 50u);
}

TEST_F(Damage, TheLsnNoteMayHoldAnything) {
  Node node;
  node.open();
  add(node, "links", 1, 10);
  node.expect("snapshot.create_all");
  add(node, "links", 1, 20);
  const std::string expected = node.live_content();
  node.close();
  for (const std::string text : {"", "0", "1", "garbage", "-5", "\n", "99999999999999999999999"}) {
    Flips flips;
    start_damaged(*node.files, "karma.wal.lsn", text, expected, flips, text);
    EXPECT_EQ(flips.started, 1u);
    Node next(node.files->after_crash(Unsynced::kept));
    next.files->edit(in_directory("karma.wal.lsn"), text);
    next.open();
    EXPECT_EQ(next.lsn(), 2u);
  }
}

}  // namespace
}  // namespace karma::test
