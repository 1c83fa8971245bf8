#include "tools/bench.h"

#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tools/load/protocol.h"
#include "tools/load/workload.h"

namespace karma::tools {
namespace {

TEST(BenchRows, WithoutOptionsEveryOpInTheShapesThatAreAlwaysTheSame) {
  std::string shown;
  for (const BenchRow& row : bench_rows({})) shown += bench_label(row) + "\n";
  EXPECT_EQ(shown,
            "counter.increment            1 x 1\n"
            "counter.increment           64 x 1\n"
            "counter.increment          4 x 128\n"
            "counter.sum                  1 x 1\n"
            "counter.sum                 64 x 1\n"
            "counter.sum                4 x 128\n"
            "counter.batch_sum of 1000    4 x 1\n"
            "series.batch_add of 1000     4 x 1\n"
            "mixed, batches of 1000      64 x 1\n");
}

TEST(BenchRows, OptionsPickAnOpAndReplaceTheShapes) {
  BenchOptions options;
  options.op = "counter.sum";
  EXPECT_EQ(bench_rows(options).size(), 3u);
  options.pipeline = 7;
  const std::vector<BenchRow> one = bench_rows(options);
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].connections, 1u);
  EXPECT_EQ(one[0].pipeline, 7u);
  options.op = "";
  options.connections = 3;
  std::set<std::string_view> ops;
  for (const BenchRow& row : bench_rows(options)) {
    EXPECT_EQ(row.connections, 3u);
    ops.insert(row.op);
  }
  EXPECT_EQ(ops.size(), bench_rows(options).size());
  EXPECT_EQ(ops.size(), 5u);
  options.op = "tree.drop";
  EXPECT_TRUE(bench_rows(options).empty());
}

TEST(BenchRows, BatchesBecomeSmallerUntilThereIsNoSmallerOne) {
  EXPECT_EQ(smaller_batch(1000), 500u);
  EXPECT_EQ(smaller_batch(500), 200u);
  EXPECT_EQ(smaller_batch(20), 10u);
  EXPECT_EQ(smaller_batch(10), 0u);
}

TEST(BenchTable, FitsATerminalAndStandsUnderItsHeader) {
  BenchResult result{bench_rows({}).back(), {}, 0};
  result.row.connections = 1000;
  result.row.pipeline = 16;
  result.measured.seconds = 3;
  result.measured.replies = 3'000'000;
  result.measured.errors = 12;
  result.measured.round_trips.add(1'234'000, 1000);
  result.measured.round_trips.add(250'000'000, 5);
  EXPECT_EQ(bench_header(), "op                         clients requests/s  p50 ms  p99 ms   p99.9 errors");
  EXPECT_EQ(bench_label(result.row) + bench_figures(result),
            "mixed, batches of 1000    1000 x 16  1,000,000   1.245   1.245     250     12");
  EXPECT_FALSE(result.client_is_the_limit());
  result.client_cpu_seconds = 2.9;
  EXPECT_TRUE(bench_figures(result).ends_with(" 12 *"));
  const nlohmann::ordered_json json = bench_json(result);
  EXPECT_EQ(json.at("op"), "mixed");
  EXPECT_EQ(json.at("ops_per_second"), 1e6);
  EXPECT_EQ(json.at("client_is_the_limit"), true);
}

TEST(BenchTable, ARowThatWasCutShortAtOnceHasFigures) {
  const BenchResult nothing{bench_rows({}).front(), {}, 0};
  EXPECT_EQ(bench_figures(nothing), "          0   0.000   0.000   0.000      0");
}

TEST(LoadProtocol, TokenAndSeriesAreQuoted) {
  std::string request;
  load::KarmaProtocol("a\"b", false, "s\\t").sum(request, 7, {});
  EXPECT_EQ(request, R"({"v":2,"token":"a\"b","op":"counter.sum","series":"s\\t","key":7})"
                     "\n");
  request.clear();
  load::KarmaProtocol().increment(request, {7, 0, 1});
  EXPECT_EQ(request, R"({"v":2,"op":"counter.increment","series":"load","key":7,"bucket":20260101})"
                     "\n");
}

TEST(LoadWorkload, FillsInPiecesAsInOne) {
  const load::KarmaProtocol protocol;
  load::WorkloadOptions options;
  options.keys = 1000;
  const load::Workload workload(options, protocol);
  std::uint64_t items = 0;
  for (const auto& [first, end] : {std::pair(0, 333), std::pair(333, 1000)}) {
    const load::Requests piece = workload.fill(static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(end));
    for (std::size_t i = 0; i < piece.size(); ++i) items += piece[i].items;
  }
  EXPECT_EQ(items, 1000u * options.days);
}

}  // namespace
}  // namespace karma::tools
