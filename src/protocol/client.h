// A connection to a node as replicas and the sub-commands use it: blocking, with a limit on every wait, and pipelined.
//
// Requests are sent in order and answered in order. While bytes wait to be sent replies are read as well, so neither
// side can block the other, however much is under way. Not thread-safe, except for interrupt().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include <karma/error.h>

#include "core/arena.h"
#include "core/buffer.h"
#include "core/mutex.h"

namespace karma::protocol {

struct Endpoint {
  std::string host = "127.0.0.1";
  int port = 8080;
  std::string token;         // empty: none
  std::string token_hint;    // for people, if the server wants another one
  int timeout_seconds = 30;  // without a byte in either direction while a reply is due
  std::size_t max_reply_bytes = std::size_t{1} << 30;

  std::string address() const { return host + ":" + std::to_string(port); }
};

// Valid until the next receive().
struct Reply {
  bool success = false;
  std::string_view response;  // the JSON text of the response; of an error the message, decoded
  std::string_view error_code;
  std::string_view line;  // all of it, as it came
  std::string_view hint;  // what may help, of an error; or empty

  // The response, for those that are not long. Of no type (is_discarded()) if it is no JSON.
  nlohmann::json json() const;
  // The refusal as an Error.
  Error error() const;
};

class Client {
 public:
  explicit Client(Endpoint endpoint);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Closes what is open; lost() is false after a success.
  Status connect();
  void close();
  bool connected() const { return connection_ != nullptr; }
  // The last failure was that of the connection, not a refusal: connecting and asking again may help.
  bool lost() const { return lost_; }
  // Gives the connection up as lost: for replies that say "not now".
  Error lose(std::string why);
  // From any thread: whoever waits for the server finds the connection lost, and cannot connect again. Only the look-up
  // of the host's name goes on to its end.
  void interrupt();
  // It can connect again. For the thread that uses the client.
  void resume();

  using Fields = nlohmann::ordered_json;  // an object
  // Begins a request in `line`: {"v":2,"op":"…", the token and the fields; the caller appends what is long, and '}'.
  void begin_request(Buffer& line, std::string_view op, const Fields& fields) const;
  // Only queued: receive() sends.
  void send(std::string_view op, const Fields& fields);
  // A request as it is, without its line end.
  void send_line(std::string_view line);
  // Where send() puts it, for those who write long requests in place, with the line end.
  Buffer& queue() { return out_; }
  std::size_t unsent() const { return out_.size() - sent_; }
  // Sends what can go out without waiting.
  Status flush();
  // The next reply.
  Result<Reply> receive();

  // From any thread: for the requests from then on.
  void set_token(std::string token);

  const Endpoint& endpoint() const { return endpoint_; }

 private:
  class Connection;

  Status exchange();
  Result<bool> write_some();
  Result<bool> read_some();
  Result<Reply> parse(std::string_view line);

  bool put(std::unique_ptr<Connection> connection);

  const Endpoint endpoint_;
  std::unique_ptr<Connection> connection_;  // changed under interrupt_mutex_, by the thread that uses the client
  Mutex interrupt_mutex_;
  bool interrupted_ KARMA_GUARDED_BY(interrupt_mutex_) = false;
  mutable Mutex token_mutex_;
  std::string token_ KARMA_GUARDED_BY(token_mutex_);
  bool lost_ = false;
  Buffer out_;
  std::size_t sent_ = 0;  // of out_
  Buffer in_;
  std::size_t taken_ = 0;    // of in_
  std::size_t scanned_ = 0;  // of in_: no line end before
  Arena arena_;              // of the current reply
};

// Requests number `next` to `end` - 1, many of them under way at a time. `ask` writes a request, `take` gets its reply.
// `next` is the first one that is not answered; after a lost connection it tells where to go on. A failure of `ask` or
// `take` ends it and closes the connection. `line` may hold others already: `ask` appends.
using Ask = std::function<Status(std::uint64_t number, Buffer& line)>;
using Take = std::function<Status(std::uint64_t number, const Reply& reply)>;
Status converse(Client& client, std::uint64_t& next, std::uint64_t end, const Ask& ask, const Take& take);

}  // namespace karma::protocol
