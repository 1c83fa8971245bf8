// host:port, as settings name other nodes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/text.h"

namespace karma {

struct Address {
  std::string host;
  int port = 0;
};

// An IPv6 address stands in brackets: [::1]:8080.
inline std::optional<Address> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  std::string_view host = text.substr(0, colon);
  const std::optional<int> port = parse_number<int>(text.substr(colon + 1));
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty() || (!bracketed && host.find_first_of("[]:") != std::string_view::npos)) return {};
  if (!port || *port < 1 || *port > 65535) return {};
  return Address{std::string(host), *port};
}

}  // namespace karma
