#include <karma/version.h>

namespace karma {

// KARMA_VERSION comes from project(... VERSION) in CMakeLists.txt, the only place where the number is written down.
std::string_view version() { return KARMA_VERSION; }

}  // namespace karma
