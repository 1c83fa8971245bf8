// Sidecars: one line of JSON beside each snapshot file, with exactly the fields of Karma 1.0 in its order.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "snapshot/manager.h"

namespace karma::snapshot {

std::string encode_sidecar(const Meta& meta);
std::string encode_sidecar(const ExactlyOnceMeta& meta);

// Nothing if the text is not a JSON object or lacks a field. More fields than these are fine.
std::optional<Meta> decode_sidecar(std::string_view text);
std::optional<ExactlyOnceMeta> decode_exactly_once_sidecar(std::string_view text);

// A decimal number with white space around it, as in karma.replication.lsn.
std::optional<std::uint64_t> decode_number(std::string_view text);

}  // namespace karma::snapshot
