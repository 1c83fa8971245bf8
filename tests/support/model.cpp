#include "support/model.h"

#include <algorithm>

#include "support/engine_fixture.h"

namespace karma::test {
namespace {

constexpr std::uint64_t kMost = ~std::uint64_t{0};
constexpr Request::Range kEver{0, kMost};

std::string text(std::uint64_t number) { return std::to_string(number); }

std::string text(Request::Range range) {
  return "{\"from\":" + text(range.first) + ",\"to\":" + text(range.second) + "}";
}

bool inside(std::uint64_t bucket, Request::Range range) { return range.first <= bucket && bucket <= range.second; }

std::uint64_t sum(const Model::Days& days, Request::Range range = kEver) {
  std::uint64_t sum = 0;
  for (const auto& [bucket, value] : days) sum += inside(bucket, range) ? value : 0;
  return sum;
}

std::uint64_t sum(const Model::Counters& counters, std::uint64_t key, Request::Range range = kEver) {
  const auto found = counters.find(key);
  return found == counters.end() ? 0 : sum(found->second, range);
}

std::uint64_t value_of(const Model::Counters& counters, std::uint64_t key, std::uint64_t bucket) {
  return sum(counters, key, {bucket, bucket});
}

void put(Model::Counters& counters, std::uint64_t key, std::uint64_t bucket, std::uint64_t value) {
  if (value != 0) {
    counters[key][bucket] = value;
  } else if (const auto found = counters.find(key); found != counters.end()) {
    found->second.erase(bucket);
    if (found->second.empty()) counters.erase(found);
  }
}

// How many points went.
std::size_t remove(Model::Counters& counters, std::uint64_t key, Request::Range range) {
  const auto found = counters.find(key);
  if (found == counters.end()) return 0;
  const std::size_t removed = std::erase_if(found->second, [&](const auto& day) { return inside(day.first, range); });
  if (found->second.empty()) counters.erase(found);
  return removed;
}

void remove(Model::Counters& counters, Request::Range range) {
  std::vector<std::uint64_t> keys;
  for (const auto& [key, days] : counters) keys.push_back(key);
  for (const std::uint64_t key : keys) remove(counters, key, range);
}

std::string overflow(const std::string& what, std::uint64_t key, std::uint64_t bucket) {
  return failure("validation_error", what + " key=" + text(key) + " bucket=" + text(bucket));
}

std::string points(const Model::Days& days, Request::Range range) {
  std::string out;
  for (const auto& [bucket, value] : days) {
    if (inside(bucket, range)) out += (out.empty() ? "\"" : ",\"") + text(bucket) + "\":" + text(value);
  }
  return "{" + out + "}";
}

// The series' total as the protocol shows it: 64 bits at most.
struct Total {
  unsigned __int128 value = 0;
  std::string shown() const { return text(value > kMost ? kMost : static_cast<std::uint64_t>(value)); }
  std::string mark() const { return value > kMost ? ",\"saturated\":true" : ""; }
};

Total total_of(const Model::Counters& counters, Request::Range range = kEver) {
  Total total;
  for (const auto& [key, days] : counters) total.value += sum(days, range);
  return total;
}

std::size_t point_count(const Model::Counters& counters, Request::Range range = kEver) {
  std::size_t count = 0;
  for (const auto& [key, days] : counters) {
    count += static_cast<std::size_t>(
        std::count_if(days.begin(), days.end(), [&](const auto& day) { return inside(day.first, range); }));
  }
  return count;
}

template <class Elements, class ToText>
std::string join(const Elements& elements, ToText&& to_text) {
  std::string out;
  for (const auto& element : elements) out += (out.empty() ? "" : ",") + to_text(element);
  return "[" + out + "]";
}

std::string key_and(std::uint64_t key, const std::string& name, std::uint64_t number) {
  return "{\"key\":" + text(key) + ",\"" + name + "\":" + text(number) + "}";
}

// Of each of the request's keys the values of its ranges where it has a list of them, or else that of its range.
std::string sums(const Request& request, const Model::Counters& counters) {
  const std::string series = request.op == "counter.multi_sum" ? "\"series\":\"" + request.series + "\"," : "";
  return join(request.keys, [&](std::uint64_t key) {
    const std::string start = "{" + series + "\"key\":" + text(key);
    if (request.ranges.empty())
      return start + ",\"value\":" + text(sum(counters, key, request.range.value_or(kEver))) + "}";
    return start + ",\"values\":" +
           join(request.ranges, [&](const auto& range) { return text(sum(counters, key, range.value_or(kEver))); }) +
           "}";
  });
}

std::string tree_keys(const Request& request, const Model::Counters& counters) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> found;
  for (const auto& [key, days] : counters) {
    if (!request.cursor || key > *request.cursor) found.emplace_back(key, sum(days));
  }
  const bool more = found.size() > request.bucket;
  if (more) found.resize(request.bucket);
  return "{\"tree\":\"" + request.series + "\",\"limit\":" + text(request.bucket) +
         ",\"cursor\":" + (request.cursor ? text(*request.cursor) : "null") +
         ",\"next_cursor\":" + (more ? text(found.back().first) : "null") +
         ",\"keys\":" + join(found, [](const auto& entry) { return key_and(entry.first, "total", entry.second); }) +
         "}";
}

std::string tree_changes(const Request& request, const Model::Counters& counters) {
  struct Change {
    std::uint64_t key;
    std::uint64_t value;
    std::uint64_t previous;
    __int128 delta;
  };
  std::vector<Change> found;
  for (const auto& [key, days] : counters) {
    const std::uint64_t value = sum(days, *request.range);
    const std::uint64_t previous = sum(days, *request.compare_to);
    if (value == 0 && !(request.by_delta && previous != 0)) continue;
    found.push_back({key, value, previous, static_cast<__int128>(value) - previous});
  }
  std::stable_sort(found.begin(), found.end(), [&](const Change& a, const Change& b) {
    return request.by_delta ? a.delta > b.delta : a.value > b.value;
  });
  if (found.size() > request.bucket) found.resize(request.bucket);
  return "{\"tree\":\"" + request.series + "\",\"limit\":" + text(request.bucket) + ",\"items\":" +
         join(found,
              [](const Change& change) {
                const bool falls = change.delta < 0;
                return "{\"key\":" + text(change.key) + ",\"value\":" + text(change.value) +
                       ",\"previous\":" + text(change.previous) + ",\"delta\":" + (falls ? "-" : "") +
                       text(static_cast<std::uint64_t>(falls ? -change.delta : change.delta)) + "}";
              }) +
         "}";
}

std::string tree_top(const Request& request, const Model::Counters& counters) {
  if (request.compare_to) return tree_changes(request, counters);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> found;
  for (const auto& [key, days] : counters) {
    if (const std::uint64_t value = sum(days, request.range.value_or(kEver)); value != 0)
      found.emplace_back(key, value);
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (found.size() > request.bucket) found.resize(request.bucket);
  return "{\"tree\":\"" + request.series + "\",\"limit\":" + text(request.bucket) +
         ",\"items\":" + join(found, [](const auto& entry) { return key_and(entry.first, "value", entry.second); }) +
         "}";
}

std::string tree_summary(const Request& request, const Model::Counters& counters) {
  const Request::Range range = request.range.value_or(kEver);
  const Total total = total_of(counters, range);
  const auto active = std::count_if(counters.begin(), counters.end(),
                                    [&](const auto& counter) { return sum(counter.second, range) != 0; });
  std::string out = "{\"tree\":\"" + request.series + "\"";
  if (request.range) out += ",\"range_from\":" + text(range.first) + ",\"range_to\":" + text(range.second);
  return out + ",\"total\":" + total.shown() + ",\"active_keys\":" + text(static_cast<std::uint64_t>(active)) +
         ",\"bucket_count\":" + text(point_count(counters, range)) + total.mark() + "}";
}

std::string tree_series(const Request& request, const Model::Counters& counters) {
  std::string out;
  for (const auto& [key, days] : counters) {
    out += (out.empty() ? "\"" : ",\"") + text(key) + "\":" + points(days, *request.range);
  }
  return "{" + out + "}";
}

bool needs_series(const std::string& op) {
  return op == "counter.batch_reset" || op == "counter.batch_delete_range" || op == "series.delete_before" ||
         op == "series.compact" || op == "tree.drop";
}

}  // namespace

std::string Request::to_json() const {
  std::string out = R"({"v":2,"op":")" + op + '"';
  if (!series.empty() && op != "counter.multi_sum") out += ",\"series\":\"" + series + '"';
  const auto has = [&](auto... names) { return ((op == names) || ...); };
  if (has("counter.increment", "counter.decrement")) {
    out += ",\"key\":" + text(key) + ",\"bucket\":" + text(bucket) + ",\"value\":" + text(value);
  } else if (has("counter.sum", "counter.series", "counter.reset", "counter.delete_range")) {
    out += ",\"key\":" + text(key);
  } else if (has("counter.batch_sum", "counter.batch_reset", "counter.batch_delete_range")) {
    out += ",\"keys\":" + join(keys, [](std::uint64_t each) { return text(each); });
  } else if (has("counter.multi_sum")) {
    out += ",\"items\":" +
           join(keys, [&](std::uint64_t each) { return "{\"series\":\"" + series + "\",\"key\":" + text(each) + "}"; });
  } else if (has("series.batch_add", "series.batch_set")) {
    out += ",\"items\":" + join(items, [](const Item& i) {
             return "[" + text(i.key) + "," + text(i.bucket) + "," + text(i.value) + "]";
           });
  } else if (has("series.delete_before")) {
    out += ",\"before\":" + text(bucket);
  } else if (has("tree.keys", "tree.top")) {
    out += ",\"limit\":" + text(bucket);
  }
  if (cursor) out += ",\"cursor\":" + text(*cursor);
  if (range) out += ",\"range\":" + text(*range);
  if (!ranges.empty())
    out += ",\"ranges\":" + join(ranges, [](const auto& each) { return each ? text(*each) : "null"; });
  if (compare_to) out += ",\"compare_to\":" + text(*compare_to);
  if (by_delta) out += R"(,"order_by":"delta")";
  return out + "}";
}

