#include "tools/overflow.h"

#include <unordered_map>
namespace karma::tools {
namespace {

// The totals that the server would have, were it empty before: it has at least these.
class Totals {
 public:
  explicit Totals(bool replaces) : replaces_(replaces) {}

  // False: more than 64 bits.
  bool take(const Item& item) {
    Counter& counter = counters_[item.key.value];
    std::uint64_t others = counter.total;
    if (replaces_) {
      std::uint64_t& day = counter.days[item.bucket.number()];
      others -= day;
      day = item.value;
    }
    return !__builtin_add_overflow(others, item.value, &counter.total);
  }

 private:
  struct Counter {
    std::uint64_t total = 0;
    std::unordered_map<std::uint64_t, std::uint64_t> days;  // only if they are replaced
  };
  const bool replaces_;
  std::unordered_map<std::uint64_t, Counter> counters_;
};

}  // namespace

Result<std::optional<OverflowPlace>> find_overflow(const File& file, PointsReader& reader, bool replaces) {
  Totals totals(replaces);
  std::optional<OverflowPlace> found;
  reader.rewind();
  const Result<Sha256Digest> read = for_each_item(file, reader, [&](std::uint64_t line, const Result<Item>& item) {
    if (!found && item && !totals.take(*item)) found = OverflowPlace{line, item->key};
    return Status();
  });
  if (!read) return read.error();
  return found;
}

}  // namespace karma::tools
