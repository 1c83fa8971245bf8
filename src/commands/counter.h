// counter.*: one counter, or the same for a list of keys.
#pragma once

#include <optional>
#include <span>

#include "commands/op.h"

namespace karma::commands {

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
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
};

// Takes at most what the bucket holds; the answer is the amount asked for, as in 1.0.
struct CounterDecrement {
  static constexpr Spec kSpec{.name = "counter.decrement", .command = "decrement", .idempotent = true};
  static constexpr Reply kReply = Reply::number();
  SeriesName series;
  Key key;
  Bucket bucket;
  std::uint64_t value = 0;

  static void describe(auto& self, auto& fields) { CounterIncrement::describe(self, fields); }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
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
  Status answer(Reads& reads, Buffer& out) const;
};

struct CounterSeries {
  static constexpr std::string_view kAliases[] = {"series.points"};
  static constexpr Spec kSpec{.name = "counter.series", .command = "find", .aliases = kAliases};
  SeriesName series;
  Key key;
  BucketRange range;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.key(self.key);
    fields.range(self.range);
  }
  Status answer(Reads& reads, Buffer& out) const;
};

struct CounterBatchSum {
  static constexpr std::string_view kAliases[] = {"series.batch_sum"};
  static constexpr Spec kSpec{.name = "counter.batch_sum", .command = "batch_sum", .aliases = kAliases};
  SeriesName series;
  std::span<const Key> keys;
  std::optional<BucketRange> range;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.keys(self.keys);
    fields.range(self.range);
  }
  Status answer(Reads& reads, Buffer& out) const;
};

struct CounterMultiSum {
  static constexpr Spec kSpec{.name = "counter.multi_sum", .command = "multi_sum"};
  std::span<const SeriesKey> items;
  std::optional<BucketRange> range;

  static void describe(auto& self, auto& fields) {
    fields.series_keys(self.items);
    fields.range(self.range);
  }
  Status answer(Reads& reads, Buffer& out) const;
};

struct CounterReset {
  static constexpr Spec kSpec{.name = "counter.reset", .command = "reset", .idempotent = true, .deletes = true};
  static constexpr Reply kReply = Reply::ok();
  SeriesName series;
  Key key;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.key(self.key);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
};

struct CounterBatchReset {
  static constexpr Spec kSpec{.name = "counter.batch_reset",
                              .command = "batch_reset",
                              .idempotent = true,
                              .tells_state = true,
                              .deletes = true};
  static constexpr Reply kReply = Reply::counts("reset", "missing");
  SeriesName series;
  std::span<const Key> keys;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.keys(self.keys);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
};

struct CounterDeleteRange {
  static constexpr Spec kSpec{.name = "counter.delete_range", .command = "delete", .idempotent = true, .deletes = true};
  static constexpr Reply kReply = Reply::truth();
  SeriesName series;
  Key key;
  BucketRange range;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.key(self.key);
    fields.range(self.range);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
};

struct CounterBatchDeleteRange {
  static constexpr Spec kSpec{.name = "counter.batch_delete_range",
                              .command = "batch_delete_range",
                              .idempotent = true,
                              .tells_state = true,
                              .deletes = true};
  static constexpr Reply kReply = Reply::counts("deleted", "missing");
  SeriesName series;
  std::span<const Key> keys;
  BucketRange range;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.keys(self.keys);
    fields.range(self.range);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
};

}  // namespace karma::commands
