// Fetching memory ahead of its use.
#pragma once

namespace karma {

// Brings the cache line at `at`, which may be any address, on its way. The compiler must be kept from thinking that
// this has no effect: it would leave out calls of functions that do nothing else.
inline void prefetch_line(const void* at) {
  asm volatile("" : : "r"(at));
  __builtin_prefetch(at);
}

}  // namespace karma
