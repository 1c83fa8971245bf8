// The text that Prometheus scrapes, version 0.0.4 of the format.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/histogram.h"

namespace karma::ops {

class Exposition {
 public:
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

  enum class Type : std::uint8_t { counter, gauge, histogram };
  struct Label {
    std::string_view name;
    std::string_view value;
  };
  using Labels = std::initializer_list<Label>;

  // Begins a family: what is added next belongs to it. Each name comes once.
  void family(std::string_view name, Type type, std::string_view help);
  void add(std::uint64_t value, Labels labels = {});
  void add(double value, Labels labels = {});
  // The values of the figures are nanoseconds, and are told in seconds; or they are numbers.
  void add_seconds(const HistogramFigures& figures, Labels labels = {});
  void add_numbers(const HistogramFigures& figures, Labels labels = {});

  const std::string& text() const { return text_; }

 private:
  void sample(std::string_view suffix, Labels labels, std::string_view le, std::string_view value);
  template <class Text>
  void histogram(const HistogramFigures& figures, Labels labels, Text text_of);

  std::string text_;
  std::string name_;
};

// Nanoseconds as seconds, exactly.
std::string seconds_text(std::uint64_t nanoseconds);

}  // namespace karma::ops
