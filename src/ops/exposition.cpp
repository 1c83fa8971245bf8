#include "ops/exposition.h"

#include <cmath>
#include <cstdio>

namespace karma::ops {
namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

void append_escaped(std::string& out, std::string_view text, bool quoted) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quoted) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

std::string_view name_of(Exposition::Type type) {
  switch (type) {
    case Exposition::Type::counter:
      return "counter";
    case Exposition::Type::gauge:
      return "gauge";
    case Exposition::Type::histogram:
      break;
  }
  return "histogram";
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char text[64];
  std::snprintf(text, sizeof text, "%.17g", value);
  // As short as it can be, so that a bound has one spelling.
  char shorter[64];
  std::snprintf(shorter, sizeof shorter, "%.15g", value);
  double same = 0;
  return std::sscanf(shorter, "%lf", &same) == 1 && same == value ? shorter : text;
}

}  // namespace

std::string seconds_text(std::uint64_t nanoseconds) {
  char text[64];
  std::snprintf(text, sizeof text, "%llu.%09llu", static_cast<unsigned long long>(nanoseconds / kNanosecondsPerSecond),
                static_cast<unsigned long long>(nanoseconds % kNanosecondsPerSecond));
  return text;
}

void Exposition::family(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  text_ += "# HELP " + name_ + " ";
  append_escaped(text_, help, false);
  text_ += "\n# TYPE " + name_ + " " + std::string(name_of(type)) + "\n";
}

void Exposition::add(std::uint64_t value, Labels labels) { sample("", labels, "", std::to_string(value)); }
void Exposition::add(double value, Labels labels) { sample("", labels, "", number_text(value)); }

void Exposition::add_seconds(const HistogramFigures& figures, Labels labels) {
  histogram(figures, labels, [](std::uint64_t nanoseconds, bool bound) {
    return bound ? number_text(static_cast<double>(nanoseconds) / kNanosecondsPerSecond) : seconds_text(nanoseconds);
  });
}

void Exposition::add_numbers(const HistogramFigures& figures, Labels labels) {
  histogram(figures, labels, [](std::uint64_t number, bool) { return std::to_string(number); });
}

template <class Text>
void Exposition::histogram(const HistogramFigures& figures, Labels labels, Text text_of) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < figures.counts.size(); ++i) {
    count += figures.counts[i];
    sample("_bucket", labels, i < figures.bounds.size() ? text_of(figures.bounds[i], true) : "+Inf",
           std::to_string(count));
  }
  sample("_sum", labels, "", text_of(figures.sum, false));
  sample("_count", labels, "", std::to_string(count));
}

void Exposition::sample(std::string_view suffix, Labels labels, std::string_view le, std::string_view value) {
  text_ += name_;
  text_ += suffix;
  bool first = true;
  const auto label = [&](std::string_view name, std::string_view text) {
    text_ += first ? '{' : ',';
    first = false;
    text_ += name;
    text_ += "=\"";
    append_escaped(text_, text, true);
    text_ += '"';
  };
  for (const Label& each : labels) label(each.name, each.value);
  if (!le.empty()) label("le", le);
  if (!first) text_ += '}';
  text_ += ' ';
  text_ += value;
  text_ += '\n';
}

}  // namespace karma::ops
