// Pictures of days in a terminal: bars and sparklines.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace karma::tools {

inline constexpr int kLeastWidth = 48;
inline constexpr int kMostWidth = 200;

// What is drawn on. No line of a picture is wider than `width`, which is at least kLeastWidth.
struct Canvas {
  std::size_t width = 80;
  bool utf8 = false;  // else plain ASCII
  bool colour = false;
};

// The values of consecutive days; nothing where nothing is counted under the day.
using Days = std::vector<std::optional<std::uint64_t>>;

struct Figures {
  std::uint64_t total = 0;  // at most 2^64-1
  bool saturated = false;   // it is more
  std::uint64_t maximum = 0;
  std::size_t maximum_at = 0;  // the first of such days
  std::size_t counted = 0;     // days that have a value
};
Figures figures_of(const Days& days);
// Adds as far as 64 bits go. False if they do not.
bool add_saturating(std::uint64_t& sum, std::uint64_t value);

// `room` cells for `maximum`, and at least a sign of each value that is not 0.
std::string bar(std::uint64_t value, std::uint64_t maximum, std::size_t room, bool utf8);
// How many days one of at most `room` cells holds.
std::size_t days_per_cell(std::size_t days, std::size_t room);
// A cell for each day, or for the sum of some days if they are more than `room`. The lowest cell is a 0, a blank is a
// day without a value, and the highest cell is the largest.
std::string sparkline(const Days& days, std::size_t room, bool utf8);
// At most six characters: 9999, 10.0k, 18.4E. What does not fit is cut off, not rounded.
std::string short_number(std::uint64_t number);
// 2026-05-05.
std::string date_text(std::int32_t day);

// A line for each day: date, value, bar. `first`: days since 1970-01-01.
void draw_bars(std::int32_t first, const Days& days, const Canvas& canvas, std::ostream& out);

struct LabelledDays {
  std::string label;
  Days days;
};
// A line for each: label, sparkline, total, maximum. All have as many days.
void draw_sparklines(const std::vector<LabelledDays>& rows, const Canvas& canvas, std::ostream& out);

}  // namespace karma::tools
