#include "server/peer_address.h"

namespace karma::server {

std::string peer_address(const Socket& socket) {
  error_code failure;
  const auto peer = socket.remote_endpoint(failure);
  if (failure) return "?";
  const std::string port = std::to_string(peer.port());
  return peer.address().is_v6() ? "[" + peer.address().to_string() + "]:" + port
                                : peer.address().to_string() + ":" + port;
}

}  // namespace karma::server
