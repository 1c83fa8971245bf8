// tree.*: a whole series ("tree" is the word of Karma 1.0).
#pragma once

#include <optional>

#include "commands/op.h"

namespace karma::commands {

struct TreeCreate {
  static constexpr Spec kSpec{.name = "tree.create", .command = "create"};
  static constexpr Reply kReply = Reply::ok();
  SeriesName series;

  static void describe(auto& self, auto& fields) { fields.series(self.series); }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
};

struct TreeDrop {
  static constexpr Spec kSpec{.name = "tree.drop", .command = "drop", .deletes = true};
  static constexpr Reply kReply = Reply::ok();
  SeriesName series;

  static void describe(auto& self, auto& fields) { fields.series(self.series); }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
};

struct TreeReset {
  static constexpr Spec kSpec{.name = "tree.reset", .command = "reset", .idempotent = true, .deletes = true};
  static constexpr Reply kReply = Reply::ok();
  SeriesName series;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.no_key();
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
};

struct TreeDeleteRange {
  static constexpr Spec kSpec{.name = "tree.delete_range", .command = "delete", .idempotent = true, .deletes = true};
  static constexpr Reply kReply = Reply::truth();
  SeriesName series;
  BucketRange range;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.no_key();
    fields.range(self.range);
  }
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const;
  void apply(store::Store& store, Outcome& outcome) const;
};

struct TreeList {
  static constexpr Spec kSpec{.name = "tree.list", .command = "trees"};
  static void describe(auto&, auto&) {}
  Status answer(Reads& reads, Buffer& out) const;
};

struct TreeInfo {
  static constexpr Spec kSpec{.name = "tree.info", .command = "tree_info"};
  SeriesName series;

  static void describe(auto& self, auto& fields) { fields.series(self.series); }
  Status answer(Reads& reads, Buffer& out) const;
  bool is_long(Reads& reads) const;
};

struct TreeKeys {
  static constexpr Spec kSpec{.name = "tree.keys", .command = "tree_keys"};
  SeriesName series;
  std::uint64_t limit = 0;
  std::optional<Key> cursor;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.limit(self.limit, protocol::kDefaultKeysLimit, protocol::kMaxKeysLimit);
    fields.cursor(self.cursor);
  }
  Status answer(Reads& reads, Buffer& out) const;
  bool is_long(Reads& reads) const;
};

// All points of the keys, as many keys as fit the response: for those who read a whole series.
struct TreePoints {
  static constexpr Spec kSpec{.name = "tree.points", .command = "tree_points"};
  SeriesName series;
  std::uint64_t limit = 0;
  std::optional<Key> cursor;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.limit(self.limit, protocol::kDefaultKeysLimit, protocol::kMaxKeysLimit);
    fields.cursor(self.cursor);
  }
  Status answer(Reads& reads, Buffer& out) const;
  bool is_long(Reads& reads) const;
};

struct TreeTop {
  static constexpr Spec kSpec{.name = "tree.top", .command = "tree_top"};
  SeriesName series;
  std::uint64_t limit = 0;
  std::optional<BucketRange> range;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.limit(self.limit, protocol::kDefaultTopLimit, protocol::kMaxTopLimit);
    fields.range(self.range);
  }
  Status answer(Reads& reads, Buffer& out) const;
  bool is_long(Reads& reads) const;
};

struct TreeSummary {
  static constexpr Spec kSpec{.name = "tree.summary", .command = "tree_summary"};
  SeriesName series;
  std::optional<BucketRange> range;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.range(self.range);
  }
  Status answer(Reads& reads, Buffer& out) const;
  bool is_long(Reads& reads) const;
};

// {"<key>":{"<bucket>":n,…},…}: every key, also those without points in the range.
struct TreeSeries {
  static constexpr Spec kSpec{.name = "tree.series", .command = "find"};
  SeriesName series;
  BucketRange range;

  static void describe(auto& self, auto& fields) {
    fields.series(self.series);
    fields.range(self.range);
  }
  Status answer(Reads& reads, Buffer& out) const;
  bool is_long(Reads& reads) const;
};

}  // namespace karma::commands
