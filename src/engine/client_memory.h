// The memory that all clients together may cause to be held: one budget in three shares, so that none can use up the
// memory that the others need.
//
//   requests  an eighth   on their way through writer or workers, with what workers have answered, whether or not their
//                         connection still lives
//   buffers   an eighth   received and not handled yet (partial lines too), and replies that nobody has taken yet
//   staged    the rest    points of ingest streams
//
// Requests without room wait: a write is not handled while too much is under way, a large one while half as much is,
// and a connection is not read while too much is buffered, earlier if much of it is its own. Staged points would wait
// for ever, so they are refused. Reads go on while writes wait for a disk: from half of the share of buffers on,
// requests that cannot be handled yet are left in the kernel, and no reads queue for workers, who may take long.
//
// Each I/O thread counts writes and buffers for itself and passes on its changes in steps, so that nobody shares a
// counter for each request; the sums are off by a step for each thread at most.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace karma::engine {

class ClientMemory {
 public:
  static constexpr std::size_t kStepBytes = 64 << 10;
  // A request of so many bytes changes more than a few counters.
  static constexpr std::size_t kLargeRequestBytes = 4 << 10;
  // A counter with a single day, and the room that its page keeps.
  static constexpr std::size_t kStagedPointBytes = 48;

  explicit ClientMemory(std::size_t limit) : limit_(limit) {}

  // A thread's part of one of the sums.
  class Part {
   public:
    explicit Part(std::atomic<std::size_t>& sum) : sum_(sum) {}
    ~Part() { pass_on(0); }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

    void set(std::size_t bytes) {
      const std::size_t difference = bytes > passed_on_ ? bytes - passed_on_ : passed_on_ - bytes;
      if (difference >= kStepBytes || (bytes == 0 && difference != 0)) pass_on(bytes);
    }

   private:
    void pass_on(std::size_t bytes) {
      sum_.fetch_add(bytes - passed_on_, std::memory_order_relaxed);  // modulo 2^64
      passed_on_ = bytes;
    }
    std::atomic<std::size_t>& sum_;
    std::size_t passed_on_ = 0;
  };

  static bool is_large(std::size_t request_bytes) { return request_bytes >= kLargeRequestBytes; }

  std::size_t limit() const { return limit_; }
  std::uint64_t max_staged_points() const { return (limit_ - 2 * (limit_ / 8)) / kStagedPointBytes; }
  // A quarter of the share is there for writes and a quarter for workers, whatever the others hold: writes that wait
  // for the disk must not keep out long reads, nor a crowd of long reads the writes. Large writes wait earlier than
  // small ones, which overtake them in the writer and must be able to get there.
  bool writes_wait(bool large) const {
    const std::size_t held = writes.load(std::memory_order_relaxed);
    const std::size_t all = held + jobs.load(std::memory_order_relaxed);
    return large ? held >= quarter() / 2 && all >= 2 * quarter() : held >= quarter() && all >= 3 * quarter();
  }
  bool jobs_are_refused() const {
    const std::size_t held = jobs.load(std::memory_order_relaxed);
    return held >= 3 * quarter() || held + writes.load(std::memory_order_relaxed) >= 4 * quarter();
  }
  bool reading_waits() const { return buffers.load(std::memory_order_relaxed) >= limit_ / 8; }
  // Connections with many buffered bytes are stopped earlier, so that there is room for the others.
  bool growing_waits() const { return buffers.load(std::memory_order_relaxed) >= limit_ / 16; }

  std::size_t requests() const { return writes.load(std::memory_order_relaxed) + jobs.load(std::memory_order_relaxed); }

  std::atomic<std::size_t> writes{0};  // of the requests, those on their way through the writer
  std::atomic<std::size_t> jobs{0};    // and through workers
  std::atomic<std::size_t> buffers{0};
  std::atomic<int> paused{0};             // connections that wait for room
  std::atomic<int> connections{0};        // that have a socket or requests under way
  std::atomic<std::uint64_t> arrived{0};  // connections since the start: their ids

 private:
  std::size_t quarter() const { return limit_ / 8 / 4; }  // of the share of requests

  const std::size_t limit_;
};

}  // namespace karma::engine
