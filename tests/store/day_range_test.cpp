#include "store/day_range.h"

#include <gtest/gtest.h>

#include <bitset>
#include <string>
#include <vector>

namespace karma::store {
namespace {

BucketRange range(std::uint64_t from, std::uint64_t to) { return {Bucket::of_number(from), Bucket::of_number(to)}; }

struct Piece {
  std::uint64_t from;
  std::uint64_t to;
  std::string within;  // the last range first
  friend bool operator==(const Piece&, const Piece&) = default;
};

std::vector<Piece> pieces_of(const std::vector<std::optional<BucketRange>>& ranges) {
  std::vector<Piece> pieces;
  const DayRanges cut(ranges);
  for (const DayRanges::Piece& piece : cut.pieces())
    pieces.push_back({piece.days.from, piece.days.to, std::bitset<4>(piece.within).to_string()});
  return pieces;
}

// Today, 7 days, 30 days and all of them: 30 days are read, once each.
TEST(DayRanges, ReadADayOnceHoweverManyHaveIt) {
  const std::vector<std::optional<BucketRange>> ranges = {range(20260530, 20260530), range(20260524, 20260530),
                                                          range(20260501, 20260530), std::nullopt};
  const std::vector<Piece> expected = {
      {20260501, 20260523, "0100"}, {20260524, 20260529, "0110"}, {20260530, 20260530, "0111"}};
  EXPECT_EQ(pieces_of(ranges), expected);
  EXPECT_EQ(DayRanges(ranges).unbounded(), 8u);
  EXPECT_EQ(DayRanges(ranges).size(), 4u);
}

TEST(DayRanges, PassOverWhatLiesBetween) {
  const std::vector<Piece> expected = {{20250501, 20250507, "01"}, {20260501, 20260507, "10"}};
  std::vector<Piece> found = pieces_of({range(20250501, 20250507), range(20260501, 20260507)});
  for (Piece& piece : found) piece.within = piece.within.substr(2);
  EXPECT_EQ(found, expected);
}

TEST(DayRanges, EndWithTheLastNumberThereIs) {
  const std::vector<Piece> expected = {{0, 4, "0010"}, {5, 9, "0111"}, {10, UINT64_MAX, "0011"}};
  EXPECT_EQ(pieces_of({range(5, UINT64_MAX), range(0, UINT64_MAX), range(5, 9)}), expected);
  EXPECT_TRUE(pieces_of({std::nullopt, range(9, 5)}).empty());
}

}  // namespace
}  // namespace karma::store
