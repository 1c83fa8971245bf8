#include "server/http_server.h"

#include <fcntl.h>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <vector>

#include "server/context_thread.h"
#include "server/listen_socket.h"

namespace karma::server {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using Stream = beast::basic_stream<Tcp, Executor>;
using Parser = http::request_parser<http::empty_body>;
using Response = http::response<http::string_body>;
using TimePoint = std::chrono::steady_clock::time_point;

// For want of descriptors or memory nobody is accepted for so long.
constexpr std::chrono::milliseconds kAcceptPause{100};
// What a client still sends after an answer that ends the connection is read, so that it gets to read the answer.
constexpr std::chrono::seconds kLingerTime{2};
constexpr std::size_t kReadBytes = 1024;

// "http://host/path", as proxies have it, is the same as "/path".
std::string_view without_host(std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (target.starts_with('/') || scheme == std::string_view::npos) return target;
  const std::size_t path = target.find('/', scheme + 3);
  return path == std::string_view::npos ? "/" : target.substr(path);
}

HttpRequest request_of(std::string_view target) {
  target = without_host(target);
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return {target, {}};
  return {target.substr(0, mark), target.substr(mark + 1)};
}

HttpReply fault(const error_code& failure, const HttpLimits& limits) {
  if (failure == http::error::header_limit || failure == http::error::buffer_overflow)
    return {431, "the header has more than " + std::to_string(limits.header_bytes) + " bytes\n"};
  if (failure == http::error::bad_version) return {505, "HTTP/1.0 and HTTP/1.1 are spoken here\n"};
  return {400, "this is no request of HTTP: " + failure.message() + "\n"};
}

}  // namespace

// One client: a request is read, answered and written, then the next one. Whatever is under way holds a reference.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  using Over = std::function<void(HttpConnection*)>;

  HttpConnection(Socket socket, const HttpLimits& limits, const HttpServer::Handler& handler, Over over)
      : stream_(std::move(socket)),
        limits_(limits),
        handler_(handler),
        over_(std::move(over)),
        buffer_(limits.header_bytes + kReadBytes) {}

  void start() { next(limits_.request_time); }
  void close() {
    stream_.close();
    if (over_) std::exchange(over_, {})(this);
  }
  // Since when it waits for a request; nothing: one is under way.
  std::optional<TimePoint> idle_since() const { return idle_since_; }

 private:
  template <class Step>
  auto guarded(Step step) {
    return [self = shared_from_this(), step](const error_code& failure, std::size_t bytes) {
      try {
        step(failure, bytes);
      } catch (const std::exception&) {
        self->close();  // no memory: the others go on
      }
    };
  }

  void next(std::chrono::milliseconds patience) {
    if (buffer_.size() != 0) return read_header();
    idle_since_ = std::chrono::steady_clock::now();
    stream_.expires_after(patience);
    stream_.async_read_some(buffer_.prepare(kReadBytes), guarded([this](const error_code& failure, std::size_t bytes) {
                              idle_since_.reset();
                              if (failure) return close();
                              buffer_.commit(bytes);
                              read_header();
                            }));
  }

  void read_header() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
    stream_.expires_after(limits_.request_time);
    http::async_read_header(stream_, buffer_, *parser_, guarded([this](const error_code& failure, std::size_t) {
                              if (!failure) return answer();
                              if (failure.category() != make_error_code(http::error::bad_method).category() ||
                                  failure == http::error::end_of_stream || failure == http::error::partial_message)
                                return close();
                              keep_alive_ = head_ = false;
                              version_ = 11;
                              send(fault(failure, limits_));
                            }));
  }

  void answer() {
    const auto& request = parser_->get();
    version_ = request.version();
    head_ = request.method() == http::verb::head;
    // Nobody reads a body here: what comes after it cannot be found.
    const bool has_body = parser_->chunked() || parser_->content_length().value_or(0) != 0;
    keep_alive_ = request.keep_alive() && !has_body;
    if (!head_ && request.method() != http::verb::get) return send({405, "GET and HEAD are answered here\n"});
    const std::string_view target(request.target().data(), request.target().size());
    handler_(request_of(target), [self = shared_from_this()](HttpReply reply) {
      try {
        self->send(std::move(reply));
      } catch (const std::exception&) {
        self->close();
      }
    });
  }

  void send(HttpReply reply) {
    response_.emplace(static_cast<http::status>(reply.status), version_);
    response_->set(http::field::content_type, boost::string_view(reply.content_type.data(), reply.content_type.size()));
    response_->set(http::field::cache_control, "no-store");
    if (reply.status == 405) response_->set(http::field::allow, "GET, HEAD");
    response_->keep_alive(keep_alive_);
    response_->body() = std::move(reply.body);
    response_->prepare_payload();
    serializer_.emplace(*response_);
    auto sent = guarded([this](const error_code& failure, std::size_t) {
      if (failure) return close();
      if (keep_alive_) return next(limits_.idle_time);
      linger();
    });
    stream_.expires_after(limits_.request_time);
    if (head_) return http::async_write_header(stream_, *serializer_, std::move(sent));
    http::async_write(stream_, *serializer_, std::move(sent));
  }

  void linger() {
    error_code failure;
    stream_.socket().shutdown(Socket::shutdown_send, failure);
    if (failure) return close();
    stream_.expires_after(kLingerTime);
    discard();
  }
  void discard() {
    stream_.async_read_some(asio::buffer(discarded_), guarded([this](const error_code& failure, std::size_t) {
                              if (failure) return close();
                              discard();
                            }));
  }

  Stream stream_;
  const HttpLimits& limits_;
  const HttpServer::Handler& handler_;
  Over over_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  std::optional<Response> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  unsigned version_ = 11;
  bool head_ = false;
  bool keep_alive_ = false;
  std::optional<TimePoint> idle_since_;
  char discarded_[kReadBytes];
};

