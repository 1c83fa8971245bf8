// The thread that accepts connections: hands them over, or, beyond the limit, refuses them with a line that says why.
// When the process has no descriptors left, it pauses instead of spinning, and says so once.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "core/log.h"
#include "server/listen_socket.h"

namespace karma::server {

class Acceptor {
 public:
  struct Service {
    std::function<void(FileDescriptor)> hand_over;
    // Counted up for each connection that is handed over: those with a socket, and those of which anything is left. The
    // limit is on the latter: who resets a connection does not get another one for requests that are still under way.
    std::atomic<int>* open_connections;
    std::atomic<int>* held_connections;
    int max_connections;
    std::size_t max_refused;  // at a time; the oldest goes first
  };

  // Starts the thread. The sockets are listening.
  Acceptor(std::vector<FileDescriptor> sockets, Service service, EventLog& log);
  ~Acceptor();  // stop()

  // Closes the listening sockets. No hand_over after it.
  void stop();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  // A refused client that has not closed its side yet.
  struct Refused {
    FileDescriptor socket;
    TimePoint until;
  };

  void run();
  void wait(std::vector<bool>& ready, bool paused);
  bool accept_from(int listener);
  void accept_one(FileDescriptor socket);
  void refuse(FileDescriptor socket, std::string_view why);
  void let_go();

  std::vector<FileDescriptor> listeners_;
  const Service service_;
  EventLog& log_;
  FileDescriptor bell_;
  std::atomic<bool> stopping_{false};
  bool full_logged_ = false;  // the event is logged once until things are well again
  bool out_of_descriptors_ = false;
  std::vector<Refused> refused_;
  std::thread thread_;
};

}  // namespace karma::server
