// CRC-32C (Castagnoli), the checksum of log lines and snapshot files. It is part of the format on disk and never
// changes: crc32c("123456789") is 0xe3069283.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace karma {

// Incremental: crc32c(b, crc32c(a)) is the checksum of a followed by b. Thread-safe.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

// Of files that are one line of JSON, the last field: that of all bytes before it, with the end of the object.
std::string checksum_end(std::string_view before);
bool has_right_checksum(std::string_view text);

}  // namespace karma
