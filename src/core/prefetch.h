// Functions that do nothing but fetch memory ahead of its use.
#pragma once

namespace karma {

// To be called in each of them. The compiler takes prefetching for no effect, and leaves out calls of functions that it
// thinks have none.
inline void fetches_ahead() { asm volatile(""); }

}  // namespace karma
