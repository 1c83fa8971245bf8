// series.*: many points at once, retention, compaction.
#pragma once

#include <span>

#include "commands/op.h"

namespace karma::commands {

struct SeriesBatchAdd {
  static constexpr std::string_view kAliases[] = {"counter.batch_increment"};
  static constexpr Spec kSpec{
      .name = "series.batch_add", .command = "batch_add", .aliases = kAliases, .idempotent = true};
  static constexpr Reply kReply = Reply::counts("applied", "total");
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
};

// A value of 0 removes the bucket; later items win.
struct SeriesBatchSet {
  static constexpr Spec kSpec{.name = "series.batch_set", .command = "batch_set", .idempotent = true};
  static constexpr Reply kReply = Reply::count("applied");
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
};

struct SeriesDeleteBefore {
  static constexpr std::string_view kAliases[] = {"tree.delete_before"};
  static constexpr Spec kSpec{.name = "series.delete_before",
                              .command = "delete_before",
                              .aliases = kAliases,
                              .deletes = true,
                              .counted = Counted::retention};
  static constexpr Reply kReply = Reply::ok();
  SeriesName series;
  Bucket before;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.before(self.before);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
};

// Empty counters never exist, so there is nothing to do; logged all the same, as 1.0 does, for the sake of its
// replicas.
struct SeriesCompact {
  static constexpr std::string_view kAliases[] = {"tree.compact"};
  static constexpr Spec kSpec{
      .name = "series.compact", .command = "compact", .aliases = kAliases, .counted = Counted::compaction};
  static constexpr Reply kReply = Reply::ok();
  SeriesName series;

  static void describe(auto& self, auto& fields) { fields.series(self.series); }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
};

struct SystemCompact {
  static constexpr Spec kSpec{.name = "system.compact", .command = "compact", .counted = Counted::compaction};
  static constexpr Reply kReply = Reply::ok();

  static void describe(auto&, auto& fields) { fields.no_series(); }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
};

}  // namespace karma::commands
