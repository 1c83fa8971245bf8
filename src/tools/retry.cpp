#include "tools/retry.h"

#include <algorithm>
#include <ostream>
#include <thread>

namespace karma::tools {
namespace {

constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kLongestPause{2000};

}  // namespace

Error no_answer(const Error& lost) {
  return {lost.code, lost.message + "; does Karma run there? --host and --port name another server"};
}

Retry::Retry(Client& client, int seconds, std::ostream& notices)
    : client_(client), limit_(seconds), notices_(notices), pause_(kFirstPause) {}

Status Retry::run(const std::function<Status()>& attempt) {
  last_progress_ = SteadyClock::now();
  while (true) {
    Status status = client_.connected() ? Status() : client_.connect();
    if (status.ok()) status = attempt();
    if (status.ok()) return progress(), status;
    if (!client_.lost()) return status;
    if (SteadyClock::now() - last_progress_ + pause_ > limit_) return no_answer(status.error());
    // A connection that was idle too long is replaced without a word.
    if (!told_ && pause_ > kFirstPause) {
      notices_ << "karma: " << status.error().message << "; trying again for " << limit_.count() << " s" << std::endl;
      told_ = true;
    }
    std::this_thread::sleep_for(pause_);
    pause_ = std::min(pause_ * 2, kLongestPause);
  }
}

void Retry::progress() {
  last_progress_ = SteadyClock::now();
  pause_ = kFirstPause;
  told_ = false;
}

}  // namespace karma::tools
