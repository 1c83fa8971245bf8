// A TCP client for tests: blocking, with a generous limit on every wait, so that a test that fails ends.
#pragma once

#include <string>
#include <string_view>

namespace karma::test {

class SocketClient {
 public:
  // Connects to 127.0.0.1. With `receive_buffer` the kernel keeps only about so many bytes for this client.
  explicit SocketClient(int port, int receive_buffer = 0);
  SocketClient(SocketClient&& other) noexcept;
  ~SocketClient();

  bool connected() const { return fd_ >= 0; }
  // False if the other side has closed.
  bool send(std::string_view bytes);
  // One line without its end; "<eof>", "<reset>" or "<timeout>" if there is none.
  std::string line();
  // So many bytes; fewer, and one of these words, if there are no more.
  std::string bytes(std::size_t count);
  // All bytes up to the end; followed by "<reset>" or "<timeout>" if that is how it ended.
  std::string rest();
  // Has anything arrived within so many milliseconds (bytes or the end)?
  bool readable(int milliseconds);
  // Closes the sending side.
  void half_close();
  void close();
  // Closes so that the other side sees a reset.
  void reset();

 private:
  std::string receive();  // appends to buffer_; a word in angle brackets if it could not

  int fd_ = -1;
  std::string buffer_;
};

}  // namespace karma::test
