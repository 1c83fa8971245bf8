// The sockets that accept connections.
#pragma once

#include <string>
#include <vector>

#include <karma/error.h>

#include "server/asio.h"

namespace karma::server {

struct ListenSockets {
  std::vector<ListenSocket> sockets;  // one per address of the host name
  std::string host;
  int port = 0;
  bool beyond_loopback = false;  // other machines can reach it
};

// Resolves and binds: the port is taken, clients are still refused. `port` 0 takes a free one. Accepted sockets inherit
// keepalive and, with `nodelay`, TCP_NODELAY.
Result<ListenSockets> bind_to(asio::io_context& context, const std::string& host, int port, bool nodelay);

// From now on clients can connect.
Status start_listening(ListenSockets& bound);

}  // namespace karma::server
