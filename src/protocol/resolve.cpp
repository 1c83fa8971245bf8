#include "protocol/resolve.h"

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>

#include "core/text.h"

namespace karma::protocol {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

std::vector<tcp::endpoint> resolve(asio::io_context& context, const std::string& host, std::uint16_t port,
                                   tcp::resolver::flags flags, error_code& failure) {
  std::vector<tcp::endpoint> addresses;
  for (const auto& found : tcp::resolver(context).resolve(host, std::to_string(port), flags, failure))
    addresses.push_back(found);
  if (failure && is_localhost(host)) {
    failure = {};
    addresses = {{asio::ip::address_v6::loopback(), port}, {asio::ip::address_v4::loopback(), port}};
  }
  return addresses;
}

}  // namespace karma::protocol
