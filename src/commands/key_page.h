// The counters of a series in pages, keys ascending.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "commands/reads.h"

namespace karma::commands {

struct KeyPage {
  store::SeriesView view;
  std::vector<store::KeyTotal> keys;
  std::optional<Key> next;  // cursor of the next page
};

// The first `limit` counters above the cursor, or of all. Of a large series a page costs what it holds, except that now
// and then one has to sort the next window of keys (store/key_windows.h).
Result<KeyPage> read_key_page(std::string_view series, std::optional<Key> cursor, std::size_t limit, Reads& reads);

}  // namespace karma::commands