class HttpServer::Impl {
 public:
  Impl(EventLog& log, const HttpLimits& limits) : limits_(limits), thread_("karma-http", log) {}

  ~Impl() { stop(); }

  // What is under way is dropped, not finished: it ends with the context.
  void stop() {
    thread_.context().stop();
    thread_.finish();
  }

  Status bind(const std::string& host, int port) {
    Result<ListenSockets> bound = bind_to(thread_.context(), host, port, true);
    if (!bound) return bound.error();
    bound_ = std::move(*bound);
    return {};
  }

  Status start(Handler handler) {
    handler_ = std::move(handler);
    if (Status status = start_listening(bound_); !status) return status;
    thread_.call([this] {
      for (ListenSocket& socket : bound_.sockets) accept(socket);
    });
    return {};
  }

  ContextThread& thread() { return thread_; }
  int port() const { return bound_.port; }

 private:
  void accept(ListenSocket& listener) {
    listener.async_accept([this, &listener](const error_code& failure, Socket socket) {
      if (failure == asio::error::operation_aborted) return;
      if (failure) return pause(listener);
      try {
        begin(std::move(socket));
      } catch (const std::exception&) {
        return pause(listener);
      }
      accept(listener);
    });
  }

  void pause(ListenSocket& listener) {
    auto timer = std::make_shared<Timer>(thread_.context(), kAcceptPause);
    timer->async_wait([this, &listener, timer](const error_code&) { accept(listener); });
  }

  void begin(Socket socket) {
    ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
    if (connections_.size() >= limits_.connections && !make_room()) return;
    const auto forget = [this](HttpConnection* gone) {
      std::erase_if(connections_, [gone](const auto& connection) { return connection.get() == gone; });
    };
    const auto connection = std::make_shared<HttpConnection>(std::move(socket), limits_, handler_, forget);
    connections_.push_back(connection);
    try {
      connection->start();
    } catch (...) {
      connection->close();
      throw;
    }
  }

  // Those who probe the node must not be kept out by connections that nobody uses.
  bool make_room() {
    const auto oldest = std::ranges::min_element(
        connections_, {}, [](const auto& connection) { return connection->idle_since().value_or(TimePoint::max()); });
    if (!(*oldest)->idle_since()) return false;
    const std::shared_ptr<HttpConnection> idle = *oldest;
    idle->close();
    return true;
  }

  const HttpLimits limits_;
  ContextThread thread_;  // goes last but one: the others may have something in its context
  Handler handler_;
  std::vector<std::shared_ptr<HttpConnection>> connections_;
  ListenSockets bound_;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::bind(const std::string& host, int port, EventLog& log,
                                                     const HttpLimits& limits) {
  auto impl = std::make_unique<Impl>(log, limits);
  if (Status status = impl->bind(host, port); !status) return status.error();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

int HttpServer::port() const { return impl_->port(); }
void HttpServer::stop() { impl_->stop(); }
asio::io_context& HttpServer::context() { return impl_->thread().context(); }
Status HttpServer::start(Handler handler) { return impl_->start(std::move(handler)); }
void HttpServer::call(const std::function<void()>& function) { impl_->thread().call(function); }

}  // namespace karma::server
