// What a session needs of the dispatcher, so that sessions can be tested with a handler that answers when it is told
// to. The functions are those of Dispatcher; see there.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include <karma/error.h>

#include "core/buffer.h"
#include "server/dispatcher.h"

namespace karma::server {

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  virtual Handled handle(std::string_view line, void* connection, std::size_t pending, Buffer& out) = 0;
  virtual void flush() = 0;
  virtual void collect(const Dispatcher::PlaceOfReply& place, const Dispatcher::ReplyLost& lost) = 0;
  virtual void reply_error(const Error& error, Buffer& out) = 0;
};

// Makes the handler of one I/O thread. `wake` may be called from any thread, as long as the I/O thread exists.
using MakeRequestHandler = std::function<std::unique_ptr<RequestHandler>(std::function<void()> wake)>;

}  // namespace karma::server
