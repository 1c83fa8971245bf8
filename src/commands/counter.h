// counter.*: one counter, or the same for a list of keys.
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "commands/op.h"
#include "commands/replies.h"
#include "core/decimal.h"
#include "store/day_range.h"

namespace karma::commands {

// Up to so many sums are made in some microseconds, wherever the counters lie in memory.
inline constexpr std::size_t kShortBatch = 64;

struct CounterIncrement {
  static constexpr std::string_view kAliases[] = {"series.increment"};
  static constexpr Spec kSpec{
      .name = "counter.increment", .command = "increment", .aliases = kAliases, .idempotent = true};
  static constexpr Reply kReply = Reply::number();
  SeriesName series;
  Key key;
  Bucket bucket;
  std::uint64_t value = 0;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.key(self.key);
    fields.bucket(self.bucket);
    fields.amount(self.value);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
    return admit_adding(
        store, series.text, value, Adds::to_one_counter, pending, outcome,
        [this](const store::Series& found) { return found.total(key); },
        [this](const store::Series* found, Outcome& refused) {
          return found != nullptr && refuse_overflow(*found, refused);
        });
  }
  void apply(store::Store& store, Outcome& outcome) const {
    store::Series& found = store.find_or_create(series.text);
    if (found.largest_total() > UINT64_MAX - value && refuse_overflow(found, outcome)) return;
    found.add(key, bucket, value);
    outcome.first = value;
  }

 private:
  bool refuse_overflow(const store::Series& found, Outcome& outcome) const {
    if (found.total(key) <= UINT64_MAX - value) return false;
    outcome.fail(ErrorCode::validation_error, overflow_text("Counter overflow", key, bucket));
    return true;
  }
};

// Takes at most what the bucket holds; the answer is the amount asked for, as in 1.0.
struct CounterDecrement : CreatesSeries {
  static constexpr Spec kSpec{.name = "counter.decrement", .command = "decrement", .idempotent = true};
  static constexpr Reply kReply = Reply::number();
  Key key;
  Bucket bucket;
  std::uint64_t value = 0;

  static void describe(auto& self, auto& fields) { CounterIncrement::describe(self, fields); }
  void apply(store::Store& store, Outcome& outcome) const {
    store.find_or_create(series.text).subtract(key, bucket, value);
    outcome.first = value;
  }
};

struct CounterSum {
  static constexpr std::string_view kAliases[] = {"series.sum"};
  static constexpr Spec kSpec{.name = "counter.sum", .command = "sum", .aliases = kAliases};
  SeriesName series;
  Key key;
  std::optional<BucketRange> range;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.key(self.key);
    fields.range(self.range);
  }
  Status answer(Reads& reads, Buffer& out) const {
    std::uint64_t sum = 0;
    Status status = reads.series(
        series.text, [&](const store::Series& found) { sum = range ? found.sum(key, *range) : found.total(key); });
    if (status) json::append_number(out, sum);
    return status;
  }
  std::size_t short_answer() const { return kDecimalRoom; }
};

struct CounterSeries {
  static constexpr std::string_view kAliases[] = {"series.points"};
  static constexpr Spec kSpec{.name = "counter.series", .command = "find", .aliases = kAliases};
  SeriesName series;
  Key key;
  BucketRange range;

  static void describe(auto& self, auto& fields) { CounterSum::describe(self, fields); }
  Status answer(Reads& reads, Buffer& out) const {
    std::vector<store::Point> points;
    Status status = reads.series(series.text, [&](const store::Series& found) { found.points(key, range, points); });
    if (status) reply_points(out, points);
    return status;
  }
};

// A request for several ranges asks for as many values as one of many keys may, and no more.
inline Status check_values(std::string_view field, std::size_t count, Ranges ranges) {
  if (count * ranges.size() <= protocol::kMaxBatchItems) return {};
  return validation_error("Fields " + std::string(field) + " and ranges ask for " +
                          std::to_string(count * ranges.size()) + " values, at most " +
                          std::to_string(protocol::kMaxBatchItems));
}

