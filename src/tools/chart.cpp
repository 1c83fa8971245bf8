#include "tools/chart.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <ostream>

#include <karma/types.h>

#include "tools/table.h"

namespace karma::tools {
namespace {

constexpr std::string_view kBarEnds[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
constexpr std::string_view kFullCell = "█";
// Of 0, and of all other values, the smallest first.
constexpr std::string_view kLevels[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::string_view kAsciiLevels[] = {"_", ".", "-", ":", "=", "+", "*", "#"};
constexpr std::size_t kDateWidth = 10;
constexpr std::string_view kBarColour = "\x1b[36m";
constexpr std::string_view kMaximumColour = "\x1b[1;36m";
constexpr std::string_view kNoColour = "\x1b[0m";
// With less, numbers are written short.
constexpr std::size_t kGoodRoom = 20;

// `steps` of them are `maximum`; at least one unless the value is 0.
std::size_t steps_of(std::uint64_t value, std::uint64_t maximum, std::size_t steps) {
  if (value == 0) return 0;
  while (maximum > UINT64_MAX / (std::uint64_t{1} << 16)) {
    maximum >>= 1;
    value >>= 1;
  }
  return std::clamp<std::size_t>(value * steps / maximum, 1, steps);
}

std::string padded_left(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

std::string coloured(std::string text, std::string_view colour, const Canvas& canvas) {
  if (!canvas.colour || text.empty()) return text;
  return std::string(colour) + text + std::string(kNoColour);
}

// Sums of `per` days each, for a line of fewer cells than days.
Days grouped(const Days& days, std::size_t per) {
  Days sums((days.size() + per - 1) / per);
  for (std::size_t i = 0; i < days.size(); ++i) {
    if (!days[i]) continue;
    std::optional<std::uint64_t>& sum = sums[i / per];
    sum = sum.value_or(0);
    add_saturating(*sum, *days[i]);
  }
  return sums;
}

}  // namespace

bool add_saturating(std::uint64_t& sum, std::uint64_t value) {
  const bool fits = value <= UINT64_MAX - sum;
  sum = fits ? sum + value : UINT64_MAX;
  return fits;
}

Figures figures_of(const Days& days) {
  Figures figures;
  for (std::size_t i = 0; i < days.size(); ++i) {
    if (!days[i]) continue;
    if (figures.counted++ == 0 || *days[i] > figures.maximum) {
      figures.maximum = *days[i];
      figures.maximum_at = i;
    }
    if (!add_saturating(figures.total, *days[i])) figures.saturated = true;
  }
  return figures;
}

std::string bar(std::uint64_t value, std::uint64_t maximum, std::size_t room, bool utf8) {
  if (!utf8) return std::string(steps_of(value, maximum, room), '#');
  constexpr std::size_t kEnds = std::size(kBarEnds);
  const std::size_t eighths = steps_of(value, maximum, room * kEnds);
  std::string text;
  for (std::size_t i = 0; i < eighths / kEnds; ++i) text += kFullCell;
  return text.append(kBarEnds[eighths % kEnds]);
}

std::size_t days_per_cell(std::size_t days, std::size_t room) {
  return room == 0 ? std::max<std::size_t>(days, 1) : std::max<std::size_t>((days + room - 1) / room, 1);
}

std::string sparkline(const Days& days, std::size_t room, bool utf8) {
  const Days cells = grouped(days, days_per_cell(days.size(), room));
  const std::uint64_t maximum = figures_of(cells).maximum;
  const auto& levels = utf8 ? kLevels : kAsciiLevels;
  std::string text;
  for (const std::optional<std::uint64_t>& cell : cells) {
    text += cell ? levels[steps_of(*cell, maximum, std::size(levels) - 1)] : " ";
  }
  return text;
}

std::string short_number(std::uint64_t number) {
  if (number < 10000) return std::to_string(number);
  constexpr std::string_view kUnits = "kMGTPE";
  std::size_t unit = 0;
  std::uint64_t tenths = number / 100;
  for (; tenths >= 10000; ++unit) tenths /= 1000;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + kUnits[unit];
}

std::string date_text(std::int32_t day) {
  std::string text = std::to_string(Bucket::of_day(day).number());
  text.insert(0, text.size() < 8 ? 8 - text.size() : 0, '0');
  return text.insert(6, "-").insert(4, "-");
}

void draw_bars(std::int32_t first, const Days& days, const Canvas& canvas, std::ostream& out) {
  const std::uint64_t maximum = figures_of(days).maximum;
  auto* text_of = number_text;
  std::size_t value_width = text_of(maximum).size();
  const auto room = [&] { return canvas.width - std::min(canvas.width, kDateWidth + value_width + 4); };
  if (room() < kGoodRoom) {
    text_of = short_number;
    value_width = 0;
    for (const std::optional<std::uint64_t>& value : days)
      value_width = std::max(value_width, text_of(value.value_or(0)).size());
  }
  for (std::size_t i = 0; i < days.size(); ++i) {
    out << date_text(first + static_cast<std::int32_t>(i));
    if (days[i]) {
      out << "  " << padded_left(text_of(*days[i]), value_width);
      const std::string picture = bar(*days[i], maximum, room(), canvas.utf8);
      if (!picture.empty()) out << "  " << coloured(picture, *days[i] == maximum ? kMaximumColour : kBarColour, canvas);
    }
    out << '\n';
  }
}

void draw_sparklines(const std::vector<LabelledDays>& rows, const Canvas& canvas, std::ostream& out) {
  struct Texts {
    std::string total;
    std::string maximum;
  };
  constexpr std::string_view kTitle = "days";
  constexpr std::string_view kTotal = "total";
  constexpr std::string_view kMaximum = "maximum";
  std::size_t label_width = 3;
  std::size_t total_width = 0;
  std::size_t maximum_width = 0;
  std::vector<Texts> texts;
  const auto write_numbers = [&](auto* text_of) {
    texts.clear();
    total_width = kTotal.size();
    maximum_width = kMaximum.size();
    for (const LabelledDays& row : rows) {
      const Figures figures = figures_of(row.days);
      texts.push_back({(figures.saturated ? ">" : "") + text_of(figures.total), text_of(figures.maximum)});
      label_width = std::max(label_width, row.label.size());
      total_width = std::max(total_width, texts.back().total.size());
      maximum_width = std::max(maximum_width, texts.back().maximum.size());
    }
  };
  const auto room = [&] {
    return canvas.width - std::min(canvas.width, label_width + total_width + maximum_width + 6);
  };
  const std::size_t days = rows.empty() ? 0 : rows.front().days.size();
  write_numbers(number_text);
  if (room() < std::clamp(days, kTitle.size(), kGoodRoom)) write_numbers(short_number);
  const std::size_t per_cell = days_per_cell(days, room());
  const std::size_t cells = (days + per_cell - 1) / per_cell;
  const std::size_t width = std::max(cells, kTitle.size());
  out << "key" << std::string(label_width - 3 + 2, ' ') << kTitle << std::string(width - kTitle.size() + 2, ' ')
      << padded_left(std::string(kTotal), total_width) << "  " << padded_left(std::string(kMaximum), maximum_width)
      << '\n';
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string line = sparkline(rows[i].days, room(), canvas.utf8);
    out << rows[i].label << std::string(label_width - rows[i].label.size() + 2, ' ')
        << coloured(line, kBarColour, canvas) << std::string(width - cells + 2, ' ')
        << padded_left(texts[i].total, total_width) << "  " << padded_left(texts[i].maximum, maximum_width) << '\n';
  }
  if (per_cell > 1) out << "a character is " << per_cell << " days\n";
}

}  // namespace karma::tools
