// karma report: the page of what a test wants a server to say.
#include "tools/report.h"

#include <gtest/gtest.h>
#include <karma/tools.h>

#include "support/client_command.h"
#include "support/scripted_server.h"
#include "tools/html.h"
#include "tools/report_charts.h"

namespace karma::tools {
namespace {

using nlohmann::ordered_json;

constexpr BucketUnit kRequests{duration_bound, "requests"};

std::string answer(const std::string& response) {
  return R"({"protocol_version":2,"success":true,"response":)" + response + R"(,"error_code":null})";
}
std::string refusal(const std::string& message, const std::string& code) {
  return R"({"protocol_version":2,"success":false,"response":")" + message + R"(","error_code":")" + code + R"("})";
}

std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

Report report_of(const char* health, const char* stats) {
  return {.address = "10.0.0.5:8080",
          .made_by = "2.0.0",
          .made_unix = 1'777'982'400,
          .now = {.health = ordered_json::parse(health), .stats = ordered_json::parse(stats), .replicas = nullptr},
          .range = {Bucket::of_number(20260501), Bucket::of_number(20260503)}};
}

TEST(Html, TextIsNeverMarkup) {
  EXPECT_EQ(escaped("a<b>&\"c\"'ö'\n\x1b\x7f"), "a&lt;b&gt;&amp;&quot;c&quot;&#39;ö&#39;\n\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Html, APercentageIsAllOrNothingOnlyIfItIs) {
  EXPECT_EQ(percent_text(0, 10), "0 %");
  EXPECT_EQ(percent_text(0, 0), "0 %");
  EXPECT_EQ(percent_text(1, 100000), "< 0.1 %");
  EXPECT_EQ(percent_text(1, 3), "33.3 %");
  EXPECT_EQ(percent_text(99999, 100000), "> 99.9 %");
  EXPECT_EQ(percent_text(10, 10), "100 %");
  EXPECT_EQ(coordinate(1.5), "1.5");
  EXPECT_EQ(coordinate(20), "20");
  EXPECT_EQ(coordinate(-0.001), "0");
}

TEST(ReportCharts, BucketsAreNamedInUnitsOfPeople) {
  const BucketCounts values{.bounds = {0.05, 2, 5000}, .counts = {1, 0, 0, 1}, .sum = 10000};
  EXPECT_EQ(bucket_text(values, 0, kRequests), "up to 50\u00a0µs");
  EXPECT_EQ(bucket_text(values, 1, kRequests), "50\u00a0µs to 2\u00a0ms");
  EXPECT_EQ(bucket_text(values, 3, kRequests), "more than 5\u00a0s");
  EXPECT_EQ(within(values, 0.5, kRequests), "≤\u00a050\u00a0µs");
  EXPECT_EQ(within(values, 0.99, kRequests), ">\u00a05\u00a0s");
  EXPECT_EQ(within({.bounds = {1}, .counts = {0, 0}}, 0.5, kRequests), "-");
  EXPECT_EQ(mean_text(values, kRequests), "5\u00a0s");
}

TEST(ReportCharts, WhatIsNotZeroCanBeSeen) {
  const BucketCounts values{.bounds = {0.01, 0.02}, .counts = {1'000'000, 0, 1}};
  const std::string svg = histogram_chart(values, kRequests, "x", "counter.sum");
  EXPECT_EQ(count_of(svg, "<rect "), 2u);
  EXPECT_NE(svg.find("height=\"78\"><title>up to 10\u00a0µs: 1,000,000 requests, &gt; 99.9 %</title>"), svg.npos)
      << svg;
  EXPECT_NE(svg.find("height=\"1\"><title>more than 20\u00a0µs: 1 requests, &lt; 0.1 %</title>"), svg.npos) << svg;
}

TEST(ReportCharts, ADayWithoutAValueHasNoBar) {
  const BucketRange range{Bucket::of_number(20260501), Bucket::of_number(20260503)};
  const std::string svg = days_chart({.key = 7, .days = {4, std::nullopt, 8}}, range, "x");
  EXPECT_EQ(count_of(svg, "<rect "), 2u);
  EXPECT_NE(svg.find("<rect x=\"1\" y=\"20\" width=\"8\" height=\"20\"><title>2026-05-01: 4</title>"), svg.npos) << svg;
  EXPECT_NE(svg.find("<rect x=\"21\" y=\"0\" width=\"8\" height=\"40\"><title>2026-05-03: 8</title>"), svg.npos) << svg;
  EXPECT_NE(svg.find("12 in 2 of 3 days, the most on 2026-05-03: 8."), svg.npos) << svg;
  const std::string largest = days_chart({.key = 7, .days = {UINT64_MAX, UINT64_MAX}}, range, "x");
  EXPECT_NE(largest.find("More than 18,446,744,073,709,551,615 in 2"), largest.npos) << largest;
}

TEST(ReportPage, WhatIsWrongComesFirstAndNothingIsMarkup) {
  Report report = report_of(R"({"status":"degraded","role":"slave","problems":["<p>"],"warnings":["w&"]})",
                            R"({"uptime_seconds":12.0,"version":"<2>","replication_lag_entries":5})");
  report.series = {{.name = "<s>", .fault = "<f>"}};
  const std::string page = report_page(report);
  EXPECT_LT(page.find("<b>Problem:</b> &lt;p&gt;"), page.find("<b>Warning:</b> w&amp;"));
  EXPECT_LT(page.find("<b>Warning:</b>"), page.find("<main>"));
  for (const char* raw : {"<2>", "<s>", "<f>", "<p>&"}) EXPECT_EQ(page.find(raw), page.npos) << raw;
  EXPECT_NE(page.find("5 entries behind its master"), page.npos);
  EXPECT_NE(page.find("It could not be read: &lt;f&gt;"), page.npos);
}

TEST(ReportPage, AnOlderServerTellsLess) {
  const std::string page = report_page(report_of(R"({"status":"ok","role":"master"})", "{}"));
  EXPECT_NE(page.find("from version 2 on"), page.npos);
  EXPECT_NE(page.find("There are none."), page.npos);
  EXPECT_EQ(page.find("<figure"), page.npos);
}

TEST(ReportPage, ARestartMeanwhileHasNoRates) {
  Report report = report_of(R"({"status":"ok","role":"master"})", R"({"uptime_seconds":1.0,"command_count":5})");
  report.before = report.now;
  report.before->stats["uptime_seconds"] = 100.0;
  const std::string page = report_page(report);
  EXPECT_NE(page.find("It has been restarted"), page.npos);
  EXPECT_EQ(page.find("A second, in the"), page.npos);
}

TEST(ReportPage, WhatIsLeftOutIsTold) {
  Report report = report_of(R"({"status":"ok","role":"master"})", "{}");
  report.series = {{.name = "links",
                    .keys = 5,
                    .total = 100,
                    .range_keys = 4,
                    .range_total = 50,
                    .largest = {{.key = 1, .days = {10, {}, 15}, .elsewhere = 3}}}};
  report.series_left_out = 2;
  const std::string page = report_page(report);
  EXPECT_NE(page.find("100 in 5 keys; in these days 50 in 4 keys, of which the 1 largest has 50.0 %."), page.npos);
  EXPECT_NE(page.find("2 series with smaller totals are left out"), page.npos);
  EXPECT_NE(page.find("and 3 under numbers that are no days"), page.npos);
}

class ReportCommand : public ::testing::Test {
 protected:
  test::Ran run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"report", "--output=-", "--seconds=0", "--range=2026-05-01..2026-05-03",
                                         "--port=" + std::to_string(server_.port())});
    return test::run_karma(std::move(arguments));
  }

