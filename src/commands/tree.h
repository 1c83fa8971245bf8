// tree.*: a whole series ("tree" is the word of Karma 1.0).
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "commands/key_page.h"
#include "commands/op.h"
#include "commands/replies.h"
#include "core/decimal.h"

namespace karma::commands {

struct TreeCreate : CreatesSeries {
  static constexpr Spec kSpec{.name = "tree.create", .command = "create"};
  static constexpr Reply kReply = Reply::ok();

  void apply(store::Store& store, Outcome&) const { store.find_or_create(series.text); }
};

struct TreeDrop : NeedsSeries {
  static constexpr Spec kSpec{.name = "tree.drop", .command = "drop", .deletes = true};
  static constexpr Reply kReply = Reply::ok();

  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
    const Verdict verdict = NeedsSeries::admit(store, pending, outcome);
    if (verdict == Verdict::log) pending.of(store.find(series.text)).removed = true;
    return verdict;
  }
  void apply(store::Store& store, Outcome& outcome) const {
    if (!store.drop(series.text)) outcome.fail(no_such_series(series.text));
  }
};

struct TreeReset : CreatesSeries {
  static constexpr Spec kSpec{.name = "tree.reset", .command = "reset", .idempotent = true, .deletes = true};
  static constexpr Reply kReply = Reply::ok();

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.no_key();
  }
  void apply(store::Store& store, Outcome&) const {
    store.find_or_create(series.text);
    store.clear(series.text);
  }
};

struct TreeDeleteRange : CreatesSeries {
  static constexpr Spec kSpec{.name = "tree.delete_range", .command = "delete", .idempotent = true, .deletes = true};
  static constexpr Reply kReply = Reply::truth();
  BucketRange range;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.no_key();
    fields.range(self.range);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
    const Verdict verdict = admit_removal(store, series.text, pending, outcome);
    return verdict == Verdict::log ? CreatesSeries::admit(store, pending, outcome) : verdict;
  }
  void apply(store::Store& store, Outcome&) const { store.remove_range(series.text, range); }
};

struct TreeList : NoFields {
  static constexpr Spec kSpec{.name = "tree.list", .command = "trees"};
  static constexpr std::size_t kListedInline = 2000;

  bool is_long(Reads& reads) const {
    bool many = false;
    reads.store([&](const store::Store& store) { many = store.series_count() > kListedInline; });
    return many;
  }

  Status answer(Reads& reads, Buffer& out) const {
    std::vector<std::string> names;
    reads.store([&](const store::Store& store) { names = store.unsorted_names(); });
    std::sort(names.begin(), names.end());
    append_list(out, names.size(), [&](std::size_t i) { json::append_string(out, names[i]); });
    return {};
  }
};

// Reads that take as long as the series has keys; of many keys they go to a worker thread.
struct ReadsAllKeys : OfSeries {
  static constexpr std::uint64_t kInlineScanKeys = 2000;

  bool is_long(Reads& reads) const {
    bool many = false;
    // A missing series is found out by the answer itself.
    (void)reads.series(series.text, [&](const store::Series& found) { many = found.key_count() > kInlineScanKeys; });
    return many;
  }
};

// Reads of the counts that a series keeps. While a removal is under way, they take a look at all its counters.
struct ReadsCounts : ReadsAllKeys {
  bool is_long(Reads& reads) const {
    bool counted = true;
    (void)reads.series(series.text, [&](const store::Series& found) { counted = found.counted(); });
    return !counted && ReadsAllKeys::is_long(reads);
  }
  // Without a view if possible: a view makes the next writes copy.
  Result<store::RangeSummary> count(Reads& reads) const {
    std::optional<store::RangeSummary> kept;
    const Status status = reads.series(series.text, [&](const store::Series& found) {
      if (found.counted()) kept = store::RangeSummary{found.total(), found.key_count(), found.bucket_count()};
    });
    if (!status) return status.error();
    if (kept) return *kept;
    Result<store::SeriesView> view = reads.view(series.text);
    if (!view) return view.error();
    if (!view->count(reads.interrupt())) return reads.timeout_error();
    return store::RangeSummary{view->total(), view->key_count(), view->bucket_count()};
  }
};

inline void append_tree(Buffer& out, std::string_view series) {
  out.append('{');
  append_field(out, "tree", series);
}

inline void append_key_totals(Buffer& out, std::span<const store::KeyTotal> totals, std::string_view value_name) {
  append_list(out, totals.size(), [&](std::size_t i) {
    out.append(R"({"key":)");
    json::append_number(out, totals[i].key.value);
    append_field(out, value_name, totals[i].total);
    out.append('}');
  });
}

inline void append_cursor(Buffer& out, std::string_view name, std::optional<Key> cursor) {
  if (cursor) return append_field(out, name, cursor->value);
  append_text(out, name, std::nullopt);
}

struct TreeInfo : ReadsCounts {
  static constexpr Spec kSpec{.name = "tree.info", .command = "tree_info"};
  // 1.0 spreads a series over nine branches, in memory and in its files; the number is part of the response.
  static constexpr std::uint64_t kBranches = 9;

