// One request line in, one reply line out. The single path of every request:
//
//   decode the envelope -> token -> op -> fields -> role -> query: answer here
//                                                        -> mutation: to the writer, the reply comes later
//                                                        -> task (snapshots, long scans): to a worker, likewise
//
// One dispatcher per I/O thread; nothing here is thread-safe but the `wake` it is given, which other threads call.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include <karma/config.h>

#include "core/buffer.h"
#include "engine/engine.h"

namespace karma::server {

enum class Handled {
  replied,  // the whole reply, line end included, is in `out`
  pending,  // the reply will come through collect()
  blocked,  // not looked at: it must see what is pending on this connection; ask again when that is answered
  no_room,  // not looked at: too much is under way in the node; ask again when that has become less
};

class Dispatcher {
 public:
  // `wake` makes the owning thread call collect() soon. It is called by other threads.
  Dispatcher(engine::Engine& engine, const Config& config, std::function<void()> wake);
  ~Dispatcher();

  // `line`: one request without its line end; it is not kept. `connection` comes back with the reply.
  // `pending`: how many replies this connection is waiting for (they come in the order of their requests).
  Handled handle(std::string_view line, void* connection, std::size_t pending, Buffer& out);

  // Hands what handle() has gathered to the writer. Call it once after the lines of one wake-up.
  void flush();

  // Where the next reply for `connection`, line end included, is to be appended. Asked once for each reply, in the
  // order of the connection's requests, with the length of the request's line.
  using PlaceOfReply = std::function<Buffer&(void* connection, std::size_t request_bytes)>;
  // A reply could not be written: the connection must not get any after it.
  using ReplyLost = std::function<void(void* connection)>;
  // Writes the replies that have arrived.
  void collect(const PlaceOfReply& place, const ReplyLost& lost);

  // For requests that never become one: an over-long line, a refused connection. Counted as in system.stats.
  void reply_error(const Error& error, Buffer& out);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace karma::server
