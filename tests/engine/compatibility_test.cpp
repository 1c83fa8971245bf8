// Data directories as Karma 1.0 writes them, odd ones included, written out here from the description of its formats:
// they open with exactly the right counts, and what is written afterwards is what 1.0 can read.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/engine_fixture.h"

namespace karma::test {
namespace {

using Points = std::map<std::uint64_t, std::vector<std::pair<std::uint64_t, std::uint64_t>>>;

std::string line(std::uint64_t lsn, std::string_view entry_fields) {
  return R"({"v":2,"lsn":)" + std::to_string(lsn) + R"(,"entry":{"v":2,)" + std::string(entry_fields) + "}}\n";
}

std::string increment(std::uint64_t lsn, std::string_view series, std::uint64_t key, std::uint64_t bucket,
                      std::uint64_t value) {
  return line(lsn, R"("op":"counter.increment","series":")" + std::string(series) + R"(","key":)" +
                       std::to_string(key) + R"(,"bucket":)" + std::to_string(bucket) + R"(,"value":)" +
                       std::to_string(value));
}

std::string point(std::string_view series, std::uint64_t key, std::uint64_t bucket, std::uint64_t value) {
  return "{\"series\":\"" + std::string(series) + "\",\"key\":" + std::to_string(key) +
         ",\"bucket\":" + std::to_string(bucket) + ",\"value\":" + std::to_string(value) + "}\n";
}

// MessagePack: the smallest unsigned form.
void append_unsigned(std::string& out, std::uint64_t number) {
  const auto bytes = [&](int tag, int count) {
    out += static_cast<char>(tag);
    for (int shift = (count - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift);
  };
  if (number < 0x80) {
    out += static_cast<char>(number);
  } else if (number <= 0xff) {
    bytes(0xcc, 1);
  } else if (number <= 0xffff) {
    bytes(0xcd, 2);
  } else if (number <= 0xffffffff) {
    bytes(0xce, 4);
  } else {
    bytes(0xcf, 8);
  }
}

// A .tree file, its buckets in the order given. `total_off`: what is wrong with each counter's total.
std::string tree(const Points& points, std::uint64_t branches = 9, std::uint64_t total_off = 0) {
  std::string out(
      "\x82\xac"
      "branches_num");
  append_unsigned(out, branches);
  out += std::string(
             "\xa8"
             "branches") +
         static_cast<char>(0x90 + branches);
  for (std::uint64_t branch = 0; branch < branches; ++branch) {
    std::string counters;
    std::size_t count = 0;
    for (const auto& [key, days] : points) {
      if (key % branches != branch) continue;
      ++count;
      append_unsigned(counters, key);
      counters += std::string(
                      "\x82\xa5"
                      "table") +
                  static_cast<char>(0x80 + days.size());
      std::uint64_t total = total_off;
      for (const auto& [bucket, value] : days) {
        append_unsigned(counters, bucket);
        append_unsigned(counters, value);
        total += value;
      }
      counters +=
          "\xa5"
          "total";
      append_unsigned(counters, total);
    }
    out += static_cast<char>(0x80 + count) + counters;
  }
  return out;
}

class Compatibility : public testing::Test {
 protected:
  void write(std::string_view name, std::string content) { node_.files->edit(in_directory(name), std::move(content)); }

  void snapshot(std::int64_t timestamp, const std::string& series, std::uint64_t last_lsn, const Points& points,
                bool sidecar = true) {
    const std::string file = std::to_string(timestamp) + "_" + series + ".tree";
    const std::string bytes = tree(points);
    write(file, bytes);
    if (!sidecar) return;
    write(file + ".meta.json", R"({"tree":")" + series + R"(","file":")" + file + R"(","timestamp":)" +
                                   std::to_string(timestamp) + R"(,"last_lsn":)" + std::to_string(last_lsn) +
                                   R"(,"bytes":)" + std::to_string(bytes.size()) + "}\n");
  }

  // The exactly-once state of 1.0, and how far it reaches.
  void exactly_once(const std::string& json, std::int64_t timestamp, std::uint64_t last_lsn) {
    write("karma.idempotency.json", json);
    write("karma.idempotency.json.meta.json",
          R"({"file":"karma.idempotency.json","timestamp":)" + std::to_string(timestamp) + R"(,"last_lsn":)" +
              std::to_string(last_lsn) + R"(,"bytes":)" + std::to_string(json.size()) +
              R"(,"record_count":0,"committed_stream_count":0})" + "\n");
  }

  // It does not start, and the refusal says what may be given up.
  void expect_refusal(const std::string& file) {
    const std::string found = check(*node_.files);
    EXPECT_EQ(found[0], '1') << found;
    const std::string refusal = node_.try_open();
    EXPECT_NE(refusal.find("--recover=" + file + " "), std::string::npos)
        << (node_.is_open() ? "starts with " + node_.live_content() : refusal);
    node_.close();
  }

  // The directory opens with that content and LSN; it takes writes, and the same comes out of the log and of snapshots.
  void expect(const std::string& expected, std::uint64_t lsn) {
    ASSERT_EQ(content(*node_.files), expected);
    ASSERT_EQ(node_.try_open(), "");
    ASSERT_EQ(node_.lsn(), lsn);
    node_.expect("counter.increment", R"(,"series":"~","key":1,"bucket":20260505)");
    const std::string more = expected + point("~", 1, 20260505, 1);
    node_.close();
    const auto crashed = node_.after_crash(CrashableFileSystem::Unsynced::lost);
    ASSERT_EQ(check(*crashed->files).front(), '0') << check(*crashed->files);
    ASSERT_EQ(content(*crashed->files), more);
    node_.open();
    ASSERT_EQ(node_.lsn(), lsn + 1);
    node_.expect("snapshot.create_all");
    node_.expect("snapshot.verify");
    node_.close();
    ASSERT_EQ(content(*node_.files), more);
    node_.open();
    ASSERT_EQ(node_.lsn(), lsn + 1);
    node_.close(true);
    ASSERT_EQ(content(*node_.files), more);
  }

  const std::string kNoKeys = "{\"records\":[],\"committed_streams\":[]}\n";
  Node node_;
};

// Every canonical entry, and the content after it.
const std::vector<std::pair<std::string, std::string>>& canonical() {
  static const std::string kEmpty = "{\"series\":\"links\"}\n";
  static const std::vector<std::pair<std::string, std::string>> kLines = {
      {R"("op":"tree.create","series":"links")", kEmpty},
      {R"("op":"counter.increment","series":"links","key":42,"bucket":20260505,"value":3)",
       point("links", 42, 20260505, 3)},
      {R"("op":"counter.decrement","series":"links","key":42,"bucket":20260505,"value":1)",
       point("links", 42, 20260505, 2)},
      {R"("op":"series.batch_add","series":"links","granularity":"day","items":[[42,20260505,10],[43,20260505,3]])",
       point("links", 42, 20260505, 12) + point("links", 43, 20260505, 3)},
      {R"("op":"series.batch_set","series":"links","granularity":"day","items":[[42,20260505,10],[43,20260505,0]])",
       point("links", 42, 20260505, 10)},
      {R"("op":"counter.reset","series":"links","key":42)", kEmpty},
      {R"("op":"counter.increment","series":"links","key":42,"bucket":20260505,"value":1,"idempotency_key":"click-1","fingerprint":"273e5537ec80bce468f869cf8e92185b5b6118d36c6e515502bcc5ac4dbe24eb","idempotency_created_at_unix":1795000000)",
       point("links", 42, 20260505, 1)},
      {R"("op":"tree.reset","series":"links")", kEmpty},
      {R"("op":"series.batch_add","series":"links","granularity":"day","items":[[41,20260401,1],[41,20260502,2],[42,20260503,4],[43,20260331,8]])",
       point("links", 41, 20260401, 1) + point("links", 41, 20260502, 2) + point("links", 42, 20260503, 4) +
           point("links", 43, 20260331, 8)},
      {R"("op":"counter.delete_range","series":"links","key":42,"range":{"from":20260501,"to":20260505})",
       point("links", 41, 20260401, 1) + point("links", 41, 20260502, 2) + point("links", 43, 20260331, 8)},
      {R"("op":"series.delete_before","series":"links","before":20260401)",
       point("links", 41, 20260401, 1) + point("links", 41, 20260502, 2)},
      {R"("op":"counter.batch_delete_range","series":"links","keys":[41,42],"range":{"from":20260501,"to":20260505})",
       point("links", 41, 20260401, 1)},
      {R"("op":"series.compact","series":"links")", point("links", 41, 20260401, 1)},
      {R"("op":"system.compact")", point("links", 41, 20260401, 1)},
      {R"("op":"tree.delete_range","series":"links","range":{"from":20260401,"to":20260401})", kEmpty},
      {R"("op":"counter.increment","series":"links","key":41,"bucket":20260505,"value":1)",
       point("links", 41, 20260505, 1)},
      {R"("op":"counter.batch_reset","series":"links","keys":[41,42])", kEmpty},
      {R"("op":"ingest.begin","stream_id":"i1","mode":"add","granularity":"day")", kEmpty},
      {R"("op":"ingest.begin","stream_id":"i2","mode":"set")", kEmpty},
      {R"("op":"ingest.chunk","stream_id":"i1","series":"links","chunk_seq":1,"items":[[42,20260505,10]])",
       point("links", 42, 20260505, 10)},
      {R"("op":"ingest.chunk","stream_id":"i2","series":"links","chunk_seq":1,"items":[[42,20260505,7],[43,20260505,0]])",
       point("links", 42, 20260505, 7)},
      {R"("op":"ingest.abort","stream_id":"i2")", point("links", 42, 20260505, 7)},
      {R"("op":"ingest.begin","stream_id":"i3","mode":"replace_series")", point("links", 42, 20260505, 7)},
      {R"("op":"ingest.chunk","stream_id":"i3","series":"links","chunk_seq":1,"items":[[1,20260505,1],[2,20260505,2]])",
       point("links", 42, 20260505, 7)},
      {R"("op":"ingest.commit","stream_id":"i3")", point("links", 1, 20260505, 1) + point("links", 2, 20260505, 2)},
      {R"("op":"idempotency.prune","before":1777900000)",
       point("links", 1, 20260505, 1) + point("links", 2, 20260505, 2)},
      {R"("op":"idempotency.prune","before":5,"limit":10)",
       point("links", 1, 20260505, 1) + point("links", 2, 20260505, 2)},
      {R"("op":"tree.drop","series":"links")", ""},
  };
  return kLines;
}

TEST_F(Compatibility, EveryCanonicalEntryMeansWhatItMeant) {
  std::string log;
  std::uint64_t lsn = 0;
  for (const auto& [entry, expected] : canonical()) {
    SCOPED_TRACE(entry);
    log += line(++lsn, entry);
    node_.files = std::make_unique<CrashableFileSystem>();
    write("karma.wal", log);
    expect(expected, lsn);
    if (HasFailure()) return;
  }
}

TEST_F(Compatibility, WhatIsWrittenAreTheSameLines) {
  node_.open();
  std::string expected;
  std::uint64_t lsn = 0;
  for (const auto& [entry, unused] : canonical()) {
    if (entry.find("idempotency_key") != std::string::npos) continue;
    const std::string reply = node_("{\"v\":2," + entry + "}");
    ASSERT_TRUE(succeeded(reply)) << entry << ": " << reply;
    std::string plain = line(++lsn, entry);
    // The times of a begin and of a commit are additions.
    for (const auto& [op, field] :
         {std::pair("ingest.begin", "began_at_unix"), std::pair("ingest.commit", "committed_at_unix")}) {
      if (entry.find(op) == std::string::npos) continue;
      plain.insert(plain.size() - 3, ",\"" + std::string(field) + "\":" + std::to_string(ManualClock::kNoon));
    }
    plain.resize(plain.size() - 2);  // without the closing brace and the line end
    expected += plain + "\n";
  }
  node_.close();
  // Karma 1.0 takes any further keys of the envelope.
  std::string written;
  const std::string log = *node_.files->content(in_directory("karma.wal"));
  for (std::size_t at = 0; at < log.size();) {
    const std::size_t end = log.find('\n', at);
    const std::string text = log.substr(at, end - at);
    const std::size_t checksum = text.rfind(",\"crc32c\":");
    ASSERT_NE(checksum, std::string::npos) << text;
    ASSERT_EQ(text.back(), '}');
    ASSERT_EQ(text.find_first_not_of("0123456789", checksum + 10), text.size() - 1) << text;
    written += text.substr(0, checksum) + "\n";
    at = end + 1;
  }
  EXPECT_EQ(written, expected);
}

TEST_F(Compatibility, SnapshotsAreBytesThatKarma1Reads) {
  node_.open();
  node_.expect("series.batch_add", R"(,"series":"links","items":[[42,20260505,10],[42,20260504,300]])");
  node_.expect("tree.create", R"(,"series":"empty")");
  node_.close(true);
  const std::string noon = std::to_string(ManualClock::kNoon);
  const std::string links = *node_.files->content(in_directory(noon + "_links.tree"));
  EXPECT_EQ(links.size(), 66u);
  EXPECT_EQ(links, tree({{42, {{20260504, 300}, {20260505, 10}}}}));
  EXPECT_EQ(*node_.files->content(in_directory(noon + "_empty.tree")), tree({}));
  EXPECT_EQ(tree({}).size(), 34u);
  const std::string sidecar = *node_.files->content(in_directory(noon + "_links.tree.meta.json"));
  const std::string start =
      R"({"tree":"links","file":")" + noon + R"(_links.tree","timestamp":)" + noon + R"(,"last_lsn":2,"bytes":66)";
  EXPECT_TRUE(sidecar.starts_with(start)) << sidecar;
  EXPECT_TRUE(sidecar.ends_with("}\n"));
  const nlohmann::json exactly_once =
      nlohmann::json::parse(*node_.files->content(in_directory("karma.idempotency.json")));
  EXPECT_TRUE(exactly_once["records"].is_array());
  EXPECT_TRUE(exactly_once["committed_streams"].is_array());
  EXPECT_EQ(*node_.files->content(in_directory("karma.wal.lsn")), "2\n");
  for (const std::string& name : names(*node_.files)) {
    EXPECT_FALSE(name.ends_with(".segment") || name.ends_with(".new") || name.ends_with(".tmp")) << name;
  }
}

// A directory that both have used in turn: 1.0 wrote its snapshot, trimmed the log and went on.
TEST_F(Compatibility, Karma1MayGoOnInOurDirectoryAndWeInItsAgain) {
  node_.open();
  node_.expect("counter.increment", R"(,"series":"links","key":1,"bucket":20260505,"value":5)");
  node_.expect("counter.increment", R"(,"series":"users","key":1,"bucket":20260505,"value":7)");
  node_.close(true);
  snapshot(ManualClock::kNoon + 100, "links", 3, {{1, {{20260505, 6}}}});
  snapshot(ManualClock::kNoon + 100, "users", 3, {{1, {{20260505, 7}}}});
  exactly_once(kNoKeys, 1777982500, 3);
  write("karma.wal.lsn", "3\n");
  write("karma.wal", increment(4, "links", 1, 20260505, 100));
  expect(point("links", 1, 20260505, 106) + point("users", 1, 20260505, 7), 4);
}

// 1.0 was killed within a snapshot of everything: its exactly-once state has its name, the sidecar is the one before.
// The log is still whole.
TEST_F(Compatibility, Karma1WasKilledBeforeTheSidecarOfItsExactlyOnceState) {
  const std::string increment_1 = R"(,"series":"links","key":1,"bucket":20260505,"value":5,"idempotency_key":"k1")";
  const std::string reset_2 = R"(,"series":"links","key":1,"idempotency_key":"k2")";
  node_.open();
  node_.expect("series.batch_add", R"(,"series":"links","items":[[1,20260505,3],[2,20260505,4]])");
  const std::string answered_1 = node_.call("counter.increment", increment_1);
  node_.close(true);
  const auto before = node_.after_crash(CrashableFileSystem::Unsynced::kept);
  const auto other = node_.after_crash(CrashableFileSystem::Unsynced::kept);
  other->open();
  const std::string answered_2 = other->call("counter.reset", reset_2);
  other->close(true);
  const std::string ours = *node_.files->content(in_directory("karma.idempotency.json"));
  const std::string theirs = *other->files->content(in_directory("karma.idempotency.json"));
  const std::string log = line(3, R"("op":"counter.reset")" + reset_2);
  const std::string expected = point("links", 2, 20260505, 4);
  const auto snapshot_of_1_0 = [&] { snapshot(ManualClock::kNoon + 100, "links", 3, {{2, {{20260505, 4}}}}); };
  const auto repeated = [](std::string answer) { return answer.replace(answer.find(":false,"), 7, ":true,"); };

  snapshot_of_1_0();
  write("karma.idempotency.json", theirs);
  write("karma.wal", log);
  const std::string found = check(*node_.files);
  EXPECT_EQ(found[0], '0') << found;
  ASSERT_EQ(node_.try_open(), "");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(node_.live_content(), expected);
    EXPECT_EQ(node_.call("counter.increment", increment_1), repeated(answered_1));
    EXPECT_EQ(node_.call("counter.reset", reset_2), repeated(answered_2));
    node_.expect("snapshot.verify");
    node_.expect("snapshot.create", R"(,"series":"links")");
    node_.reopen();
  }
  node_.close();
  expect(expected, 3);
  node_.close();

  // Damaged, or the log has been trimmed or goes on after the snapshot, or nothing tells that 1.0 was here.
  const auto refused_with = [&](const std::string& json, const std::string& lines, bool with_snapshot) {
    node_.files = before->files->after_crash(CrashableFileSystem::Unsynced::kept);
    if (with_snapshot) snapshot_of_1_0();
    write("karma.idempotency.json", json);
    write("karma.wal", lines);
    expect_refusal("karma.idempotency.json");
  };
  std::string flipped = ours;
  flipped[flipped.find("k1")] = 'j';
  refused_with(flipped, log, true);
  refused_with(theirs.substr(0, theirs.size() / 2), log, true);
  refused_with(theirs, "", true);
  refused_with(theirs, log + line(4, R"("op":"counter.increment","series":"links","key":3,"bucket":20260505)"), true);
  refused_with(theirs, log, false);
}

TEST_F(Compatibility, Karma1TookASnapshotWithoutAnyWriteInBetween) {
  node_.open();
  node_.expect("counter.increment", R"(,"series":"links","key":1,"bucket":20260505,"value":5,"idempotency_key":"k1")");
  node_.close(true);
  snapshot(ManualClock::kNoon + 100, "links", 1, {{1, {{20260505, 5}}}});
  exactly_once(*node_.files->content(in_directory("karma.idempotency.json")), ManualClock::kNoon + 100, 1);
  const std::string found = check(*node_.files);
  EXPECT_EQ(found[0], '0') << found;
  EXPECT_EQ(found.find("warning"), std::string::npos) << found;
  expect(point("links", 1, 20260505, 5), 1);
}

TEST_F(Compatibility, Karma1RemovedTheSnapshotThatTheManifestLists) {
  node_.open();
  node_.expect("counter.increment", R"(,"series":"links","key":1,"bucket":20260505,"value":5)");
  node_.close(true);
  const std::string listed = find_name(*node_.files, "", "_links.tree");
  node_.files->erase(in_directory(listed));
  node_.files->erase(in_directory(listed + ".meta.json"));
  EXPECT_NE(check(*node_.files).find("damaged: " + listed), std::string::npos);
  snapshot(ManualClock::kNoon + 100, "links", 2, {{1, {{20260505, 6}}}});
  exactly_once(kNoKeys, ManualClock::kNoon + 100, 2);
  write("karma.wal.lsn", "2\n");
  const std::string found = check(*node_.files);
  EXPECT_EQ(found[0], '0') << found;
  EXPECT_EQ(found.find("warning"), std::string::npos) << found;
  expect(point("links", 1, 20260505, 6), 2);
}

// 1.0 had emptied its log and was killed before it wrote karma.wal.lsn again. Then its LSNs began below the snapshots,
// and what it acknowledged is in none of them.
TEST_F(Compatibility, ALogWhoseNumbersBeganAgainBelowTheSnapshotsIsRefused) {
  for (const bool with_manifest : {false, true}) {
    for (const std::uint64_t trimmed : {0, 60}) {
      SCOPED_TRACE(std::to_string(with_manifest) + " " + std::to_string(trimmed));
      node_.files = std::make_unique<CrashableFileSystem>();
      if (with_manifest) {
        node_.open();
        node_.expect("counter.increment", R"(,"series":"links","key":1,"bucket":20260505)");
        node_.close(true);
      }
      snapshot(ManualClock::kNoon + 100, "links", 100, {{1, {{20260505, 70}}}});
      exactly_once(kNoKeys, ManualClock::kNoon + 100, 100);
      write("karma.wal.lsn", trimmed == 0 ? "" : std::to_string(trimmed) + "\n");
      write("karma.wal",
            increment(trimmed + 1, "links", 1, 20260505, 1) + increment(trimmed + 2, "links", 1, 20260505, 1));
      expect_refusal("karma.wal");
      node_.config.recover = {"karma.wal"};
      ASSERT_EQ(node_.try_open(), "");
      EXPECT_EQ(node_.live_content(), point("links", 1, 20260505, 70));
      node_.close();
      node_.config.recover.clear();
      expect(point("links", 1, 20260505, 70), 100);
      node_.close();
    }
  }
}

// No snapshot in between: lines of both in one file, and in a segment that 1.0 closed.
TEST_F(Compatibility, UpgradedRolledBackAndUpgradedAgain) {
  const auto add = [&] {
    node_.expect("counter.increment", R"(,"series":"links","key":1,"bucket":20260505,"value":1)");
  };
  const auto karma_1_goes_on = [&](const std::string& text) {
    write("karma.wal", node_.files->content(in_directory("karma.wal")).value_or("") + text);
  };
  node_.open();
  add();
  node_.close();
  EXPECT_EQ(check(*node_.files).find("warning"), std::string::npos);
  karma_1_goes_on(increment(2, "links", 1, 20260505, 10) + increment(3, "links", 1, 20260505, 10));
  const std::string found = check(*node_.files);
  EXPECT_EQ(found.front(), '0') << found;
  EXPECT_NE(found.find("warning: 2 log lines have no checksum"), std::string::npos) << found;
  node_.open();
  EXPECT_EQ(node_.live_content(), point("links", 1, 20260505, 21));
  add();
  node_.close();
  // 1.0 closes the file as a segment, with its index, and is killed within a line.
  const std::string mixed = *node_.files->content(in_directory("karma.wal"));
  std::string index = "KARMA_WAL_INDEX_V1 size=" + std::to_string(mixed.size()) + "\n";
  for (std::size_t at = 0, lsn = 1; at < mixed.size(); at = mixed.find('\n', at) + 1, ++lsn)
    index += std::to_string(lsn) + " " + std::to_string(at) + "\n";
  write("karma.wal.00000000000000000001.segment", mixed);
  write("karma.wal.00000000000000000001.segment.idx", index);
  write("karma.wal", increment(5, "links", 1, 20260505, 10) + increment(6, "links", 1, 20260505, 10).substr(0, 30));
  node_.open();
  add();
  EXPECT_EQ(node_.lsn(), 6u);
  node_.close();
  expect(point("links", 1, 20260505, 33), 6);
}

TEST_F(Compatibility, BucketsThatAreNoDatesAreKept) {
  snapshot(100, "old", 2, {{1, {{20261399, 5}, {0, 7}, {9223372036854775807, 9}}}});
  write("karma.wal",
        increment(3, "old", 1, 0, 1) + increment(4, "old", 2, 20261399, 2) +
            line(5, R"("op":"series.batch_set","series":"old","granularity":"day","items":[[2,99999999,4]])"));
  write("karma.wal.lsn", "2\n");
  expect(point("old", 1, 0, 8) + point("old", 1, 20261399, 5) + point("old", 1, 9223372036854775807, 9) +
             point("old", 2, 20261399, 2) + point("old", 2, 99999999, 4),
         5);
  node_.open();
  EXPECT_EQ(node_.expect("counter.sum", R"(,"series":"old","key":1)"), "22") << "they count in totals";
}

// Karma 1.0 logged before it refused.
TEST_F(Compatibility, EntriesThatWereRefusedHaveNoEffect) {
  write(
      "karma.wal",
      line(1, R"("op":"tree.drop","series":"nope")") + increment(2, "links", 1, 20260505, 5) +
          line(3, R"("op":"series.delete_before","series":"nope","before":20260101)") +
          line(4, R"("op":"series.compact","series":"nope")") +
          line(5, R"("op":"counter.batch_reset","series":"nope","keys":[1])") +
          line(
              6,
              R"("op":"counter.batch_delete_range","series":"nope","keys":[1],"range":{"from":20260101,"to":20260102})") +
          increment(7, "links", 2, 20260505, 9223372036854775807) +
          increment(8, "links", 2, 20260505, 9223372036854775807) + increment(9, "links", 2, 20260505, 2) +
          line(
              10,
              R"("op":"series.batch_add","series":"links","granularity":"day","items":[[1,20260505,1],[2,20260505,2]])") +
          line(
              11,
              R"("op":"series.batch_add","series":"links","granularity":"day","items":[[3,20260505,9223372036854775807],[4,20260505,9223372036854775807],[5,20260505,2]])") +
          line(12, R"("op":"snapshot.create_all")") + line(13, R"("op":"system.ping")") +
          line(14, R"("op":"no.such.op")") + line(15, R"("op":"ingest.begin","stream_id":"i","mode":"add")") +
          line(16, R"("op":"ingest.begin","stream_id":"i","mode":"set")") +
          line(17, R"("op":"ingest.chunk","stream_id":"i","series":"links","chunk_seq":1,"items":[[6,20260505,4]])") +
          line(18, R"("op":"ingest.chunk","stream_id":"i","series":"links","chunk_seq":1,"items":[[6,20260505,4]])") +
          line(19, R"("op":"ingest.chunk","stream_id":"i","series":"links","chunk_seq":1,"items":[[6,20260505,5]])") +
          line(20, R"("op":"ingest.commit","stream_id":"i")") + line(21, R"("op":"ingest.commit","stream_id":"i")") +
          line(22,
               R"("op":"ingest.chunk","stream_id":"gone","series":"links","chunk_seq":2,"items":[[7,20260505,1]])") +
          line(23, R"("op":"ingest.commit","stream_id":"gone")") +
          line(24, R"("op":"ingest.begin","stream_id":"r","mode":"replace_series")") +
          line(25, R"("op":"ingest.commit","stream_id":"r")") + increment(26, "links", 1, 20260505, 1));
  expect(point("links", 1, 20260505, 6) + point("links", 2, 20260505, 18446744073709551614u) +
             point("links", 6, 20260505, 4),
         26);
}

TEST_F(Compatibility, BlankLinesCarriageReturnsAndNoLastLineEnd) {
  std::string second = increment(2, "links", 1, 20260505, 2);
  second.insert(second.size() - 1, "\r");
  std::string last = increment(3, "links", 1, 20260505, 4);
  last.pop_back();
  write("karma.wal", "\n" + increment(1, "links", 1, 20260505, 1) + "\n\r\n" + second + last);
  expect(point("links", 1, 20260505, 7), 3);
}

TEST_F(Compatibility, NamesThatBreakTheRulesKeepTheirCounts) {
  const std::string bytes = "\xff\xfe";
  write("karma.wal", increment(1, "a/b", 1, 20260505, 1) + increment(2, "../up", 1, 20260505, 2) +
                         increment(3, "", 1, 20260505, 3) + increment(4, bytes, 1, 20260505, 4) +
                         increment(5, "a\\u0000b", 1, 20260505, 5) +
                         increment(6, std::string(300, 'x'), 1, 20260505, 6) + increment(7, ".", 1, 20260505, 7) +
                         increment(8, "a/b", 1, 20260505, 10));
  node_.open();
  const auto sums = [&] {
    std::vector<std::string> found;
    const std::vector<std::string> names_in_json = {"a/b", "../up", "a\\u0000b", std::string(300, 'x'), "."};
    for (const std::string& name : names_in_json)
      found.push_back(node_.call("counter.sum", ",\"series\":\"" + name + "\",\"key\":1"));
    return found;
  };
  const std::vector<std::string> expected = {success("11"), success("2"), success("5"), success("6"), success("7")};
  EXPECT_EQ(sums(), expected);
  EXPECT_EQ(nlohmann::json::parse(node_.expect("tree.list")).size(), 7u) << "and the list is valid text";
  const std::string before = content(*node_.after_crash(CrashableFileSystem::Unsynced::kept)->files);
  node_.expect("snapshot.create_all");
  node_.expect("snapshot.verify");
  for (const std::string& name : names(*node_.files)) EXPECT_EQ(name.find('/'), std::string::npos) << name;
  node_.reopen();
  EXPECT_EQ(sums(), expected);
  node_.close();
  EXPECT_EQ(content(*node_.files), before);
  // New ones are not made.
  node_.open();
  EXPECT_TRUE(failed_with(node_.call("tree.create", R"(,"series":"c/d")"), "validation_error"));
  EXPECT_EQ(node_.expect("counter.increment", R"(,"series":"a/b","key":1,"bucket":20260505)"), "1");
  // One that is not UTF-8 is kept, byte for byte, but no request names it.
  const std::string request = ",\"series\":\"" + bytes + R"(","key":1,"bucket":20260505)";
  EXPECT_TRUE(failed_with(node_.call("counter.increment", request), "invalid_json"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(nlohmann::json::parse(node_.expect("tree.list")).size(), 7u);
    node_.reopen();
  }
}

TEST_F(Compatibility, EachSeriesGoesOnFromItsOwnSnapshot) {
  snapshot(100, "links", 2, {{1, {{20260505, 3}}}});
  snapshot(200, "users", 5, {{1, {{20260505, 60}}}});
  write("karma.wal", increment(1, "links", 1, 20260505, 1) + increment(2, "links", 1, 20260505, 2) +
                         increment(3, "users", 1, 20260505, 20) + increment(4, "links", 1, 20260505, 4) +
                         increment(5, "users", 1, 20260505, 40) + increment(6, "users", 1, 20260505, 80) +
                         increment(7, "other", 1, 20260505, 5));
  expect(point("links", 1, 20260505, 7) + point("other", 1, 20260505, 5) + point("users", 1, 20260505, 140), 7);
}

TEST_F(Compatibility, TheNewestSnapshotCountsNotTheLatestTimestamp) {
  // A clock that stepped back between the two.
  snapshot(5000, "links", 2, {{1, {{20260505, 3}}}});
  snapshot(4000, "links", 4, {{1, {{20260505, 9}}}});
  write("karma.wal", increment(5, "links", 1, 20260505, 1));
  write("karma.wal.lsn", "4\n");
  expect(point("links", 1, 20260505, 10), 5);
}

TEST_F(Compatibility, SidecarsMayBeMissingWhereTheLogWasTrimmed) {
  snapshot(100, "links", 0, {{1, {{20260505, 3}}}}, false);
  write("karma.wal", increment(8, "links", 1, 20260505, 1));
  write("karma.wal.lsn", "7\n");
  expect(point("links", 1, 20260505, 4), 8);
}

// What a later file without sidecar has, beyond the one that counts, must be in the log.
TEST_F(Compatibility, ALaterSnapshotWithoutSidecarIsNotPassedOver) {
  const std::string logged = increment(3, "links", 1, 20260505, 4) + increment(4, "links", 1, 20260505, 8);
  for (const bool with_log : {false, true}) {
    for (const bool with_other : {false, true}) {
      SCOPED_TRACE(std::to_string(with_log) + std::to_string(with_other));
      node_.files = std::make_unique<CrashableFileSystem>();
      snapshot(100, "links", 2, {{1, {{20260505, 3}}}});
      snapshot(200, "links", 0, {{1, {{20260505, 7}}}}, false);
      if (with_other) snapshot(200, "users", with_log ? 2 : 3, {{1, {{20260505, 5}}}});
      const std::string users = with_other ? point("users", 1, 20260505, 5) : "";
      if (with_log) {
        write("karma.wal", logged);
        expect(point("links", 1, 20260505, 15) + users, 4);
        node_.close();
        continue;
      }
      EXPECT_EQ(check(*node_.files)[0], '1');
      const std::string refusal = node_.try_open();
      node_.close();
      EXPECT_NE(refusal.find("200_links.tree"), std::string::npos) << refusal;
      EXPECT_NE(refusal.find("--recover=200_links.tree "), std::string::npos) << refusal;
      node_.config.recover = {"200_links.tree"};
      ASSERT_EQ(node_.try_open(), "");
      EXPECT_EQ(node_.live_content(), point("links", 1, 20260505, 3) + users);
      node_.close();
      node_.config.recover.clear();
      expect(point("links", 1, 20260505, 3) + users, with_other ? 3 : 2);
      node_.close();
    }
  }
}

// Laid there by hand, perhaps to be loaded: the manifest says that nothing is missing.
TEST_F(Compatibility, ASnapshotWithoutSidecarBesideAManifestStopsNoStart) {
  node_.open();
  node_.expect("counter.increment", R"(,"series":"links","key":1,"bucket":20260505)");
  node_.expect("snapshot.create_all");
  node_.close();
  snapshot(4000000000, "links", 0, {{1, {{20260505, 7}}}}, false);
  EXPECT_EQ(check(*node_.files)[0], '0');
  ASSERT_EQ(node_.try_open(), "");
  EXPECT_EQ(node_.live_content(), point("links", 1, 20260505, 1));
}

// 1.0 ended between the file and its sidecar, and nothing had been written since the snapshot before.
TEST_F(Compatibility, ALaterSnapshotWithoutSidecarMayHoldTheSame) {
  snapshot(100, "links", 2, {{1, {{20260505, 3}}}});
  snapshot(200, "links", 0, {{1, {{20260505, 3}}}}, false);
  expect(point("links", 1, 20260505, 3), 2);
}

TEST_F(Compatibility, ASnapshotWithoutSidecarAndLogIsWhereTheLogBegins) {
  snapshot(100, "links", 0, {{1, {{20260505, 3}}}}, false);
  snapshot(200, "links", 0, {{1, {{20260505, 7}}}}, false);
  expect(point("links", 1, 20260505, 7), 0);
}

TEST_F(Compatibility, LsnsThatRestartedAtAPromotionAreNotTakenForOldOnes) {
  snapshot(100, "links", 21, {{1, {{20260505, 50}}}});
  write("karma.replication.lsn", "21\n");
  write("karma.wal", increment(1, "links", 1, 20260505, 1) + increment(2, "users", 1, 20260505, 2));
  ASSERT_EQ(content(*node_.files), point("links", 1, 20260505, 51) + point("users", 1, 20260505, 2));
  node_.open();
  EXPECT_GE(node_.lsn(), 21u) << "LSNs never go back";
  const std::uint64_t lsn = node_.lsn();
  node_.expect("counter.increment", R"(,"series":"links","key":1,"bucket":20260505)");
  EXPECT_EQ(node_.lsn(), lsn + 1);
  for (int i = 0; i < 2; ++i) {
    node_.reopen();
    EXPECT_EQ(node_.live_content(), point("links", 1, 20260505, 52) + point("users", 1, 20260505, 2));
    EXPECT_EQ(node_.lsn(), lsn + 1);
  }
}

// The start that renumbers may itself be cut short.
TEST_F(Compatibility, ARestartedLogSurvivesACrashOfTheFirstStart) {
  snapshot(100, "links", 21, {{1, {{20260505, 50}}}});
  write("karma.replication.lsn", "21\n");
  write("karma.wal", increment(1, "links", 1, 20260505, 1) + increment(2, "users", 1, 20260505, 2));
  const std::string expected = point("links", 1, 20260505, 51) + point("users", 1, 20260505, 2);
  bool reached = true;
  for (std::uint64_t nth = 1; reached && !HasFailure(); ++nth) {
    SCOPED_TRACE("power off at operation " + std::to_string(nth));
    const auto first = node_.after_crash(CrashableFileSystem::Unsynced::kept);
    first->files->power_off_at(nth, nth);
    (void)first->try_open();
    first->close();
    reached = first->files->power_is_off();
    for (const auto unsynced : {CrashableFileSystem::Unsynced::lost, CrashableFileSystem::Unsynced::kept,
                                CrashableFileSystem::Unsynced::some}) {
      const auto next = first->after_crash(unsynced, nth);
      ASSERT_EQ(next->try_open(), "");
      ASSERT_EQ(next->live_content(), expected);
      next->expect("counter.increment", R"(,"series":"users","key":2,"bucket":20260505)");
      next->reopen();
      ASSERT_EQ(next->live_content(), expected + point("users", 2, 20260505, 1));
    }
  }
}

// 1.0 logged chunks that it then refused, and repeats. Where a snapshot is damaged and an older one takes its place,
// they are met again although the exactly-once state has the stream already.
TEST_F(Compatibility, ChunksThatWereRefusedOrRepeatedBehindADamagedSnapshot) {
  node_.open();
  node_.expect("ingest.begin", R"(,"stream_id":"i1","mode":"add")");
  node_.expect("ingest.chunk", R"(,"stream_id":"i1","series":"links","chunk_seq":1,"items":[[1,20260505,5]])");
  node_.expect("ingest.commit", R"(,"stream_id":"i1")");
  node_.close(true);
  const std::string exactly_once = *node_.files->content(in_directory("karma.idempotency.json"));
  node_.files = std::make_unique<CrashableFileSystem>();
  snapshot(100, "links", 3, {{1, {{20260505, 1}}}});
  snapshot(200, "links", 9, {{1, {{20260505, 6}}}});
  std::string damaged = *node_.files->content(in_directory("200_links.tree"));
  damaged[20] = static_cast<char>(damaged[20] ^ 0x40);
  write("200_links.tree", damaged);
  write("karma.idempotency.json", exactly_once);
  write("karma.idempotency.json.meta.json",
        R"({"file":"karma.idempotency.json","timestamp":200,"last_lsn":9,"bytes":)" +
            std::to_string(exactly_once.size()) + R"(,"record_count":0,"committed_stream_count":1})" + "\n");
  const std::string chunk = R"("op":"ingest.chunk","stream_id":"i1","series":"links","chunk_seq":)";
  write("karma.wal", increment(4, "links", 2, 20260505, 9223372036854775807) +
                         increment(5, "links", 2, 20260505, 9223372036854775807) +
                         line(6, chunk + R"(1,"items":[[1,20260505,5]])") +
                         line(7, chunk + R"(2,"items":[[2,20260505,100]])") +
                         line(8, chunk + R"(1,"items":[[1,20260505,5]])") + line(9, R"("op":"system.compact")"));
  EXPECT_EQ(check(*node_.files)[0], '1') << "there is a damaged file";
  ASSERT_EQ(node_.try_open(), "");
  EXPECT_EQ(node_.live_content(), point("links", 1, 20260505, 6) + point("links", 2, 20260505, 18446744073709551614u));
}

// A chunk that 1.0 refused, and then the one with the same number that it took.
TEST_F(Compatibility, AChunkThatWasRefusedDoesNotHideTheRightOneBehindADamagedSnapshot) {
  const std::string huge = "[[2,20260505,9223372036854775807]]";
  for (const std::string& right : {std::string("[[1,20260505,7]]"), huge}) {
    SCOPED_TRACE(right);
    node_.files = std::make_unique<CrashableFileSystem>();
    node_.open();
    node_.expect("ingest.begin", R"(,"stream_id":"i1","mode":"add")");
    node_.expect("ingest.chunk", R"(,"stream_id":"i1","series":"links","chunk_seq":1,"items":)" + right);
    node_.expect("ingest.commit", R"(,"stream_id":"i1")");
    node_.close(true);
    const std::string known = *node_.files->content(in_directory("karma.idempotency.json"));
    node_.files = std::make_unique<CrashableFileSystem>();
    snapshot(100, "links", 3, {{1, {{20260505, 1}}}});
    snapshot(200, "links", 9, {{1, {{20260505, 8}}}});
    std::string damaged = *node_.files->content(in_directory("200_links.tree"));
    damaged[20] = static_cast<char>(damaged[20] ^ 0x40);
    write("200_links.tree", damaged);
    exactly_once(known, 200, 9);
    const std::string chunk = R"("op":"ingest.chunk","stream_id":"i1","series":"links","chunk_seq":1,"items":)";
    write("karma.wal", increment(4, "links", 2, 20260505, 9223372036854775807) +
                           increment(5, "links", 2, 20260505, 9223372036854775807) + line(6, chunk + huge) +
                           line(7, R"("op":"counter.reset","series":"links","key":2)") + line(8, chunk + right) +
                           line(9, chunk + right));
    ASSERT_EQ(node_.try_open(), "");
    EXPECT_EQ(node_.live_content(),
              right == huge ? point("links", 1, 20260505, 1) + point("links", 2, 20260505, 9223372036854775807)
                            : point("links", 1, 20260505, 8));
    node_.close();
  }
}

TEST_F(Compatibility, TheLsnNoteMayLagBehindTheLog) {
  snapshot(100, "links", 3, {{1, {{20260505, 3}}}});
  write("karma.wal.lsn", "3\n");
  write("karma.wal.00000000000000000004.segment",
        increment(4, "links", 1, 20260505, 1) + increment(5, "links", 1, 20260505, 1));
  write("karma.wal", increment(6, "links", 1, 20260505, 1));
  expect(point("links", 1, 20260505, 6), 6);
}

TEST_F(Compatibility, DroppedSeriesComeBackOnlyIfTheLogSaysSo) {
  // 1.0 leaves a dropped series' files; the drop is in the log.
  snapshot(100, "links", 2, {{1, {{20260505, 3}}}});
  snapshot(100, "users", 2, {{1, {{20260505, 5}}}});
  write("karma.wal", line(3, R"("op":"tree.drop","series":"links")") + increment(4, "users", 1, 20260505, 1));
  write("karma.wal.lsn", "2\n");
  expect(point("users", 1, 20260505, 6), 4);
  for (const std::string& name : names(*node_.files)) EXPECT_EQ(name.find("_links.tree"), std::string::npos) << name;
}

TEST_F(Compatibility, ASeriesThatWasDroppedBeforeTheLogBeginsIsToldOf) {
  snapshot(100, "links", 2, {{1, {{20260505, 3}}}});
  snapshot(200, "users", 9, {{1, {{20260505, 5}}}});
  write("karma.wal", increment(10, "users", 1, 20260505, 1));
  write("karma.wal.lsn", "9\n");
  const std::string found = check(*node_.files);
  EXPECT_EQ(found[0], '0') << found;
  EXPECT_NE(found.find("\"links\""), std::string::npos) << found;
  EXPECT_EQ(found.find("\"users\""), std::string::npos) << found;
  expect(point("links", 1, 20260505, 3) + point("users", 1, 20260505, 6), 10);
}

TEST_F(Compatibility, StrayFilesAndNamesAreIgnored) {
  write("junk.tree", "x");
  write("x_links.tree", "x");
  write(".100_hidden.tree", "x");
  write("karma.wal.segment", "x");
  write("karma.wal.12x.segment", "x");
  write("recovery.json", "{\"checkpoints\":[]}\n");
  snapshot(100, "links", 1, {{1, {{20260505, 3}}}});
  write("karma.wal", increment(2, "links", 1, 20260505, 1));
  write("karma.wal.lsn", "1\n");
  expect(point("links", 1, 20260505, 4), 2);
  EXPECT_EQ(*node_.files->content(in_directory("junk.tree")), "x");
}

TEST_F(Compatibility, TreeFilesOfOtherShapes) {
  const Points points = {{1, {{20260505, 3}}}, {2, {{20260506, 4}}}, {10, {{20260507, 5}}}};
  const std::string expected =
      point("odd", 1, 20260505, 3) + point("odd", 2, 20260506, 4) + point("odd", 10, 20260507, 5);
  for (const std::string& bytes : {tree(points, 3), tree(points, 9, 100), tree(points) + "trailing bytes"}) {
    node_.files = std::make_unique<CrashableFileSystem>();
    write("100_odd.tree", bytes);
    ASSERT_EQ(content(*node_.files), expected);
    node_.open();
    ASSERT_EQ(node_.live_content(), expected);
    node_.close();
  }
}

// The log of a node without snapshots that was switched off and on: --wal=false leaves it alone.
TEST_F(Compatibility, WithRestoreOffNothingIsLoadedAndNothingLost) {
  write("karma.wal", increment(1, "links", 1, 20260505, 5));
  node_.config.restore = false;
  node_.open();
  EXPECT_EQ(node_.live_content(), "");
  EXPECT_FALSE(succeeded(node_.call("snapshot.create_all"))) << "it would take the place of what was never loaded";
  node_.expect("counter.increment", R"(,"series":"links","key":1,"bucket":20260505)");
  node_.close(true);
  node_.config.restore = true;
  node_.open();
  EXPECT_EQ(node_.live_content(), point("links", 1, 20260505, 6));
}

}  // namespace
}  // namespace karma::test