// Nothing where the request has no such list.
inline std::optional<store::DayRanges> cut(Ranges ranges) {
  if (ranges.empty()) return {};
  return store::DayRanges(ranges);
}

struct CounterBatchSum {
  static constexpr std::string_view kAliases[] = {"series.batch_sum"};
  static constexpr Spec kSpec{.name = "counter.batch_sum", .command = "batch_sum", .aliases = kAliases};
  SeriesName series;
  std::span<const Key> keys;
  std::optional<BucketRange> range;
  Ranges ranges;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.keys(self.keys);
    fields.range_or_ranges(self.range, self.ranges);
  }
  Status check() const { return check_values("keys", keys.size(), ranges); }
  Status answer(Reads& reads, Buffer& out) const {
    const std::size_t each = ranges.empty() ? 1 : ranges.size();
    std::span<std::uint64_t> sums = reads.arena().array<std::uint64_t>(keys.size() * each);
    const std::optional<store::DayRanges> days = cut(ranges);
    Status status = reads.series(series.text, [&](const store::Series& found) {
      if (days) {
        found.sums(keys, *days, sums);
      } else if (range) {
        found.sums(keys, *range, sums);
      } else {
        found.totals(keys, sums);
      }
    });
    if (!status) return status;
    if (!days) {
      write_items(out, kDecimalRoom, [&](char* to, std::size_t i) {
        to = put(to, R"(,"value":)");
        return write_decimal(to, sums[i]);
      });
      return {};
    }
    write_items(out, each * (kDecimalRoom + 1), [&](char* to, std::size_t i) {
      to = put(to, R"(,"values":[)");
      for (const std::uint64_t sum : sums.subspan(i * each, each)) {
        to = write_decimal(to, sum);
        *to++ = ',';
      }
      to[-1] = ']';
      return to;
    });
    return {};
  }
  std::size_t short_answer() const {
    const std::size_t each = std::max<std::size_t>(ranges.size(), 1);
    return keys.size() * each > kShortBatch ? 0 : keys.size() * (kItemBytes + each * (kDecimalRoom + 1)) + 2;
  }

 private:
  // {"key":<20>,"values":[]}, without its numbers, rounded up.
  static constexpr std::size_t kItemBytes = 44;

  static char* put(char* to, std::string_view text) {
    std::memcpy(to, text.data(), text.size());
    return to + text.size();
  }
  // [{"key":42<write_sums(to, i)>},…], with so many bytes of numbers an item at most.
  template <class WriteSums>
  void write_items(Buffer& out, std::size_t number_bytes, WriteSums&& write_sums) const {
    char* const start = out.reserve(keys.size() * (kItemBytes + number_bytes) + 2);
    char* to = start;
    *to++ = '[';
    for (std::size_t i = 0; i < keys.size(); ++i) {
      to = i == 0 ? put(to, R"({"key":)") : put(to, R"(,{"key":)");
      to = write_decimal(to, keys[i].value);
      to = write_sums(to, i);
      *to++ = '}';
    }
    *to++ = ']';
    out.commit(static_cast<std::size_t>(to - start));
  }
};

struct CounterMultiSum {
  static constexpr Spec kSpec{.name = "counter.multi_sum", .command = "multi_sum"};
  std::span<const SeriesKey> items;
  std::optional<BucketRange> range;
  Ranges ranges;

