// A mutation on its way: decoded and encoded by an I/O thread, logged and applied by the writer, answered by the I/O
// thread again. A batch holds what one wake-up of an I/O thread brought; it belongs to the writer from flush to answer.
//
// What comes after a mutation on its connection, before that is answered, may ride along (wal::Write::rides): a short
// read, which the writer answers after the writes before it and before those after it, and what was refused already,
// whose answer only has to come in its turn. So no request of a pipeline makes it stop and go.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/arena.h"
#include "core/buffer.h"
#include "core/mutex.h"
#include "engine/client_memory.h"
#include "engine/decode.h"
#include "wal/writer.h"

namespace karma::engine {

class CompletionQueue;
struct MutationBatch;

struct Mutation : wal::Write, Decoded {
  commands::Outcome outcome;
  std::size_t entry_offset = 0;  // in the entries of the batch
  std::size_t entry_bytes = 0;
  void* connection = nullptr;
  std::size_t request_bytes = 0;  // for the connection
  CompletionQueue* completions = nullptr;
  MutationBatch* batch = nullptr;
  bool replicated = false;  // the master has admitted it
  // Where slaves have to confirm writes: whether the answer waits for them, and up to where they have to.
  bool waits_for_replicas = true;
  Lsn confirmed_at;
  bool tells_lsn = false;  // in its reply
  std::span<char> room;    // of a read that rides, for its answer
  std::string_view answer;
  Mutation* next_answered = nullptr;
  // Of a large one: how many of its counters are ready to be changed, if nothing has happened since, and how often
  // preparing was tried.
  std::size_t prepared = 0;
  int preparations = 0;
};

struct MutationBatch {
  static constexpr std::size_t kKeptEntryBytes = 1 << 20;

  Arena arena;     // mutations and commands
  Buffer entries;  // of the mutations, which get views of it once it grows no more
  wal::Write* first = nullptr;
  wal::Write* last = nullptr;
  std::size_t unanswered = 0;
  std::size_t held_bytes = 0;  // from flush to answer
  std::chrono::steady_clock::time_point submitted{};
  bool failed = false;  // one of it could not be logged: of replicated ones, none after it may be
  bool brief = true;    // nothing in it changes more than the counters that it names

  void append(Mutation& mutation) {
    mutation.batch = this;
    mutation.source = mutation.connection;
    if (!mutation.rides) brief &= mutation.op->idempotent;
    if (!mutation.rides && mutation.op->batch_size != nullptr) {
      mutation.points = static_cast<std::uint32_t>(std::max<std::size_t>(mutation.op->batch_size(mutation.command), 1));
    }
    (last == nullptr ? first : last->next) = &mutation;
    last = &mutation;
    ++unanswered;
  }
  // Before it goes to the writer.
  void view_entries() {
    for (wal::Write* write = first; write != nullptr; write = write->next) {
      const Mutation& mutation = *static_cast<Mutation*>(write);
      write->entry = entries.view().substr(mutation.entry_offset, mutation.entry_bytes);
    }
  }
  void reset() {
    arena.reset();
    entries.clear();
    if (entries.capacity() > kKeptEntryBytes) entries.release();
    first = last = nullptr;
    unanswered = 0;
    held_bytes = 0;
    failed = false;
    brief = true;
  }
  std::size_t footprint() const { return arena.footprint() + entries.capacity(); }
};

// A read or an admin op that runs on a worker thread.
struct Job : Decoded {
  Job() = default;
  ~Job() {
    if (memory != nullptr) memory->jobs.fetch_sub(held_bytes, std::memory_order_relaxed);
    if (counter != nullptr) counter->fetch_sub(1);
  }
  // Counts so many more bytes until the job is destroyed.
  void hold(std::size_t bytes) {
    held_bytes += bytes;
    memory->jobs.fetch_add(bytes, std::memory_order_relaxed);
  }

  Arena arena;                            // of the command, too
  Lsn min_lsn;                            // what is read must be no older
  std::chrono::milliseconds patience{0};  // for that
  void* connection = nullptr;
  std::size_t request_bytes = 0;
  ClientMemory* memory = nullptr;  // set before anything is held
  std::size_t held_bytes = 0;
  std::atomic<int>* counter = nullptr;  // counts the job until it is destroyed
  CompletionQueue* completions = nullptr;
  std::chrono::steady_clock::time_point arrived{};  // 0: it is not timed
  std::chrono::steady_clock::time_point submitted{};
  std::chrono::steady_clock::time_point begun{};  // by a worker
  std::chrono::steady_clock::time_point ended{};
  Status status;
  Buffer response;
  std::unique_ptr<Job> next;  // in a completion queue
};

// Where answers wait for the I/O thread that asked. Each side takes the lock once per hand-over.
class CompletionQueue {
 public:
  // `wake` is called, by any thread, when there is something to take.
  explicit CompletionQueue(std::function<void()> wake) : wake_(std::move(wake)) {}

  struct Answers {
    Mutation* first = nullptr;  // linked by next_answered
    std::unique_ptr<Job> jobs;  // linked by next
  };
  Answers take();

  // For the thread that has the writer's place: gathers, then hands over.
  void stage(Mutation& mutation);
  bool has_staged() const { return staged_first_ != nullptr; }
  void publish();

  // For any thread. Allocates nothing, so that an existing answer is always delivered.
  void publish(std::unique_ptr<Job> job);

 private:
  const std::function<void()> wake_;
  Mutation* staged_first_ = nullptr;
  Mutation* staged_last_ = nullptr;

  Mutex mutex_;
  Mutation* first_ KARMA_GUARDED_BY(mutex_) = nullptr;
  Mutation* last_ KARMA_GUARDED_BY(mutex_) = nullptr;
  std::unique_ptr<Job> jobs_ KARMA_GUARDED_BY(mutex_);
};

// Answers on their way to the queues of those who asked. For the one thread at a time that stages in these queues.
class StagedAnswers {
 public:
  void add(Mutation& mutation) {
    if (!mutation.completions->has_staged()) queues_.push_back(mutation.completions);
    mutation.completions->stage(mutation);
  }
  void publish() {
    for (CompletionQueue* const queue : queues_) queue->publish();
    queues_.clear();
  }

 private:
  std::vector<CompletionQueue*> queues_;  // that have something staged
};

}  // namespace karma::engine
