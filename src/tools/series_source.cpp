#include "tools/series_source.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "core/json_numbers.h"
#include "core/json_values.h"
#include "protocol/limits.h"

namespace karma::tools {

using protocol::converse;
namespace {

// A page of keys with all their points is held at a time.
constexpr std::uint64_t kPageKeys = 1000;
constexpr std::uint64_t kPointPageKeys = protocol::kMaxKeysLimit;

Client::Fields range_of(const BucketRange& range) { return {{"from", range.from.number()}, {"to", range.to.number()}}; }

Client::Fields page_at(std::optional<Key> cursor, std::uint64_t limit) {
  Client::Fields fields = {{"limit", limit}};
  if (cursor) fields["cursor"] = cursor->value;
  return fields;
}

Error not_understood(std::string_view op) {
  return internal_error("the reply to " + std::string(op) + " is not understood");
}

std::vector<BucketRange> cut_windows(const BucketRange& range) {
  std::vector<BucketRange> windows;
  const std::int32_t last = *range.to.day();
  for (std::int32_t day = *range.from.day(); day <= last; day += protocol::kMaxRangeDays + 1) {
    windows.push_back({Bucket::of_day(day), Bucket::of_day(std::min(last, day + protocol::kMaxRangeDays))});
  }
  return windows;
}

std::uint64_t number_of(const nlohmann::json& value) {
  return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}

Result<KeyPage> page_of(const Reply& reply) {
  nlohmann::json response = reply.json();
  if (!response.is_object() || !response["keys"].is_array()) return not_understood("tree.keys");
  KeyPage page;
  for (nlohmann::json& key : response["keys"]) {
    if (!key.is_object() || !key["key"].is_number_unsigned()) return not_understood("tree.keys");
    page.keys.push_back({{number_of(key["key"])}, number_of(key["total"])});
  }
  if (const nlohmann::json& next = response["next_cursor"]; next.is_number_unsigned()) page.next = Key{next};
  return page;
}

// [[key, bucket, value], …], which `kept` holds if the reader could keep it.
bool read_points(const json::Value& array, const json::Numbers& kept, std::vector<Item>& points) {
  points.reserve(kept.all().size() / 3);
  return json::each_triple(array, kept, [&](std::uint64_t key, std::uint64_t bucket, std::uint64_t value) {
    points.push_back({{key}, Bucket::of_number(bucket), value});
    return true;
  });
}

Result<PointPage> point_page_of(std::string_view response) {
  PointPage page;
  json::Numbers numbers(response.size() / 2);
  bool understood = true;
  understood &= json::Reader(response, &numbers).read_object([&](const json::Value& name, const json::Value& value) {
    if (name.text == "next_cursor" && value.type == json::Type::unsigned_integer) page.next = Key{value.number};
    if (name.text == "points") understood &= read_points(value, numbers, page.points);
  });
  if (!understood) return not_understood("tree.points");
  return page;
}

}  // namespace

SeriesSource::SeriesSource(Client& client, Retry& retry, std::string series)
    : client_(client), retry_(retry), series_(std::move(series)) {}

Status SeriesSource::append(Buffer& line, std::string_view op, Client::Fields fields) const {
  fields["series"] = series_;
  client_.begin_request(line, op, fields);
  line.append('}');
  return {};
}

// The reply to it must not be taken for another one.
void SeriesSource::forget_asked_ahead() {
  if (std::exchange(asked_ahead_, std::nullopt)) client_.close();
}

Status SeriesSource::ask_all(std::uint64_t count, const Ask& ask, const Take& take) {
  forget_asked_ahead();
  std::uint64_t next = 0;
  const Take take_and_note = [&](std::uint64_t number, const Reply& reply) {
    retry_.progress();
    return take(number, reply);
  };
  return retry_.run([&] { return converse(client_, next, count, ask, take_and_note); });
}

template <class Value, class Parse>
Result<Value> SeriesSource::ask_one(std::string_view op, const Client::Fields& fields, Parse&& parse) {
  Value value;
  const Ask ask = [&](std::uint64_t, Buffer& line) { return append(line, op, fields); };
  const Take take = [&](std::uint64_t, const Reply& reply) -> Status {
    if (!reply.success) return reply.error();
    Result<Value> found = parse(reply);
    if (!found) return found.error();
    value = std::move(*found);
    return {};
  };
  if (Status status = ask_all(1, ask, take); !status.ok()) return status.error();
  return value;
}

Result<KeyPage> SeriesSource::keys(std::optional<Key> cursor) {
  return ask_one<KeyPage>("tree.keys", page_at(cursor, kPageKeys), page_of);
}

Result<PointPage> SeriesSource::point_page(std::optional<Key> cursor) {
  PointPage page;
  if (asked_ahead_ != cursor) forget_asked_ahead();
  const Status status = retry_.run([&]() -> Status {
    if (!std::exchange(asked_ahead_, std::nullopt)) ask_point_page(cursor);
    const Result<Reply> reply = client_.receive();
    if (!reply) return reply.error();
    if (!reply->success) return reply->error();
    Result<PointPage> found = point_page_of(reply->response);
    if (!found) return found.error();
    page = std::move(*found);
    // The node is at the next page while the caller is at this one.
    if (page.next) {
      ask_point_page(page.next);
      if (client_.flush().ok()) asked_ahead_ = page.next;
    }
    return {};
  });
  if (!status) return status.error();
  return page;
}

void SeriesSource::ask_point_page(std::optional<Key> cursor) {
  (void)append(client_.queue(), "tree.points", page_at(cursor, kPointPageKeys));
  client_.queue().append('\n');
}

Result<std::uint64_t> SeriesSource::total(Key key) {
  return ask_one<std::uint64_t>("counter.sum", {{"key", key.value}}, [](const Reply& reply) -> Result<std::uint64_t> {
    const nlohmann::json sum = reply.json();
    if (!sum.is_number_unsigned()) return not_understood("counter.sum");
    return sum.get<std::uint64_t>();
  });
}

Result<std::vector<BucketRange>> SeriesSource::windows(BucketRange range) {
  const std::vector<BucketRange> all = cut_windows(range);
  std::vector<BucketRange> holding;
  const Ask ask = [&](std::uint64_t number, Buffer& line) {
    return append(line, "tree.summary", {{"range", range_of(all[number])}});
  };
  const Take take = [&](std::uint64_t number, const Reply& reply) -> Status {
    bool holds = false;
    if (!reply.success) {
      const Error refused = reply.error();
      // Too long to look through at once: key by key it is not.
      if (refused.code != ErrorCode::query_timeout) return refused;
      holds = true;
    } else {
      nlohmann::json summary = reply.json();
      if (!summary.is_object() || !summary["active_keys"].is_number_unsigned()) return not_understood("tree.summary");
      holds = summary["active_keys"] != 0;
    }
    if (holds) holding.push_back(all[number]);
    return {};
  };
  if (Status status = ask_all(all.size(), ask, take); !status.ok()) return status.error();
  return holding;
}

Result<std::vector<Item>> SeriesSource::points(std::span<const Key> keys, std::span<const BucketRange> windows) {
  std::vector<Item> found;
  if (windows.empty()) return found;
  const Ask ask = [&](std::uint64_t number, Buffer& line) {
    return append(
        line, "counter.series",
        {{"key", keys[number / windows.size()].value}, {"range", range_of(windows[number % windows.size()])}});
  };
  const Take take = [&](std::uint64_t number, const Reply& reply) -> Status {
    if (!reply.success) return reply.error();
    const Key key = keys[number / windows.size()];
    bool understood = true;
    understood &= json::Reader(reply.response).read_object([&](const json::Value& name, const json::Value& value) {
      std::uint64_t bucket = 0;
      const char* end = name.text.data() + name.text.size();
      understood &= std::from_chars(name.text.data(), end, bucket).ptr == end;
      found.push_back({key, Bucket::of_number(bucket), value.number});
    });
    return understood ? Status() : not_understood("counter.series");
  };
  if (Status status = ask_all(keys.size() * windows.size(), ask, take); !status.ok()) return status.error();
  if (!std::is_sorted(found.begin(), found.end(), by_key_and_bucket))
    std::sort(found.begin(), found.end(), by_key_and_bucket);
  return found;
}

}  // namespace karma::tools