bool Request::is_mutation() const {
  const bool reads = op == "counter.sum" || op == "counter.series" || op == "counter.batch_sum" ||
                     op == "counter.multi_sum" || op == "tree.list" || op == "tree.info" || op == "tree.keys" ||
                     op == "tree.top" || op == "tree.summary" || op == "tree.series";
  return !reads;
}

std::string Model::execute(const Request& request) { return request.is_mutation() ? mutate(request) : read(request); }

std::string Model::mutate(const Request& r) {
  if (r.op == "system.compact") return success("\"OK\"");
  if (needs_series(r.op) && !series.contains(r.series))
    return failure("not_found", "Tree \"" + r.series + "\" not found");
  if (r.op == "tree.drop") return series.erase(r.series), success("\"OK\"");
  if (r.op == "series.batch_set" && r.items.empty()) return success(R"({"applied":0})");
  Counters& counters = series[r.series];
  if (r.op == "counter.increment") {
    if (sum(counters, r.key) > kMost - r.value) return overflow("Counter overflow", r.key, r.bucket);
    put(counters, r.key, r.bucket, value_of(counters, r.key, r.bucket) + r.value);
    return success(text(r.value));
  }
  if (r.op == "counter.decrement") {
    const std::uint64_t held = value_of(counters, r.key, r.bucket);
    put(counters, r.key, r.bucket, held - std::min(held, r.value));
    return success(text(r.value));
  }
  if (r.op == "series.batch_add") return add(r);
  if (r.op == "series.batch_set") return set(r);
  if (r.op == "counter.reset") counters.erase(r.key);
  if (r.op == "counter.delete_range") return remove(counters, r.key, *r.range), success("true");
  if (r.op == "counter.batch_reset") {
    std::uint64_t reset = 0;
    for (const std::uint64_t key : r.keys) reset += counters.erase(key);
    return success("{\"reset\":" + text(reset) + ",\"missing\":" + text(r.keys.size() - reset) + "}");
  }
  if (r.op == "counter.batch_delete_range") {
    std::uint64_t deleted = 0;
    std::uint64_t missing = 0;
    for (const std::uint64_t key : r.keys) {
      if (!counters.contains(key)) {
        ++missing;
      } else if (remove(counters, key, *r.range) != 0) {
        ++deleted;
      }
    }
    return success("{\"deleted\":" + text(deleted) + ",\"missing\":" + text(missing) + "}");
  }
  if (r.op == "series.delete_before" && r.bucket != 0) remove(counters, {0, r.bucket - 1});
  if (r.op == "tree.reset") counters.clear();
  if (r.op == "tree.delete_range") return remove(counters, *r.range), success("true");
  return success("\"OK\"");
}

