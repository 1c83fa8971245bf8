// karma top: what it shows of a node's answers, and what a terminal is sent.
#include <sstream>

#include <gtest/gtest.h>

#include <karma/tools.h>

#include "support/scripted_server.h"
#include "tools/top.h"

namespace karma::tools {
namespace {

using nlohmann::ordered_json;

NodeSample sample(double uptime, std::uint64_t commands, std::uint64_t errors) {
  return {.health = {{"status", "ok"}, {"role", "master"}},
          .stats = {{"uptime_seconds", uptime},
                    {"command_count", commands},
                    {"error_count", errors},
                    {"query_timeout_count", 2u},
                    {"latency_ms_avg", 0.0125},
                    {"latency_ms_last", 1.5},
                    {"connections", 12u},
                    {"max_connections", 10000u},
                    {"client_memory_bytes", 1048576u},
                    {"client_memory_limit_bytes", 536870912u},
                    {"trees", 3u},
                    {"keys", 1234567u},
                    {"memory_bytes", 9437184u},
                    {"wal_current_lsn", commands},
                    {"wal_sync_count", 7u},
                    {"wal_bytes", 1610612736u},
                    {"snapshot_last_unix", 1u},
                    {"snapshot_age_seconds", 300u}},
          .replicas = nullptr};
}

std::string text_of(const NodeSample* before, const NodeSample& now) {
  std::string text;
  for (const ScreenLine& line : top_lines("10.0.0.5:8080", before, now)) text += line.text + "\n";
  return text;
}

TEST(Top, TheSeriesThatGrowFastestComeFirst) {
  NodeSample before = sample(10, 1000, 5);
  NodeSample now = sample(12, 5000, 8);
  EXPECT_EQ(text_of(&before, now).find("counted a second"), std::string::npos) << "it was not asked for";
  EXPECT_EQ(top_json("n", &before, now).at("hottest_series"), nullptr);
  before.totals = SeriesTotals{{"calm", 7}, {"links", 100}, {"pages", 1000}, {"reset", 50}, {"gone", 1}};
  now.totals = SeriesTotals{{"calm", 7}, {"links", 2100}, {"new", 3}, {"pages", 1100}, {"reset", 10}};
  EXPECT_TRUE(text_of(&before, now)
                  .ends_with("\n"
                             "series  counted a second  total\n"
                             "links   1,000             2,100\n"
                             "pages   50                1,100\n"
                             "new     1.5               3\n"))
      << text_of(&before, now);
  const ordered_json hottest_series = top_json("n", &before, now).at("hottest_series");
  ASSERT_EQ(hottest_series.size(), 3u);
  EXPECT_EQ(hottest_series[0], ordered_json::parse(R"({"series":"links","counted_per_second":1000.0,"total":2100})"));
  EXPECT_EQ(hottest(&before, now, 2)->size(), 2u);
  EXPECT_EQ(hottest(&before, sample(5, 1, 1), 2), std::nullopt) << "it has been restarted";
}

TEST(Top, RatesAreWhatHappenedBetweenTwoLooks) {
  const NodeSample before = sample(10, 1000, 5);
  const NodeSample now = sample(12, 5000, 8);
  EXPECT_EQ(text_of(&before, now),
            "10.0.0.5:8080  master  ok  up 12 s\n"
            "\n"
            "requests   2,000 a second, 1.5 errors a second, 2 timeouts in all\n"
            "latency    0.013 ms on average, 1.500 ms the last request\n"
            "clients    12 of 10,000 connections, 1.0 MiB of 512.0 MiB\n"
            "data       3 series, 1,234,567 keys, 9.0 MiB memory\n"
            "log        2,000 entries a second, 0.0 syncs a second, 1.5 GiB, LSN 5,000\n"
            "snapshot   5 min ago\n");
  EXPECT_NE(text_of(nullptr, now).find("\nrequests   - a second, - errors"), std::string::npos);
  EXPECT_EQ(rate(&before, now, "nothing"), std::nullopt);
  EXPECT_EQ(rate(&before, before, "command_count"), std::nullopt) << "no time between them";
}

TEST(Top, ARestartIsToldAndHasNoRates) {
  const NodeSample before = sample(10, 1000, 5);
  const NodeSample now = sample(1, 9000, 0);
  EXPECT_EQ(rate(&before, now, "command_count"), std::nullopt);
  EXPECT_NE(text_of(&before, now).find("\nIt has been restarted.\n"), std::string::npos);
  EXPECT_TRUE(top_json("a", &before, now)["restarted"].get<bool>());
  EXPECT_TRUE(top_json("a", &before, now)["ops_per_second"].is_null());
}

TEST(Top, WhatIsWrongComesFirst) {
  NodeSample now = sample(10, 0, 0);
  now.health = {{"status", "degraded"}, {"role", "slave"}, {"problems", {"p", "q"}}, {"warnings", {"w"}}};
  now.stats["replication_lag_entries"] = 1500u;
  now.stats["replication_lag_ms"] = 20u;
  const std::string text = text_of(nullptr, now);
  EXPECT_TRUE(text.starts_with("10.0.0.5:8080  slave  degraded  up 10 s\nproblem: p\nproblem: q\nwarning: w\n\n"))
      << text;
  EXPECT_TRUE(text.ends_with("\nslave      1,500 entries, 20 ms behind its master\n")) << text;
  EXPECT_EQ(top_lines("a", nullptr, now)[1].emphasis, ScreenLine::Emphasis::alarm);
}

TEST(Top, SlavesAreListedWithTheirLag) {
  NodeSample now = sample(10, 0, 0);
  now.replicas = ordered_json::parse(R"({"replicas":[
      {"replica":"one","position":5000,"durable_lsn":4000,"lag_entries":12,"last_contact_ms":1250},
      {"replica":"two","position":0,"durable_lsn":null,"lag_entries":null,"last_contact_ms":0}]})");
  const std::string text = text_of(nullptr, now);
  EXPECT_TRUE(
      text.ends_with("\n\nslave  position  on disk  lag      last contact\n"
                     "one    5,000     4,000    12       1.2 s ago\n"
                     "two    0         never    unknown  0.0 s ago\n"))
      << text;
}

