#include "server/descriptor_limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <climits>
#include <optional>
#include <string>

#include "core/log.h"
#include "ops/process.h"

namespace karma::server {
namespace {

std::size_t descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX) return INT_MAX;
  return static_cast<std::size_t>(limit.rlim_cur);
}

std::size_t server_descriptors(int io_threads) {
  return kServerDescriptors + kThreadDescriptors * (static_cast<std::size_t>(io_threads) + 1);
}

// One more for those that look at the list themselves.
std::size_t open_descriptors(int io_threads) {
  const std::optional<std::uint64_t> open = ops::open_descriptors();
  return open ? static_cast<std::size_t>(*open) + 1 : server_descriptors(io_threads);
}

}  // namespace

ConnectionLimits share_descriptors(std::size_t limit, std::size_t in_use, int wanted) {
  // One belongs to nobody yet: it has been accepted and is about to be handed over or refused.
  const std::size_t reserve = in_use + kFileDescriptors + 1;
  const std::size_t room = limit > reserve ? limit - reserve : 0;
  const std::size_t asked = static_cast<std::size_t>(wanted);
  ConnectionLimits limits;
  limits.refused = std::max<std::size_t>({room > asked ? room - asked : 0, room / 8, 1});
  limits.refused = std::min(limits.refused, kMaxRefused);
  const std::size_t left = room > limits.refused ? room - limits.refused : 1;
  limits.connections = static_cast<int>(std::min(left, asked));
  return limits;
}

void raise_descriptor_limit(int connections, int io_threads, std::size_t http) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted =
      static_cast<rlim_t>(connections) + server_descriptors(io_threads) + http + kFileDescriptors + kMaxRefused;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

ConnectionLimits connection_limits(int wanted, int io_threads, std::size_t http, EventLog& log) {
  const std::size_t limit = descriptor_limit();
  const std::size_t in_use = open_descriptors(io_threads) + http;
  const ConnectionLimits limits = share_descriptors(limit, in_use, wanted);
  if (limits.connections < wanted) {
    log.warn("server.few_descriptors", "max_connections=" + std::to_string(limits.connections) + " instead of " +
                                           std::to_string(wanted) + ": the process may have " + std::to_string(limit) +
                                           " descriptors, needs " + std::to_string(in_use + kFileDescriptors) +
                                           " itself and keeps " + std::to_string(limits.refused) +
                                           " for clients that it refuses");
  }
  return limits;
}

}  // namespace karma::server
