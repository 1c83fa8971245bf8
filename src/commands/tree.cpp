#include "commands/tree.h"

#include <vector>

#include "commands/key_page.h"
#include "commands/replies.h"
#include "commands/services.h"
#include "commands/verdicts.h"
#include "core/decimal.h"

namespace karma::commands {
namespace {

// 1.0 spreads a series over nine branches, in memory and in its files; the number is part of tree.info.
constexpr std::uint64_t kBranches = 9;
// Longer reads of a series go to a worker thread.
constexpr std::uint64_t kInlineScanKeys = 2000;

bool has_many_keys(std::string_view series, Reads& reads) {
  bool many = false;
  // A missing series is found out by the answer itself.
  (void)reads.series(series, [&](const store::Series& found) { many = found.key_count() > kInlineScanKeys; });
  return many;
}

// While a removal is under way, the counts of a series take a look at all its counters.
bool has_many_to_count(std::string_view series, Reads& reads) {
  bool counted = true;
  (void)reads.series(series, [&](const store::Series& found) { counted = found.counted(); });
  return !counted && has_many_keys(series, reads);
}

Result<store::RangeSummary> count_series(std::string_view series, Reads& reads) {
  store::RangeSummary counts;
  const auto take = [&](const store::SeriesReads& found) {
    counts = {found.total(), found.key_count(), found.bucket_count()};
  };
  bool counted = false;
  const Status status = reads.series(series, [&](const store::Series& found) {
    counted = found.counted();
    take(found);
  });
  if (!status) return status.error();
  if (counted) return counts;
  Result<store::SeriesView> view = reads.view(series);
  if (!view) return view.error();
  if (!view->count(reads.interrupt())) return reads.timeout_error();
  take(*view);
  return counts;
}

void append_tree(Buffer& out, std::string_view series) {
  out.append('{');
  json::append_field(out, "tree", series);
}

void append_key_totals(Buffer& out, std::span<const store::KeyTotal> totals, std::string_view value_name) {
  out.append('[');
  bool first = true;
  for (const store::KeyTotal& entry : totals) {
    out.append(first ? R"({"key":)" : R"(,{"key":)");
    first = false;
    json::append_number(out, entry.key.value);
    append_field(out, value_name, entry.total);
    out.append('}');
  }
  out.append(']');
}

void append_cursor(Buffer& out, std::string_view name, std::optional<Key> cursor) {
  if (cursor) return append_field(out, name, cursor->value);
  out.append(",\"");
  out.append(name);
  out.append("\":null");
}

void append_point(Buffer& out, Key key, const store::Point& point, bool first) {
  constexpr std::size_t kMostBytes = 3 * 20 + 5;
  char* const start = out.reserve(kMostBytes);
  char* to = start;
  if (!first) *to++ = ',';
  *to++ = '[';
  to = write_decimal(to, key.value);
  *to++ = ',';
  to = write_decimal(to, point.bucket.number());
  *to++ = ',';
  to = write_decimal(to, point.value);
  *to++ = ']';
  out.commit(static_cast<std::size_t>(to - start));
}

constexpr BucketRange kEverything = {Bucket::of_number(0), Bucket::of_number(UINT64_MAX)};
constexpr std::size_t kPointsEndBytes = 256;  // room for what follows the points, envelope included

}  // namespace

Verdict TreeCreate::admit(const store::Store& store, Pending& pending, Outcome&) const {
  return admit_creating(store, series.text, pending);
}
void TreeCreate::apply(store::Store& store, Outcome&) const { store.find_or_create(series.text); }
Verdict TreeDrop::admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
  const Verdict verdict = admit_existing(store, series.text, pending, outcome);
  if (verdict == Verdict::log) pending.removes_series = true;
  return verdict;
}
void TreeDrop::apply(store::Store& store, Outcome& outcome) const {
  if (!store.drop(series.text)) outcome.fail(no_such_series(series.text));
}
Verdict TreeReset::admit(const store::Store& store, Pending& pending, Outcome&) const {
  return admit_creating(store, series.text, pending);
}
void TreeReset::apply(store::Store& store, Outcome&) const {
  store.find_or_create(series.text);
  store.clear(series.text);
}
Verdict TreeDeleteRange::admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
  const Verdict verdict = admit_removal(store, series.text, pending, outcome);
  return verdict == Verdict::log ? admit_creating(store, series.text, pending) : verdict;
}
void TreeDeleteRange::apply(store::Store& store, Outcome&) const { store.remove_range(series.text, range); }
Status TreeList::answer(Reads& reads, Buffer& out) const {
  std::vector<std::string> names;
  reads.store([&](const store::Store& store) { names = store.names(); });
  out.append('[');
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) out.append(',');
    json::append_string(out, names[i]);
  }
  out.append(']');
  return {};
}

