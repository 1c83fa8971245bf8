// The one place where the state changes, by one thread at a time: takes the waiting writes, logs them with one write
// and one sync, applies them, and answers. It has a thread of its own, so that nobody else waits for a disk. Without a
// log there is no disk, and a thread that submits takes the writer's place for the moment instead of waking it.
//
//   loop:  take all that waits, at most batch_size (waiting at most batch_wait for more)
//          of large writes, which take long: so many points at a time, their sources in turn
//          for each, in order:  admit  ->  log it | it waits for its turn, and is asked again | it is answered
//          append to the log (one write, one sync)   -> on failure: refuse exactly this batch
//          apply in order; what rides along is answered in its place
//          cycle_done: sessions are woken, once per thread
//
// The writer knows neither commands nor the store: a Machine does.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <karma/error.h>
#include <karma/types.h>

#include "core/histogram.h"
#include "core/spin.h"
#include "wal/log.h"
#include "wal/verdict.h"

namespace karma::wal {

// One mutation on its way. Owned by the submitter, which must keep it alive until the machine has answered it.
struct Write {
  // A write that changes this many points is large: it waits for its turn, and small writes of other sources overtake
  // it.
  static constexpr std::size_t kLarge = 64;

  Write* next = nullptr;
  std::string_view entry;  // text of the log entry; empty when the log keeps nothing
  Lsn lsn;                 // set before apply
  bool is_action = false;  // the place of an action among the writes, which no machine sees but by following `next`
  bool rides = false;      // no write: it has its place among those of its source, and is answered there
  std::uint32_t points = 1;
  const void* source = nullptr;                     // writes of one source keep their order
  std::chrono::steady_clock::time_point arrived{};  // 0: it is not timed
  std::uint64_t turn = 0;                           // the writer's, for large ones
};

// All functions are called by one thread at a time: the writer's, or the one in its place.
class Machine {
 public:
  virtual ~Machine() = default;
  // `batch_empty`: nothing is admitted and unapplied, so flush_first must not be returned. If it returns `answered`,
  // the machine has answered the write.
  virtual Verdict admit(Write& write, bool batch_empty) = 0;
  // Whether a small write takes as long as a large one does; asked only while slows_writes().
  virtual bool slows_writes() const { return false; }
  virtual bool is_slow(const Write&) const { return false; }
  // Does a part of the work for which a large write would keep others waiting, without any visible effect. `work`
  // limits how much, in the machine's units, and is lowered by what was done. False: there is more to do.
  virtual bool prepare(Write&, std::size_t&) { return true; }
  // Durable now, what is to be logged; apply in this order and answer each.
  virtual void apply(std::span<Write* const> batch) = 0;
  // Not logged, and never will be: answer each with the error.
  virtual void refuse(std::span<Write* const> batch, const Error& error) = 0;
  // Hands over the answers there are: what was answered at admission does not wait for the disk.
  virtual void hand_over() {}
  // The same; nothing more will happen for now.
  virtual void cycle_done() = 0;
  // Applied writes may leave work that nobody waits for: a millisecond of it is done between two batches, while there
  // is any. Only the writer's thread works; when it stops, the rest is left.
  virtual bool has_work() const { return false; }
  virtual void work() {}
};

// Of batches that were logged. The writer's until read.
struct WriterTimings {
  DurationHistogram queue;  // of a write, from its arrival to the beginning of its batch
  SizeHistogram batch;      // entries
};

struct WriterOptions {
  std::size_t batch_size = 1024;            // entries per sync
  std::chrono::microseconds batch_wait{0};  // how long a batch waits for more writes
  std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
  WriterTimings* timings = nullptr;   // nullptr: nobody asks for them
  SpinPlaces* spin_places = nullptr;  // nullptr: the writer's thread sleeps as soon as it has nothing to do
};

class Writer {
 public:
  struct Stats {
    std::uint64_t batches = 0;  // appends that succeeded
    std::uint64_t entries = 0;
    std::uint64_t failures = 0;  // appends that failed
  };

  // Starts the thread. `log` and `machine` must outlive the writer.
  Writer(Log& log, Machine& machine, WriterOptions options);
  ~Writer();  // stop()

  // Hands over a chain linked by `next`, in order. Thread-safe. `brief`: none of it takes long, so that the caller may
  // do it if no thread is busy with that and the log keeps nothing. After stop() the chain is refused (refuse,
  // cycle_done) on the caller's thread, by one thread at a time.
  void submit(Write* first, Write* last, bool brief = false);

  // Runs `action` on the writer's thread between two batches, with all earlier writes applied, and waits for it.
  // Thread-safe; not to be called from the writer's thread. False, and not run, after stop().
  bool run(const std::function<void()>& action);

  // Finishes everything submitted, then ends the thread.
  void stop();

  Stats stats() const;  // thread-safe

  // How often work was taken up so far; nothing while it waits for work, or has ended. One that is not stuck has
  // another answer soon. Thread-safe.
  std::optional<std::uint64_t> turns() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace karma::wal
