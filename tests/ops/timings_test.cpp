#include "ops/timings.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace karma::ops {
namespace {

TEST(Timings, AreToldBucketByBucket) {
  DurationHistogram durations;
  durations.add(std::chrono::microseconds(10));
  durations.add(std::chrono::microseconds(11), 3);
  durations.add(std::chrono::seconds(11));
  SizeHistogram sizes;
  sizes.add(64);
  Timings timings;
  timings.requests.push_back({"counter.sum", {}});
  durations.add_to(timings.requests[0].durations);
  DurationHistogram().add_to(timings.log_queue);
  durations.add_to(timings.log_sync);
  sizes.add_to(timings.log_batch);
  Buffer out;
  write_timings(timings, out);
  const nlohmann::json told = nlohmann::json::parse(out.view());
  EXPECT_EQ(told["measured"], true);
  EXPECT_EQ(told["bounds_ms"].size(), kDurationBounds.size());
  EXPECT_EQ(told["bounds_ms"][0], 0.01);
  EXPECT_EQ(told["bounds_ms"].back(), 10000);
  const nlohmann::json& sum = told["requests"]["counter.sum"];
  EXPECT_EQ(sum["count"], 5);
  EXPECT_DOUBLE_EQ(sum["sum_ms"], 11000.043);
  EXPECT_EQ(sum["counts"].size(), kDurationBounds.size() + 1);
  EXPECT_EQ(sum["counts"][0], 1) << "a bound belongs to its bucket";
  EXPECT_EQ(sum["counts"][1], 3);
  EXPECT_EQ(sum["counts"].back(), 1) << "above the last bound";
  EXPECT_EQ(told["log_sync"], sum);
  EXPECT_EQ(told["log_queue"]["count"], 0);
  EXPECT_EQ(told["log_batch_bounds"], kSizeBounds);
  EXPECT_EQ(told["log_batch"]["counts"][6], 1);
  EXPECT_EQ(told["log_batch"]["sum"], 64);
}

}  // namespace
}  // namespace karma::ops
