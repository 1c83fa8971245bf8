#include "tools/report_charts.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tools/html.h"
#include "tools/table.h"

namespace karma::tools {
namespace {

// Of what is not zero, something can be seen.
constexpr double kLeastHeight = 1;

// Between a number and its unit no line is broken.
const std::string kSpace = "\xC2\xA0";

std::string number(double value, const std::string& unit) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text + unit;
}

double height_of(double value, double largest, double room) {
  if (value <= 0 || largest <= 0) return 0;
  return std::max(value / largest * room, kLeastHeight);
}

std::string rect(double x, double y, double width, double height, const std::string& title) {
  return "<rect x=\"" + coordinate(x) + "\" y=\"" + coordinate(y) + "\" width=\"" + coordinate(width) + "\" height=\"" +
         coordinate(height) + "\"><title>" + escaped(title) + "</title></rect>";
}

std::string label(double x, double y, std::string_view anchor, const std::string& text, std::string_view kind = "") {
  return "<text x=\"" + coordinate(x) + "\" y=\"" + coordinate(y) + "\" text-anchor=\"" + std::string(anchor) + "\"" +
         std::string(kind) + ">" + escaped(text) + "</text>";
}

std::string opened(std::string_view kind, const std::string& box, const std::string& id, const std::string& title,
                   const std::string& description) {
  return "<svg class=\"" + std::string(kind) + "\" viewBox=\"" + box + "\" role=\"img\" aria-labelledby=\"" + id +
         "-t " + id + "-d\"" + (kind == "days" ? " preserveAspectRatio=\"none\"" : "") + "><title id=\"" + id +
         "-t\">" + escaped(title) + "</title><desc id=\"" + id + "-d\">" + escaped(description) + "</desc>";
}

}  // namespace

std::string duration_bound(double ms) {
  if (ms < 1) return number(ms * 1000, kSpace + "µs");
  return ms < 1000 ? number(ms, kSpace + "ms") : number(ms / 1000, kSpace + "s");
}

std::string size_bound(double size) { return number_text(static_cast<std::uint64_t>(size)); }

std::string within(const BucketCounts& values, double part, const BucketUnit& unit) {
  const std::optional<std::size_t> bucket = quantile_bucket(values, part);
  if (!bucket || values.bounds.empty()) return "-";
  if (*bucket < values.bounds.size()) return "≤" + kSpace + unit.bound(values.bounds[*bucket]);
  return ">" + kSpace + unit.bound(values.bounds.back());
}

std::string mean_text(const BucketCounts& values, const BucketUnit& unit) {
  const std::uint64_t count = values.count();
  if (count == 0) return "-";
  const double mean = values.sum / static_cast<double>(count);
  if (unit.bound != duration_bound) return coordinate(mean);
  char three_digits[32];
  std::snprintf(three_digits, sizeof three_digits, "%.3g", mean);
  return duration_bound(std::atof(three_digits));
}

std::string bucket_text(const BucketCounts& values, std::size_t bucket, const BucketUnit& unit) {
  if (values.bounds.empty()) return "any";
  if (bucket == 0) return "up to " + unit.bound(values.bounds[0]);
  if (bucket == values.bounds.size()) return "more than " + unit.bound(values.bounds.back());
  return unit.bound(values.bounds[bucket - 1]) + " to " + unit.bound(values.bounds[bucket]);
}