// All or nothing.
std::string Model::add(const Request& request) {
  Counters changed = series[request.series];
  std::uint64_t total = 0;
  for (const Request::Item& item : request.items) {
    if (sum(changed, item.key) > kMost - item.value)
      return overflow("Counter overflow in batch item", item.key, item.bucket);
    put(changed, item.key, item.bucket, value_of(changed, item.key, item.bucket) + item.value);
    total += item.value;
  }
  series[request.series] = std::move(changed);
  return success("{\"applied\":" + text(request.items.size()) + ",\"total\":" + text(total) + "}");
}

std::string Model::set(const Request& request) {
  Counters changed = series[request.series];
  for (const Request::Item& item : request.items) {
    const std::uint64_t others = sum(changed, item.key) - value_of(changed, item.key, item.bucket);
    if (others > kMost - item.value) return overflow("Counter overflow in batch item", item.key, item.bucket);
    put(changed, item.key, item.bucket, item.value);
  }
  series[request.series] = std::move(changed);
  return success("{\"applied\":" + text(request.items.size()) + "}");
}

std::string Model::read(const Request& request) const {
  if (request.op == "tree.list") {
    return success(join(series, [](const auto& entry) { return "\"" + entry.first + "\""; }));
  }
  const auto found = series.find(request.series);
  if (request.op == "counter.multi_sum" && request.keys.empty()) return success("[]");
  if (found == series.end()) return failure("not_found", "Tree \"" + request.series + "\" not found");
  return success(find_reply(request, found->second));
}

