#include "server/resolve.h"

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>

#include "core/text.h"

namespace karma::server {

std::vector<Tcp::endpoint> resolve(asio::io_context& context, const std::string& host, std::uint16_t port,
                                   Tcp::resolver::flags flags, error_code& failure) {
  std::vector<Tcp::endpoint> addresses;
  for (const auto& found : Tcp::resolver(context).resolve(host, std::to_string(port), flags, failure))
    addresses.push_back(found);
  if (failure && is_localhost(host)) {
    failure = {};
    addresses = {{asio::ip::address_v6::loopback(), port}, {asio::ip::address_v4::loopback(), port}};
  }
  return addresses;
}

}  // namespace karma::server
