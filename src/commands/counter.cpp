#include "commands/counter.h"

#include <vector>

#include "commands/replies.h"
#include "commands/verdicts.h"
#include "core/decimal.h"

namespace karma::commands {
namespace {

bool overflows(const store::Series* series, Key key, std::uint64_t value) {
  return series != nullptr && series->total(key) > UINT64_MAX - value;
}

std::string increment_overflow(Key key, Bucket bucket) { return overflow_text("Counter overflow", key, bucket); }

}  // namespace

Verdict CounterIncrement::admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
  return admit_adding(
      store, series.text, value, Adds::to_one_counter, pending, outcome,
      [this](const store::Series& found) { return found.total(key); },
      [this](const store::Series* found, Outcome& refused) {
        if (!overflows(found, key, value)) return false;
        refused.fail(ErrorCode::validation_error, increment_overflow(key, bucket));
        return true;
      });
}

void CounterIncrement::apply(store::Store& store, Outcome& outcome) const {
  store::Series& found = store.find_or_create(series.text);
  if (found.largest_total() > UINT64_MAX - value && overflows(&found, key, value))
    return outcome.fail(ErrorCode::validation_error, increment_overflow(key, bucket));
  found.add(key, bucket, value);
  outcome.first = value;
}

Verdict CounterDecrement::admit(const store::Store& store, Pending& pending, Outcome&) const {
  return admit_creating(store, series.text, pending);
}

void CounterDecrement::apply(store::Store& store, Outcome& outcome) const {
  store.find_or_create(series.text).subtract(key, bucket, value);
  outcome.first = value;
}

Status CounterSum::answer(Reads& reads, Buffer& out) const {
  std::uint64_t sum = 0;
  Status status = reads.series(
      series.text, [&](const store::Series& found) { sum = range ? found.sum(key, *range) : found.total(key); });
  if (status) json::append_number(out, sum);
  return status;
}

Status CounterSeries::answer(Reads& reads, Buffer& out) const {
  std::vector<store::Point> points;
  Status status = reads.series(series.text, [&](const store::Series& found) { found.points(key, range, points); });
  if (status) reply_points(out, points);
  return status;
}

Status CounterBatchSum::answer(Reads& reads, Buffer& out) const {
  std::span<std::uint64_t> sums = reads.arena().array<std::uint64_t>(keys.size());
  Status status = reads.series(series.text, [&](const store::Series& found) {
    if (range) {
      found.sums(keys, *range, sums);
    } else {
      found.totals(keys, sums);
    }
  });
  if (!status) return status;
  // {"key":<20>,"value":<20>}, is the most that an item takes.
  constexpr std::size_t kItemBytes = 64;
  char* const start = out.reserve(keys.size() * kItemBytes + 2);
  char* to = start;
  const auto append = [&to](std::string_view text) {
    std::memcpy(to, text.data(), text.size());
    to += text.size();
  };
  *to++ = '[';
  for (std::size_t i = 0; i < keys.size(); ++i) {
    append(i == 0 ? R"({"key":)" : R"(,{"key":)");
    to = write_decimal(to, keys[i].value);
    append(R"(,"value":)");
    to = write_decimal(to, sums[i]);
    *to++ = '}';
  }
  *to++ = ']';
  out.commit(static_cast<std::size_t>(to - start));
  return {};
}

Status CounterMultiSum::answer(Reads& reads, Buffer& out) const {
  std::span<std::uint64_t> sums = reads.arena().array<std::uint64_t>(items.size());
  std::string_view missing;
  reads.store([&](const store::Store& store) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      const store::Series* found = store.find(items[i].series);
      if (found == nullptr) {
        missing = items[i].series;
        return;
      }
      sums[i] = range ? found->sum(items[i].key, *range) : found->total(items[i].key);
    }
  });
  if (!missing.empty()) return no_such_series(missing);
  out.append('[');
  for (std::size_t i = 0; i < items.size(); ++i) {
    out.append(i == 0 ? R"({"series":)" : R"(,{"series":)");
    json::append_string(out, items[i].series);
    append_field(out, "key", items[i].key.value);
    append_field(out, "value", sums[i]);
    out.append('}');
  }
  out.append(']');
  return {};
}

Verdict CounterReset::admit(const store::Store& store, Pending& pending, Outcome&) const {
  return admit_creating(store, series.text, pending);
}

void CounterReset::apply(store::Store& store, Outcome&) const { store.find_or_create(series.text).reset(key); }

Verdict CounterBatchReset::admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
  return admit_existing(store, series.text, pending, outcome);
}

void CounterBatchReset::apply(store::Store& store, Outcome& outcome) const {
  store::Series* found = store.find(series.text);
  if (found == nullptr) return outcome.fail(no_such_series(series.text));
  for (const Key key : keys) ++(found->reset(key) ? outcome.first : outcome.second);
}

Verdict CounterDeleteRange::admit(const store::Store& store, Pending& pending, Outcome&) const {
  return admit_creating(store, series.text, pending);
}

void CounterDeleteRange::apply(store::Store& store, Outcome&) const {
  store.find_or_create(series.text).remove_range(key, range);
}

Verdict CounterBatchDeleteRange::admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
  return admit_existing(store, series.text, pending, outcome);
}

void CounterBatchDeleteRange::apply(store::Store& store, Outcome& outcome) const {
  store::Series* found = store.find(series.text);
  if (found == nullptr) return outcome.fail(no_such_series(series.text));
  for (const Key key : keys) {
    switch (found->remove_range(key, range)) {
      case store::Series::Removed::some:
        ++outcome.first;
        break;
      case store::Series::Removed::no_counter:
        ++outcome.second;
        break;
      case store::Series::Removed::nothing_in_range:
        break;
    }
  }
}

}  // namespace karma::commands
