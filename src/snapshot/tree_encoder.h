// Writes a series as Karma 1.0 does: MessagePack, integers and headers in their shortest form.
//
//   map(2) { "branches_num": 9,
//            "branches": array(9) [ map { key: map(2) { "table": map { bucket: value }, "total": sum } } ] }
//
// A key is in the branch key % 9; Karma 1.0 finds it nowhere else.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include <karma/error.h>

#include "store/digest.h"
#include "store/series.h"

namespace karma::snapshot {

inline constexpr std::uint64_t kBranchCount = 9;

// Takes the file piece by piece, in order; pieces are of about 1 MiB.
using ByteSink = std::function<Status(std::string_view)>;

// Buckets ascend, keys are in no order. Takes memory for the keys (8 bytes each) and one counter's points.
// Returns the digest of what it wrote.
Result<store::Digest> encode_tree(const store::SeriesView& series, const ByteSink& sink);

}  // namespace karma::snapshot
