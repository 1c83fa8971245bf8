// The words of Karma as types: keys, buckets and log positions are not interchangeable numbers.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace karma {

// What is counted inside a series: a link, a user, a domain. All 64 bits are valid.
struct Key {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(Key, Key) = default;
};

// Log sequence number. The first entry has 1; 0 means "nothing yet".
struct Lsn {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(Lsn, Lsn) = default;
  constexpr Lsn next() const { return {value + 1}; }
};

// The day a value is counted under, written as the number YYYYMMDD. New writes carry real calendar days of the years
// 1000 to 9999, which is four digits of a year as people write it: 260505 is a slip. Older data may hold any number,
// which is kept unchanged.
class Bucket {
 public:
  constexpr Bucket() = default;
  // Any number, for data that exists already.
  static constexpr Bucket of_number(std::uint64_t number) { return Bucket(number); }
  // Only a day of the Gregorian calendar.
  static std::optional<Bucket> of_date(std::uint64_t number);
  // Days since 1970-01-01 (may be negative) to a bucket. `day` must lie in the years 0001 to 9999.
  static Bucket of_day(std::int32_t day);

  constexpr std::uint64_t number() const { return number_; }
  // Days since 1970-01-01, or nothing if the number is no calendar day.
  std::optional<std::int32_t> day() const {
    const std::int32_t day = day_or_none();
    return day == kNoDay ? std::nullopt : std::optional(day);
  }
  // Whether something new may be counted under it: a calendar day of the years 1000 to 9999.
  bool is_writable() const { return number_ >= 10000101 && day_or_none() != kNoDay; }
  // The same as day() in one register: g++ puts an optional together in memory, which is what takes longest here.
  static constexpr std::int32_t kNoDay = INT32_MIN;
  std::int32_t day_or_none() const;

  friend constexpr auto operator<=>(Bucket, Bucket) = default;

 private:
  constexpr explicit Bucket(std::uint64_t number) : number_(number) {}
  std::uint64_t number_ = 0;
};

// Both ends are included; compared by number, so that buckets that are no dates have a place too.
struct BucketRange {
  Bucket from;
  Bucket to;
  constexpr bool contains(Bucket bucket) const { return from <= bucket && bucket <= to; }
};

// One point of a batch.
struct Item {
  Key key;
  Bucket bucket;
  std::uint64_t value = 0;
};

// Why a name cannot be the name of a new series, or an empty text if it can: 1 to 128 bytes of valid UTF-8 without
// '/', NUL and control characters, not starting with '.'. Series in old data may have other names.
std::string_view series_name_fault(std::string_view name);

}  // namespace karma
