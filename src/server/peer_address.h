// Who is at the other end of a connection.
#pragma once

#include <string>

#include "server/asio.h"

namespace karma::server {

// Host and port: 10.0.0.5:40112 or [::1]:40112; "?" if the connection is gone.
std::string peer_address(const Socket& socket);

}  // namespace karma::server
