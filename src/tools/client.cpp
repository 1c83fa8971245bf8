#include "tools/client.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include <nlohmann/json.hpp>

#include "core/json_reader.h"
#include "core/json_text.h"

namespace karma::tools {
namespace {

constexpr int kConnectTimeoutMs = 5000;
constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kMaxReplyBytes = std::size_t{1} << 30;
// Enough that the server has the next group of writes at hand while it syncs one.
constexpr std::uint64_t kMaxUnderWay = 1024;
// A few requests of the usual length, so that they are still in the processor's cache when they go out, and the first
// ones go out soon.
constexpr std::size_t kMaxUnsentBytes = 512 << 10;

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

ErrorCode code_of(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::internal_error); ++i) {
    if (to_string(static_cast<ErrorCode>(i)) == text) return static_cast<ErrorCode>(i);
  }
  return ErrorCode::internal_error;
}

// The error of a connection attempt, 0 for none.
int finish_connect(int fd, const addrinfo& address) {
  if (::connect(fd, address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd watched{fd, POLLOUT, 0};
  int ready;
  do {
    ready = ::poll(&watched, 1, kConnectTimeoutMs);
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return ready == 0 ? ETIMEDOUT : errno;
  int fault = 0;
  socklen_t size = sizeof fault;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size);
  return fault;
}

}  // namespace

std::optional<nlohmann::json> Reply::json() const {
  nlohmann::json value = nlohmann::json::parse(response, nullptr, false);
  if (value.is_discarded()) return {};
  return value;
}

Error Reply::error() const { return {code_of(error_code), std::string(error_code) + ": " + std::string(response)}; }

Client::Client(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}
Client::~Client() { close(); }

Status Client::connect() {
  close();
  if (Status opened = open_socket(); !opened.ok()) return lose(opened.error().message);
  lost_ = false;
  return {};
}

Status Client::open_socket() {
  const std::string port = std::to_string(endpoint_.port);
  const std::string where = endpoint_.host + ":" + port;
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int fault = ::getaddrinfo(endpoint_.host.c_str(), port.c_str(), &wanted, &found); fault != 0)
    return internal_error("cannot resolve " + endpoint_.host + ": " + ::gai_strerror(fault));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
  int fault = EADDRNOTAVAIL;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    const int fd = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    fault = fd < 0 ? errno : finish_connect(fd, *address);
    if (fault == 0) {
      const int at_once = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
      fd_ = fd;
      return {};
    }
    if (fd >= 0) ::close(fd);
  }
  return internal_error("cannot connect to " + where + ": " + std::strerror(fault));
}

void Client::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  out_.clear();
  in_.clear();
  sent_ = taken_ = scanned_ = 0;
}

Error Client::lose(std::string why) {
  close();
  lost_ = true;
  return internal_error(std::move(why));
}

void Client::begin_request(Buffer& line, std::string_view op, const Fields& fields) const {
  Fields request = {{"v", 2}, {"op", op}};
  if (!endpoint_.token.empty()) request["token"] = endpoint_.token;
  request.update(fields);
  json::append_value(line, request);
  line.truncate(line.size() - 1);  // the closing brace
}

void Client::send(std::string_view op, const Fields& fields) {
  begin_request(out_, op, fields);
  out_.append("}\n");
}

Status Client::flush() {
  if (!connected()) return lose("there is no connection");
  if (Status status = write_some(); !status.ok()) return lose(status.error().message);
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

// Waits until bytes can go out or have come in, and moves them.
Status Client::exchange() {
  if (in_.size() - taken_ > kMaxReplyBytes) return internal_error("the server sends a reply without an end");
  in_.consume(taken_);
  scanned_ -= taken_;
  taken_ = 0;
  pollfd watched{fd_, static_cast<short>(unsent() > 0 ? POLLIN | POLLOUT : POLLIN), 0};
  const int ready = ::poll(&watched, 1, endpoint_.timeout_seconds * 1000);
  if (ready == 0)
    return internal_error("the server has not answered for " + std::to_string(endpoint_.timeout_seconds) + " s");
  if (ready < 0) return errno == EINTR ? Status() : internal_error(std::string("poll: ") + std::strerror(errno));
  // Reading comes first: what the server said before it closed is worth more than the failure of a write.
  if (watched.revents & (POLLIN | POLLHUP | POLLERR)) {
    if (Status status = read_some(); !status.ok()) return status;
  }
  return watched.revents & POLLOUT ? write_some() : Status();
}

Status Client::write_some() {
  while (unsent() > 0) {
    const ssize_t size = ::send(fd_, out_.data() + sent_, unsent(), MSG_NOSIGNAL);
    if (size < 0 && would_block()) break;
    if (size < 0) return internal_error(std::string("the connection broke: ") + std::strerror(errno));
    sent_ += static_cast<std::size_t>(size);
  }
  // Otherwise it would grow as long as it is never empty.
  if (unsent() == 0 || sent_ >= kMaxUnsentBytes) {
    out_.consume(sent_);
    sent_ = 0;
  }
  return {};
}

Status Client::read_some() {
  const ssize_t size = ::recv(fd_, in_.reserve(kReadBytes), kReadBytes, 0);
  if (size < 0 && would_block()) return {};
  if (size < 0) return internal_error(std::string("the connection broke: ") + std::strerror(errno));
  if (size == 0) return internal_error("the server closed the connection");
  in_.commit(static_cast<std::size_t>(size));
  return {};
}

Result<Reply> Client::parse(std::string_view line) {
  arena_.reset();
  Reply reply;
  json::Value response;
  json::Reader reader(line);
  const bool read = reader.read_object([&](const json::Value& name, const json::Value& value) {
    if (name.text == "success") reply.success = value.truth;
    if (name.text == "response") response = value;
    if (name.text == "error_code" && value.type == json::Type::string) reply.error_code = value.text;
  });
  if (!read || !reader.at_end() || response.text.data() == nullptr)
    return lose("this is not how a Karma server answers; is it one?");
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

}  // namespace karma::tools