  static void describe(auto& self, auto& fields) {
    fields.series_keys(self.items);
    fields.range_or_ranges(self.range, self.ranges);
  }
  Status check() const { return check_values("items", items.size(), ranges); }
  Status answer(Reads& reads, Buffer& out) const {
    const std::size_t each = ranges.empty() ? 1 : ranges.size();
    std::span<std::uint64_t> sums = reads.arena().array<std::uint64_t>(items.size() * each);
    const std::optional<store::DayRanges> days = cut(ranges);
    std::string_view missing;
    reads.store([&](const store::Store& store) {
      for (std::size_t i = 0; i < items.size(); ++i) {
        const store::Series* found = store.find(items[i].series);
        if (found == nullptr) {
          missing = items[i].series;
          return;
        }
        const Key key = items[i].key;
        if (days) {
          found->sums({&key, 1}, *days, sums.subspan(i * each, each));
        } else {
          sums[i] = range ? found->sum(key, *range) : found->total(key);
        }
      }
    });
    if (!missing.empty()) return no_such_series(missing);
    append_list(out, items.size(), [&](std::size_t i) {
      out.append(R"({"series":)");
      json::append_string(out, items[i].series);
      append_field(out, "key", items[i].key.value);
      if (days) {
        json::append_name(out, "values");
        append_list(out, each, [&](std::size_t j) { json::append_number(out, sums[i * each + j]); });
      } else {
        append_field(out, "value", sums[i]);
      }
      out.append('}');
    });
    return {};
  }
  std::size_t short_answer() const {
    const std::size_t each = std::max<std::size_t>(ranges.size(), 1);
    if (items.size() * each > kShortBatch) return 0;
    constexpr std::size_t kItemBytes = 60;  // without the name and the numbers
    std::size_t bytes = 2;
    for (const SeriesKey& item : items)
      bytes += kItemBytes + each * (kDecimalRoom + 1) + json::escaped_bytes(item.series);
    return bytes;
  }
};

struct CounterReset : CreatesSeries {
  static constexpr Spec kSpec{.name = "counter.reset", .command = "reset", .idempotent = true, .deletes = true};
  static constexpr Reply kReply = Reply::ok();
  Key key;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.key(self.key);
  }
  void apply(store::Store& store, Outcome&) const { store.find_or_create(series.text).reset(key); }
};

struct CounterBatchReset : NeedsSeries {
  static constexpr Spec kSpec{.name = "counter.batch_reset",
                              .command = "batch_reset",
                              .idempotent = true,
                              .tells_state = true,
                              .deletes = true};
  static constexpr Reply kReply = Reply::counts("reset", "missing");
  std::span<const Key> keys;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.keys(self.keys);
  }
  void apply(store::Store& store, Outcome& outcome) const {
    store::Series* found = find(store, outcome);
    if (found == nullptr) return;
    for (const Key key : keys) ++(found->reset(key) ? outcome.first : outcome.second);
  }
};

struct CounterDeleteRange : CreatesSeries {
  static constexpr Spec kSpec{.name = "counter.delete_range", .command = "delete", .idempotent = true, .deletes = true};
  static constexpr Reply kReply = Reply::truth();
  Key key;
  BucketRange range;

  static void describe(auto& self, auto& fields) { CounterSum::describe(self, fields); }
  void apply(store::Store& store, Outcome&) const { store.find_or_create(series.text).remove_range(key, range); }
};

struct CounterBatchDeleteRange : NeedsSeries {
  static constexpr Spec kSpec{.name = "counter.batch_delete_range",
                              .command = "batch_delete_range",
                              .idempotent = true,
                              .tells_state = true,
                              .deletes = true};
  static constexpr Reply kReply = Reply::counts("deleted", "missing");
  std::span<const Key> keys;
  BucketRange range;

  static void describe(auto& self, auto& fields) {
    CounterBatchReset::describe(self, fields);
    fields.range(self.range);
  }
  void apply(store::Store& store, Outcome& outcome) const {
    store::Series* found = find(store, outcome);
    if (found == nullptr) return;
    for (const Key key : keys) {
      const store::Series::Removed removed = found->remove_range(key, range);
      outcome.first += removed == store::Series::Removed::some;
      outcome.second += removed == store::Series::Removed::no_counter;
    }
  }
};

}  // namespace karma::commands
