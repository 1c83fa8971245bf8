// Accepts connections: hands them over, or, beyond the limit, refuses them with a line that says why. When the process
// has no descriptors left, it pauses instead of spinning, and says so once.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "core/log.h"
#include "server/asio.h"
#include "server/context_thread.h"

namespace karma::server {

class Acceptor {
 public:
  struct Service {
    std::function<void(Socket)> hand_over;
    // Counted up for each connection that is handed over: those with a socket, and those of which anything is left. The
    // limit is on the latter: a client that resets a connection does not get another one while its requests are still
    // under way.
    std::atomic<int>* open_connections;
    std::atomic<int>* held_connections;
    int max_connections;
    std::size_t max_refused;  // at a time; the oldest goes first
  };

  // Begins. The sockets are listening and belong to `thread`.
  Acceptor(std::vector<ListenSocket> sockets, Service service, ContextThread& thread, EventLog& log);
  ~Acceptor();  // stop()

  // Closes the listening sockets. No hand_over after it.
  void stop();

 private:
  struct Listener {
    explicit Listener(ListenSocket socket_) : socket(std::move(socket_)), timer(socket.get_executor()) {}
    ListenSocket socket;
    Timer timer;
    OperationRoom room;  // it waits for clients or for the end of a pause
  };
  // A client that is being told why.
  struct Refused;

  void wait(Listener& listener);
  void pause(Listener& listener);
  void accept_from(Listener& listener);
  bool accept_some(Listener& listener);
  void accept_one(Socket socket);
  void refuse(Socket socket, std::string_view why);
  static void discard(const std::shared_ptr<Refused>& client);

  const Service service_;
  ContextThread& thread_;
  EventLog& log_;
  std::list<Listener> listeners_;
  std::list<std::weak_ptr<Refused>> refused_;
  bool full_logged_ = false;  // the event is logged once until things are well again
  bool out_of_descriptors_ = false;
};

}  // namespace karma::server
