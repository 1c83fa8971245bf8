#include "tools/series_source.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/json_numbers.h"
#include "core/json_reader.h"
#include "core/json_text.h"
#include "protocol/limits.h"

namespace karma::tools {
namespace {

// A page of keys with all their points is held at a time.
constexpr std::uint64_t kPageKeys = 1000;
constexpr std::uint64_t kPointPageKeys = protocol::kMaxKeysLimit;

void append_range(Buffer& line, const BucketRange& range) {
  line.append(R"(,"range":{"from":)");
  json::append_number(line, range.from.number());
  line.append(R"(,"to":)");
  json::append_number(line, range.to.number());
  line.append('}');
}

void append_key(Buffer& line, Key key) {
  line.append(R"(,"key":)");
  json::append_number(line, key.value);
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

bool by_key_and_bucket(const Item& a, const Item& b) { return a.key != b.key ? a.key < b.key : a.bucket < b.bucket; }

Result<KeyPage> page_of(std::string_view response) {
  KeyPage page;
  bool understood = true;
  const auto on_key = [&](const json::Value& element) {
    KeyTotal key;
    understood &= json::Reader(element.text).read_object([&](const json::Value& name, const json::Value& value) {
      if (name.text == "key") key.key = {value.number};
      if (name.text == "total") key.total = value.number;
    });
    page.keys.push_back(key);
    return true;
  };
  understood &= json::Reader(response).read_object([&](const json::Value& name, const json::Value& value) {
    if (name.text == "next_cursor" && value.type == json::Type::unsigned_integer) page.next = Key{value.number};
    if (name.text == "keys") understood &= json::Reader(value.text).read_array(on_key);
  });
  if (!understood) return not_understood("tree.keys");
  return page;
}

bool read_point(std::string_view text, std::vector<Item>& points) {
  std::array<std::uint64_t, 3> row{};
  std::size_t count = 0;
  const bool read = json::Reader(text).read_array([&](const json::Value& number) {
    if (number.type != json::Type::unsigned_integer || count == row.size()) return false;
    row[count++] = number.number;
    return true;
  });
  points.push_back({{row[0]}, Bucket::of_number(row[1]), row[2]});
  return read && count == row.size();
}

// [[key, bucket, value], …], which `kept` holds if the reader could keep it.
bool read_points(const json::Value& array, const json::Numbers& kept, std::vector<Item>& points) {
  if (!array.kept || kept.row() != 3) {
    bool good = true;
    return json::Reader(array.text).read_array([&](const json::Value& row) {
      return good = read_point(row.text, points);
    }) && good;
  }
  const std::span<const std::uint64_t> all = kept.all();
  points.reserve(all.size() / 3);
  for (std::size_t i = 0; i + 2 < all.size(); i += 3)
    points.push_back({{all[i]}, Bucket::of_number(all[i + 1]), all[i + 2]});
  return true;
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

void SeriesSource::begin(Buffer& line, std::string_view op) const {
  client_.begin_request(line, op);
  line.append(R"(,"series":)");
  json::append_string(line, series_);
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

Ask SeriesSource::ask_for_page(std::string_view op, std::uint64_t limit, std::optional<Key> cursor) const {
  return [=, this](std::uint64_t, Buffer& line) -> Status {
    begin(line, op);
    line.append(R"(,"limit":)");
    json::append_number(line, limit);
    if (cursor) {
      line.append(R"(,"cursor":)");
      json::append_number(line, cursor->value);
    }
    line.append('}');
    return {};
  };
}

Result<KeyPage> SeriesSource::keys(std::optional<Key> cursor) {
  KeyPage page;
  const Ask ask = ask_for_page("tree.keys", kPageKeys, cursor);
  const Take take = [&](std::uint64_t, const Reply& reply) -> Status {
    if (!reply.success) return reply.error();
    Result<KeyPage> found = page_of(reply.response);
    if (!found) return found.error();
    page = std::move(*found);
    return {};
  };
  if (Status status = ask_all(1, ask, take); !status.ok()) return status.error();
  return page;
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
  (void)ask_for_page("tree.points", kPointPageKeys, cursor)(0, client_.queue());
  client_.queue().append('\n');
}

Result<std::uint64_t> SeriesSource::total(Key key) {
  std::uint64_t total = 0;
  const Ask ask = [&](std::uint64_t, Buffer& line) -> Status {
    begin(line, "counter.sum");
    append_key(line, key);
    line.append('}');
    return {};
  };
  const Take take = [&](std::uint64_t, const Reply& reply) -> Status {
    if (!reply.success) return reply.error();
    json::Value value;
    if (!json::Reader(reply.response).read_value(value)) return not_understood("counter.sum");
    total = value.number;
    return {};
  };
  if (Status status = ask_all(1, ask, take); !status.ok()) return status.error();
  return total;
}

Result<std::vector<BucketRange>> SeriesSource::windows(BucketRange range) {
  const std::vector<BucketRange> all = cut_windows(range);
  std::vector<BucketRange> holding;
  const Ask ask = [&](std::uint64_t number, Buffer& line) -> Status {
    begin(line, "tree.summary");
    append_range(line, all[number]);
    line.append('}');
    return {};
  };
  const Take take = [&](std::uint64_t number, const Reply& reply) -> Status {
    bool holds = false;
    if (!reply.success) {
      const Error refused = reply.error();
      // Too long to look through at once: key by key it is not.
      if (refused.code != ErrorCode::query_timeout) return refused;
      holds = true;
    } else if (!json::Reader(reply.response).read_object([&](const json::Value& name, const json::Value& value) {
                 if (name.text == "active_keys") holds = value.number > 0;
               })) {
      return not_understood("tree.summary");
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
  const Ask ask = [&](std::uint64_t number, Buffer& line) -> Status {
    begin(line, "counter.series");
    append_key(line, keys[number / windows.size()]);
    append_range(line, windows[number % windows.size()]);
    line.append('}');
    return {};
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
