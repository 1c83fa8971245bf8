#include "server/liveness.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <utility>

namespace karma::server {
namespace {

// A loop that is not stuck turns at once.
constexpr std::chrono::milliseconds kStep{2};

}  // namespace

// The loop may come to it when nobody is left to be told: it sets a flag and wakes nobody.
Loop posted_loop(std::string name, std::function<void(std::function<void()>)> post) {
  return {std::move(name), [post = std::move(post)] {
            auto turned = std::make_shared<std::atomic<bool>>(false);
            post([turned] { turned->store(true, std::memory_order_release); });
            return [turned] { return turned->load(std::memory_order_acquire); };
          }};
}

void Liveness::watch(std::vector<Loop> loops) {
  for (Loop& loop : loops) loops_.push_back({std::move(loop), {}});
}

void Liveness::ask(Told told) {
  waiting_.push_back(std::move(told));
  if (waiting_.size() > 1) return;
  // A loop that is stuck has not turned since it was asked before: it gets no second question to keep.
  try {
    for (Watched& watched : loops_) {
      if (!watched.asked || watched.asked()) watched.asked = watched.loop.ask();
    }
  } catch (const std::exception&) {  // for want of memory
    return std::exchange(waiting_, {}).front()({"out of memory"});
  }
  deadline_ = std::chrono::steady_clock::now() + patience_;
  look();
}

void Liveness::look() {
  for (Watched& watched : loops_) {
    if (watched.asked && watched.asked()) watched.asked = {};
  }
  const bool all = std::ranges::none_of(loops_, [](const Watched& watched) { return bool(watched.asked); });
  if (all || std::chrono::steady_clock::now() >= deadline_) return tell();
  wait();
}

void Liveness::wait() {
  timer_.expires_after(kStep);
  timer_.async_wait([this](const error_code& failure) {
    if (!failure) look();
  });
}

void Liveness::tell() {
  std::vector<std::string> stuck;
  for (const Watched& watched : loops_) {
    if (watched.asked) stuck.push_back(watched.loop.name);
  }
  for (const Told& told : std::exchange(waiting_, {})) told(stuck);
}

}  // namespace karma::server