std::string Model::find_reply(const Request& r, const Counters& counters) const {
  const Request::Range range = r.range.value_or(kEver);
  if (r.op == "counter.sum") return text(sum(counters, r.key, range));
  if (r.op == "counter.series") {
    const auto counter = counters.find(r.key);
    return counter == counters.end() ? "{}" : points(counter->second, range);
  }
  if (r.op == "counter.batch_sum" || r.op == "counter.multi_sum") return sums(r, counters);
  if (r.op == "tree.keys") return tree_keys(r, counters);
  if (r.op == "tree.top") return tree_top(r, counters);
  if (r.op == "tree.summary") return tree_summary(r, counters);
  if (r.op == "tree.series") return tree_series(r, counters);
  const Total total = total_of(counters);
  return "{\"tree\":\"" + r.series + "\",\"key_count\":" + text(counters.size()) +
         ",\"bucket_count\":" + text(point_count(counters)) + ",\"total\":" + total.shown() + ",\"branches\":9" +
         total.mark() + "}";
}

std::string Model::content() const {
  std::string out;
  for (const auto& [name, counters] : series) {
    const std::string start = "{\"series\":\"" + name + '"';
    if (counters.empty()) out += start + "}\n";
    for (const auto& [key, days] : counters) {
      for (const auto& [bucket, value] : days) {
        out += start + ",\"key\":" + text(key) + ",\"bucket\":" + text(bucket) + ",\"value\":" + text(value) + "}\n";
      }
    }
  }
  return out;
}

std::string Workload::series() {
  static const std::string kNames[] = {"links", "users", "domains", "a b", "caf\u00e9"};
  return kNames[random_.up_to(series_count_ - 1)];
}

std::uint64_t Workload::key() { return huge_ && random_.one_in(20) ? kMost - random_.up_to(1) : random_.up_to(6); }

