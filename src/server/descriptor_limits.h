// Who may use the descriptors of the process. Connections take the rest when everything else has what it needs, so that
// a crowd of clients never keeps the log, a snapshot or a worker from opening a file.
#pragma once

#include <cstddef>

#include <karma/file_system.h>

namespace karma {
class EventLog;
}

namespace karma::server {

// For files: the log (its active file, the next one, an index), a snapshot that is written, one that is read or
// verified, pages of the log for replicas, and what the C library opens for a moment.
inline constexpr std::size_t kFileDescriptors = kFileDescriptorReserve;
// For what the server opens before it accepts: standard streams, lock, log, listeners; and what each thread that waits
// for sockets has of its own: epoll, its wake-up and its timer. Those are the I/O threads and the one that accepts.
inline constexpr std::size_t kServerDescriptors = 32;
inline constexpr std::size_t kThreadDescriptors = 3;
// Refused clients that are being told why at the same time.
inline constexpr std::size_t kMaxRefused = 256;

struct ConnectionLimits {
  int connections = 1;
  std::size_t refused = 1;
};

// `limit`: of the process; `in_use`: by all else, when it begins to accept; `wanted`: connections. At least one of
// each.
ConnectionLimits share_descriptors(std::size_t limit, std::size_t in_use, int wanted);

// Raises the limit to the need of this many connections and I/O threads, and of HTTP, as far as the system allows.
// Before anything else is opened.
void raise_descriptor_limit(int connections, int io_threads, std::size_t http);
// What there is now. Says in the log if that is less than wanted.
ConnectionLimits connection_limits(int wanted, int io_threads, std::size_t http, EventLog& log);

}  // namespace karma::server
