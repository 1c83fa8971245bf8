// Finds request lines in a stream of bytes. Knows no sockets and keeps no bytes: the caller shows it the bytes that are
// not consumed yet, as often as it likes.
//
// A line ends with '\n'; one '\r' before it belongs to the end, not to the line. A line is too long as soon as it
// cannot fit any more, whether or not its end has been seen.
#pragma once

#include <cstddef>
#include <string_view>

namespace karma::server {

class LineFramer {
 public:
  enum class Found { line, nothing, too_long };
  struct Step {
    Found found;
    std::string_view line;     // without its end; only if a line was found
    std::size_t consumed = 0;  // bytes of the line and its end
  };

  // `max_line_bytes`: of a line without its end.
  explicit LineFramer(std::size_t max_line_bytes) : max_(max_line_bytes) {}

  // `pending` begins where the last consumed line ended. Asking again about the same bytes gives the same answer.
  Step next(std::string_view pending);

  // The rest when no more bytes will come: a last line without its '\n'. Ask when next() has found nothing.
  static std::string_view last(std::string_view pending);

 private:
  std::size_t max_;
  std::size_t scanned_ = 0;  // bytes of the unfinished line that are known to hold no '\n': each byte is searched once
};

}  // namespace karma::server
