// A client that asks for one thing after the other, where what it costs itself does not matter.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "load_flags.h"
#include "tools/load/clients.h"

namespace karma::tools::load {

inline std::string request(std::string_view op, const std::string& fields) {
  return R"({"v":2,"op":")" + std::string(op) + '"' + fields + "}\n";
}

// One request after the other, or several under way.
class Connection {
 public:
  explicit Connection(const Address& address) : socket_(connect_to(address)) {
    if (socket_ < 0) fail("cannot connect: " + std::string(std::strerror(errno)));
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void send(std::string_view line) {
    while (!line.empty()) {
      const ssize_t sent = ::send(socket_, line.data(), line.size(), MSG_NOSIGNAL);
      if (sent <= 0) fail("cannot send");
      line.remove_prefix(static_cast<std::size_t>(sent));
    }
    ++under_way_;
  }
  std::string receive() {
    std::size_t end = 0;
    while ((end = in_.find('\n')) == std::string::npos) {
      char bytes[65536];
      const ssize_t size = ::recv(socket_, bytes, sizeof bytes, 0);
      if (size <= 0) fail("the server closed a connection");
      in_.append(bytes, static_cast<std::size_t>(size));
    }
    std::string reply = in_.substr(0, end);
    in_.erase(0, end + 1);
    --under_way_;
    return reply;
  }
  std::string exchange(std::string_view line) {
    send(line);
    return receive();
  }
  // Fails if it is refused.
  std::string ask(const std::string& line) {
    std::string reply = exchange(line);
    if (reply.find(R"("success":true)") == std::string::npos) fail("refused: " + reply + " to " + line.substr(0, 200));
    return reply;
  }
  nlohmann::json response(const std::string& line) { return nlohmann::json::parse(ask(line))["response"]; }
  void send_ahead(const std::string& line) {
    send(line);
    if (under_way_ >= kUnderWay) (void)receive();
  }
  void finish() {
    while (under_way_ != 0) (void)receive();
  }

 private:
  static constexpr std::size_t kUnderWay = 16;

  const int socket_;
  std::string in_;
  std::size_t under_way_ = 0;
};

}  // namespace karma::tools::load
