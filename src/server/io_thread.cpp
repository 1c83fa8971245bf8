#include "server/io_thread.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace karma::server {
namespace {

// While draining, how often to look whether clients have acknowledged their last replies.
constexpr std::chrono::milliseconds kDrainStep{10};
// While sessions wait for room, how often to look whether there is some, and how many try at a time.
constexpr std::chrono::milliseconds kRoomStep{10};
constexpr std::size_t kTriesForRoom = 64;
// After a round that failed.
constexpr std::chrono::milliseconds kRetryPause{10};

TimePoint steady_now() { return std::chrono::steady_clock::now(); }

}  // namespace

IoThread::IoThread(std::string name, IoThreadOptions options, const engine::MakeRequestHandler& make_handler,
                   std::atomic<int>& open_connections, engine::ClientMemory& memory, EventLog& log,
                   std::function<void()> changed)
    : options_(options),
      open_connections_(open_connections),
      memory_(memory),
      log_(log),
      changed_(std::move(changed)),
      handler_(make_handler([this] { poller_.ring(); })),
      host_(poller_, *handler_, options.session, memory),
      thread_([this, name] {
        ::pthread_setname_np(::pthread_self(), name.c_str());
        run();
      }) {}

IoThread::~IoThread() {
  order([](Orders& orders) { orders.stop = true; });
  thread_.join();
}

void IoThread::adopt(FileDescriptor socket) {
  order([&](Orders& orders) { orders.adopt.push_back(std::move(socket)); });
}

void IoThread::drain() {
  order([](Orders& orders) { orders.drain = true; });
}

void IoThread::close_all() {
  order([](Orders& orders) { orders.close_all = true; });
}

void IoThread::order(const std::function<void(Orders&)>& change) {
  {
    std::lock_guard lock(orders_mutex_);
    change(orders_);
  }
  poller_.ring();
}

// One broken session must not take the others with it.
template <class Step>
void IoThread::guarded(Session& session, Step step) {
  try {
    step();
  } catch (const std::exception& failure) {
    log_.error("session.failed", failure.what());
    session.close(true);
  }
}

// `act` may move the session to another list, where it is met again: it must not mind.
template <class Act>
void IoThread::for_each_session(Act act) {
  for (auto& list : host_.waiting) {
    for (auto next = list.begin(); next != list.end();) act(*next++);
  }
}

void IoThread::run() {
  while (!stopping_) {
    auto events = poller_.wait(timeout_ms());
    host_.now = steady_now();
    for (const epoll_event& event : events) {
      auto& session = *static_cast<Session*>(event.data.ptr);
      guarded(session, [&] { session.on_event(event.events); });
    }
    // What fails outside a session, for want of memory, is left for the next round.
    try {
      finish_round();
    } catch (const std::exception& failure) {
      log_.error("server.io_failed", failure.what());
      std::this_thread::sleep_for(kRetryPause);
      poller_.ring();
    }
  }
  for_each_session([](Session& session) { session.close(); });
  reap();
}

void IoThread::finish_round() {
  handler_->flush();  // before the look at the bell: what is answered at once leaves in this round
  if (poller_.take_ring()) {
    obey();
    handler_->collect(
        [](void* connection, std::size_t request_bytes) -> Buffer& {
          return static_cast<Session*>(connection)->place_of_reply(request_bytes);
        },
        [](void* connection) { static_cast<Session*>(connection)->close(true); });
    host_.unwanted.release();
  }
  let_starved_try();
  resume_queued();
  handler_->flush();
  expire();
  make_room();
  reap();
}

// Orders stay until they are carried out.
void IoThread::obey() {
  std::vector<FileDescriptor> adopt;
  {
    std::lock_guard lock(orders_mutex_);
    adopt.swap(orders_.adopt);
    todo_.drain |= std::exchange(orders_.drain, false);
    todo_.close_all |= std::exchange(orders_.close_all, false);
    stopping_ |= orders_.stop;
  }
  for (FileDescriptor& socket : adopt) begin(std::move(socket));
  if (todo_.drain) {
    draining_ = true;
    for_each_session([this](Session& session) { guarded(session, [&] { session.drain(); }); });
    todo_.drain = false;
    changed_();  // of those that closed before, nobody was told
  }
  if (todo_.close_all) {
    for_each_session([](Session& session) { session.close(); });
    todo_.close_all = false;
  }
}

