// epoll with a bell: waits for sockets, and for other threads that ring.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <span>

#include "server/file_descriptor.h"

namespace karma::server {

class Poller {
 public:
  // Aborts if the kernel has no descriptors for it: without it there is no server.
  Poller();

  // Level-triggered. `owner` comes back with each event. Closing the socket removes it. False: no memory in the kernel.
  bool add(int fd, std::uint32_t interest, void* owner);
  void modify(int fd, std::uint32_t interest, void* owner);

  // Waits for at most `timeout_ms` (-1: for ever). The events are valid until the next call; a ring is not among them.
  std::span<const epoll_event> wait(int timeout_ms);
  // Has the bell rung since the last call? What was done before ring() is visible after a true.
  bool take_ring();

  // Ends a wait, now or the next one. Thread-safe. A system call only if there is somebody to be woken.
  void ring();

 private:
  static constexpr int kMaxEvents = 256;
  enum State : int { awake, waiting, rung };

  FileDescriptor epoll_;
  FileDescriptor bell_;
  std::atomic<int> state_{awake};
  bool rang_ = false;  // since the last take_ring(), as far as wait() has seen
  epoll_event events_[kMaxEvents];
};

}  // namespace karma::server
