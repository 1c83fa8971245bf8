#include "support/socket_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace karma::test {
namespace {

constexpr int kPatienceMs = 20'000;

}  // namespace

SocketClient::SocketClient(int port, int receive_buffer) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  const int at_once = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) close();
}

SocketClient::SocketClient(SocketClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}

SocketClient::~SocketClient() { close(); }

bool SocketClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

std::string SocketClient::receive() {
  if (!readable(kPatienceMs)) return "<timeout>";
  char bytes[65536];
  ssize_t size = ::recv(fd_, bytes, sizeof bytes, 0);
  if (size < 0) return "<reset>";
  if (size == 0) return "<eof>";
  buffer_.append(bytes, static_cast<std::size_t>(size));
  return "";
}

std::string SocketClient::line() {
  std::size_t end;
  while ((end = buffer_.find('\n')) == std::string::npos) {
    if (std::string fault = receive(); !fault.empty()) return fault;
  }
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

std::string SocketClient::bytes(std::size_t count) {
  while (buffer_.size() < count) {
    if (std::string fault = receive(); !fault.empty()) return std::exchange(buffer_, {}) + fault;
  }
  std::string bytes = buffer_.substr(0, count);
  buffer_.erase(0, count);
  return bytes;
}

std::string SocketClient::rest() {
  std::string fault;
  while (fault.empty()) fault = receive();
  return std::exchange(buffer_, {}) + (fault == "<eof>" ? "" : fault);
}

bool SocketClient::readable(int milliseconds) {
  pollfd watched{fd_, POLLIN, 0};
  return !buffer_.empty() || ::poll(&watched, 1, milliseconds) > 0;
}

void SocketClient::half_close() { ::shutdown(fd_, SHUT_WR); }

void SocketClient::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void SocketClient::reset() {
  linger forget{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &forget, sizeof forget);
  close();
}

}  // namespace karma::test