  Status answer(Reads& reads, Buffer& out) const {
    const Result<store::RangeSummary> counts = count(reads);
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
};

// A page of the keys.
struct ReadsKeyPage : ReadsAllKeys {
  std::uint64_t limit = 0;
  std::optional<Key> cursor;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.limit(self.limit, protocol::kDefaultKeysLimit, protocol::kMaxKeysLimit);
    fields.cursor(self.cursor);
  }
};

struct TreeKeys : ReadsKeyPage {
  static constexpr Spec kSpec{.name = "tree.keys", .command = "tree_keys"};

  Status answer(Reads& reads, Buffer& out) const {
    const Result<KeyPage> page = read_key_page(series.text, cursor, limit, reads);
    if (!page) return page.error();
    append_tree(out, series.text);
    append_field(out, "limit", limit);
    append_cursor(out, "cursor", cursor);
    append_cursor(out, "next_cursor", page->next);
    json::append_name(out, "keys");
    append_key_totals(out, page->keys, "total");
    out.append('}');
    return {};
  }
};

// All points of the keys, as many keys as fit the response: for those who read a whole series.
struct TreePoints : ReadsKeyPage {
  static constexpr Spec kSpec{.name = "tree.points", .command = "tree_points"};

  Status answer(Reads& reads, Buffer& out) const {
    constexpr BucketRange kEverything = {Bucket::of_number(0), Bucket::of_number(UINT64_MAX)};
    constexpr std::size_t kPointsEndBytes = 256;  // room for what follows the points, envelope included
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

 private:
  static void append_point(Buffer& out, Key key, const store::Point& point, bool first) {
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
};

struct TreeTop : ReadsAllKeys {
  static constexpr Spec kSpec{.name = "tree.top", .command = "tree_top"};
  std::uint64_t limit = 0;
  std::optional<BucketRange> range;
  std::optional<BucketRange> compare_to;
  store::ChangeOrder order = store::ChangeOrder::value;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.limit(self.limit, protocol::kDefaultTopLimit, protocol::kMaxTopLimit);
    fields.range(self.range);
    fields.comparison(self.range, self.compare_to, self.order);
  }
  Status answer(Reads& reads, Buffer& out) const {
    const Result<store::SeriesView> view = reads.view(series.text);
    if (!view) return view.error();
    append_tree(out, series.text);
    append_field(out, "limit", limit);
    json::append_name(out, "items");
    if (!(compare_to ? append_changes(*view, reads.interrupt(), out) : append_top(*view, reads.interrupt(), out)))
      return reads.timeout_error();
    out.append('}');
    return {};
  }

 private:
  bool append_top(const store::SeriesView& view, const store::Interrupt& interrupt, Buffer& out) const {
    std::vector<store::KeyTotal> found;
    if (!view.top(range ? &*range : nullptr, limit, found, interrupt)) return false;
    append_key_totals(out, found, "value");
    return true;
  }
  bool append_changes(const store::SeriesView& view, const store::Interrupt& interrupt, Buffer& out) const {
    std::vector<store::KeyChange> found;
    if (!view.top_changes(*range, *compare_to, order, limit, found, interrupt)) return false;
    append_list(out, found.size(), [&](std::size_t i) {
      const auto& [key, value, previous] = found[i];
      out.append('{');
      append_field(out, "key", key.value);
      append_field(out, "value", value);
      append_field(out, "previous", previous);
      // Up to 65 bits with its sign, in full.
      out.append(value < previous ? R"(,"delta":-)" : R"(,"delta":)");
      json::append_number(out, value < previous ? previous - value : value - previous);
      out.append('}');
    });
    return true;
  }
};

struct TreeSummary : ReadsCounts {
  static constexpr Spec kSpec{.name = "tree.summary", .command = "tree_summary"};
  std::optional<BucketRange> range;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.range(self.range);
  }
  Status answer(Reads& reads, Buffer& out) const {
    const Result<store::RangeSummary> summary = range ? sum_up(reads) : count(reads);
    if (!summary) return summary.error();
    append_tree(out, series.text);
    if (range) {
      append_field(out, "range_from", range->from.number());
      append_field(out, "range_to", range->to.number());
    }
    append_total(out, summary->total);
    append_field(out, "active_keys", summary->active_keys);
    append_field(out, "bucket_count", summary->bucket_count);
    append_saturated(out, summary->total);
    out.append('}');
    return {};
  }
  bool is_long(Reads& reads) const { return range ? ReadsAllKeys::is_long(reads) : ReadsCounts::is_long(reads); }

 private:
  Result<store::RangeSummary> sum_up(Reads& reads) const {
    store::RangeSummary summary;
    Result<store::SeriesView> view = reads.view(series.text);
    if (!view) return view.error();
    if (!view->summary(*range, summary, reads.interrupt())) return reads.timeout_error();
    return summary;
  }
};

// {"<key>":{"<bucket>":n,…},…}: every key, also those without points in the range.
struct TreeSeries : ReadsAllKeys {
  static constexpr Spec kSpec{.name = "tree.series", .command = "find"};
  BucketRange range;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.range(self.range);
  }
  Status answer(Reads& reads, Buffer& out) const {
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
};

}  // namespace karma::commands
