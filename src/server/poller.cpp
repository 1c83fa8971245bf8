#include "server/poller.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

#include "core/check.h"

namespace karma::server {

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  KARMA_CHECK(epoll_.valid() && bell_.valid());
  // Edge-triggered: each ring is an event, and nobody has to read the counter.
  KARMA_CHECK(add(bell_.get(), EPOLLIN | EPOLLET, nullptr));
}

bool Poller::add(int fd, std::uint32_t interest, void* owner) {
  epoll_event event{};
  event.events = interest;
  event.data.ptr = owner;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::modify(int fd, std::uint32_t interest, void* owner) {
  epoll_event event{};
  event.events = interest;
  event.data.ptr = owner;
  KARMA_CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

std::span<const epoll_event> Poller::wait(int timeout_ms) {
  int expected = awake;
  if (rang_ || !state_.compare_exchange_strong(expected, waiting)) timeout_ms = 0;
  int count = ::epoll_wait(epoll_.get(), events_, kMaxEvents, timeout_ms);
  KARMA_CHECK(count >= 0 || errno == EINTR);
  if (state_.exchange(awake) == rung) rang_ = true;
  std::size_t kept = 0;
  for (int i = 0; i < count; ++i) {
    if (events_[i].data.ptr != nullptr) events_[kept++] = events_[i];
  }
  return {events_, kept};
}

bool Poller::take_ring() {
  if (state_.load(std::memory_order_relaxed) == rung && state_.exchange(awake) == rung) rang_ = true;
  return std::exchange(rang_, false);
}

void Poller::ring() {
  if (state_.exchange(rung) != waiting) return;
  std::uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(bell_.get(), &one, sizeof one);  // fails only when it has rung 2^64 times
}

}  // namespace karma::server