// A connection for which there is no memory is closed.
void IoThread::begin(FileDescriptor socket) {
  auto& list = host_.waiting[static_cast<std::size_t>(Waiting::bytes)];
  try {
    list.emplace_back(host_, std::move(socket));
  } catch (const std::exception& failure) {
    log_.error("session.failed", failure.what());
    open_connections_.fetch_sub(1);
    memory_.connections.fetch_sub(1);
    return;
  }
  ++counted_sockets_;
  list.back().start(std::prev(list.end()));
}

void IoThread::resume_queued() {
  // What is queued meanwhile has its turn after the next look at the sockets.
  for (Session* session : std::exchange(host_.queued, {})) guarded(*session, [&] { session->resume(); });
}

void IoThread::expire() {
  const std::pair<Waiting, std::chrono::milliseconds> timeouts[] = {
      {Waiting::bytes, options_.session.read_timeout},
      {Waiting::reader, options_.write_timeout},
      {Waiting::goodbye, options_.goodbye_timeout},
  };
  for (auto [waiting, timeout] : timeouts) {
    if (timeout.count() == 0) continue;
    auto& list = host_.waiting[static_cast<std::size_t>(waiting)];
    // Unsent bytes of a client that does not take them would stay in the kernel: forget them.
    while (!list.empty() && host_.now - list.front().waiting_since() >= timeout) {
      list.front().close(waiting == Waiting::reader);
    }
  }
  if (draining_) {
    for_each_session([](Session& session) { session.leave_if_quiet(); });
  }
}

void IoThread::let_starved_try() {
  if (memory_.writes_wait()) return;
  auto& starved = host_.waiting[static_cast<std::size_t>(Waiting::room)];
  for (std::size_t tries = std::min(starved.size(), kTriesForRoom); tries > 0; --tries) {
    starved.front().try_again();
    starved.splice(starved.end(), starved, starved.begin());  // who fails has his next turn after the others
  }
}

// While writes wait, the writer will make room. Otherwise what is buffered are lines that do not end and replies that
// nobody takes, and those who wait could wait for ever.
void IoThread::make_room() {
  if (!memory_.growing_waits() || memory_.writes_wait()) {
    full_since_.reset();
    return;
  }
  if (!full_since_) full_since_ = host_.now;
  if (host_.now - *full_since_ < kRoomPatience) return;
  Session* largest = nullptr;
  std::size_t freeable = 0;
  for_each_session([&](Session& session) {
    freeable += session.freeable_bytes();
    if (session.freeable_bytes() > (largest == nullptr ? 0 : largest->freeable_bytes())) largest = &session;
  });
  // Where most is about to be handled, that will do.
  if (largest != nullptr && freeable >= host_.buffered_bytes / 2) guarded(*largest, [&] { largest->make_room(); });
}

void IoThread::reap() {
  count_closed();
  auto& over = host_.waiting[static_cast<std::size_t>(Waiting::nothing)];
  if (!over.empty()) {
    const auto gone = over.remove_if([](const Session& session) { return !session.queued(); });
    memory_.connections.fetch_sub(static_cast<int>(gone));
  }
  const int paused = static_cast<int>(host_.waiting[static_cast<std::size_t>(Waiting::room)].size());
  if (paused != counted_paused_) memory_.paused.fetch_add(paused - std::exchange(counted_paused_, paused));
}

void IoThread::count_closed() {
  const std::size_t closed = counted_sockets_ - host_.open_sockets;
  if (closed == 0) return;
  counted_sockets_ = host_.open_sockets;
  open_connections_.fetch_sub(static_cast<int>(closed));
  if (draining_) changed_();
}

// Until the first deadline; -1 if there is none.
int IoThread::timeout_ms() const {
  if (!host_.queued.empty()) return 0;
  TimePoint first = TimePoint::max();
  auto consider = [&](Waiting waiting, std::chrono::milliseconds timeout) {
    const auto& list = host_.waiting[static_cast<std::size_t>(waiting)];
    if (timeout.count() > 0 && !list.empty()) first = std::min(first, list.front().waiting_since() + timeout);
  };
  consider(Waiting::bytes, options_.session.read_timeout);
  consider(Waiting::reader, options_.write_timeout);
  consider(Waiting::goodbye, options_.goodbye_timeout);
  if (draining_ && host_.open_sockets > 0) first = std::min(first, host_.now + kDrainStep);
  if (!host_.waiting[static_cast<std::size_t>(Waiting::room)].empty() || full_since_) {
    first = std::min(first, host_.now + kRoomStep);
  } else if (host_.buffered_bytes >= engine::ClientMemory::kStepBytes) {
    first = std::min(first, host_.now + kRoomPatience);  // others may need the room
  }
  if (first == TimePoint::max()) return -1;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(first - host_.now).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 60'000));
}

}  // namespace karma::server
