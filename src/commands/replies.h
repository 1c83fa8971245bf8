// Responses that several ops share. All write the JSON value only; the envelope is protocol/'s.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "commands/services.h"
#include "core/buffer.h"
#include "core/json_text.h"
#include "protocol/limits.h"
#include "store/series.h"

namespace karma::commands {

inline void reply_ok(Buffer& out) { out.append(R"("OK")"); }

// [<append(0)>,<append(1)>,…]
template <class Append>
void append_list(Buffer& out, std::size_t count, Append&& append) {
  out.append('[');
  for (std::size_t i = 0; i < count; ++i) {
    if (i != 0) out.append(',');
    append(i);
  }
  out.append(']');
}

// {"20260101":5,…}
inline void reply_points(Buffer& out, std::span<const store::Point> points) {
  out.append('{');
  for (const store::Point& point : points) {
    out.append(&point == points.data() ? R"(")" : R"(,")");
    json::append_number(out, point.bucket.number());
    out.append(R"(":)");
    json::append_number(out, point.value);
  }
  out.append('}');
}

// ,"name":n  of a series' total: saturates at 2^64-1 and says so beside it.
inline void append_total(Buffer& out, store::Total total) {
  constexpr store::Total kMost = UINT64_MAX;
  json::append_field(out, "total", static_cast<std::uint64_t>(total < kMost ? total : kMost));
}
inline void append_saturated(Buffer& out, store::Total total) {
  if (total > UINT64_MAX) out.append(R"(,"saturated":true)");
}

using json::append_field;
using json::append_truth_field;

// ,"name":"text"; null if there is none.
inline void append_text(Buffer& out, std::string_view name, std::optional<std::string_view> text) {
  json::append_name(out, name);
  if (text) {
    json::append_string(out, *text);
  } else {
    out.append("null");
  }
}

// Where a response that begins at `start` of `out` must end.
struct ResponseRoom {
  Services& services;
  std::size_t start;
  std::size_t behind = 0;  // bytes that follow the list
};

// The elements of a JSON array, as many of `count` as the response has room for, and the first one in any case.
// `append(i)` writes one, `append_end(i)` what closes a list that ends with it and is not whole. Returns how many it
// wrote: of fewer than `count` the caller writes that end.
template <class Append, class AppendEnd>
std::size_t append_page(Buffer& out, const ResponseRoom& room, std::size_t count, Append&& append,
                        AppendEnd&& append_end) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t before = out.size();
    if (i != 0) out.append(',');
    append(i);
    const std::size_t behind = out.size();
    append_end(i);
    const std::size_t whole = out.size() - room.start + room.behind + protocol::kReplyEnvelopeBytes;
    out.truncate(behind);
    if (i == 0 || !room.services.over_response_limit(whole)) continue;
    out.truncate(before);
    return i;
  }
  return count;
}

}  // namespace karma::commands
