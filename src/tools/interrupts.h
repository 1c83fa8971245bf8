// A command that ends well when it is told to end, by Ctrl-C for instance.
#pragma once

#include <atomic>

namespace karma::tools {

// While it exists, the first SIGINT, SIGTERM or SIGHUP is only noted, and the second ends the program at once. A reader
// of standard output that goes away does not end it. One at a time.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  const std::atomic<bool>& requested() const;
};

}  // namespace karma::tools
