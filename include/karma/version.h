// The version of this build.
#pragma once

#include <string_view>

namespace karma {

// "major.minor.patch", as in --version, system.info and the package. Thread-safe; the text lives as long as the
// program.
std::string_view version();

}  // namespace karma
