#include "core/line_writer.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

namespace karma {
namespace {

struct Line {
  int fd;
  std::string text;
  std::uint64_t lost_before;  // lines that found no room between the one before and this one
};

std::size_t cost(const std::string& text) { return sizeof(Line) + text.size(); }

}  // namespace

struct LineWriter::State {
  explicit State(TellLost tell) : tell_lost(tell) {}

  const TellLost tell_lost;
  std::atomic<std::uint64_t> lost{0};

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Line> lines;         // guarded by mutex, like the rest
  std::size_t queued_bytes = 0;   // of lines
  std::uint64_t lost_at_end = 0;  // after the last of lines
  int last_fd = -1;               // where the last line was to go
  std::string lost_line;          // the last of those
  bool writing = false;
  bool stopping = false;

  void run();

  // of the thread
  void write(Line line);
  bool put(int fd, std::string_view text);
  void tell(int fd, const std::string& last);

  std::uint64_t untold = 0;  // lost lines that no line has told of
  bool well = true;          // the last write succeeded
  bool torn = false;         // it ended within a line
};

void LineWriter::State::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    writing = false;
    changed.notify_all();
    changed.wait(lock, [this] { return stopping || !lines.empty() || (lost_at_end > 0 && well); });
    if (lines.empty() && (stopping || lost_at_end == 0)) return;
    writing = true;
    if (lines.empty()) {
      untold += std::exchange(lost_at_end, 0);
      const int fd = last_fd;
      const std::string last = lost_line;
      lock.unlock();
      tell(fd, last);
    } else {
      Line line = std::move(lines.front());
      lines.pop_front();
      queued_bytes -= cost(line.text);
      lock.unlock();
      write(std::move(line));
    }
    lock.lock();
  }
}

void LineWriter::State::write(Line line) {
  untold += line.lost_before;
  if (untold > 0 && well) tell(line.fd, line.text);
  if (put(line.fd, line.text)) {
    if (untold > 0) tell(line.fd, line.text);
  } else {
    ++untold;
    lost.fetch_add(1, std::memory_order_relaxed);
  }
}

void LineWriter::State::tell(int fd, const std::string& last) {
  if (put(fd, tell_lost(untold, last))) untold = 0;
}

// False: not, or only the begin of it.
bool LineWriter::State::put(int fd, std::string_view text) {
  std::string with_end;
  if (torn) text = with_end = "\n" + std::string(text);
  well = true;
  while (!text.empty()) {
    const ssize_t size = ::write(fd, text.data(), text.size());
    if (size > 0) {
      text.remove_prefix(static_cast<std::size_t>(size));
      torn = !text.empty();
    } else if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      pollfd watched{fd, POLLOUT, 0};  // somebody who shares the descriptor has made it non-blocking
      ::poll(&watched, 1, -1);
    } else if (size == 0 || errno != EINTR) {
      return well = false;
    }
  }
  return true;
}

LineWriter::LineWriter(TellLost tell_lost) : state_(std::make_shared<State>(tell_lost)) {
  // A pipe without a reader is an error of write(), not a signal; and signals of the process are for other threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  std::thread([state = state_] {
    ::pthread_setname_np(::pthread_self(), "karma-log");
    try {
      state->run();
    } catch (const std::exception&) {
      // No memory for a line about lost ones: from here on all are.
    }
  }).detach();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LineWriter::~LineWriter() {
  std::lock_guard lock(state_->mutex);
  state_->stopping = true;
  state_->lost.fetch_add(state_->lines.size(), std::memory_order_relaxed);
  state_->lines.clear();
  state_->changed.notify_all();
}

void LineWriter::post(int fd, std::string line) noexcept {
  State& state = *state_;
  std::lock_guard lock(state.mutex);
  state.last_fd = fd;
  try {
    if (state.queued_bytes + cost(line) <= kMaxQueuedBytes) {
      const std::size_t bytes = cost(line);
      state.lines.push_back({fd, std::move(line), state.lost_at_end});
      state.queued_bytes += bytes;
      state.lost_at_end = 0;
      state.changed.notify_all();
      return;
    }
  } catch (const std::bad_alloc&) {
  }
  ++state.lost_at_end;
  state.lost.fetch_add(1, std::memory_order_relaxed);
  state.lost_line = std::move(line);
}

void LineWriter::count_lost() noexcept {
  std::lock_guard lock(state_->mutex);
  ++state_->lost_at_end;
  state_->lost.fetch_add(1, std::memory_order_relaxed);
}

void LineWriter::finish(std::chrono::steady_clock::time_point deadline) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  state.changed.wait_until(
      lock, deadline, [&] { return state.lines.empty() && !state.writing && (state.lost_at_end == 0 || !state.well); });
}

std::uint64_t LineWriter::lost() const noexcept { return state_->lost.load(std::memory_order_relaxed); }

}  // namespace karma
