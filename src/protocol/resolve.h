// Addresses of a host name.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace karma::protocol {

// None, and `failure` says why, if nobody knows the name. A localhost name that the system does not know, as on a root
// without /etc/hosts, means this machine all the same.
std::vector<boost::asio::ip::tcp::endpoint> resolve(boost::asio::io_context& context, const std::string& host,
                                                    std::uint16_t port, boost::asio::ip::tcp::resolver::flags flags,
                                                    boost::system::error_code& failure);

}  // namespace karma::protocol
