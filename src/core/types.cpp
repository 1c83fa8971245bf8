#include <karma/types.h>

#include <array>

#include "core/check.h"
#include "core/text.h"
#include "core/utf8.h"

namespace karma {
namespace {

// Years are counted from March, so that a leap day is the last day of its year, and days from 0000-03-01.
constexpr std::int32_t kEpoch = 719468;              // 1970-01-01
constexpr std::int32_t kFirstDay = 306 - kEpoch;     // 0001-01-01
constexpr std::int32_t kLastDay = 3652364 - kEpoch;  // 9999-12-31
constexpr std::int32_t kDaysPerFourCenturies = 146097;
constexpr std::int32_t kDaysPerFourYears = 1461;

constexpr bool is_leap(std::uint32_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

constexpr std::array<std::uint8_t, 13> kMonthDays = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

constexpr std::uint32_t days_in_month(std::uint32_t year, std::uint32_t month) {
  return kMonthDays[month] + (month == 2 && is_leap(year) ? 1 : 0);
}

// Of a day that exists.
constexpr std::int32_t day_of_date(std::uint32_t year, std::uint32_t month, std::uint32_t day) {
  std::uint32_t march_year = month > 2 ? year : year - 1;
  std::uint32_t march_month = month > 2 ? month - 3 : month + 9;
  // The months from March on have 31, 30, 31, 30, 31 days and so on: 153 days in five months.
  std::uint32_t day_of_year = (153 * march_month + 2) / 5 + day - 1;
  std::uint32_t leap_days = march_year / 4 - march_year / 100 + march_year / 400;
  return static_cast<std::int32_t>(march_year * 365 + leap_days + day_of_year) - kEpoch;
}

// The months in which nearly everything is counted, so that a day of theirs is looked up instead of worked out. In the
// place of a number that is no month (197013) there is one without days.
constexpr std::uint32_t kFirstMonth = 197001;
constexpr std::uint32_t kLastMonth = 209912;
struct Month {
  std::uint16_t first_day = 0;
  std::uint16_t days = 0;
};
constexpr auto make_months() {
  std::array<Month, kLastMonth - kFirstMonth + 1> months;
  for (std::uint32_t year = kFirstMonth / 100; year <= kLastMonth / 100; ++year) {
    for (std::uint32_t month = 1; month <= 12; ++month)
      months[year * 100 + month - kFirstMonth] = {static_cast<std::uint16_t>(day_of_date(year, month, 1)),
                                                  static_cast<std::uint16_t>(days_in_month(year, month))};
  }
  return months;
}
constexpr auto kMonths = make_months();
static_assert(day_of_date(kFirstMonth / 100, 1, 1) == 0 && day_of_date(kLastMonth / 100, 12, 31) <= UINT16_MAX);

std::int32_t day_of_any_year(std::uint64_t date) {
  if (date > 99991231) return Bucket::kNoDay;
  const auto number = static_cast<std::uint32_t>(date);
  const std::uint32_t year = number / 10000;
  const std::uint32_t month = number / 100 % 100;
  const std::uint32_t day = number % 100;
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month)) return Bucket::kNoDay;
  return day_of_date(year, month, day);
}

// Whether one of eight bytes is a control character, DEL, '/' or not ASCII.
bool has_unusual(std::uint64_t bytes) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = kOnes * 0x80;
  const std::uint64_t slashes = bytes ^ kOnes * '/';
  const std::uint64_t found = bytes | (bytes - kOnes * 0x20) | (bytes + kOnes) | (slashes - kOnes);
  return (found & kHigh) != 0;
}

// Whether a name has only characters that are always allowed. The words that are read may overlap.
bool is_plain(std::string_view name) {
  const char* const from = name.data();
  const std::size_t size = name.size();
  if (size >= 8) {
    bool unusual = has_unusual(load<std::uint64_t>(from + size - 8));
    for (std::size_t at = 0; at + 8 < size; at += 8) unusual |= has_unusual(load<std::uint64_t>(from + at));
    return !unusual;
  }
  if (size >= 4) {
    const std::uint64_t last = load<std::uint32_t>(from + size - 4);
    return !has_unusual(last << 32 | load<std::uint32_t>(from));
  }
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < 8; ++i) bytes = bytes << 8 | static_cast<unsigned char>(name[i % size]);
  return !has_unusual(bytes);
}

}  // namespace

std::int32_t Bucket::day_or_none() const {
  const std::uint64_t number = number_ / 100;
  if (number - kFirstMonth >= kMonths.size()) return day_of_any_year(number_);
  const Month& month = kMonths[number - kFirstMonth];
  const std::uint64_t day = number_ - number * 100 - 1;  // of the month, from 0; 0 becomes a large number
  return day < month.days ? month.first_day + static_cast<std::int32_t>(day) : kNoDay;
}

std::optional<Bucket> Bucket::of_date(std::uint64_t number) {
  Bucket bucket(number);
  if (!bucket.day()) return std::nullopt;
  return bucket;
}

Bucket Bucket::of_day(std::int32_t day) {
  KARMA_CHECK(day >= kFirstDay && day <= kLastDay);
  auto quarters = static_cast<std::uint32_t>(day + kEpoch) * 4 + 3;  // in quarters of a day
  std::uint32_t century = quarters / kDaysPerFourCenturies;
  quarters = quarters % kDaysPerFourCenturies / 4 * 4 + 3;
  std::uint32_t year = century * 100 + quarters / kDaysPerFourYears;
  std::uint32_t day_of_year = quarters % kDaysPerFourYears / 4;
  std::uint32_t march_month = (day_of_year * 5 + 2) / 153;
  std::uint32_t day_of_month = day_of_year - (153 * march_month + 2) / 5 + 1;
  std::uint32_t month = march_month < 10 ? march_month + 3 : march_month - 9;
  if (month <= 2) ++year;
  return Bucket(year * 10000 + month * 100 + day_of_month);
}

std::string_view series_name_fault(std::string_view name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > 128) return "must not be longer than 128 bytes";
  if (name.front() != '.' && is_plain(name)) return {};  // as nearly all are
  if (!valid_utf8(name)) return "must be valid UTF-8";
  if (name.front() == '.') return "must not start with a dot";
  for (std::size_t i = 0; i < name.size(); ++i) {
    auto byte = static_cast<unsigned char>(name[i]);
    if (byte == '/') return "must not contain a slash";
    // U+0000 to U+001F, U+007F, and U+0080 to U+009F, which are C2 80 to C2 9F.
    bool control = byte < 0x20 || byte == 0x7F || (byte == 0xC2 && static_cast<unsigned char>(name[i + 1]) < 0xA0);
    if (control) return "must not contain control characters";
  }
  return {};
}

}  // namespace karma
