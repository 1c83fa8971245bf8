// HTTP/1 for those who watch the node: GET and HEAD, answered from values that are at hand, on a thread and an
// io_context of their own, so that neither side can hold up the other. Everything is bounded.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <karma/error.h>

#include "server/asio.h"

namespace karma {
class EventLog;
}

namespace karma::server {

struct HttpRequest {
  std::string_view path;   // without the query
  std::string_view query;  // what stands after the `?`
};

struct HttpReply {
  unsigned status = 200;
  std::string body;
  std::string_view content_type = "text/plain; charset=utf-8";
};

struct HttpLimits {
  std::size_t connections = 64;  // one more takes the place of the one that is idle for longest
  std::size_t header_bytes = 8192;
  std::chrono::milliseconds request_time{5000};  // for the header, from its first byte on, and for taking the reply
  std::chrono::milliseconds idle_time{75'000};   // between two requests
};

class HttpServer {
 public:
  // Both are called on the server's thread. The reply may come later; the views end with the call.
  using Answer = std::function<void(HttpReply)>;
  using Handler = std::function<void(const HttpRequest&, Answer)>;

  // Connections, listeners, and what each thread that waits for sockets has.
  static constexpr std::size_t kMaxDescriptors = HttpLimits().connections + 16;

  // Binds the address and takes the port, or a free one if it is 0.
  static Result<std::unique_ptr<HttpServer>> bind(const std::string& host, int port, EventLog& log,
                                                  const HttpLimits& limits = {});
  ~HttpServer();  // stop()
  // Ends the thread; replies that have not been sent are lost. What belongs to its context may go after that, and has
  // to before this does.
  void stop();

  int port() const;
  asio::io_context& context();
  Status start(Handler handler);
  // Lets the thread do something, and waits for it.
  void call(const std::function<void()>& function);

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace karma::server
