// A node: the engine behind a TCP port.
#pragma once

#include <functional>
#include <memory>

#include <karma/clock.h>
#include <karma/config.h>
#include <karma/error.h>
#include <karma/file_system.h>

namespace karma {

class Server {
 public:
  // Keeps SIGINT, SIGTERM, SIGUSR1 and SIGHUP from ending the process by themselves. Call it first in main, before
  // there are threads; start() then leaves at once (exit code 0) when it is told to stop while it restores. From
  // start() on a thread of the server takes these signals: a sigwait() of the program's own does not see them.
  static void block_signals();

  // Binds the port (0 takes a free one), opens the data directory, restores it and starts to serve. While it restores,
  // connections are refused, so that a node which can be reached is one that answers. `config` must have been
  // validated.
  static Result<std::unique_ptr<Server>> start(const Config& config, FileSystem& files = posix_file_system(),
                                               Clock& clock = system_clock());
  ~Server();  // stop(), unless it has been stopped

  int port() const;

  // The settings, read once more.
  using ReadSettings = std::function<Result<Config>()>;
  // Handles SIGINT, SIGTERM (drain, snapshot, return), a second one (leave at once), SIGUSR1 (snapshot) and SIGHUP
  // (open the log file anew, and take over tokens and log level from `read_settings`, which another thread calls) until
  // it is told to stop. Returns the exit code. Call it from the thread that called block_signals().
  int run_until_signalled(ReadSettings read_settings = {});

  // Stops accepting, answers complete requests, flushes, snapshots; at most shutdown_timeout for the clients.
  // An error means that the snapshot failed; what the log has is safe.
  Status stop();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace karma
