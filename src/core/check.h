// Programmer errors: conditions that must never be false, checked in release builds too. Operating errors are values
// (karma/error.h).
#pragma once

#include <cstdio>
#include <cstdlib>

namespace karma {

[[noreturn, gnu::cold]] inline void check_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "karma: %s:%d: broken: %s\n", file, line, what);
  std::abort();
}

}  // namespace karma

// Aborts and says where and why if the condition is false. Evaluated in every build.
#define KARMA_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::karma::check_failed(#condition, __FILE__, __LINE__))
