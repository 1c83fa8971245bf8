// The envelopes of requests and replies: the JSON that surrounds an op's fields and its response.
#pragma once

#include <optional>
#include <string_view>

#include <karma/error.h>

#include "core/buffer.h"
#include "protocol/fields.h"

namespace karma::protocol {

inline constexpr std::string_view kLineEnd = "\r\n";
inline constexpr std::string_view kReplyStart = R"({"protocol_version":2,"success":true,"response":)";
inline constexpr std::string_view kReplyLineEnd = ",\"error_code\":null}\r\n";
inline constexpr std::string_view kReplyEnd = kReplyLineEnd.substr(0, kReplyLineEnd.size() - kLineEnd.size());
// The largest envelope of a response, the mark of idempotent writes included.
inline constexpr std::size_t kEnvelopeBytes = kReplyStart.size() + kReplyEnd.size() + 19;
static_assert(kEnvelopeBytes <= kReplyEnvelopeBytes);

// unsupported_protocol unless `v` is the integer 2.
Status check_version(const Fields& fields);

// Whether the request carries this token; compared in time that does not depend on where they differ.
bool has_token(const Fields& fields, const std::optional<std::string>& token);

// The request's `id` as it stands in the line, a string's quotes included; empty if it has none. validation_error if it
// is neither a string of up to kMaxIdBytes nor an unsigned integer.
Status find_id(const Fields& fields, std::string_view& id);

// Adds it to the reply line with which `out` ends.
void append_id(Buffer& out, std::string_view id);

// Appends a whole error line.
void append_error(Buffer& out, const Error& error);

}  // namespace karma::protocol
