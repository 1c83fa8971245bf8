#include "server/io_thread.h"

#include <unistd.h>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <thread>
#include <utility>

namespace karma::server {
namespace {

// While draining, how often to look whether clients have acknowledged their last replies.
constexpr std::chrono::milliseconds kDrainStep{10};
// While sessions wait for room, how often to look whether there is some, and how many try at a time.
constexpr std::chrono::milliseconds kRoomStep{10};
constexpr std::size_t kTriesForRoom = 64;
// So many clients that wait for replies keep the thread busy.
constexpr std::size_t kManyClients = 8;
// After a round that failed.
constexpr std::chrono::milliseconds kRetryPause{10};

}  // namespace

IoThread::IoThread(std::string name, IoThreadOptions options, const engine::MakeRequestHandler& make_handler,
                   std::atomic<int>& open_connections, engine::ClientMemory& memory, SpinPlaces& spin_places,
                   EventLog& log, std::function<void()> changed)
    : options_(options),
      open_connections_(open_connections),
      memory_(memory),
      log_(log),
      changed_(std::move(changed)),
      thread_(std::move(name), log, &spin_places),
      handler_(make_handler([this] { wake(); })),
      host_(*handler_, options.session, memory, log, [this] { request_round(); }),
      timer_(thread_.context()) {
  handler_->name_clients([](const void* connection) { return static_cast<const Session*>(connection)->address(); });
}

IoThread::~IoThread() {
  post([this] {
    stopping_ = true;
    for_each_session([](Session& session) { session.close(); });
    timer_.cancel();
  });
  thread_.finish();
  reap();
}

void IoThread::adopt(Socket accepted) {
  Socket socket(thread_.context());
  const int descriptor = accepted.release();
  try {
    socket.assign(Tcp::v4(), descriptor);
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  asio::post(thread_.context(), [this, socket = std::move(socket)]() mutable {
    host_.begin_round();
    begin(std::move(socket));
  });
  sockets_.fetch_add(1, std::memory_order_relaxed);
}

std::future<commands::ClientPage> IoThread::clients(std::uint64_t after, std::size_t limit) {
  const auto promise = std::make_shared<std::promise<commands::ClientPage>>();
  post([this, promise, after, limit] {
    commands::ClientPage page{.count = host_.open_sockets};
    std::vector<const Session*> found;
    for_each_session([&](const Session& session) {
      if (session.open() && session.id() > after) found.push_back(&session);
    });
    std::ranges::sort(found, {}, &Session::id);
    found.resize(std::min(found.size(), limit));
    for (const Session* session : found) page.clients.push_back(session->info());
    promise->set_value(std::move(page));
  });
  return promise->get_future();
}

void IoThread::set_tokens(const engine::AccessTokens& tokens) {
  post([this, tokens] { handler_->set_tokens(tokens); });
}

void IoThread::drain() {
  drain_requested_.store(true);
  post([this] {
    host_.draining = true;
    for_each_session([](Session& session) { session.guarded([&] { session.drain(); }); });
    changed_();  // nobody was told of those that closed before
  });
}

void IoThread::close_all() {
  post([this] { for_each_session([](Session& session) { session.close(); }); });
}

void IoThread::run_soon(std::function<void()> function) { asio::post(thread_.context(), std::move(function)); }

template <class Function>
void IoThread::post(Function function) {
  asio::post(thread_.context(), [this, function] {
    host_.begin_round();
    function();
  });
}

// Thread-safe. A system call only if the thread waits.
void IoThread::wake() {
  woken_.store(true, std::memory_order_release);
  request_round();
}

void IoThread::request_round() {
  if (round_requested_.exchange(true)) return;
  asio::post(thread_.context(), round_room_([this] { round(); }));
}

// Work that fails outside a session, for want of memory, is left for the next round.
void IoThread::round() {
  // Of a wake-up that only brings replies nobody knows when it began.
  const TimePoint begun = std::exchange(host_.now, std::chrono::steady_clock::now());
  const auto took = host_.in_round ? host_.now - begun : TimePoint::duration::zero();
  attempt([&] { handler_->begin_round(host_.now, took); });
  host_.in_round = false;
  // Before the replies are collected: answers that come at once leave in this round.
  const bool flushed = attempt([this] { handler_->flush(); });
  round_requested_.exchange(false);
  if (attempt([this] { answer(); }) && flushed) return;
  std::this_thread::sleep_for(kRetryPause);
  wake();
}

template <class Step>
bool IoThread::attempt(Step step) {
  try {
    step();
    return true;
  } catch (const std::exception& failure) {
    log_.error("server.io_failed", failure.what());
    return false;
  }
}

void IoThread::answer() {
  if (woken_.exchange(false, std::memory_order_acquire)) {
    // A round that was requested before the drain may bring replies of after it.
    if (drain_requested_.load()) host_.draining = true;
    collect_replies();
  }
  retry_starved();
  resume_queued();
  handler_->flush();
  send_held_back();
  expire();
  make_room();
  for (Session* session : host_.readers) session->read();
  host_.readers.clear();
  reap();
  if (!host_.queued.empty()) request_round();
  set_timer();
}

// `function` may move the session to another list, where it is met again: it must not mind.
template <class Function>
void IoThread::for_each_session(Function function) {
  for (auto& list : host_.waiting) {
    for (auto next = list.begin(); next != list.end();) function(*next++);
  }
}

// A connection for which there is no memory is closed.
void IoThread::begin(Socket socket) {
  auto& list = host_.list(Waiting::bytes);
  try {
    list.emplace_back(host_, std::move(socket));
  } catch (const std::exception& failure) {
    log_.error("session.failed", failure.what());
    sockets_.fetch_sub(1, std::memory_order_relaxed);
    open_connections_.fetch_sub(1);
    memory_.connections.fetch_sub(1);
    return;
  }
  ++counted_sockets_;
  Session& session = list.back();
  session.guarded([&] { session.start(std::prev(list.end())); });
}

void IoThread::collect_replies() {
  handler_->collect(
      [](void* connection, std::size_t request_bytes) -> Buffer& {
        return static_cast<Session*>(connection)->reply_buffer(request_bytes);
      },
      [](void* connection) { static_cast<Session*>(connection)->close(true); });
  host_.unwanted.release();
}

// Room for writes and room for buffered bytes come from different shares: neither may wait for the other. Nor may a
// small write wait for the room of a large one, which others like it could take up for ever.
void IoThread::retry_starved() {
  if (!memory_.writes_wait(false)) retry(Waiting::write_room);
  if (!memory_.writes_wait(true)) retry(Waiting::large_write_room);
  if (!memory_.reading_waits()) retry(Waiting::buffer_room);
}

void IoThread::retry(Waiting room) {
  auto& starved = host_.list(room);
  for (std::size_t tries = std::min(starved.size(), kTriesForRoom); tries > 0; --tries) {
    starved.front().try_again();
    starved.splice(starved.end(), starved, starved.begin());  // a session that fails has its next turn after the others
  }
}

void IoThread::resume_queued() {
  // Sessions that are queued meanwhile have their turn after the next look at the sockets.
  for (Session* session : std::exchange(host_.queued, {})) session->guarded([&] { session->resume(); });
}

// What was held back in this round and is not answered in it. A few clients do better with it at once: they send their
// next requests during the sync. With many, the system calls are what everybody waits for: there it leaves with the
// next reply, or from expire().
void IoThread::send_held_back() {
  if (host_.list(Waiting::reply).size() < kManyClients) {
    for (Session* session : host_.held_back) session->guarded([&] { session->hold_back_no_longer(); });
  }
  host_.held_back.clear();
}

void IoThread::expire() {
  const std::pair<Waiting, std::chrono::milliseconds> timeouts[] = {
      {Waiting::bytes, options_.session.read_timeout},
      {Waiting::reader, options_.write_timeout},
      {Waiting::linger, options_.linger_timeout},
  };
  for (auto [waiting, timeout] : timeouts) {
    if (timeout.count() == 0) continue;
    auto& list = host_.list(waiting);
    // Unsent bytes of a client that does not take them would stay in the kernel: forget them.
    while (!list.empty() && host_.now - list.front().waiting_since() >= timeout) {
      list.front().close(waiting == Waiting::reader);
    }
  }
  auto& replies = host_.list(Waiting::reply);
  while (!replies.empty() && host_.now - replies.front().waiting_since() >= kTurnPatience) {
    Session& session = replies.front();
    session.guarded([&] { session.wait_longer(); });
  }
  if (host_.draining) {
    for_each_session([](Session& session) { session.leave_if_quiet(); });
  }
}

// Bytes that are buffered while reading waits for room are lines that do not end, replies that nobody takes, and lines
// that are about to be handled. The first two could keep the others waiting for ever.
void IoThread::make_room() {
  if (memory_.writes_wait(true)) host_.writes_waited = host_.now;
  if (!memory_.growing_waits()) return make_room_at_.reset();
  if (!make_room_at_) make_room_at_ = host_.now + kRoomPatience;
  if (host_.now < *make_room_at_) return;
  make_room_at_ = host_.now + kRoomStep;  // not each round: it looks at all sessions
  Session* largest = nullptr;
  std::size_t freeable = 0;
  for_each_session([&](Session& session) {
    freeable += session.freeable_bytes();
    if (session.freeable_bytes() > (largest == nullptr ? 0 : largest->freeable_bytes())) largest = &session;
  });
  // If most of it is about to be handled, that is enough.
  if (largest != nullptr && freeable >= host_.buffered_bytes / 2) largest->guarded([&] { largest->make_room(); });
}

void IoThread::reap() {
  count_closed();
  auto& over = host_.list(Waiting::nothing);
  if (!over.empty()) {
    const auto gone = over.remove_if([](const Session& session) { return session.over(); });
    memory_.connections.fetch_sub(static_cast<int>(gone));
  }
  std::size_t starved = 0;
  for (const Waiting room : {Waiting::write_room, Waiting::large_write_room, Waiting::buffer_room}) {
    starved += host_.list(room).size();
  }
  const int paused = static_cast<int>(starved);
  if (paused != counted_paused_) memory_.paused.fetch_add(paused - std::exchange(counted_paused_, paused));
}

void IoThread::count_closed() {
  const int closed = static_cast<int>(counted_sockets_ - host_.open_sockets);
  if (closed == 0) return;
  counted_sockets_ = host_.open_sockets;
  sockets_.fetch_sub(closed, std::memory_order_relaxed);
  open_connections_.fetch_sub(closed);
  if (host_.draining) changed_();
}

// Deadlines mostly move away before they come: a timer that is early is left as it is, and set again when it ends.
void IoThread::set_timer() {
  const TimePoint first = first_deadline();
  if (stopping_ || first >= timer_at_) return;
  timer_at_ = TimePoint::max();
  timer_.expires_at(first);
  timer_.async_wait([this](const error_code& failure) {
    if (failure) return;  // set anew
    timer_at_ = TimePoint::max();
    host_.begin_round();
  });
  timer_at_ = first;
}

TimePoint IoThread::first_deadline() const {
  TimePoint first = TimePoint::max();
  auto consider = [&](Waiting waiting, std::chrono::milliseconds timeout) {
    const auto& list = host_.list(waiting);
    if (timeout.count() > 0 && !list.empty()) first = std::min(first, list.front().waiting_since() + timeout);
  };
  consider(Waiting::bytes, options_.session.read_timeout);
  consider(Waiting::reader, options_.write_timeout);
  consider(Waiting::linger, options_.linger_timeout);
  consider(Waiting::reply, kTurnPatience);
  if (host_.draining && host_.open_sockets > 0) first = std::min(first, host_.now + kDrainStep);
  if (counted_paused_ > 0 || make_room_at_) {
    first = std::min(first, host_.now + kRoomStep);
  } else if (host_.buffered_bytes >= engine::ClientMemory::kStepBytes) {
    first = std::min(first, host_.now + kRoomPatience);  // others may need the room
  }
  return first;
}

}  // namespace karma::server
