#include "support/scripted_server.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <thread>
#include <utility>

namespace karma::test {

namespace asio = boost::asio;
using asio::ip::tcp;

class ScriptedServer::Impl {
 public:
  explicit Impl(Answer answer)
      : answer_(std::move(answer)),
        acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        thread_([this] {
          accept();
          context_.run();
        }) {}
  ~Impl() {
    context_.stop();
    thread_.join();
  }

  int port() const { return acceptor_.local_endpoint().port(); }

 private:
  struct Connection {
    explicit Connection(tcp::socket accepted) : socket(std::move(accepted)) {}
    tcp::socket socket;
    std::string in;
    std::string out;
  };

  void accept() {
    acceptor_.async_accept([this](boost::system::error_code failure, tcp::socket socket) {
      if (failure) return;
      read(std::make_shared<Connection>(std::move(socket)));
      accept();
    });
  }
  void read(const std::shared_ptr<Connection>& connection) {
    asio::async_read_until(connection->socket, asio::dynamic_buffer(connection->in), '\n',
                           [this, connection](boost::system::error_code failure, std::size_t size) {
                             if (failure) return;
                             connection->out = answer_(connection->in.substr(0, size - 1)) + "\n";
                             connection->in.erase(0, size);
                             write(connection);
                           });
  }
  void write(const std::shared_ptr<Connection>& connection) {
    asio::async_write(connection->socket, asio::buffer(connection->out),
                      [this, connection](boost::system::error_code failure, std::size_t) {
                        if (!failure) read(connection);
                      });
  }

  const Answer answer_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  std::thread thread_;
};

ScriptedServer::ScriptedServer(Answer answer) : impl_(std::make_unique<Impl>(std::move(answer))) {}
ScriptedServer::~ScriptedServer() = default;

int ScriptedServer::port() const { return impl_->port(); }

}  // namespace karma::test
