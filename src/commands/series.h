// series.*: many points at once, retention, compaction.
#pragma once

#include <span>

#include "commands/op.h"

namespace karma::commands {

struct SeriesBatchAdd {
  static constexpr std::string_view kAliases[] = {"counter.batch_increment"};
  static constexpr Spec kSpec{
      .name = "series.batch_add", .command = "batch_add", .aliases = kAliases, .idempotent = true};
  static constexpr std::size_t kMaxReplyBytes = 64;
  SeriesName series;
  std::span<const Item> items;
  std::string_view items_text;  // of the request, until it is encoded

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.granularity_day();
    fields.items(self.items, self.items_text, 1);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
  void reply(const Outcome& outcome, Buffer& out) const;
};

// A value of 0 removes the bucket; later items win.
struct SeriesBatchSet {
  static constexpr Spec kSpec{.name = "series.batch_set", .command = "batch_set", .idempotent = true};
  static constexpr std::size_t kMaxReplyBytes = 32;
  SeriesName series;
  std::span<const Item> items;
  std::string_view items_text;  // of the request, until it is encoded

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.granularity_day();
    fields.items(self.items, self.items_text, 0);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
  void reply(const Outcome& outcome, Buffer& out) const;
};

struct SeriesDeleteBefore {
  static constexpr std::string_view kAliases[] = {"tree.delete_before"};
  static constexpr Spec kSpec{
      .name = "series.delete_before", .command = "delete_before", .aliases = kAliases, .deletes = true};
  static constexpr std::size_t kMaxReplyBytes = 4;
  SeriesName series;
  Bucket before;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.before(self.before);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
  void reply(const Outcome& outcome, Buffer& out) const;
};

// Empty counters never exist, so there is nothing to do; logged all the same, as 1.0 does, for the sake of its
// replicas.
struct SeriesCompact {
  static constexpr std::string_view kAliases[] = {"tree.compact"};
  static constexpr Spec kSpec{.name = "series.compact", .command = "compact", .aliases = kAliases};
  static constexpr std::size_t kMaxReplyBytes = 4;
  SeriesName series;

  static void describe(auto& self, auto& fields) { fields.series(self.series); }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
  void reply(const Outcome& outcome, Buffer& out) const;
};

struct SystemCompact {
  static constexpr Spec kSpec{.name = "system.compact", .command = "compact"};
  static constexpr std::size_t kMaxReplyBytes = 4;

  static void describe(auto&, auto& fields) { fields.no_series(); }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
  void reply(const Outcome& outcome, Buffer& out) const;
};

}  // namespace karma::commands
