#include "tools/table.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <iterator>
#include <ostream>

namespace karma::tools {
namespace {

// The larger unit, and the smaller one where it is not zero.
std::string two_units(std::uint64_t value, std::uint64_t per, const char* large, const char* small) {
  std::string text = std::to_string(value / per) + large;
  if (value % per != 0) text += " " + std::to_string(value % per) + small;
  return text;
}

}  // namespace

void print_table(const std::vector<Row>& rows, std::ostream& out, std::string_view indent) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    out << indent;
    for (std::size_t i = 0; i < row.size(); ++i) {
      out << row[i];
      if (i + 1 < row.size()) out << std::string(widths[i] - row[i].size() + 2, ' ');
    }
    out << '\n';
  }
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", value, kUnits[unit]);
  return text;
}

std::string duration_text(std::uint64_t seconds) {
  if (seconds < 60) return std::to_string(seconds) + " s";
  if (seconds < 3600) return two_units(seconds, 60, " min", " s");
  if (seconds < 86400) return two_units(seconds / 60, 60, " h", " min");
  return two_units(seconds / 3600, 24, " d", " h");
}

std::string number_text(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string time_text(std::uint64_t unix_seconds) {
  const auto time = static_cast<std::time_t>(unix_seconds);
  std::tm utc{};
  char text[32] = "";
  if (::gmtime_r(&time, &utc) != nullptr) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &utc);
  return text;
}

}  // namespace karma::tools
