#include "commands/key_page.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace karma::commands {
namespace {

using store::KeyTotal;
using store::KeyWindow;
using store::SeriesView;

constexpr std::size_t kLookedUpAtOnce = 512;

// Puts those of the window's keys that follow the cursor and still exist into `found`, until there are `enough`; and
// those of `added`, ascending, which came after the window.
void collect(const SeriesView& view, const KeyWindow& window, const std::vector<Key>& added, std::optional<Key> cursor,
             std::size_t enough, std::vector<KeyTotal>& found) {
  const auto behind = [&](const std::vector<Key>& keys) {
    return cursor ? std::upper_bound(keys.begin(), keys.end(), *cursor) : keys.begin();
  };
  auto old = behind(window.keys);
  auto fresh = behind(added);
  const auto next = [&]() -> std::optional<Key> {
    const bool has_fresh = fresh != added.end() && window.reaches(*fresh);
    if (old == window.keys.end()) return has_fresh ? std::optional(*fresh++) : std::nullopt;
    if (!has_fresh || *old < *fresh) return *old++;
    if (*fresh == *old) ++old;  // it had gone meanwhile, perhaps
    return *fresh++;
  };
  std::array<Key, kLookedUpAtOnce> keys;
  std::array<std::uint64_t, kLookedUpAtOnce> totals;
  while (found.size() < enough) {
    std::size_t count = 0;
    while (count < std::min(kLookedUpAtOnce, enough - found.size())) {
      const std::optional<Key> key = next();
      if (!key) break;
      keys[count++] = *key;
    }
    if (count == 0) return;
    view.totals({keys.data(), count}, {totals.data(), count});
    for (std::size_t i = 0; i < count; ++i)
      if (totals[i] != 0) found.push_back({keys[i], totals[i]});
  }
}

// Not given up at the query timeout: what it takes is shared by many pages, and the page that asks again would take as
// long again and never come.
std::shared_ptr<const KeyWindow> sort_window(const SeriesView& view, std::optional<Key> cursor) {
  auto window = std::make_shared<KeyWindow>();
  const std::size_t size = KeyWindow::size_for(view.key_count());
  (void)view.next_keys(cursor ? &*cursor : nullptr, size, window->keys, {});
  window->series = view.identity();
  window->added = view.added();
  window->after = cursor;
  window->complete = window->keys.size() < size;
  return window;
}

}  // namespace

Result<KeyPage> read_key_page(std::string_view series, std::optional<Key> cursor, std::size_t limit, Reads& reads) {
  std::optional<SeriesView> view;
  std::shared_ptr<const KeyWindow> window;
  std::vector<Key> added;
  store::KeyWindows& windows = reads.key_windows();
  const Status status = reads.series(series, [&](const store::Series& found) {
    view.emplace(found.view());
    if (found.key_count() < store::kWindowedKeys) return;
    window = windows.find(found.identity(), cursor);
    if (window && !found.added_since(window->added, added)) window = nullptr;
  });
  if (!status) return status.error();
  std::sort(added.begin(), added.end());
  added.erase(std::unique(added.begin(), added.end()), added.end());

  std::vector<KeyTotal> keys;
  const std::size_t enough = limit + 1;
  if (view->key_count() < store::kWindowedKeys) {
    if (!view->keys(cursor ? &*cursor : nullptr, enough, keys, reads.interrupt())) return reads.timeout_error();
  } else {
    for (std::optional<Key> from = cursor;; from = window->keys.back(), window = nullptr) {
      if (!window) {
        added.clear();
        window = sort_window(*view, from);
        windows.keep(window);
      }
      collect(*view, *window, added, from, enough, keys);
      if (keys.size() >= enough || window->complete) break;
    }
  }
  KeyPage page{std::move(*view), std::move(keys), std::nullopt};
  if (page.keys.size() > limit) {
    page.keys.resize(limit);
    page.next = page.keys.back().key;
  }
  return page;
}

}  // namespace karma::commands
