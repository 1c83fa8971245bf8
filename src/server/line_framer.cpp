#include "server/line_framer.h"

#include <algorithm>
#include <cstring>

namespace karma::server {

LineFramer::Step LineFramer::next(std::string_view pending) {
  std::size_t from = std::min(scanned_, pending.size());
  const void* end = nullptr;
  if (from < pending.size()) end = std::memchr(pending.data() + from, '\n', pending.size() - from);
  if (end == nullptr) {
    scanned_ = pending.size();
    // One byte above the limit may still be the '\r' of the line end.
    bool may_fit = pending.size() <= max_ || (pending.size() == max_ + 1 && pending.back() == '\r');
    return {may_fit ? Found::nothing : Found::too_long, {}, 0};
  }
  std::size_t size = static_cast<std::size_t>(static_cast<const char*>(end) - pending.data());
  std::string_view line = last(pending.substr(0, size));
  scanned_ = 0;
  if (line.size() > max_) return {Found::too_long, {}, 0};
  return {Found::line, line, size + 1};
}

std::string_view LineFramer::last(std::string_view pending) {
  if (pending.ends_with('\r')) pending.remove_suffix(1);
  return pending;
}

}  // namespace karma::server
