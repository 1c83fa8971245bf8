// The interface between a connection and the code that answers requests: one request line in, one reply line out. The
// dispatcher implements it; sessions are tested with a handler that answers when it is told to.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <karma/error.h>

#include "core/buffer.h"

namespace karma::engine {

enum class Handled : std::uint8_t {
  replied,  // the whole reply, line end included, is in `out`
  pending,  // it goes through the writer: the reply will come through collect(), with those of others
  job,      // a worker has it: the reply will come through collect(), at some time
  blocked,  // not looked at: it must see what is pending on this connection; ask again when that is answered
  no_room,  // not looked at: too much is under way in the node; ask again when that has become less
};

// What clients have to show; without either nothing.
struct AccessTokens {
  std::optional<std::string> write;
  std::optional<std::string> read;
};

// Belongs to one I/O thread.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;

  // `line`: one request without its line end; it is not kept. `connection` comes back with the reply.
  // `pending`: how many replies this connection is waiting for (they come in the order of their requests).
  virtual Handled handle(std::string_view line, void* connection, std::size_t pending, Buffer& out) = 0;

  // Hands the writes that handle() has gathered to the writer. Call it once after the lines of one wake-up.
  virtual void flush() = 0;

  // Where the next reply for `connection`, line end included, is to be appended. Asked once for each reply, in the
  // order of the connection's requests, with the length of the request's line.
  using ReplyBuffer = std::function<Buffer&(void* connection, std::size_t request_bytes)>;
  // A reply could not be written: the connection must not get any after it.
  using ReplyLost = std::function<void(void* connection)>;
  // Writes the replies that have arrived.
  virtual void collect(const ReplyBuffer& place, const ReplyLost& lost) = 0;

  // A round begins, before flush() and collect(): the time, and how long the lines of this wake-up took to handle; 0 if
  // there were none.
  using Time = std::chrono::steady_clock::time_point;
  virtual void begin_round(Time now, Time::duration took) { (void)now, (void)took; }
  // How a connection is called, for people.
  using NameClient = std::function<std::string(const void* connection)>;
  virtual void name_clients(NameClient name) { (void)name; }
  // The name of the latest request's op; empty if it had none.
  virtual std::string_view latest_op() const { return {}; }

  // From now on.
  virtual void set_tokens(const AccessTokens& tokens) { (void)tokens; }

  // For requests that never become one: an over-long line, a refused connection. Counted as in system.stats.
  virtual void reply_error(const Error& error, Buffer& out) = 0;
};

// Makes the handler of one I/O thread. `wake` makes that thread call collect() soon; it may be called from any thread,
// as long as the I/O thread exists.
using MakeRequestHandler = std::function<std::unique_ptr<RequestHandler>(std::function<void()> wake)>;

}  // namespace karma::engine
