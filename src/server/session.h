// One connection: bytes in, lines to the handler, replies out. Lives on one I/O thread and never blocks it.
//
// Input   is read into a small buffer of the session's own. Only when that came full, what else there is follows in a
//         large one that all sessions of the thread share, and the next read goes there directly. Lines are handled
//         from there; only what cannot be handled yet (a partial line, lines after a paused one) is kept beyond the
//         step. While the node has little room, most of that is left in the kernel.
// Output  likewise: replies are gathered in a shared buffer and leave with one send. What the socket does not take is
//         kept, and so are, for a moment, replies to reads before a write, to leave with the write's reply.
// Pauses  handling stops while a line is blocked, while too many replies are pending, and while the client takes none.
//         Reading stops as soon as the small buffer holds something that has to wait. So a connection costs at most a
//         response and a read buffer. All together are held to the budget of the node: without room for a write, or for
//         more buffered bytes, a session waits for room.
// End     the client's half-close: everything complete is answered, a last line without line end too; then close.
//         Over-long line, and a first line that is no request (HTTP): answer, half-close, discard input for a bounded
//         time and amount (closing at once would reset the connection and the client would lose the answer), close.
//         Shutdown (drain): complete lines that have arrived are answered, also those that a paused connection has not
//         read yet; a partial one is dropped; then close.
// A session whose socket is gone stays until the handler has delivered its replies, whose address it is, and Asio has
// called the handlers of what was under way.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "commands/services.h"
#include "core/buffer.h"
#include "core/log.h"
#include "engine/client_memory.h"
#include "engine/request_handler.h"
#include "server/asio.h"
#include "server/line_framer.h"
#include "server/peer_address.h"

namespace karma::server {

using TimePoint = std::chrono::steady_clock::time_point;

// Bytes read at a time: most requests fit into the former.
inline constexpr std::size_t kOwnReadBytes = 2000;
inline constexpr std::size_t kReadBytes = 64 << 10;
// With this many unsent bytes a session handles nothing more until the client has taken some.
inline constexpr std::size_t kMaxUnsentBytes = 64 << 10;
// With this many pending replies a session handles nothing more until one has come.
inline constexpr std::size_t kMaxPending = 1024;
// Likewise with this many bytes of requests after them, because requests that wait for the disk are copies. Enough for
// the next requests to be decoded while the writer handles those before.
inline constexpr std::size_t kMaxPendingBytes = 2 << 20;
// So many bytes of replies at most wait for the reply to a write after them, so that one system call sends them all.
inline constexpr std::size_t kMostHeldBack = 16 << 10;
// Buffers above this are freed when they are empty.
inline constexpr std::size_t kKeptBufferBytes = 4 << 10;
inline constexpr std::size_t kKeptSharedBufferBytes = 4 << 20;
// This long sessions that hold the room for buffers may make no progress; then they have to give it up.
inline constexpr std::chrono::seconds kRoomPatience{1};
// So long nothing is read of a client that waits for one reply, and nothing is sent to one whose next reply is held up.
inline constexpr std::chrono::milliseconds kTurnPatience{100};
// A line may take this many times the read timeout from its first byte to its last.
inline constexpr int kMaxLineAge = 12;
// How much of a client's input is discarded after the last reply, so that it can read that reply.
inline constexpr std::size_t kMaxDiscardedBytes = 64 << 20;
inline constexpr std::chrono::seconds kMaxDiscardTime{5};

struct SessionOptions {
  std::size_t max_request_bytes = 4096;
  std::chrono::milliseconds read_timeout{5000};  // 0: never
  int port = 0;                                  // as told to HTTP clients
};

// The reasons for which a session waits. Each has a timeout of its own, so sessions that wait for the same thing, in
// the order in which they began to, are in the order of their deadlines.
enum class Waiting { bytes, reader, linger, reply, write_room, large_write_room, buffer_room, nothing };
inline constexpr std::size_t kWaitingCount = 8;

class Session;

// The state that the sessions of a thread share.
struct SessionHost {
  engine::RequestHandler& handler;
  const SessionOptions options;
  EventLog& log;
  const std::function<void()> request_round;
  TimePoint now;                 // when this wake-up began
  bool in_round = false;         // the round that ends this wake-up has been requested
  bool draining = false;         // new requests are not waited for
  Buffer input;                  // kReadBytes
  Buffer output;                 // replies of the session at work
  Buffer unwanted;               // a reply whose client has gone
  std::vector<Session*> queued;  // sessions to be resumed in the next round
  // Sessions that are to read. They begin at the end of the round: by then many clients have sent their next request,
  // and the attempt with which Asio begins each read is not in vain.
  std::vector<Session*> readers;
  // Sessions that began in this round to hold back replies. Cleared in each round before sessions are forgotten.
  std::vector<Session*> held_back;
  std::list<Session> waiting[kWaitingCount];
  std::size_t open_sockets = 0;
  engine::ClientMemory& memory;
  TimePoint writes_waited;              // when writes were last seen to wait for room
  std::size_t buffered_bytes = 0;       // of all sessions
  engine::ClientMemory::Part buffered;  // of the node's

  SessionHost(engine::RequestHandler& handler, SessionOptions options, engine::ClientMemory& memory, EventLog& log,
              std::function<void()> request_round);

