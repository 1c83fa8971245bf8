#include "core/edit_distance.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace karma {

std::size_t edit_distance(std::string_view from, std::string_view to) {
  using Row = std::vector<std::size_t>;
  Row before_last(to.size() + 1);
  Row last(to.size() + 1);
  Row row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      row[j + 1] = std::min({row[j] + 1, last[j + 1] + 1, last[j] + (from[i] == to[j] ? 0 : 1)});
      if (i != 0 && j != 0 && from[i] == to[j - 1] && from[i - 1] == to[j])
        row[j + 1] = std::min(row[j + 1], before_last[j - 1] + 1);
    }
  }
  return row.back();
}

}  // namespace karma
