// Asio as the server uses it. Include it in src/server only: it is slow to compile.
//
// Each I/O thread has an io_context of its own, so its sockets need neither strands nor a type that stands for any
// executor. Other threads post to it, so it locks.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstddef>
#include <utility>

#include "core/check.h"

namespace karma::server {

namespace asio = boost::asio;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<Tcp, Executor>;
using ListenSocket = asio::basic_socket_acceptor<Tcp, Executor>;
using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

// Memory for the state that Asio keeps of one operation under way, so that it allocates nothing. It must outlive the
// operation, and serves one at a time.
class OperationRoom {
 public:
  OperationRoom() = default;
  OperationRoom(const OperationRoom&) = delete;
  OperationRoom& operator=(const OperationRoom&) = delete;

  // From the start of the operation until its handler is called.
  bool taken() const { return taken_; }

  // A handler whose operation is kept here.
  template <class Handler>
  auto operator()(Handler handler) {
    return Stored<Handler>{std::move(handler), this};
  }

 private:
  template <class T>
  struct Allocator {
    using value_type = T;
    explicit Allocator(OperationRoom* room_) : room(room_) {}
    template <class U>
    Allocator(const Allocator<U>& other) : room(other.room) {}  // as containers expect it, implicit
    T* allocate(std::size_t count) {
      static_assert(sizeof(T) <= sizeof bytes_ && alignof(T) <= alignof(void*));
      KARMA_CHECK(count == 1 && !std::exchange(room->taken_, true));
      return reinterpret_cast<T*>(room->bytes_);
    }
    void deallocate(T*, std::size_t) { room->taken_ = false; }
    friend bool operator==(const Allocator&, const Allocator&) = default;

    OperationRoom* room;
  };

  template <class Handler>
  struct Stored {
    using allocator_type = Allocator<void>;
    allocator_type get_allocator() const { return allocator_type(room); }
    template <class... Results>
    void operator()(Results... results) {
      handler(results...);
    }

    Handler handler;
    OperationRoom* room;
  };

  alignas(void*) std::byte bytes_[112];
  bool taken_ = false;
};

}  // namespace karma::server
