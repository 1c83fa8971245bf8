// The drawings of karma report, as SVG inside HTML. Each has a title and a description for those who do not see it, and
// says each value when it is pointed at.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <karma/types.h>

#include "tools/counter_days.h"
#include "tools/histograms.h"

namespace karma::tools {

// How the buckets of a histogram are named.
struct BucketUnit {
  std::string (*bound)(double bound);  // as the text of an upper bound
  std::string_view things;             // requests
};
std::string duration_bound(double ms);  // 50 µs, 2 ms, 10 s
std::string size_bound(double number);  // 64
// The bucket in which `part` of the values end: "up to 2 ms", "more than 10 s", or "-".
std::string within(const BucketCounts& values, double part, const BucketUnit& unit);
std::string mean_text(const BucketCounts& values, const BucketUnit& unit);
// "20 µs to 50 µs".
std::string bucket_text(const BucketCounts& values, std::size_t bucket, const BucketUnit& unit);

// Bars of the share of each bucket, with marks where half and 99 % of the values end. `id`: of the page's elements.
std::string histogram_chart(const BucketCounts& values, const BucketUnit& unit, const std::string& id,
                            const std::string& name);

// A bar for each day, scaled to the largest one.
std::string days_chart(const KeyDays& counter, const BucketRange& range, const std::string& id);

// A line of the length part / whole.
std::string share_bar(double part, double whole);

}  // namespace karma::tools
