#include "commands/series.h"

#include "commands/replies.h"
#include "commands/verdicts.h"

namespace karma::commands {
namespace {

// The sum of all values fits: the decoder has checked it.
std::uint64_t sum_of(std::span<const Item> items) {
  std::uint64_t sum = 0;
  for (const Item& item : items) sum += item.value;
  return sum;
}

bool refuse_overflow(const Item* item, Outcome& outcome) {
  if (item == nullptr) return false;
  outcome.fail(ErrorCode::validation_error, overflow_text("Counter overflow in batch item", item->key, item->bucket));
  return true;
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

}  // namespace

Verdict SeriesBatchAdd::admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
  return admit_items(store, series.text, items, pending, outcome, store::first_overflow);
}

void SeriesBatchAdd::apply(store::Store& store, Outcome& outcome) const {
  store::Series& found = store.find_or_create(series.text);
  if (refuse_overflow(store::first_overflow(found, items), outcome)) return;
  found.add(items);
  outcome.first = items.size();
  outcome.second = sum_of(items);
}

Verdict SeriesBatchSet::admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
  // An empty set creates nothing.
  if (items.empty()) return Verdict::log;
  const Verdict verdict = admit_items(store, series.text, items, pending, outcome, store::first_set_overflow);
  if (verdict == Verdict::log) pending.lowers = true;
  return verdict;
}

void SeriesBatchSet::apply(store::Store& store, Outcome& outcome) const {
  outcome.first = items.size();
  if (items.empty()) return;  // creates nothing, as in 1.0
  store::Series& found = store.find_or_create(series.text);
  if (refuse_overflow(store::first_set_overflow(found, items), outcome)) return;
  found.set(items);
}

Verdict SeriesDeleteBefore::admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
  const Verdict verdict = admit_removal(store, series.text, pending, outcome);
  return verdict == Verdict::log ? admit_existing(store, series.text, pending, outcome) : verdict;
}

void SeriesDeleteBefore::apply(store::Store& store, Outcome& outcome) const {
  if (store.find(series.text) == nullptr) return outcome.fail(no_such_series(series.text));
  store.remove_range(series.text, store::Series::range_before(before));
}

Verdict SeriesCompact::admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
  return admit_existing(store, series.text, pending, outcome);
}

void SeriesCompact::apply(store::Store& store, Outcome& outcome) const {
  if (store.find(series.text) == nullptr) outcome.fail(no_such_series(series.text));
}

Verdict SystemCompact::admit(const store::Store&, Pending&, Outcome&) const { return Verdict::log; }

void SystemCompact::apply(store::Store&, Outcome&) const {}

}  // namespace karma::commands
