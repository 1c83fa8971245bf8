#pragma once

#include <string_view>

namespace karma {

// True if the text is well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool valid_utf8(std::string_view text);

}  // namespace karma
