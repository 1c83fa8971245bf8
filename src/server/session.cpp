#include "server/session.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <cstring>

#include "core/check.h"
#include "server/http_guard.h"

namespace karma::server {
namespace {

// The most that is read of one socket while draining: as much as the buffers of both kernels hold, and an end for a
// flood.
constexpr std::size_t kMaxDrainBytes = 16 << 20;

bool would_block(const error_code& failure) { return failure == asio::error::would_block; }

}  // namespace

SessionHost::SessionHost(engine::RequestHandler& handler_, SessionOptions options_, engine::ClientMemory& memory_,
                         EventLog& log_, std::function<void()> request_round_)
    : handler(handler_),
      options(options_),
      log(log_),
      request_round(std::move(request_round_)),
      memory(memory_),
      buffered(memory_.buffers) {
  input.reserve(kReadBytes);
}

void SessionHost::begin_round() {
  if (std::exchange(in_round, true)) return;
  now = std::chrono::steady_clock::now();
  request_round();
}

Session::Session(SessionHost& host, Socket socket)
    : host_(host),
      socket_(std::move(socket)),
      framer_(host.options.max_request_bytes),
      id_(host.memory.arrived.fetch_add(1, std::memory_order_relaxed) + 1),
      opened_(host.now),
      latest_request_(host.now),
      since_(host.now) {
  ++host_.open_sockets;
}

commands::ClientInfo Session::info() const {
  const auto seconds = [this](TimePoint since) { return std::chrono::duration<double>(host_.now - since).count(); };
  return {.id = id_,
          .address = address(),
          .age_seconds = seconds(opened_),
          .idle_seconds = seconds(latest_request_),
          .op = latest_op_,
          .received_bytes = handled_bytes_,
          .sent_bytes = sent_bytes_,
          .pending = pending_};
}

void Session::start(std::list<Session>::iterator self) {
  self_ = self;
  error_code failure;
  socket_.non_blocking(true, failure);
  if (failure) return close();
  start_operations();
}

void Session::on_read(const error_code& failure, std::size_t size) {
  if (!open()) return;
  received_ = static_cast<std::uint16_t>(size);
  on_received(failure, {own_, size});
}

// What cannot be handled now has to fit into own_.
void Session::on_readable(error_code failure) {
  if (!open()) return;
  if (failure || !may_receive() || host_.memory.growing_waits()) {
    reads_much_ = false;
    return end_step();
  }
  const std::size_t size = socket_.read_some(asio::buffer(host_.input.data(), kReadBytes), failure);
  reads_much_ = size >= sizeof own_;
  on_received(would_block(failure) ? error_code() : failure, {host_.input.data(), size});
}

void Session::on_received(const error_code& failure, std::string_view fresh) {
  if (!fresh.empty() && progress_ == Progress::none) progress_ = Progress::received;
  end_of_input_ = failure == asio::error::eof;
  if (failure && !end_of_input_ && failure != asio::error::operation_aborted) return close(true);
  if (state_ == State::lingering) {
    discard();
  } else if (end_of_input_) {
    handle_input({});
  } else if (!fresh.empty() && (received_ == 0 || may_receive())) {
    receive(fresh);
  } else {
    end_step();
  }
}

void Session::on_writable() {
  if (!open()) return;
  send(out_);
  if (open()) go_on();  // it may have paused for its output
}

// The client has gone, or sends urgent data, as no client does; or the watch has been ended.
void Session::on_error(const error_code& failure) {
  watching_ = false;
  if (!open()) return;
  if (failure == asio::error::operation_aborted) {
    end_step();
  } else {
    close(true);
  }
}

// Takes the bytes that were read. If the buffer came full, there are probably more: they follow in the shared buffer.
// With `peek` those stay in the kernel as well, and the bytes in in_ are moved in front of them.
std::string_view Session::take_received(bool peek) {
  std::size_t size = std::exchange(received_, std::uint16_t{0});
  if (size < sizeof own_) return {own_, size};
  reads_much_ = true;
  char* const all = host_.input.data();
  const std::size_t before = peek ? in_.size() : 0;
  if (before != 0) std::memcpy(all, in_.data(), before);
  if (peek) in_.clear();
  std::memcpy(all + before, own_, size);
  size += before;
  error_code failure;
  const std::size_t more =
      socket_.receive(asio::buffer(all + size, kReadBytes - size), peek ? Socket::message_peek : 0, failure);
  size += more;
  if (peek) peeked_ = more;
  end_of_input_ = failure == asio::error::eof;
  if (failure && !end_of_input_ && !would_block(failure)) close(true);
  return {all, size};
}

void Session::receive(std::string_view fresh) {
  if (in_.empty()) line_since_ = host_.now;
  // While there is little room, bytes that have to wait do so in the kernel.
  if (received_ > 0) fresh = take_received(holds_little() && host_.memory.growing_waits());
  if (!open()) return;
  if (host_.draining) drained_ += fresh.size() - peeked_;
  handle_input(fresh);
  const bool partial = open() && input_handled_ && !in_.empty();
  const auto timeout = host_.options.read_timeout;
  if (partial && timeout.count() > 0 && (host_.now - line_since_) / kMaxLineAge > timeout) close();
}

// Of the bytes that take_received() left in the kernel, takes those that have been handled. Returns the bytes that are
// not in the kernel any more.
std::string_view Session::fetch_peeked(std::string_view fresh, std::size_t handled) {
  std::size_t here = fresh.size() - std::exchange(peeked_, 0);
  if (host_.draining && handled > here) drained_ += handled - here;
  while (here < handled && open()) {
    error_code failure;
    here += socket_.read_some(asio::buffer(host_.input.data() + here, handled - here), failure);
    if (failure) close(true);
  }
  return fresh.substr(0, here);
}

void Session::discard() {
  discarded_ += take_received(false).size();
  if (end_of_input_ || discarded_ > kMaxDiscardedBytes) close();
  if (open()) update_waiting();
}

// Handles as much as possible of the buffer and the fresh bytes, and sends the replies.
void Session::handle_input(std::string_view fresh) {
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
    if (peeked_ != 0) fresh = fetch_peeked(fresh, handled);
    if (!open()) return;
    in_.append(fresh.substr(handled));
  }
  // Memory of handled lines is not kept for the beginning of a line.
  if (in_.capacity() > kKeptBufferBytes && in_.size() <= kKeptBufferBytes) {
    Buffer rest;
    rest.append(in_.view());
    in_ = std::move(rest);
  }
  if (out.size() > kMostHeldBack || host_.memory.growing_waits()) holds_back_ = false;
  if (!holds_back_) {
    send(out);
  } else if (direct && !out.empty()) {
    out_.append(out.view());
    host_.held_back.push_back(this);
    pipelines_ = true;
  }
  if (open()) end_step();
}

