#include "tools/time_zone.h"

#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "core/text.h"

namespace karma::tools {
namespace {

constexpr std::int64_t kMinute = 60;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

// Two digits up to `most`.
std::optional<std::int64_t> two_digits(std::string_view text, std::int64_t most) {
  if (text.size() != 2 || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  const std::int64_t number = (text[0] - '0') * 10 + (text[1] - '0');
  return number <= most ? std::optional(number) : std::nullopt;
}

bool is_zone_name(std::string_view text) {
  if (text.empty() || text[0] == '/' || text.find("..") != std::string_view::npos) return false;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && std::string_view("/_+-").find(c) == std::string_view::npos) return false;
  }
  return true;
}

}  // namespace

std::optional<std::int64_t> utc_offset_of(std::string_view text) {
  if (text == "Z" || text == "z" || text == "UTC") return 0;
  if (text.size() < 3 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const std::optional<std::int64_t> hours = two_digits(text.substr(1, 2), 23);
  std::string_view rest = text.substr(3);
  if (rest.starts_with(':')) rest.remove_prefix(1);
  const bool alone = text.size() == 3;
  const std::optional<std::int64_t> minutes = alone ? 0 : two_digits(rest, 59);
  if (!hours || !minutes) return std::nullopt;
  const std::int64_t seconds = *hours * kHour + *minutes * kMinute;
  return text[0] == '-' ? -seconds : seconds;
}

std::optional<TimeZone> TimeZone::of(std::string_view text) {
  if (const std::optional<std::int64_t> offset = utc_offset_of(text)) return TimeZone(text, offset);
  if (!is_zone_name(text)) return std::nullopt;
  const char* const folder = std::getenv("TZDIR");
  const std::filesystem::path file = std::filesystem::path(folder == nullptr ? "/usr/share/zoneinfo" : folder) / text;
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(file, unknown)) return std::nullopt;
  ::setenv("TZ", (":" + std::string(text)).c_str(), 1);
  ::tzset();
  return TimeZone(text, std::nullopt);
}

std::optional<Bucket> TimeZone::day_at(std::int64_t unix_seconds) const {
  const std::time_t instant = unix_seconds + offset_.value_or(0);
  std::tm local{};
  if ((offset_ ? ::gmtime_r(&instant, &local) : ::localtime_r(&instant, &local)) == nullptr) return std::nullopt;
  constexpr int kFirstYear = 1900;
  const int number = ((local.tm_year + kFirstYear) * 100 + local.tm_mon + 1) * 100 + local.tm_mday;
  return number < 0 ? std::nullopt : Bucket::of_date(static_cast<std::uint64_t>(number));
}

std::optional<Bucket> bucket_of(std::string_view text) {
  std::optional<std::uint64_t> number;
  if (text.size() == 8) {
    number = parse_number<std::uint64_t>(text);
  } else if (text.size() == 10 && text[4] == '-' && text[7] == '-') {
    const char digits[] = {text[0], text[1], text[2], text[3], text[5], text[6], text[8], text[9]};
    number = parse_number<std::uint64_t>({digits, sizeof digits});
  }
  return number ? Bucket::of_date(*number) : std::nullopt;
}

std::optional<TimeOfDay> time_of(std::string_view text) {
  constexpr std::size_t kDateSize = 10;
  constexpr std::size_t kShortest = kDateSize + 6;  // T23:30
  if (text.size() < kShortest || (text[kDateSize] != 'T' && text[kDateSize] != 't' && text[kDateSize] != ' '))
    return std::nullopt;
  const std::optional<Bucket> day = bucket_of(text.substr(0, kDateSize));
  const std::optional<std::int64_t> hours = two_digits(text.substr(kDateSize + 1, 2), 23);
  const std::optional<std::int64_t> minutes = two_digits(text.substr(kDateSize + 4, 2), 59);
  if (!day || !hours || !minutes || text[kDateSize + 3] != ':') return std::nullopt;
  TimeOfDay found{*day, *hours * kHour + *minutes * kMinute, std::nullopt};
  text.remove_prefix(kShortest);
  if (text.starts_with(':')) {
    const std::optional<std::int64_t> seconds = two_digits(text.substr(1, 2), 60);
    if (!seconds) return std::nullopt;
    // A leap second belongs to the day that it ends.
    found.seconds += *seconds == 60 ? 59 : *seconds;
    text.remove_prefix(3);
    if (text.starts_with('.')) {
      const std::size_t digits = text.substr(1).find_first_not_of("0123456789");
      if (digits == 0 || text.size() == 1) return std::nullopt;
      text.remove_prefix(digits == std::string_view::npos ? text.size() : digits + 1);
    }
  }
  if (text.empty()) return found;
  if (text[0] == ' ') text.remove_prefix(1);
  found.offset = utc_offset_of(text);
  return found.offset && found.seconds < kDay ? std::optional(found) : std::nullopt;
}

}  // namespace karma::tools