Status TreeInfo::answer(Reads& reads, Buffer& out) const {
  const Result<store::RangeSummary> counts = count_series(series.text, reads);
  if (!counts) return counts.error();
  append_tree(out, series.text);
  append_field(out, "key_count", counts->active_keys);
  append_field(out, "bucket_count", counts->bucket_count);
  append_total(out, counts->total);
  append_field(out, "branches", kBranches);
  append_saturated(out, counts->total);
  out.append('}');
  return {};
}
bool TreeInfo::is_long(Reads& reads) const { return has_many_to_count(series.text, reads); }

Status TreeKeys::answer(Reads& reads, Buffer& out) const {
  const Result<KeyPage> page = read_key_page(series.text, cursor, limit, reads);
  if (!page) return page.error();
  append_tree(out, series.text);
  append_field(out, "limit", limit);
  append_cursor(out, "cursor", cursor);
  append_cursor(out, "next_cursor", page->next);
  out.append(R"(,"keys":)");
  append_key_totals(out, page->keys, "total");
  out.append('}');
  return {};
}
bool TreeKeys::is_long(Reads& reads) const { return has_many_keys(series.text, reads); }

Status TreePoints::answer(Reads& reads, Buffer& out) const {
  Result<KeyPage> page = read_key_page(series.text, cursor, limit, reads);
  if (!page) return page.error();
  const std::size_t start = out.size();
  append_tree(out, series.text);
  append_field(out, "limit", limit);
  append_cursor(out, "cursor", cursor);
  out.append(R"(,"points":[)");
  const std::size_t first = out.size();
  std::vector<Key> keys;
  keys.reserve(page->keys.size());
  for (const store::KeyTotal& key : page->keys) keys.push_back(key.key);
  page->view.points(keys, kEverything, [&](std::size_t i, std::span<const store::Point> points) {
    const std::size_t before = out.size();
    for (const store::Point& point : points) append_point(out, keys[i], point, out.size() == first);
    // What does not fit is left to the next page, except if it is all there is.
    if (i == 0 || !reads.services().over_response_limit(out.size() - start + kPointsEndBytes)) return true;
    out.truncate(before);
    page->next = keys[i - 1];
    return false;
  });
  out.append(']');
  append_cursor(out, "next_cursor", page->next);
  out.append('}');
  return {};
}
bool TreePoints::is_long(Reads& reads) const { return has_many_keys(series.text, reads); }

Status TreeTop::answer(Reads& reads, Buffer& out) const {
  Result<store::SeriesView> view = reads.view(series.text);
  if (!view) return view.error();
  std::vector<store::KeyTotal> found;
  if (!view->top(range ? &*range : nullptr, limit, found, reads.interrupt())) return reads.timeout_error();
  append_tree(out, series.text);
  append_field(out, "limit", limit);
  out.append(R"(,"items":)");
  append_key_totals(out, found, "value");
  out.append('}');
  return {};
}
bool TreeTop::is_long(Reads& reads) const { return has_many_keys(series.text, reads); }

Status TreeSummary::answer(Reads& reads, Buffer& out) const {
  store::RangeSummary summary;
  if (range) {
    Result<store::SeriesView> view = reads.view(series.text);
    if (!view) return view.error();
    if (!view->summary(*range, summary, reads.interrupt())) return reads.timeout_error();
  } else {
    const Result<store::RangeSummary> counts = count_series(series.text, reads);
    if (!counts) return counts.error();
    summary = *counts;
  }
  append_tree(out, series.text);
  if (range) {
    append_field(out, "range_from", range->from.number());
    append_field(out, "range_to", range->to.number());
  }
  append_total(out, summary.total);
  append_field(out, "active_keys", summary.active_keys);
  append_field(out, "bucket_count", summary.bucket_count);
  append_saturated(out, summary.total);
  out.append('}');
  return {};
}
bool TreeSummary::is_long(Reads& reads) const {
  return range ? has_many_keys(series.text, reads) : has_many_to_count(series.text, reads);
}

Status TreeSeries::answer(Reads& reads, Buffer& out) const {
  Result<store::SeriesView> view = reads.view(series.text);
  if (!view) return view.error();
  std::vector<Key> keys;
  if (!view->all_keys(keys, reads.interrupt())) return reads.timeout_error();
  std::vector<store::Point> points;
  out.append('{');
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i % 256 == 255) {
      if (reads.expired()) return reads.timeout_error();
      // No use in formatting what cannot be sent: the dispatcher refuses what is over the limit.
      if (reads.services().over_response_limit(out.size())) break;
    }
    points.clear();
    view->points(keys[i], range, points);
    out.append(i == 0 ? R"(")" : R"(,")");
    json::append_number(out, keys[i].value);
    out.append(R"(":)");
    reply_points(out, points);
  }
  out.append('}');
  return {};
}
bool TreeSeries::is_long(Reads& reads) const { return has_many_keys(series.text, reads); }

}  // namespace karma::commands
