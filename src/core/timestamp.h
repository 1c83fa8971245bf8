// Points in time as text: RFC 3339, "2026-05-29T00:00:00Z".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace karma {

// Unix seconds, fractions cut off. A space or a lowercase "t" instead of "T" and a lowercase "z" are accepted too; a
// day without a time, a time without a zone and days that do not exist are not.
std::optional<std::int64_t> parse_timestamp(std::string_view text);

}  // namespace karma
