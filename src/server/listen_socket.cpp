#include "server/listen_socket.h"

#include <fcntl.h>
#include <netinet/tcp.h>

#include <boost/asio/ip/v6_only.hpp>

#include "protocol/resolve.h"

namespace karma::server {
namespace {

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn

// A peer that has vanished silently is noticed after 60 + 4 * 15 seconds, whatever the read timeout is.
constexpr int kKeepaliveIdleSeconds = 60;
constexpr int kKeepaliveIntervalSeconds = 15;
constexpr int kKeepaliveProbes = 4;

template <int Name>
using TcpOption = asio::detail::socket_option::integer<IPPROTO_TCP, Name>;

error_code bind_at(ListenSocket& socket, const Tcp::endpoint& address, bool nodelay) {
  error_code failure;
  error_code ignored;
  socket.open(address.protocol(), failure);
  if (failure) return failure;
  ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
  socket.set_option(ListenSocket::reuse_address(true), ignored);
  // Otherwise Asio waits for the next connection when one has gone before it was accepted, non-blocking or not.
  socket.set_option(ListenSocket::enable_connection_aborted(true), ignored);
  socket.set_option(ListenSocket::keep_alive(true), ignored);
  socket.set_option(TcpOption<TCP_KEEPIDLE>(kKeepaliveIdleSeconds), ignored);
  socket.set_option(TcpOption<TCP_KEEPINTVL>(kKeepaliveIntervalSeconds), ignored);
  socket.set_option(TcpOption<TCP_KEEPCNT>(kKeepaliveProbes), ignored);
  socket.set_option(Tcp::no_delay(nodelay), ignored);
  // "::" accepts IPv4 clients, too.
  if (address.address().is_v6()) socket.set_option(asio::ip::v6_only(false), ignored);
  socket.non_blocking(true, ignored);
  socket.bind(address, failure);
  return failure;
}

Error failed(const std::string& host, int port, const error_code& why) {
  return internal_error("Could not bind to '" + host + ":" + std::to_string(port) + "': " + why.message());
}

}  // namespace

Result<ListenSockets> bind_to(asio::io_context& context, const std::string& host, int port, bool nodelay) {
  error_code failure;
  const std::vector<Tcp::endpoint> found = protocol::resolve(context, host, 0, Tcp::resolver::passive, failure);
  if (failure) return failed(host, port, failure);

  ListenSockets result;
  result.host = host;
  result.port = port;
  for (Tcp::endpoint address : found) {
    address.port(static_cast<std::uint16_t>(result.port));
    ListenSocket socket(context);
    failure = bind_at(socket, address, nodelay);
    // A name may stand for addresses that this machine does not have; an occupied port is another matter.
    if (failure == asio::error::address_in_use) break;
    if (failure) continue;
    result.port = socket.local_endpoint().port();
    result.beyond_loopback |= !address.address().is_loopback();
    result.sockets.push_back(std::move(socket));
  }
  if (failure == asio::error::address_in_use || result.sockets.empty()) return failed(host, port, failure);
  return result;
}

Status start_listening(ListenSockets& bound) {
  for (ListenSocket& socket : bound.sockets) {
    error_code failure;
    socket.listen(kBacklog, failure);
    // Two processes may have bound the port; only one can listen.
    if (failure) return failed(bound.host, bound.port, failure);
  }
  return {};
}

}  // namespace karma::server