std::uint64_t Workload::bucket() {
  static const std::uint64_t kFar[] = {20260101, 20260228, 20260301, 20261231};
  return random_.one_in(6) ? random_.of(kFar) : 20260501 + random_.up_to(9);
}

std::uint64_t Workload::value(std::uint64_t least) {
  if (huge_ && random_.one_in(4)) return kMost / (1 + random_.up_to(3)) - random_.up_to(2);
  return least + random_.up_to(random_.one_in(4) ? 100000 : 5);
}

Request::Range Workload::range() {
  const std::uint64_t a = bucket();
  const std::uint64_t b = bucket();
  return {std::min(a, b), std::max(a, b)};
}

std::vector<std::optional<Request::Range>> Workload::ranges() {
  std::vector<std::optional<Request::Range>> found(1 + random_.up_to(15));
  for (auto& each : found)
    if (!random_.one_in(5)) each = range();
  return found;
}

std::vector<std::uint64_t> Workload::keys() {
  std::vector<std::uint64_t> found(random_.up_to(5));
  for (std::uint64_t& each : found) each = key();
  return found;
}

// Their values never exceed 64 bits together: that is refused before anything else is looked at.
std::vector<Request::Item> Workload::items(std::uint64_t least) {
  std::vector<Request::Item> found;
  std::uint64_t left = kMost;
  for (std::uint64_t count = random_.up_to(6); count != 0; --count) {
    const Request::Item item{key(), bucket(), random_.one_in(5) ? least : value(least)};
    if (item.value > left) break;
    left -= item.value;
    found.push_back(item);
  }
  return found;
}

Request Workload::next() { return random_.one_in(3) ? next_read() : next_mutation(); }

Request Workload::next_mutation() {
  static const std::string kOps[] = {"counter.increment",
                                     "counter.increment",
                                     "counter.increment",
                                     "counter.increment",
                                     "counter.decrement",
                                     "counter.decrement",
                                     "counter.reset",
                                     "counter.batch_reset",
                                     "series.batch_add",
                                     "series.batch_add",
                                     "series.batch_add",
                                     "series.batch_set",
                                     "series.batch_set",
                                     "counter.delete_range",
                                     "counter.batch_delete_range",
                                     "series.delete_before",
                                     "series.compact",
                                     "system.compact",
                                     "tree.create",
                                     "tree.drop",
                                     "tree.reset",
                                     "tree.delete_range"};
  Request request;
  request.op = random_.of(kOps);
  if (request.op != "system.compact") request.series = series();
  request.key = key();
  request.bucket = bucket();
  request.value = value(1);
  request.keys = keys();
  if (request.op == "series.batch_add") request.items = items(1);
  if (request.op == "series.batch_set") request.items = items(0);
  if (request.op.ends_with("delete_range")) request.range = range();
  return request;
}

Request Workload::next_read() {
  static const std::string kOps[] = {"counter.sum",  "counter.series", "counter.batch_sum", "counter.multi_sum",
                                     "tree.list",    "tree.info",      "tree.keys",         "tree.top",
                                     "tree.summary", "tree.series",    "counter.sum"};
  Request request;
  request.op = random_.of(kOps);
  if (request.op != "tree.list") request.series = series();
  request.key = key();
  request.bucket = 1 + random_.up_to(5);
  request.keys = keys();
  const bool takes_range = request.op != "tree.list" && request.op != "tree.info" && request.op != "tree.keys";
  const bool needs_range = request.op == "counter.series" || request.op == "tree.series";
  if (needs_range || (takes_range && random_.one_in(2))) request.range = range();
  if (request.op == "tree.keys" && random_.one_in(2)) request.cursor = key();
  const bool many = request.op == "counter.batch_sum" || request.op == "counter.multi_sum";
  if (many && !request.range && random_.one_in(2)) request.ranges = ranges();
  if (request.op == "tree.top" && request.range && random_.one_in(2)) {
    request.compare_to = range();
    request.by_delta = random_.one_in(2);
  }
  return request;
}

}  // namespace karma::test
