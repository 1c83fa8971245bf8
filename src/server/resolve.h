// Addresses of a host name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/asio.h"

namespace karma::server {

// None, and `failure` says why, if nobody knows the name. A localhost name that the system does not know, as on a root
// without /etc/hosts, means this machine all the same.
std::vector<Tcp::endpoint> resolve(asio::io_context& context, const std::string& host, std::uint16_t port,
                                   Tcp::resolver::flags flags, error_code& failure);

}  // namespace karma::server
