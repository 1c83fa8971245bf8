// Whoever follows a master for the engine, as a promotion sees it.
#pragma once

#include <functional>

#include <karma/error.h>

namespace karma::engine {

class Following {
 public:
  virtual ~Following() = default;
  // Holds the following while `change` is made, by this thread; all that was fetched is applied or forgotten by then.
  // It goes on only if that fails, or has not been made: an Error without it says why.
  virtual Status end_with(const std::function<Status()>& change) = 0;
};

}  // namespace karma::engine
