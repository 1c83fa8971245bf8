#include "tools/histograms.h"

#include <gtest/gtest.h>

namespace karma::tools {
namespace {

using nlohmann::ordered_json;

ordered_json answer(const char* requests) {
  return ordered_json::parse(std::string(R"({"measured":true,"bounds_ms":[0.1,1.0],"requests":)") + requests +
                             R"(,"log_queue":{"count":0,"sum_ms":0.0,"counts":[0,0,0]},
                                "log_sync":{"count":0,"sum_ms":0.0,"counts":[0,0,0]},
                                "log_batch_bounds":[1],"log_batch":{"count":0,"sum":0,"counts":[0,0]}})");
}

TEST(Histograms, ANodeThatDoesNotMeasureHasNone) {
  EXPECT_FALSE(read_histograms(nullptr));
  EXPECT_FALSE(read_histograms({{"measured", false}}));
  EXPECT_THROW(read_histograms({{"measured", true}}), nlohmann::json::exception);
  EXPECT_THROW(read_histograms(answer(R"({"a":{"counts":["x"],"sum_ms":0}})")), nlohmann::json::exception);
}

TEST(Histograms, MissingCountsAreZero) {
  const auto read = read_histograms(answer(R"({"a":{"counts":[7],"sum_ms":1.5}})"));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->requests[0].second.counts, (std::vector<std::uint64_t>{7, 0, 0}));
  EXPECT_EQ(read->requests[0].second.count(), 7u);
}

TEST(Histograms, AQuantileIsTheBucketInWhichThePartEnds) {
  const auto bucket = [](std::vector<std::uint64_t> counts, double part) {
    return quantile_bucket({.bounds = {0.1, 1}, .counts = std::move(counts)}, part);
  };
  EXPECT_EQ(bucket({0, 0, 0}, 0.5), std::nullopt);
  EXPECT_EQ(bucket({1, 0, 0}, 0), 0u);
  EXPECT_EQ(bucket({1, 1, 0}, 0.5), 0u);
  EXPECT_EQ(bucket({1, 2, 0}, 0.5), 1u);
  EXPECT_EQ(bucket({99, 1, 0}, 0.99), 0u);
  EXPECT_EQ(bucket({98, 1, 1}, 0.99), 1u);
  EXPECT_EQ(bucket({0, 0, 5}, 0.01), 2u);
  EXPECT_EQ(bucket({5, 0, 0}, 1), 0u) << "empty buckets after the last value do not count";
}

TEST(Histograms, TheBusiestOpsOfATimeComeFirst) {
  const auto before = read_histograms(answer(R"({"a":{"counts":[10,0,0],"sum_ms":1.0},
                                                 "b":{"counts":[5,0,0],"sum_ms":1.0}})"));
  const auto now = read_histograms(answer(R"({"a":{"counts":[10,2,0],"sum_ms":3.0},
                                              "b":{"counts":[5,0,0],"sum_ms":1.0},
                                              "c":{"counts":[0,0,9],"sum_ms":99.0}})"));
  const std::vector<OpLoad> loads = busiest(&*before, *now);
  ASSERT_EQ(loads.size(), 2u) << "nobody asked for b";
  EXPECT_EQ(loads[0].op, "c");
  EXPECT_EQ(loads[1].op, "a");
  EXPECT_EQ(loads[1].durations.counts, (std::vector<std::uint64_t>{0, 2, 0}));
  EXPECT_DOUBLE_EQ(loads[1].durations.sum, 2);
  EXPECT_EQ(busiest(nullptr, *now).front().op, "a") << "since the start";
}

}  // namespace
}  // namespace karma::tools
