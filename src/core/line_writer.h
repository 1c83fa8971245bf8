// Lines on their way to a pipe, a terminal or a file that may be stalled: they wait in a bounded queue for a thread of
// their own, so that nobody else ever waits for the reader. What finds no room is lost and counted; a line says how
// many as soon as lines are written again.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace karma {

// Thread-safe. Lines are written whole and in the order in which they came.
class LineWriter {
 public:
  static constexpr std::size_t kMaxQueuedBytes = std::size_t{1} << 20;
  // The line that tells of `count` lost ones; `last` is the last of those that wanted to be written.
  using TellLost = std::string (*)(std::uint64_t count, const std::string& last);

  // Starts the thread, which takes no signals.
  explicit LineWriter(TellLost tell_lost);
  // Gives up what finish() has not waited for. A thread that hangs in a write is left to itself: it ends when that
  // does.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Never blocks. `line` has its line end. The descriptor must stay open as long as the process lives.
  void post(int fd, std::string line) noexcept;
  // Waits until all that was posted is written or lost, at most until the deadline.
  void finish(std::chrono::steady_clock::time_point deadline);
  // For a line that could not even be made.
  void count_lost() noexcept;
  std::uint64_t lost() const noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the thread
};

}  // namespace karma