  std::string info_ = answer(R"({"tree":"links","key_count":1,"total":12})");
  std::string top_ = answer(R"({"items":[{"key":7,"value":12}]})");
  test::ScriptedServer server_{[this](const std::string& line) {
    const auto is = [&](const char* op) { return line.find(op) != line.npos; };
    if (is("system.health")) return answer(R"({"status":"ok","role":"master"})");
    if (is("system.stats")) return answer(R"({"uptime_seconds":3.5})");
    if (is("tree.list")) return answer(R"(["links"])");
    if (is("tree.info")) return info_;
    if (is("tree.summary")) return answer(R"({"total":12,"active_keys":1})");
    if (is("tree.top")) return top_;
    if (is("counter.series")) return answer(R"({"20260501":4,"20260503":8})");
    return refusal("what is that?", "unknown_command");
  }};
};

TEST_F(ReportCommand, ANodeOf10IsShownAsFarAsItTells) {
  const test::Ran ran = run({});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  EXPECT_NE(ran.out.find("<title>2026-05-03: 8</title>"), ran.out.npos);
}

TEST_F(ReportCommand, ASeriesThatCannotBeReadIsToldUnlessSomebodyNamedIt) {
  top_ = refusal("Query timeout", "query_timeout");
  test::Ran ran = run({});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.err, "karma: links cannot be read: query_timeout: Query timeout\n");
  EXPECT_NE(ran.out.find("It could not be read: query_timeout: Query timeout"), ran.out.npos);
  ran = run({"--series=links"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_TRUE(ran.err.starts_with("ERROR: ")) << ran.err;
}

TEST_F(ReportCommand, WhatIsNoNodeFails) {
  info_ = answer("[]");
  const test::Ran ran = run({});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_TRUE(ran.err.starts_with("ERROR: the server's reply is not what it should be")) << ran.err;
}

}  // namespace
}  // namespace karma::tools
