// Base64 with the standard alphabet and padding (RFC 4648, section 4), without line breaks.
#pragma once

#include <string_view>

#include "core/buffer.h"

namespace karma {

void append_base64(Buffer& out, std::string_view bytes);

}  // namespace karma
