#include "protocol/client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/json_reader.h"
#include "core/json_text.h"
#include "protocol/resolve.h"

namespace karma::protocol {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::seconds kConnectTimeout{5};
constexpr std::size_t kReadBytes = 256 * 1024;
// Enough that the server has the next group of writes at hand while it syncs one.
constexpr std::uint64_t kMaxUnderWay = 1024;
// A few requests of the usual length, so that they are still in the processor's cache when they go out, and the first
// ones go out soon.
constexpr std::size_t kMaxUnsentBytes = 512 << 10;

ErrorCode code_of(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::internal_error); ++i) {
    if (to_string(static_cast<ErrorCode>(i)) == text) return static_cast<ErrorCode>(i);
  }
  return ErrorCode::internal_error;
}

Error broken(error_code failure) { return internal_error("the connection broke: " + failure.message()); }

}  // namespace

// A socket, and operations on it that end after some time.
class Client::Connection {
 public:
  Status open(const Endpoint& endpoint) {
    error_code failure;
    const std::vector<tcp::endpoint> found =
        resolve(context_, endpoint.host, static_cast<std::uint16_t>(endpoint.port), {}, failure);
    if (failure) return internal_error("cannot resolve " + endpoint.host + ": " + failure.message());
    failure = asio::error::address_family_not_supported;
    for (const tcp::endpoint& address : found) {
      failure = connect_to(address);
      if (!failure) return {};
    }
    return internal_error("cannot connect to " + endpoint.address() + ": " + failure.message());
  }

  std::size_t receive(void* to, std::size_t size, error_code& failure) {
    return socket_.read_some(asio::buffer(to, size), failure);
  }
  std::size_t send(std::string_view bytes, error_code& failure) {
    return socket_.write_some(asio::buffer(bytes), failure);
  }

  // From any thread: ends what is waited for, and makes everything after it fail.
  void break_off() {
    asio::post(context_, [this] {
      error_code ignored;
      broken_off_ = true;
      socket_.close(ignored);
    });
  }

  // Until there is something to read or, if `or_writable`, room to write. False: not within `limit`.
  bool wait(bool or_writable, std::chrono::seconds limit) {
    bool ready = false;
    const auto note = [&ready](error_code) { ready = true; };
    socket_.async_wait(tcp::socket::wait_read, note);
    if (or_writable) socket_.async_wait(tcp::socket::wait_write, note);
    context_.restart();
    const auto until = std::chrono::steady_clock::now() + limit;
    // It also returns for events of the socket that nobody waits for.
    while (!ready && context_.run_one_until(until) > 0) {
    }
    const bool in_time = ready;
    finish([this](error_code& failure) { socket_.cancel(failure); });
    return in_time;
  }

 private:
  error_code connect_to(const tcp::endpoint& address) {
    if (broken_off_) return asio::error::operation_aborted;
    error_code result = asio::error::timed_out;
    socket_ = tcp::socket(context_);
    bool done = false;
    socket_.async_connect(address, [&](error_code failure) {
      if (!std::exchange(done, true)) result = failure;
    });
    context_.restart();
    context_.run_for(kConnectTimeout);
    if (!std::exchange(done, true)) finish([this](error_code& failure) { socket_.close(failure); });
    if (result) return result;
    socket_.non_blocking(true, result);
    socket_.set_option(tcp::no_delay(true), result);
    return result;
  }

  // Ends what is under way: nothing of it runs later.
  template <class Function>
  void finish(Function function) {
    error_code ignored;
    function(ignored);
    context_.restart();
    context_.run();
  }

  asio::io_context context_{1};
  tcp::socket socket_{context_};
  bool broken_off_ = false;
};

nlohmann::json Reply::json() const { return nlohmann::json::parse(response, nullptr, false); }

Error Reply::error() const {
  std::string message = std::string(error_code) + ": " + std::string(response);
  if (!hint.empty()) message += "; " + std::string(hint);
  return {code_of(error_code), std::move(message)};
}

Client::Client(Endpoint endpoint) : endpoint_(std::move(endpoint)), token_(endpoint_.token) {}
Client::~Client() { close(); }

Status Client::connect() {
  close();
  if (!put(std::make_unique<Connection>())) return lose("the connection is no longer wanted");
  if (Status opened = connection_->open(endpoint_); !opened.ok()) return lose(opened.error().message);
  lost_ = false;
  return {};
}

// False: interrupted.
bool Client::put(std::unique_ptr<Connection> connection) {
  const MutexLock lock(interrupt_mutex_);
  connection_ = std::move(connection);
  return !interrupted_;
}

void Client::interrupt() {
  const MutexLock lock(interrupt_mutex_);
  interrupted_ = true;
  if (connection_) connection_->break_off();
}

void Client::resume() {
  close();
  const MutexLock lock(interrupt_mutex_);
  interrupted_ = false;
}

void Client::close() {
  put(nullptr);
  out_.clear();
  in_.clear();
  sent_ = taken_ = scanned_ = 0;
}

