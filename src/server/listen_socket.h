// The sockets that accept connections.
#pragma once

#include <string>
#include <vector>

#include <karma/error.h>

#include "server/file_descriptor.h"

namespace karma::server {

struct ListenSockets {
  std::vector<FileDescriptor> sockets;  // one per address of the host name
  int port = 0;
  bool beyond_loopback = false;  // other machines can reach it
};

// Resolves, binds and listens. `port` 0 takes a free one. Accepted sockets inherit keepalive and, with `nodelay`,
// TCP_NODELAY.
Result<ListenSockets> listen_on(const std::string& host, int port, bool nodelay);

}  // namespace karma::server
