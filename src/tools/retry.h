// Patience with a server that restarts: connects again with growing pauses, and gives up when nothing has moved for too
// long.
#pragma once

#include <chrono>
#include <functional>
#include <iosfwd>

#include "protocol/client.h"

namespace karma::tools {

using protocol::Client;

// Why there is no answer, and what can be done about it.
Error no_answer(const Error& lost);

class Retry {
 public:
  // `notices` hears of each outage once.
  Retry(Client& client, int seconds, std::ostream& notices);

  // Repeats `attempt` on a new connection as long as it ends because the connection was lost. `attempt` starts on a
  // connection and goes on where it was.
  Status run(const std::function<Status()>& attempt);
  // Something was achieved: the time starts anew.
  void progress();

 private:
  using SteadyClock = std::chrono::steady_clock;

  Client& client_;
  const std::chrono::seconds limit_;
  std::ostream& notices_;
  SteadyClock::time_point last_progress_ = SteadyClock::now();
  std::chrono::milliseconds pause_;
  bool told_ = false;
};

}  // namespace karma::tools
