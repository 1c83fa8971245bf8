// series.*: many points at once, retention, compaction.
#pragma once

#include <span>

#include "commands/op.h"

namespace karma::commands {

// The sum of all values fits: the decoder has checked it.
inline std::uint64_t sum_of(std::span<const Item> items) {
  std::uint64_t sum = 0;
  for (const Item& item : items) sum += item.value;
  return sum;
}

template <class FindOverflow>
Verdict admit_items(const store::Store& store, std::string_view series, std::span<const Item> items, Pending& pending,
                    Outcome& outcome, FindOverflow&& find_overflow) {
  return admit_adding(
      store, series, sum_of(items), Adds::to_several, pending, outcome,
      [&](const store::Series& found) { return store::largest_total(found, items); },
      [&](const store::Series* found, Outcome& refused) {
        return found != nullptr && refuse_overflow(find_overflow(*found, items), refused);
      });
}

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
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
    return admit_items(store, series.text, items, pending, outcome, store::first_overflow);
  }
  void apply(store::Store& store, Outcome& outcome) const {
    store::Series& found = store.find_or_create(series.text);
    if (refuse_overflow(store::first_overflow(found, items), outcome)) return;
    found.add(items);
    outcome.first = items.size();
    outcome.second = sum_of(items);
  }
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
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
    // An empty set creates nothing.
    if (items.empty()) return Verdict::log;
    const Verdict verdict = admit_items(store, series.text, items, pending, outcome, store::first_set_overflow);
    if (verdict == Verdict::log) pending.of(store.find(series.text)).lowered = true;
    return verdict;
  }
  void apply(store::Store& store, Outcome& outcome) const {
    outcome.first = items.size();
    if (items.empty()) return;  // creates nothing, as in 1.0
    store::Series& found = store.find_or_create(series.text);
    if (refuse_overflow(store::first_set_overflow(found, items), outcome)) return;
    found.set(items);
  }
};

struct SeriesDeleteBefore : NeedsSeries {
  static constexpr std::string_view kAliases[] = {"tree.delete_before"};
  static constexpr Spec kSpec{.name = "series.delete_before",
                              .command = "delete_before",
                              .aliases = kAliases,
                              .deletes = true,
                              .counted = Counted::retention};
  static constexpr Reply kReply = Reply::ok();
  Bucket before;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.before(self.before);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
    const Verdict verdict = admit_removal(store, series.text, pending, outcome);
    return verdict == Verdict::log ? NeedsSeries::admit(store, pending, outcome) : verdict;
  }
  void apply(store::Store& store, Outcome& outcome) const {
    if (find(store, outcome) != nullptr) store.remove_range(series.text, store::Series::range_before(before));
  }
};

// Empty counters never exist, so there is nothing to do; logged all the same, as 1.0 does, for the sake of its
// replicas.
struct SeriesCompact : NeedsSeries {
  static constexpr std::string_view kAliases[] = {"tree.compact"};
  static constexpr Spec kSpec{
      .name = "series.compact", .command = "compact", .aliases = kAliases, .counted = Counted::compaction};
  static constexpr Reply kReply = Reply::ok();

  void apply(store::Store& store, Outcome& outcome) const { find(store, outcome); }
};

struct SystemCompact {
  static constexpr Spec kSpec{.name = "system.compact", .command = "compact", .counted = Counted::compaction};
  static constexpr Reply kReply = Reply::ok();

  static void describe(auto&, auto& fields) { fields.no_series(); }
  Verdict admit(const store::Store&, Pending&, Outcome&) const { return Verdict::log; }
  void apply(store::Store&, Outcome&) const {}
};

}  // namespace karma::commands
