#include "tools/counter_days.h"

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "tools/ask.h"

namespace karma::tools {
namespace {

using nlohmann::ordered_json;

Error not_understood(std::string_view op) {
  return internal_error("the reply to " + std::string(op) + " is not understood");
}

Client::Fields fields_of(const std::string& series, const BucketRange& days) {
  return {{"series", series}, {"range", {{"from", days.from.number()}, {"to", days.to.number()}}}};
}

}  // namespace

Result<std::vector<LargestKey>> largest_keys(Client& client, Retry& retry, const std::string& series,
                                             const BucketRange& days, int limit) {
  Client::Fields request = fields_of(series, days);
  request["limit"] = limit;
  const Result<ordered_json> top = ask(client, retry, "tree.top", request);
  if (!top) return top.error();
  std::vector<LargestKey> keys;
  for (const ordered_json& item : top->at("items")) {
    const ordered_json& key = item.at("key");
    const ordered_json& value = item.at("value");
    if (!key.is_number_unsigned() || !value.is_number_unsigned()) return not_understood("tree.top");
    keys.push_back({key.get<std::uint64_t>(), value.get<std::uint64_t>()});
  }
  return keys;
}

Result<KeyDays> days_of_key(Client& client, Retry& retry, const std::string& series, const BucketRange& days,
                            std::uint64_t key) {
  Client::Fields request = fields_of(series, days);
  request["key"] = key;
  const Result<ordered_json> points = ask(client, retry, "counter.series", request);
  if (!points) return points.error();
  const std::int32_t first = *days.from.day();
  const auto count = static_cast<std::size_t>(*days.to.day() - first) + 1;
  KeyDays found{.key = key, .days = Days(count)};
  if (!points->is_object()) return not_understood("counter.series");
  for (const auto& [name, value] : points->items()) {
    const std::optional<std::uint64_t> bucket = parse_number<std::uint64_t>(name);
    if (!bucket || !value.is_number_unsigned()) return not_understood("counter.series");
    const auto number = value.get<std::uint64_t>();
    const std::optional<std::int32_t> day = Bucket::of_number(*bucket).day();
    const std::int64_t at = day ? std::int64_t{*day} - first : -1;
    if (at >= 0 && static_cast<std::size_t>(at) < count) {
      found.days[static_cast<std::size_t>(at)] = number;
    } else {
      add_saturating(found.elsewhere, number);
    }
  }
  return found;
}

std::string range_text(const BucketRange& days) {
  const std::string first = date_text(*days.from.day());
  return days.from == days.to ? first : first + " to " + date_text(*days.to.day());
}

}  // namespace karma::tools
