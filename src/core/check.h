// Programmer errors: what must never be false, in release builds too. Errors of operation are values (karma/error.h).
#pragma once

#include <cstdio>
#include <cstdlib>

namespace karma {

[[noreturn, gnu::cold]] inline void check_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "karma: %s:%d: broken: %s\n", file, line, what);
  std::abort();
}

}  // namespace karma

// Aborts, saying where and what, if the condition is false. Evaluated in every build.
#define KARMA_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::karma::check_failed(#condition, __FILE__, __LINE__))