std::string histogram_chart(const BucketCounts& values, const BucketUnit& unit, const std::string& id,
                            const std::string& name) {
  constexpr double kWidth = 340;
  constexpr double kHeight = 126;
  constexpr double kLeft = 6;
  constexpr double kRight = kWidth - 6;
  constexpr double kTop = 28;
  constexpr double kBottom = 106;
  constexpr std::size_t kBoundsPerLabel = 3;
  const std::uint64_t all = values.count();
  const std::uint64_t largest = *std::ranges::max_element(values.counts);
  const double step = (kRight - kLeft) / static_cast<double>(values.counts.size());
  const std::string things(unit.things);
  std::string svg = opened("histogram", "0 0 " + coordinate(kWidth) + " " + coordinate(kHeight), id,
                           name + ": " + number_text(all) + " " + things,
                           "Half of them " + within(values, 0.5, unit) + ", 99 % " + within(values, 0.99, unit) +
                               ". The largest share is " +
                               percent_text(static_cast<double>(largest), static_cast<double>(all)) + ".");
  svg += "<path class=\"grid\" d=\"M" + coordinate(kLeft) + " " + coordinate(kTop) + "H" + coordinate(kRight) + "M" +
         coordinate(kLeft) + " " + coordinate((kTop + kBottom) / 2) + "H" + coordinate(kRight) + "\"/>";
  svg += label(kRight, kTop - 4, "end", percent_text(static_cast<double>(largest), static_cast<double>(all)));
  svg += "<g class=\"bars\">";
  for (std::size_t i = 0; i < values.counts.size(); ++i) {
    const double height =
        height_of(static_cast<double>(values.counts[i]), static_cast<double>(largest), kBottom - kTop);
    if (height == 0) continue;
    svg += rect(kLeft + static_cast<double>(i) * step + 1, kBottom - height, step - 2, height,
                bucket_text(values, i, unit) + ": " + number_text(values.counts[i]) + " " + things + ", " +
                    percent_text(static_cast<double>(values.counts[i]), static_cast<double>(all)));
  }
  svg += "</g><path class=\"axis\" d=\"M" + coordinate(kLeft) + " " + coordinate(kBottom) + "H" + coordinate(kRight) +
         "\"/>";
  for (std::size_t i = 0; i < values.bounds.size(); i += kBoundsPerLabel) {
    const double x = kLeft + static_cast<double>(i + 1) * step;
    svg += "<path class=\"axis\" d=\"M" + coordinate(x) + " " + coordinate(kBottom) + "v3\"/>" +
           label(x, kBottom + 14, "middle", unit.bound(values.bounds[i]));
  }
  const std::optional<std::size_t> half = quantile_bucket(values, 0.5);
  const std::optional<std::size_t> most = quantile_bucket(values, 0.99);
  const auto mark = [&](std::size_t bucket, std::string_view anchor, const char* text) {
    const double x = kLeft + static_cast<double>(bucket + 1) * step;
    const bool no_room = bucket + 3 > values.counts.size();
    const double aside = anchor == "start" && !no_room ? 3 : -3;
    svg += "<path class=\"mark\" d=\"M" + coordinate(x) + " 6V" + coordinate(kBottom) + "\"/>" +
           label(x + aside, 14, aside > 0 ? "start" : "end", text, " class=\"mark\"");
  };
  if (half && most && *half == *most) {
    mark(*half, "start", "p50, p99");
  } else if (half && most) {
    mark(*half, *half == 0 ? "start" : "end", "p50");
    mark(*most, "start", "p99");
  }
  return svg + "</svg>";
}

std::string days_chart(const KeyDays& counter, const BucketRange& range, const std::string& id) {
  constexpr double kDay = 10;
  constexpr double kHeight = 40;
  const Figures figures = figures_of(counter.days);
  const std::int32_t first = *range.from.day();
  const auto count = static_cast<double>(counter.days.size());
  std::string description = "No day has a value.";
  if (figures.counted != 0) {
    description = std::string(figures.saturated ? "More than " : "") + number_text(figures.total) + " in " +
                  number_text(figures.counted) + " of " + number_text(counter.days.size()) + " days, the most on " +
                  date_text(first + static_cast<std::int32_t>(figures.maximum_at)) + ": " +
                  number_text(figures.maximum) + ".";
  }
  std::string svg = opened("days", "0 0 " + coordinate(count * kDay) + " " + coordinate(kHeight + 1), id,
                           "Key " + std::to_string(counter.key) + ", " + range_text(range), description);
  svg += "<path class=\"axis\" d=\"M0 " + coordinate(kHeight + 0.5) + "H" + coordinate(count * kDay) + "\"/>";
  svg += "<g class=\"bars\">";
  for (std::size_t i = 0; i < counter.days.size(); ++i) {
    if (!counter.days[i]) continue;
    const double height =
        height_of(static_cast<double>(*counter.days[i]), static_cast<double>(figures.maximum), kHeight);
    svg += rect(static_cast<double>(i) * kDay + 1, kHeight - height, kDay - 2, height,
                date_text(first + static_cast<std::int32_t>(i)) + ": " + number_text(*counter.days[i]));
  }
  return svg + "</g></svg>";
}

std::string share_bar(double part, double whole) {
  const double length = whole > 0 ? std::clamp(part / whole, 0.0, 1.0) * 100 : 0;
  return "<svg class=\"share\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect "
         "class=\"all\" "
         "width=\"100\" height=\"8\" rx=\"2\"/><rect width=\"" +
         coordinate(length) + "\" height=\"8\" rx=\"2\"/></svg>";
}

}  // namespace karma::tools
