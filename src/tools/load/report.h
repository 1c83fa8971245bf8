// What a load program found: lines for people, or the fields of a JSON object.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/load/clients.h"

namespace karma::tools::load {

class Report {
 public:
  // `label` is for people; without one the field is in the JSON only.
  void number(std::string name, std::string label, double value) {
    char text[40];
    std::snprintf(text, sizeof text, value >= 1e6 ? "%.0f" : "%.6g", value);
    fields_.push_back({std::move(name), std::move(label), text, std::strtod(text, nullptr)});
  }
  void text(std::string name, std::string label, const std::string& value) {
    fields_.push_back({std::move(name), std::move(label), value, value});
  }
  // What clients measured; `trip` is what people call the time that a request took.
  void measured(const Measured& measured, const std::string& trip) {
    const auto us = [&](double share) { return static_cast<double>(measured.round_trips.at(share)) / 1000; };
    number("seconds", "seconds", measured.seconds);
    number("replies", "", static_cast<double>(measured.replies));
    number("errors", "errors", static_cast<double>(measured.errors));
    number("ops_per_second", "ops/s", static_cast<double>(measured.replies) / measured.seconds);
    number("items_per_second", "items/s", static_cast<double>(measured.items) / measured.seconds);
    number("p50_us", trip + " us, p50", us(0.5));
    number("p90_us", "  p90", us(0.9));
    number("p99_us", "  p99", us(0.99));
    number("p999_us", "  p99.9", us(0.999));
    number("max_us", "  longest", static_cast<double>(measured.round_trips.largest()) / 1000);
  }

  nlohmann::ordered_json json() const {
    nlohmann::ordered_json fields;
    for (const Field& field : fields_) fields[field.name] = field.value;
    return fields;
  }
  std::string lines() const {
    std::string out;
    for (const Field& field : fields_) {
      if (field.label.empty() || field.shown.empty()) continue;
      out.append("  ").append(field.label).append(field.label.size() < 40 ? 40 - field.label.size() : 1, ' ');
      out.append(field.shown).append("\n");
    }
    return out;
  }

 private:
  struct Field {
    std::string name;
    std::string label;
    std::string shown;
    nlohmann::ordered_json value;
  };
  std::vector<Field> fields_;
};

}  // namespace karma::tools::load