Histograms histograms_of(std::vector<std::uint64_t> sums, std::vector<std::uint64_t> increments) {
  const std::vector<double> bounds = {0.05, 1, 10000};
  return {.requests = {{"counter.sum", {.bounds = bounds, .counts = std::move(sums)}},
                       {"counter.increment", {.bounds = bounds, .counts = std::move(increments)}}},
          .log_queue = {},
          .log_sync = {},
          .log_batch = {}};
}

TEST(Top, OpsHaveTheLatencyOfTheTimeBetweenTwoLooks) {
  NodeSample before = sample(10, 0, 0);
  NodeSample now = sample(12, 0, 0);
  before.histograms = histograms_of({1000, 0, 0, 0}, {0, 500, 0, 0});
  EXPECT_TRUE(text_of(&before, now).ends_with("\nsnapshot   5 min ago\n")) << "the node tells no more";
  EXPECT_TRUE(top_json("a", &before, now)["ops"].is_null());
  now.histograms = histograms_of({1099, 1, 0, 0}, {0, 501, 0, 1999});
  const std::string text = text_of(&before, now);
  EXPECT_TRUE(
      text.ends_with("\nsnapshot   5 min ago\n\n"
                     "op                 a second  p50 within  p99 within\n"
                     "counter.increment  1,000     > 10000 ms  > 10000 ms\n"
                     "counter.sum        50        0.05 ms     0.05 ms\n"))
      << text;
  EXPECT_TRUE(text_of(nullptr, now).ends_with("\nsnapshot   5 min ago\n")) << "nothing to compare with";
  const ordered_json ops = top_json("a", &before, now)["ops"];
  EXPECT_EQ(ops[0], ordered_json::parse(R"({"op":"counter.increment","per_second":1000.0,"p50_within_ms":null,
                                            "p99_within_ms":null})"));
  EXPECT_EQ(ops[1], ordered_json::parse(R"({"op":"counter.sum","per_second":50.0,"p50_within_ms":0.05,
                                            "p99_within_ms":0.05})"));
}

TEST(Top, AnOlderServerTellsLess) {
  const NodeSample now{
      .health = {{"status", "ok"}, {"role", "master"}}, .stats = ordered_json::object(), .replicas = {}};
  EXPECT_TRUE(text_of(&now, now).starts_with("10.0.0.5:8080  master  ok  up 0 s\n"));
}

TEST(Screen, IsDrawnFromItsFirstLineAndNeverLargerThanTheTerminal) {
  using enum ScreenLine::Emphasis;
  const std::vector<ScreenLine> lines = {{"title", title}, {"wörter\x1b[2J"}, {"alarm", alarm}, {"last"}};
  EXPECT_EQ(screen_text(lines, {.columns = 80, .lines = 4}, false),
            "\x1b[Htitle\x1b[K\r\nwörter?[2J\x1b[K\r\nalarm\x1b[K\r\nlast\x1b[K\x1b[J");
  EXPECT_EQ(screen_text(lines, {.columns = 2, .lines = 3}, true),
            "\x1b[H\x1b[1mti\x1b[0m\x1b[K\r\nwö\x1b[K\r\n2 \x1b[K\x1b[J");
  EXPECT_EQ(screen_text(lines, {.columns = 80, .lines = 1}, false), "\x1b[H4 more lines\x1b[K\x1b[J");
  EXPECT_EQ(screen_text({}, {}, false), "\x1b[H\x1b[J");
}

TEST(Screen, TextIsCutBetweenCharacters) {
  EXPECT_EQ(cut("wörter", 0), "");
  EXPECT_EQ(cut("wörter", 2), "wö");
  EXPECT_EQ(cut("wörter", 6), "wörter");
  EXPECT_EQ(printable("a\nb\x7f\tö"), "a?b??ö");
}

TEST(Terminal, TheLocaleDecidesAboutBlockCharacters) {
  static const char* all;
  static const char* lang;
  const auto environment = [](const char* name) -> const char* {
    const std::string_view asked = name;
    return asked == "LC_ALL" ? all : asked == "LANG" ? lang : nullptr;
  };
  const auto is_utf8 = [&](const char* lc_all, const char* language) {
    all = lc_all;
    lang = language;
    return is_utf8_locale(environment);
  };
  EXPECT_FALSE(is_utf8(nullptr, nullptr));
  EXPECT_TRUE(is_utf8(nullptr, "en_US.UTF-8"));
  EXPECT_TRUE(is_utf8("", "de_DE.utf8@euro")) << "an empty one is none";
  EXPECT_FALSE(is_utf8("C", "en_US.UTF-8"));
  EXPECT_FALSE(is_utf8("ru_RU.KOI8-R", nullptr));
}

TEST(TopCommand, WhatIsNoNodeFails) {
  test::ScriptedServer server([](const std::string&) {
    return std::string(R"({"protocol_version":2,"success":true,"response":[],"error_code":null})");
  });
  TopOptions options;
  options.connection.endpoint.port = server.port();
  options.connection.retry_seconds = 0;
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(run_top(options, {out, err, false}), 1);
  EXPECT_EQ(out.str(), "");
  EXPECT_TRUE(err.str().starts_with("ERROR: the server's reply is not what it should be")) << err.str();
}

}  // namespace
}  // namespace karma::tools