  std::list<Session>& list(Waiting what) { return waiting[static_cast<std::size_t>(what)]; }
  const std::list<Session>& list(Waiting what) const { return waiting[static_cast<std::size_t>(what)]; }
  // Before anything else: reads the clock and requests the round at the end of the wake-up. Once for all sessions of a
  // wake-up.
  void begin_round();
};

class Session {
 public:
  // `self`: where the host keeps it. Begin with start().
  Session(SessionHost& host, Socket socket);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start(std::list<Session>::iterator self);
  // The reply to a request of this many bytes has come: returns the buffer that takes it. The session is queued;
  // nothing is sent yet.
  Buffer& reply_buffer(std::size_t request_bytes);
  // There may be room again: queued, to try.
  void try_again();
  // The node needs the room of what is buffered here: tells the client, if that is possible, and closes.
  void make_room();
  // From the host's queue: goes on where it paused.
  void resume();
  // From the host's list: begins to read.
  void read();
  // The host drains: answers what has arrived; closes as soon as everything is answered and nothing more is there.
  void drain();
  // The reply to the write will not come at once: sends those before it.
  void hold_back_no_longer();
  // It has waited long for a reply: sends what it holds back, and reads meanwhile, so that it is seen when the client
  // goes.
  void wait_longer();
  // While draining: closes if the client has everything and is quiet; to be asked now and then.
  void leave_if_quiet();
  // Closes the socket now. With `reset` unsent bytes are forgotten by the kernel, too.
  void close(bool reset = false);

  // One session that breaks must not take the others with it.
  template <class Step>
  void guarded(Step step) {
    try {
      step();
    } catch (const std::exception& failure) {
      host_.log.error("session.failed", failure.what());
      close(true);
    }
  }

  // For system.clients.
  std::uint64_t id() const { return id_; }
  commands::ClientInfo info() const;
  // Of the client: host and port.
  std::string address() const { return open() ? peer_address(socket_) : "gone"; }
  bool open() const { return state_ != State::closed; }
  // True if nothing refers to it any more.
  bool over() const {
    return waiting_ == Waiting::nothing && !queued_ && !read_due_ && !reading_.taken() && !writing_.taken();
  }
  TimePoint waiting_since() const { return since_; }
  // What make_room() would free: of lines that do not end, and of replies that the client takes nothing of. A line of
  // which more has come ends when there is room for it; while writes wait for the disk, that is not up to its client.
  std::size_t freeable_bytes() const;

 private:
  enum class State : std::uint8_t {
    serving,
    last_reply,  // nothing more is handled; lingers when everything is sent
    lingering,   // our side is closed: what comes is discarded until the client closes its side
    closed,
  };
  // Why the next line has to wait.
  enum class Pause : std::uint8_t { none, pending_replies, write_room, large_write_room, buffer_room };
  // Since it took its place among those who wait.
  enum class Progress : std::uint8_t { none, received, sent };

  void on_read(const error_code& failure, std::size_t size);
  void on_readable(error_code failure);
  void on_received(const error_code& failure, std::string_view fresh);
  void on_error(const error_code& failure);
  void on_writable();
  void go_on();
  std::string_view take_received(bool peek);
  std::string_view fetch_peeked(std::string_view fresh, std::size_t handled);
  void receive(std::string_view fresh);
  void discard();
  void handle_input(std::string_view fresh);
  std::size_t handle_lines(std::string_view bytes, Buffer& out);
  bool handle_line(std::string_view line, Buffer& out);
  void await_reply(std::size_t request_bytes);
  void send(Buffer& bytes);
  void end_step();
  void begin_lingering();
  void update_waiting();
  void start_operations();
  void enqueue();
  void count_buffers();
  Waiting waits_for() const;
  bool quiet();
  bool has_arrived();
  bool input_comes();

  bool may_handle(std::size_t unsent) const;
  bool may_receive() const;
  bool waits_for_room() const;
  bool takes_turns() const;
  bool holds_little() const;
  bool lacks_buffer_room() const;
  std::size_t unsent() const { return out_.size() - sent_; }

  SessionHost& host_;
  Socket socket_;
  OperationRoom reading_;  // or watching
  OperationRoom writing_;
  LineFramer framer_;
  Buffer in_;                      // received, not handled
  Buffer out_;                     // replies that the socket has not taken, or that are held back
  std::size_t sent_ = 0;           // of out_
  std::size_t pending_ = 0;        // replies that will come
  std::size_t pending_bytes_ = 0;  // of their requests
  std::size_t counted_ = 0;        // of in_ and out_, as the host counts them
  std::size_t peeked_ = 0;         // of what is being handled, still in the kernel
  std::size_t discarded_ = 0;
  std::size_t drained_ = 0;  // bytes read while draining

  const std::uint64_t id_;
  const TimePoint opened_;
  TimePoint latest_request_;
  std::string_view latest_op_;
  std::uint64_t handled_bytes_ = 0;
  std::uint64_t sent_bytes_ = 0;

  std::list<Session>::iterator self_;
  TimePoint since_;
  TimePoint line_since_;  // first byte of the line that is in the buffer
  Waiting waiting_ = Waiting::bytes;

  State state_ = State::serving;
  Pause pause_ = Pause::none;
  Progress progress_ = Progress::none;
  bool first_line_ = true;
  bool input_handled_ = true;  // nothing but a partial line is in in_
  bool end_of_input_ = false;  // the client has closed its side
  bool watching_ = false;      // what reading_ is taken by is no read
  bool holds_back_ = false;    // what is in out_, if anything, leaves with the next reply
  bool queued_ = false;
  bool read_due_ = false;
  bool pipelines_ = false;   // the client has sent a request before the reply to the one before
  bool reads_much_ = false;  // the last read would not have fitted into own_

  std::uint16_t received_ = 0;  // of own_; they come after in_
  char own_[kOwnReadBytes];
};

}  // namespace karma::server
