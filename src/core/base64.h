// Base64 with the standard alphabet and padding (RFC 4648, section 4), without line breaks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/buffer.h"

namespace karma {

void append_base64(Buffer& out, std::string_view bytes);

// Nothing if the text is anything else than whole groups of four.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace karma
