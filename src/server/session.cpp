#include "server/session.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

#include "core/check.h"
#include "server/http_guard.h"

namespace karma::server {
namespace {

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

// What is read of one socket while draining, at most: as much as the buffers of both kernels hold, and an end for a
// flood.
constexpr std::size_t kMaxDrainBytes = 16 << 20;

}  // namespace

SessionHost::SessionHost(Poller& poller_, engine::RequestHandler& handler_, SessionOptions options_,
                         engine::ClientMemory& memory_)
    : poller(poller_), handler(handler_), options(options_), memory(memory_), buffered(memory_.buffers) {
  input.reserve(kReadBytes);
}

Session::Session(SessionHost& host, FileDescriptor socket)
    : host_(host), socket_(std::move(socket)), framer_(host.options.max_request_bytes), since_(host.now) {
  ++host_.open_sockets;
}

void Session::start(std::list<Session>::iterator self) {
  self_ = self;
  interest_ = EPOLLIN;
  if (!host_.poller.add(socket_.get(), interest_, this)) close();
}

void Session::on_event(std::uint32_t events) {
  if (!open()) return;  // closed earlier in the same wake-up
  if (events & EPOLLERR) return close(true);
  if (events & EPOLLOUT) {
    send(out_);
    if (open()) proceed({});  // it may have paused for its output
  }
  if (!open() || !(events & (EPOLLIN | EPOLLHUP))) return;
  if (discarding_) {
    discard();
  } else if (wants_input()) {
    receive();
  } else if (events & EPOLLHUP) {
    close();
  } else {
    // Pauses are mostly over before more input comes, so epoll hears of them only now.
    interest_ &= ~EPOLLIN;
    host_.poller.modify(socket_.get(), interest_, this);
    settle();
  }
}

bool Session::receive() {
  ssize_t size = ::recv(socket_.get(), host_.input.data(), kReadBytes, MSG_DONTWAIT);
  if (size < 0) {
    if (!would_block(errno)) close(true);
    return false;
  }
  if (size == 0) {
    end_of_input_ = true;
    proceed({});
    return false;
  }
  received_some_ = true;
  if (draining_) drained_ += static_cast<std::size_t>(size);
  if (in_.empty()) line_since_ = host_.now;
  proceed({host_.input.data(), static_cast<std::size_t>(size)});
  const bool partial = open() && input_handled_ && !in_.empty();
  const auto max_age = host_.options.read_timeout * kMaxLineAge;
  if (partial && max_age.count() > 0 && host_.now - line_since_ > max_age) close();
  return true;
}

void Session::discard() {
  ssize_t size = ::recv(socket_.get(), host_.input.data(), kReadBytes, MSG_DONTWAIT);
  if (size < 0 && would_block(errno)) return;
  if (size > 0) discarded_ += static_cast<std::size_t>(size);
  if (size <= 0 || discarded_ > kMaxDiscardedBytes) close();
}

// Handles what can be handled of the buffer and the fresh bytes, sends what there is to send, and settles down.
void Session::proceed(std::string_view fresh) {
  if (!in_.empty()) {
    in_.append(fresh);
    fresh = {};
  }
  const bool buffered = !in_.empty();
  const bool direct = unsent() == 0;
  Buffer& out = direct ? host_.output : out_;
  if (direct) out.clear();
  std::size_t handled = handle_lines(buffered ? in_.view() : fresh, out);
  if (buffered) {
    in_.consume(handled);
  } else {
    in_.append(fresh.substr(handled));
  }
  // Room for what has been handled is not kept for the begin of a line.
  if (in_.capacity() > kKeptBufferBytes && in_.size() <= kKeptBufferBytes) {
    Buffer rest;
    rest.append(in_.view());
    in_ = std::move(rest);
  }
  send(out);
  if (open()) conclude();
}

// Returns how many of the bytes are done with.
std::size_t Session::handle_lines(std::string_view bytes, Buffer& out) {
  std::string_view rest = bytes;
  input_handled_ = false;
  while (may_handle(out.size() - (&out == &out_ ? sent_ : 0))) {
    LineFramer::Step step = framer_.next(rest);
    if (step.found == LineFramer::Found::line) {
      if (!handle_line(step.line, out)) break;
      rest.remove_prefix(step.consumed);
      line_since_ = host_.now;
    } else if (step.found == LineFramer::Found::nothing) {
      // A client that has gone while it wrote leaves a partial line, one that forgot the line end a complete one; they
      // cannot be told apart, except that the former is no valid JSON. A drain may cut anything, so it handles neither.
      if (end_of_input_ && !draining_ && !rest.empty()) {
        if (!handle_line(LineFramer::last(rest), out)) break;
        rest = {};
      }
      input_handled_ = true;
      break;
    } else {
      blocked_ = pending_ > 0;  // replies keep their order
      if (blocked_) break;
      host_.handler.reply_error({ErrorCode::request_too_large,
                                 "Request exceeds " + std::to_string(host_.options.max_request_bytes) + " bytes"},
                                out);
      last_reply_ = true;
    }
  }
  if (last_reply_) return bytes.size();
  return bytes.size() - rest.size();
}

// False: not now.
bool Session::handle_line(std::string_view line, Buffer& out) {
  const FirstLine first = first_line_ ? judge_first_line(line) : FirstLine::request;
  if (first == FirstLine::http) {
    out.append(http_answer(host_.options.port));
    last_reply_ = true;
    return true;
  }
  if (first == FirstLine::request) first_line_ = false;
  switch (host_.handler.handle(line, this, pending_, out)) {
    case engine::Handled::replied:
      KARMA_CHECK(pending_ == 0);  // or the reply would overtake others
      // No request, so the reply says what is wrong with it; what comes after it is no better.
      last_reply_ |= first == FirstLine::foreign;
      return true;
    case engine::Handled::pending:
      ++pending_;
      pending_bytes_ += line.size();
      return true;
    case engine::Handled::no_room:
      starved_ = true;
      return false;
    case engine::Handled::blocked:
      break;
  }
  KARMA_CHECK(pending_ > 0);  // or nothing would ever unblock it
  blocked_ = true;
  return false;
}

// Sends `bytes`: either out_ or the shared buffer, of which the rest is kept in out_.
void Session::send(Buffer& bytes) {
  const bool direct = &bytes != &out_;
  std::string_view rest = bytes.view().substr(direct ? 0 : sent_);
  if (rest.empty()) return;
  ssize_t size = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (size < 0 && !would_block(errno)) return close(true);
  std::size_t taken = size < 0 ? 0 : static_cast<std::size_t>(size);
  if (taken > 0) sent_some_ = true;
  rest.remove_prefix(taken);
  if (direct) {
    out_.append(rest);
  } else if (rest.empty() || rest.size() < out_.size() / 2) {
    out_.consume(out_.size() - rest.size());
    sent_ = 0;
  } else {
    sent_ += taken;
  }
  if (out_.empty() && out_.capacity() > kKeptBufferBytes) out_.release();
  if (direct && bytes.capacity() > kKeptSharedBufferBytes) bytes.release();
}

// After each step: is there more to do, is it over?
void Session::conclude() {
  const bool all_sent = unsent() == 0 && pending_ == 0;
  if (!input_handled_ && may_handle(unsent())) {
    enqueue();  // it stopped for its output, which is gone: others first
  } else if (all_sent && !discarding_) {
    if (last_reply_) {
      say_goodbye();
    } else if (draining_ && !end_of_input_ && drained_ < kMaxDrainBytes && has_arrived()) {
      // Sent before the client could know that this is the end: it is read as ever.
    } else if (input_handled_ && (end_of_input_ || (draining_ && quiet()))) {
      return close();
    } else if (input_handled_ && draining_) {
      say_goodbye();
    }
  }
  settle();
}

void Session::say_goodbye() {
  in_.release();
  discarding_ = true;
  ::shutdown(socket_.get(), SHUT_WR);
}

// Is there something to read?
bool Session::has_arrived() const {
  char byte;
  return ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

// The client has acknowledged all replies and sent nothing more: it loses nothing if the socket is closed at once.
bool Session::quiet() const {
  int unacknowledged = 0;
  char byte;
  return ::ioctl(socket_.get(), SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0 &&
         ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && would_block(errno);
}

void Session::leave_if_quiet() {
  if (open() && draining_ && discarding_ && quiet()) close();
}

Waiting Session::waits_for() const {
  if (!open()) return pending_ > 0 ? Waiting::reply : Waiting::nothing;
  if (discarding_) return Waiting::goodbye;
  if (unsent() > 0) return Waiting::reader;
  if (starved_) return Waiting::room;
  return pending_ > 0 ? Waiting::reply : Waiting::bytes;
}

// Empty buffers that are kept are small.
void Session::count_buffers() {
  const std::size_t bytes = (in_.empty() ? 0 : in_.capacity()) + (out_.empty() ? 0 : out_.capacity());
  if (bytes == counted_) return;
  host_.buffered_bytes += bytes - counted_;
  counted_ = bytes;
  host_.buffered.set(host_.buffered_bytes);
}

// Takes its place among those who wait for the same, and tells epoll what it wants to hear.
void Session::settle() {
  count_buffers();
  const bool wants = open() && wants_input();
  if (open() && !wants && waits_for_nothing_else()) starved_ = true;
  const Waiting next = waits_for();
  const bool restart =
      (next == Waiting::reader && sent_some_) || (next == Waiting::bytes && (sent_some_ || received_some_));
  sent_some_ = received_some_ = false;
  if (next != waiting_ || restart) {
    auto& to = host_.waiting[static_cast<std::size_t>(next)];
    to.splice(to.end(), host_.waiting[static_cast<std::size_t>(waiting_)], self_);
    waiting_ = next;
    since_ = host_.now;
  }
  if (!open()) return;
  std::uint32_t interest = interest_ & EPOLLIN;
  if (wants) interest |= EPOLLIN;
  if (unsent() > 0) interest |= EPOLLOUT;
  if (interest != interest_) {
    interest_ = interest;
    host_.poller.modify(socket_.get(), interest, this);
  }
}

Buffer& Session::place_of_reply(std::size_t request_bytes) {
  KARMA_CHECK(pending_ > 0 && request_bytes <= pending_bytes_);
  --pending_;
  pending_bytes_ -= request_bytes;
  if (pending_ == 0) blocked_ = false;
  enqueue();
  if (open()) return out_;
  host_.unwanted.clear();
  return host_.unwanted;
}

void Session::resume() {
  queued_ = false;
  const bool starved = std::exchange(starved_, false);
  if (!open()) {
    settle();
  } else if (input_handled_ && !starved) {
    send(out_);
    if (open()) conclude();
  } else {
    proceed({});
  }
}

void Session::try_again() {
  if (open() && starved_) enqueue();
}

std::size_t Session::freeable_bytes() const {
  if (!open() || discarding_ || pending_ > 0) return 0;
  const bool idle = unsent() > 0 ? host_.now - since_ >= kRoomPatience : input_handled_;
  return idle ? counted_ : 0;
}

void Session::make_room() {
  if (unsent() > 0) return close(true);
  starved_ = false;
  in_.release();
  last_reply_ = true;
  host_.handler.reply_error(
      internal_error("The node holds as much for its clients as it may; try again shortly, with less at a time"), out_);
  send(out_);
  if (open()) conclude();
}

void Session::drain() {
  if (!open() || draining_) return;
  draining_ = true;
  conclude();
}

void Session::close(bool reset) {
  if (!open()) return;
  if (reset) {
    linger forget{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &forget, sizeof forget);
  }
  socket_.close();
  --host_.open_sockets;
  in_.release();
  out_.release();
  sent_ = 0;
  settle();
}

void Session::enqueue() {
  if (queued_) return;
  host_.queued.push_back(this);
  queued_ = true;
}

bool Session::may_handle(std::size_t unsent) const {
  return !last_reply_ && !starved_ && !blocked_ && pending_ < kMaxPending && pending_bytes_ < kMaxPendingBytes &&
         unsent < kMaxUnsentBytes;
}

bool Session::may_receive() const {
  return open() && !discarding_ && !end_of_input_ && drained_ < kMaxDrainBytes && may_handle(unsent()) &&
         !(counted_ == 0 ? host_.memory.reading_waits() : host_.memory.growing_waits());
}

// For one that does not read, which nobody would wake: is it for want of room alone?
bool Session::waits_for_nothing_else() const {
  return (interest_ & EPOLLIN) == 0 && !discarding_ && !end_of_input_ && drained_ < kMaxDrainBytes && pending_ == 0 &&
         unsent() == 0 && may_handle(0);
}

bool Session::wants_input() const { return discarding_ || may_receive(); }

}  // namespace karma::server
