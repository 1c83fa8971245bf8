// Tells the service manager, again and again, that the loops of the node turn. When one does not, it falls silent, and
// the manager kills the process and starts it anew.
#pragma once

#include <chrono>
#include <vector>

#include "core/log.h"
#include "server/context_thread.h"
#include "server/liveness.h"
#include "server/service_manager.h"

namespace karma::server {

class Watchdog {
 public:
  // Looks ten times within what the manager waits for, on a thread of its own: a loop has to stand still for nearly all
  // of it. `manager` and what the loops are of have to outlive it.
  Watchdog(const ServiceManager& manager, std::vector<Loop> loops, EventLog& log);
  ~Watchdog();

 private:
  void look();

  const ServiceManager& manager_;
  const std::chrono::milliseconds interval_;
  ContextThread thread_;
  Timer timer_;  // on the thread, as all below
  Liveness liveness_;
  bool stopping_ = false;
};

}  // namespace karma::server
