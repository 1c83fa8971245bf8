#include "core/timestamp.h"

#include <karma/types.h>

namespace karma {
namespace {

class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  bool done() const { return text_.empty(); }
  bool take(std::string_view any_of) {
    if (text_.empty() || any_of.find(text_.front()) == std::string_view::npos) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool digits(int count, std::int64_t& number) {
    number = 0;
    for (int i = 0; i < count; ++i) {
      if (text_.empty() || text_.front() < '0' || text_.front() > '9') return false;
      number = number * 10 + (text_.front() - '0');
      text_.remove_prefix(1);
    }
    return true;
  }
  // ".123", of any length.
  bool skip_fraction() {
    if (!take(".")) return true;
    std::int64_t digit;
    if (!digits(1, digit)) return false;
    while (digits(1, digit)) {
    }
    return true;
  }

 private:
  std::string_view text_;
};

// Seconds east of UTC.
bool read_zone(Cursor& cursor, std::int64_t& offset) {
  offset = 0;
  if (cursor.take("Zz")) return true;
  const bool west = cursor.take("-");
  if (!west && !cursor.take("+")) return false;
  std::int64_t hours;
  std::int64_t minutes;
  if (!cursor.digits(2, hours) || !cursor.take(":") || !cursor.digits(2, minutes)) return false;
  if (hours > 23 || minutes > 59) return false;
  offset = (hours * 60 + minutes) * 60 * (west ? -1 : 1);
  return true;
}

}  // namespace

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  Cursor cursor(text);
  std::int64_t year, month, day, hour, minute, second, offset;
  const bool read = cursor.digits(4, year) && cursor.take("-") && cursor.digits(2, month) && cursor.take("-") &&
                    cursor.digits(2, day) && cursor.take("Tt ") && cursor.digits(2, hour) && cursor.take(":") &&
                    cursor.digits(2, minute) && cursor.take(":") && cursor.digits(2, second) &&
                    cursor.skip_fraction() && read_zone(cursor, offset) && cursor.done();
  // A leap second counts as the one after it.
  if (!read || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::optional<Bucket> date = Bucket::of_date(static_cast<std::uint64_t>((year * 100 + month) * 100 + day));
  if (!date) return std::nullopt;
  return ((static_cast<std::int64_t>(*date->day()) * 24 + hour) * 60 + minute) * 60 + second - offset;
}

}  // namespace karma
