// Functions that do nothing but fetch memory ahead of its use.
#pragma once

namespace karma {

// To be called in each of them. To the compiler prefetching is no effect, and it removes calls of functions that seem
// to have none.
inline void fetches_ahead() { asm volatile(""); }

}  // namespace karma