Error Client::lose(std::string why) {
  close();
  lost_ = true;
  const std::string address = endpoint_.address();
  return internal_error(why.find(address) == why.npos ? address + ": " + why : std::move(why));
}

void Client::begin_request(Buffer& line, std::string_view op, const Fields& fields) const {
  Fields request = {{"v", 2}, {"op", op}};
  {
    const MutexLock lock(token_mutex_);
    if (!token_.empty()) request["token"] = token_;
  }
  request.update(fields);
  json::append_value(line, request);
  line.truncate(line.size() - 1);  // the closing brace
}

void Client::set_token(std::string token) {
  const MutexLock lock(token_mutex_);
  token_ = std::move(token);
}

void Client::send(std::string_view op, const Fields& fields) {
  begin_request(out_, op, fields);
  out_.append("}\n");
}

void Client::send_line(std::string_view line) {
  out_.append(line);
  out_.append('\n');
}

Status Client::flush() {
  if (!connected()) return lose("there is no connection");
  if (Result<bool> sent = write_some(); !sent) return lose(sent.error().message);
  return {};
}

Result<Reply> Client::receive() {
  if (!connected()) return lose("there is no connection");
  while (true) {
    const std::string_view received(in_.data(), in_.size());
    const std::size_t end = received.find('\n', scanned_);
    if (end != received.npos) {
      std::string_view line = received.substr(taken_, end - taken_);
      taken_ += line.size() + 1;
      scanned_ = taken_;
      if (line.ends_with('\r')) line.remove_suffix(1);
      return parse(line);
    }
    scanned_ = in_.size();
    if (Status status = exchange(); !status.ok()) return lose(status.error().message);
  }
}

// Moves what can come in and go out; waits until something can if nothing did.
Status Client::exchange() {
  if (in_.size() - taken_ > endpoint_.max_reply_bytes) return internal_error("the server sends a reply without an end");
  in_.consume(taken_);
  scanned_ -= taken_;
  taken_ = 0;
  // Reading comes first: what the server said before it closed is worth more than the failure of a write.
  const Result<bool> received = read_some();
  if (!received) return received.error();
  const Result<bool> sent = write_some();
  if (!sent && !*received) return sent.error();
  if (!sent || *received || *sent) return {};
  if (connection_->wait(unsent() > 0, std::chrono::seconds(endpoint_.timeout_seconds))) return {};
  return internal_error("the server has not answered for " + std::to_string(endpoint_.timeout_seconds) + " s");
}

Result<bool> Client::write_some() {
  const std::size_t before = unsent();
  while (unsent() > 0) {
    error_code failure;
    sent_ += connection_->send({out_.data() + sent_, unsent()}, failure);
    if (failure == asio::error::would_block) break;
    if (failure) return broken(failure);
  }
  const bool some = unsent() < before;
  // Otherwise it would grow as long as it is never empty.
  if (unsent() == 0 || sent_ >= kMaxUnsentBytes) {
    out_.consume(sent_);
    sent_ = 0;
  }
  return some;
}

Result<bool> Client::read_some() {
  error_code failure;
  const std::size_t size = connection_->receive(in_.reserve(kReadBytes), kReadBytes, failure);
  if (failure == asio::error::would_block) return false;
  if (failure == asio::error::eof) return internal_error("the server closed the connection");
  if (failure) return broken(failure);
  in_.commit(size);
  return true;
}

Result<Reply> Client::parse(std::string_view line) {
  arena_.reset();
  Reply reply;
  reply.line = line;
  json::Value response;
  json::Reader reader(line);
  const bool read = reader.read_object([&](const json::Value& name, const json::Value& value) {
    if (name.text == "success") reply.success = value.truth;
    if (name.text == "response") response = value;
    if (name.text == "error_code" && value.type == json::Type::string) reply.error_code = value.text;
  });
  if (!read || !reader.at_end() || response.text.data() == nullptr)
    return lose("this is not how a Karma server answers; is it one?");
  if (!reply.success && code_of(reply.error_code) == ErrorCode::unauthorized) reply.hint = endpoint_.token_hint;
  reply.response =
      reply.success || response.type != json::Type::string ? response.text : json::decode_string(response, arena_);
  // With quotes where it is a string: the text of the value as it stands.
  if (reply.success && response.type == json::Type::string)
    reply.response = {response.text.data() - 1, response.text.size() + 2};
  return reply;
}

Status converse(Client& client, std::uint64_t& next, std::uint64_t end, const Ask& ask, const Take& take) {
  for (std::uint64_t asked = next; next < end;) {
    while (asked < end && asked - next < kMaxUnderWay && client.unsent() < kMaxUnsentBytes) {
      Status status = ask(asked, client.queue());
      if (!status.ok()) return client.close(), status;
      client.queue().append('\n');
      ++asked;
    }
    Result<Reply> reply = client.receive();
    if (!reply) return reply.error();
    if (Status status = take(next, *reply); !status.ok()) return client.close(), status;
    ++next;
  }
  return {};
}

}  // namespace karma::protocol