// Returns how many of the bytes are done.
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
      if (end_of_input_ && !host_.draining && !rest.empty()) {
        if (!handle_line(LineFramer::last(rest), out)) break;
        rest = {};
      }
      input_handled_ = true;
      break;
    } else {
      if (pending_ > 0) {  // replies keep their order
        pause_ = Pause::pending_replies;
        break;
      }
      host_.handler.reply_error({ErrorCode::request_too_large,
                                 "Request exceeds " + std::to_string(host_.options.max_request_bytes) + " bytes"},
                                out);
      state_ = State::last_reply;
    }
  }
  const std::size_t handled = bytes.size() - rest.size();
  if (handled > 0) {
    latest_op_ = host_.handler.latest_op();
    latest_request_ = host_.now;
    handled_bytes_ += handled;
  }
  return state_ == State::last_reply ? bytes.size() : handled;
}

// False: not now.
bool Session::handle_line(std::string_view line, Buffer& out) {
  const FirstLine first = first_line_ ? judge_first_line(line) : FirstLine::request;
  if (first == FirstLine::http) {
    out.append(http_answer(host_.options.port));
    state_ = State::last_reply;
    return true;
  }
  if (first == FirstLine::request) first_line_ = false;
  switch (host_.handler.handle(line, this, pending_, out)) {
    case engine::Handled::replied:
      KARMA_CHECK(pending_ == 0);  // or the reply would overtake others
      // It is no request, so the reply says what is wrong with it; the bytes after it are no better.
      if (first == FirstLine::foreign) state_ = State::last_reply;
      return true;
    case engine::Handled::pending:
      if (&out != &out_) holds_back_ = true;
      await_reply(line.size());
      return true;
    case engine::Handled::job:
      await_reply(line.size());
      return true;
    case engine::Handled::no_room:
      holds_back_ = false;  // this may last
      pause_ = engine::ClientMemory::is_large(line.size()) ? Pause::large_write_room : Pause::write_room;
      return false;
    case engine::Handled::blocked:
      break;
  }
  KARMA_CHECK(pending_ > 0);  // or nothing would ever unblock it
  pause_ = Pause::pending_replies;
  return false;
}

void Session::await_reply(std::size_t request_bytes) {
  if (++pending_ > 1) pipelines_ = true;
  pending_bytes_ += request_bytes;
}

// Sends `bytes`: either out_ or the shared buffer, of which the rest is kept in out_.
void Session::send(Buffer& bytes) {
  const bool direct = &bytes != &out_;
  holds_back_ = false;
  std::string_view rest = bytes.view().substr(direct ? 0 : sent_);
  if (rest.empty()) return;
  error_code failure;
  const std::size_t taken = socket_.write_some(asio::buffer(rest), failure);
  if (failure && !would_block(failure)) return close(true);
  if (taken > 0) progress_ = Progress::sent;
  sent_bytes_ += taken;
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
void Session::end_step() {
  const bool all_sent = unsent() == 0 && pending_ == 0;
  const bool all_handled = input_handled_ && received_ == 0;
  if ((!input_handled_ && may_handle(unsent())) || (received_ > 0 && may_receive())) {
    enqueue();  // it stopped for its output, which is gone: others first
  } else if (all_sent && state_ == State::last_reply) {
    return begin_lingering();
  } else if (all_sent && state_ == State::serving && !(host_.draining && input_comes())) {
    if (all_handled && (end_of_input_ || (host_.draining && quiet()))) return close();
    if (all_handled && host_.draining) return begin_lingering();
  }
  update_waiting();
}

void Session::begin_lingering() {
  in_.release();
  state_ = State::lingering;
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  discard();  // what had not been handled
}

// Is there something to read?
bool Session::has_arrived() {
  char byte;
  error_code failure;
  return socket_.receive(asio::buffer(&byte, 1), Socket::message_peek, failure) > 0;
}

// While draining: was something sent before the client could know that this is the end? It is read as ever. A read that
// is under way may have got it.
bool Session::input_comes() {
  return (reading_.taken() && !watching_) || received_ > 0 ||
         (!end_of_input_ && drained_ < kMaxDrainBytes && has_arrived());
}

// The client has acknowledged all replies and sent nothing more: it loses nothing if the socket is closed at once.
bool Session::quiet() {
  int unacknowledged = 0;
  char byte;
  error_code failure;
  return ::ioctl(socket_.native_handle(), SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0 &&
         (socket_.receive(asio::buffer(&byte, 1), Socket::message_peek, failure), would_block(failure));
}

void Session::leave_if_quiet() {
  if (state_ == State::lingering && quiet()) close();
}

Waiting Session::waits_for() const {
  if (!open()) return pending_ > 0 ? Waiting::reply : Waiting::nothing;
  if (state_ == State::lingering) return Waiting::linger;
  if (unsent() > 0 && !holds_back_) return Waiting::reader;
  if (pause_ == Pause::write_room) return Waiting::write_room;
  if (pause_ == Pause::large_write_room) return Waiting::large_write_room;
  if (pause_ == Pause::buffer_room) return Waiting::buffer_room;
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

// Takes its place among the sessions that wait for the same, and ensures that it is woken.
void Session::update_waiting() {
  count_buffers();
  if (lacks_buffer_room()) pause_ = Pause::buffer_room;
  const Waiting next = waits_for();
  const bool restart = (next == Waiting::reader && progress_ == Progress::sent) ||
                       (next == Waiting::bytes && progress_ != Progress::none);
  progress_ = Progress::none;
  if (next != waiting_ || restart) {
    auto& to = host_.list(next);
    to.splice(to.end(), host_.list(waiting_), self_);
    waiting_ = next;
    since_ = host_.now;
  }
  if (open()) start_operations();
}

// A read is always under way, also during a pause; but while what the last one brought has to wait, it only watches for
// a client that has gone, and while a client that takes turns waits for its reply, nothing is. A drain waits for
// nothing: there a read only fetches what is there.
void Session::start_operations() {
  if (unsent() > 0 && !holds_back_ && !writing_.taken()) {
    socket_.async_wait(Socket::wait_write, writing_([this](const error_code&) {
                         host_.begin_round();
                         guarded([this] { on_writable(); });
                       }));
  }
  const bool reads =
      received_ == 0 && !end_of_input_ && (!host_.draining || state_ == State::lingering || input_comes());
  if (reading_.taken()) {
    error_code ignored;
    if (watching_ && reads) socket_.cancel(ignored);
  } else if (reads) {
    if (read_due_ || takes_turns()) return;
    host_.readers.push_back(this);
    read_due_ = true;
  } else {
    watching_ = true;
    socket_.async_wait(Socket::wait_error, reading_([this](const error_code& failure) {
                         host_.begin_round();
                         guarded([&] { on_error(failure); });
                       }));
  }
}

void Session::hold_back_no_longer() {
  if (!open() || !holds_back_) return;
  send(out_);
  if (open()) end_step();
}

void Session::wait_longer() {
  hold_back_no_longer();
  if (open()) start_operations();
  if (waiting_ != Waiting::reply) return;
  auto& list = host_.list(waiting_);
  list.splice(list.end(), list, self_);
  since_ = host_.now;
}

void Session::read() {
  read_due_ = false;
  if (!open() || reading_.taken() || received_ > 0 || end_of_input_) return;
  if (reads_much_ && may_receive() && !host_.memory.growing_waits()) {
    socket_.async_wait(Socket::wait_read, reading_([this](const error_code& failure) {
                         host_.begin_round();
                         guarded([&] { on_readable(failure); });
                       }));
  } else {
    socket_.async_read_some(asio::buffer(own_), reading_([this](const error_code& failure, std::size_t size) {
                              host_.begin_round();
                              guarded([&] { on_read(failure, size); });
                            }));
  }
}

Buffer& Session::reply_buffer(std::size_t request_bytes) {
  KARMA_CHECK(pending_ > 0 && request_bytes <= pending_bytes_);
  --pending_;
  pending_bytes_ -= request_bytes;
  holds_back_ = false;
  if (pending_ == 0 && pause_ == Pause::pending_replies) pause_ = Pause::none;
  if (open()) {
    enqueue();
    return out_;
  }
  update_waiting();
  host_.unwanted.clear();
  return host_.unwanted;
}

void Session::resume() {
  queued_ = false;
  if (waits_for_room()) pause_ = Pause::none;
  if (open()) return go_on();
  update_waiting();
}

void Session::go_on() {
  if (received_ > 0 && may_receive()) {
    receive({});
  } else if (!input_handled_) {
    handle_input({});
  } else {
    send(out_);
    if (open()) end_step();
  }
}

void Session::try_again() {
  if (open() && waits_for_room()) enqueue();
}

std::size_t Session::freeable_bytes() const {
  if (!open() || state_ == State::lingering || pending_ > 0) return 0;
  if (host_.now - since_ < kRoomPatience) return 0;
  if (unsent() > 0) return counted_;
  if (received_ > 0 && host_.now - host_.writes_waited < kRoomPatience) return 0;
  return input_handled_ ? counted_ : 0;
}

void Session::make_room() {
  if (unsent() > 0) return close(true);
  pause_ = Pause::none;
  in_.release();
  state_ = State::last_reply;
  host_.handler.reply_error(
      internal_error("The node holds as much for its clients as it may; try again shortly, with less at a time"), out_);
  send(out_);
  if (open()) end_step();
}

// What a read has got is not known before its handler is called.
void Session::drain() {
  error_code ignored;
  if (!open() || state_ == State::lingering) return;
  if (reading_.taken()) {
    socket_.cancel(ignored);
  } else {
    end_step();
  }
}

void Session::close(bool reset) {
  if (!open()) return;
  error_code ignored;
  if (reset) socket_.set_option(Socket::linger(true, 0), ignored);
  socket_.close(ignored);
  state_ = State::closed;
  --host_.open_sockets;
  in_.release();
  out_.release();
  sent_ = 0;
  update_waiting();
}

void Session::enqueue() {
  if (queued_) return;
  host_.queued.push_back(this);
  queued_ = true;
}

bool Session::may_handle(std::size_t unsent) const {
  return state_ == State::serving && pause_ == Pause::none && pending_ < kMaxPending &&
         pending_bytes_ < kMaxPendingBytes && unsent < kMaxUnsentBytes;
}

// Bytes that are here come first: each look at the socket could add more to them than a step handles.
bool Session::may_receive() const {
  return input_handled_ && may_handle(unsent()) &&
         !(holds_little() ? host_.memory.reading_waits() : host_.memory.growing_waits());
}

bool Session::waits_for_room() const {
  return pause_ == Pause::write_room || pause_ == Pause::large_write_room || pause_ == Pause::buffer_room;
}

// A client that never had two requests under way mostly sends the next one after the reply: until then a read would be
// in vain. If the next one comes sooner all the same, it waits for that reply.
bool Session::takes_turns() const {
  return pending_ == 1 && !pipelines_ && in_.empty() && !host_.draining && host_.now - since_ < kTurnPatience;
}

// It holds the beginning of a line at most: to go on reading costs the node next to nothing.
bool Session::holds_little() const { return out_.empty() && in_.size() <= kOwnReadBytes; }

// It has something to handle and nothing else to wait for, and nobody else would wake it.
bool Session::lacks_buffer_room() const {
  return received_ > 0 && input_handled_ && pending_ == 0 && unsent() == 0 && may_handle(0) && !may_receive();
}

}  // namespace karma::server
