#include "wal/writer.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <deque>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/mutex.h"

namespace karma::wal {
namespace {

// A batch is one write from one buffer; few large entries fill it sooner than many small ones.
constexpr std::size_t kBatchBytes = std::size_t{2} << 20;
// Later writes wait until the whole batch is applied. So a batch takes large writes of at most this many points, which
// take some milliseconds in a series of millions of keys, or a single one.
constexpr std::size_t kLargePoints = 10000;
// This much is done for a batch to prepare them, in the machine's units: about half a millisecond. Where the last batch
// took the disk longer, a twentieth of its time goes there, or a large write would need hundreds of batches.
constexpr std::size_t kPreparedAtOnce = 64;
constexpr std::chrono::milliseconds kPreparedOnceMorePer{10};
constexpr std::int64_t kMostPrepared = 16;  // times that
constexpr std::size_t kReservedEntries = 4096;
// A thread in the writer's place returns to its own work after this many batches, however much others have submitted.
constexpr int kBatchesInPlace = 4;

// Writes linked by `next`, in order.
struct Chain {
  Write* first = nullptr;
  Write* last = nullptr;

  bool empty() const { return first == nullptr; }
  void append(Chain other) {
    if (other.empty()) return;
    (empty() ? first : last->next) = other.first;
    last = other.last;
  }
  void pop() {
    first = first->next;
    if (!first) last = nullptr;
  }
};

// Large writes and those that depend on the batch, and what their sources submitted after them: each source gets its
// turn. Not thread-safe.
class LargeWrites {
 public:
  bool empty() const { return turns_.empty(); }
  bool holds(const void* source) const { return !turns_.empty() && chains_.contains(source); }
  void push(Write* write) {
    write->turn = ++last_turn_;
    Chain& chain = chains_[write->source];
    if (chain.empty()) turns_.push_back(write->source);
    write->next = nullptr;
    chain.append({write, write});
  }
  std::size_t sources() const { return turns_.size(); }
  Write* front() const { return chains_.find(turns_.front())->second.first; }
  // The current source has had its turn; `next` is the write that it submitted after front(), which is gone.
  void pop(Write* next) {
    const auto found = chains_.find(turns_.front());
    found->second.first = next;
    if (next == nullptr) {
      chains_.erase(found);
      turns_.pop_front();
    } else {
      pass();
    }
  }
  void pass() {
    turns_.push_back(turns_.front());
    turns_.pop_front();
  }
  // Of the writes that were pushed first, are any of the first `turn` left?
  std::uint64_t last_turn() const { return last_turn_; }
  bool any_until(std::uint64_t turn) const {
    return std::any_of(chains_.begin(), chains_.end(),
                       [&](const auto& chain) { return chain.second.first->turn <= turn; });
  }

 private:
  std::unordered_map<const void*, Chain> chains_;  // by source, none empty
  std::deque<const void*> turns_;
  std::uint64_t last_turn_ = 0;
};

}  // namespace

// `mutex_` guards what the submitting threads and the writer share; everything else belongs to whoever is busy_.
class Writer::Impl {
 public:
  Impl(Log& log, Machine& machine, WriterOptions options)
      : log_(log),
        machine_(machine),
        options_(options),
        spinner_(place_is_free_ ? nullptr : options.spin_places, SpinPlaces::Thread::writer) {
    if (place_is_free_) options_.batch_wait = {};  // it is for saving syncs
    options_.batch_size = std::max<std::size_t>(options_.batch_size, 1);
    batch_.reserve(std::min(options_.batch_size, kReservedEntries));
    entries_.reserve(std::min(options_.batch_size, kReservedEntries));
    thread_ = std::thread([this] { loop(); });
  }

  void submit(Write* first, Write* last, bool brief) {
    if (!first) return;
    last->next = nullptr;
    mutex_.lock();
    if (ended_) {
      mutex_.unlock();
      return refuse_late(first);
    }
    submitted_.append({first, last});
    long_submitted_ |= !brief;
    if (place_is_free_ && busy_) return mutex_.unlock();  // whoever it is, looks again before leaving
    if (place_is_free_ && may_work_in_place()) return work_in_place();
    wake();
  }

  bool run(const std::function<void()>& action) {
    Action waiting{{.entry = {}, .lsn = {}, .is_action = true}, &action, false};
    const MutexLock lock(mutex_);
    if (ended_) return false;
    submitted_.append({&waiting.place, &waiting.place});
    actions_.push_back(&waiting);
    if (asleep_.exchange(false)) wake_.notify_one();
    while (!waiting.done) action_done_.wait(mutex_);
    return true;
  }

  void stop() {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
      asleep_ = false;
    }
    wake_.notify_one();
    const MutexLock lock(join_mutex_);
    if (thread_.joinable()) thread_.join();
  }

  Stats stats() const {
    return {batches_.load(std::memory_order_relaxed), written_.load(std::memory_order_relaxed),
            failures_.load(std::memory_order_relaxed)};
  }

  std::optional<std::uint64_t> turns() const {
    const MutexLock lock(mutex_);
    return busy_ ? std::optional(turns_) : std::nullopt;
  }

 private:
  // Has its place among the writes, in the order of submission.
  struct Action {
    Write place;
    const std::function<void()>* run = nullptr;
    bool done = false;
    std::uint64_t after = 0;  // the turns of large writes that come before it
  };

  void loop() {
    for (bool was_busy = false; take_waiting(was_busy); was_busy = true) {
      if (Action* action = next_action()) {
        run_action(*action);
      } else if (!idle()) {
        cycle();
      }
      if (machine_.has_work()) machine_.work();
    }
  }

  // Sleeps until there is something to do. False: stopped, and everything is done.
  bool take_waiting(bool was_busy) {
    const MutexLock lock(mutex_);
    if (was_busy) busy_ = false;
    while (busy_ || (idle() && submitted_.empty() && (stopping_ || !machine_.has_work()))) {
      if (stopping_ && !busy_) {
        ended_ = true;
        return false;
      }
      asleep_ = true;
      sleep();
    }
    busy_ = true;
    take_submitted();
    long_submitted_ = false;
    return true;
  }

  // Spins without the lock, so that it is in nobody's way, and costs whoever wakes it no system call. A wake-up after
  // the last look is seen with the lock held again.
  void sleep() KARMA_REQUIRES(mutex_) {
    if (spinner_.spins()) {
      mutex_.unlock();
      const bool awake = spinner_.finds([this] { return !asleep_; });
      mutex_.lock();
      if (awake) return;
    }
    while (asleep_) wake_.wait(mutex_);
    spinner_.woken();
  }

  bool may_work_in_place() const KARMA_REQUIRES(mutex_) { return actions_.empty() && !long_submitted_; }

  // The caller has submitted something and nobody is busy. An exception here would leave a batch half done, which
  // nobody could repair: it ends the process, as it does on the writer's thread.
  void work_in_place() noexcept KARMA_RELEASES(mutex_) {
    busy_ = true;
    for (int batches = 0; batches < kBatchesInPlace && may_work_in_place() && !(idle() && submitted_.empty());
         ++batches) {
      take_submitted();
      mutex_.unlock();
      cycle();
      mutex_.lock();
    }
    busy_ = false;
    if (stopping_ || machine_.has_work() || !idle() || !submitted_.empty()) {
      wake();
    } else {
      mutex_.unlock();
    }
  }

  void wake() KARMA_RELEASES(mutex_) {
    const bool sleeps = asleep_.exchange(false);
    mutex_.unlock();
    if (sleeps) wake_.notify_one();
  }

  void take_submitted() KARMA_REQUIRES(mutex_) {
    ++turns_;
    waiting_.append(std::exchange(submitted_, {}));
    find_first_action();
  }
  void find_first_action() KARMA_REQUIRES(mutex_) {
    first_action_ = actions_.size() > held_up_.size() ? actions_[held_up_.size()] : nullptr;
  }

  bool idle() const { return waiting_.empty() && large_.empty() && held_up_.empty(); }

  Action* action_at_front() const {
    return first_action_ && waiting_.first == &first_action_->place ? first_action_ : nullptr;
  }

  // One that may run: all that was submitted before it is applied.
  Action* next_action() const {
    if (!held_up_.empty()) return large_.any_until(held_up_.front()->after) ? nullptr : held_up_.front();
    return large_.empty() ? action_at_front() : nullptr;
  }

  void run_action(Action& action) {
    if (held_up_.empty()) {
      waiting_.pop();
    } else {
      held_up_.pop_front();
    }
    (*action.run)();
    machine_.cycle_done();
    {
      const MutexLock lock(mutex_);
      actions_.erase(actions_.begin());
      find_first_action();
      action.done = true;
      // With the lock held: the action is gone as soon as its thread sees that it is done.
      action_done_.notify_all();
    }
  }

  // Small writes that come after an action do not wait for the large ones before it.
  void hold_up(Action& action) {
    waiting_.pop();
    action.after = large_.last_turn();
    const MutexLock lock(mutex_);
    held_up_.push_back(&action);
    find_first_action();
  }

  // One batch, from admission to the answers.
  void cycle() {
    batch_.clear();
    entries_.clear();
    batch_bytes_ = 0;
    large_points_ = 0;
    preparation_ = kPreparedAtOnce * std::min(1 + append_took_ / kPreparedOnceMorePer, kMostPrepared);
    // In turn, because a batch is limited.
    large_first_ = !large_first_;
    if (large_first_) admit_large();
    if (admit_waiting() && large_.empty()) admit_company();
    admit_large();
    if (!batch_.empty()) write_batch();
    previous_batch_ = entries_.size();
    machine_.cycle_done();
  }

  // True if the batch could take more than was waiting.
  bool admit_waiting() {
    const bool some_are_slow = machine_.slows_writes();
    while (!waiting_.empty()) {
      if (batch_is_full()) return false;
      if (Action* action = action_at_front()) {
        if (large_.empty() && held_up_.empty()) return false;
        hold_up(*action);
        continue;
      }
      // A write that the machine has answered may be gone: its link is read before.
      Write* write = waiting_.first;
      Write* next = write->next;
      if (is_large(*write) || (some_are_slow && machine_.is_slow(*write))) {
        waiting_.pop();
        large_.push(write);
        continue;
      }
      const Verdict verdict = machine_.admit(*write, batch_.empty());
      waiting_.first = next;
      if (!next) waiting_.last = nullptr;
      if (verdict == Verdict::flush_first) {
        assert(!batch_.empty());
        large_.push(write);  // only its source waits for the flush
        continue;
      }
      if (verdict == Verdict::log) take(write);
    }
    return !batch_is_full();
  }

  bool batch_is_full() const { return entries_.size() >= options_.batch_size || batch_bytes_ >= kBatchBytes; }

  void take(Write* write) {
    batch_.push_back(write);
    if (write->rides) return;
    entries_.push_back(write->entry);
    batch_bytes_ += write->entry.size();
  }

  bool is_large(const Write& write) const { return write.points >= Write::kLarge || large_.holds(write.source); }

  // As many as a batch takes. A write that is not ready lets others pass.
  void admit_large() {
    for (std::size_t passed = 0; passed < large_.sources();) {
      if (batch_is_full()) return;
      Write* const write = large_.front();
      if (large_points_ != 0 && large_points_ + write->points > kLargePoints) return;
      if (!machine_.prepare(*write, preparation_)) {
        large_.pass();
        ++passed;
        continue;
      }
      Write* const next = write->next;
      const std::uint32_t its_points = write->points;
      const Verdict verdict = machine_.admit(*write, batch_.empty());
      if (verdict == Verdict::flush_first) return;
      large_.pop(next);
      passed = 0;
      if (verdict != Verdict::log) continue;
      take(write);
      large_points_ += its_points;
    }
  }

  // Gives others batch_wait to join the batch, once. A lone writer is not kept waiting: nobody joined the batch before,
  // so nobody is expected now.
  void admit_company() {
    const bool in_company = entries_.size() > 1 || previous_batch_ > 1;
    if (options_.batch_wait.count() <= 0 || batch_.empty() || !in_company) return;
    const auto deadline = std::chrono::steady_clock::now() + options_.batch_wait;
    do {
      const MutexLock lock(mutex_);
      if (submitted_.empty() && !stopping_) {
        asleep_ = true;
        while (asleep_ && wake_.wait_until(mutex_, deadline)) {
        }
        asleep_ = false;
      }
      if (submitted_.empty()) return;
      take_submitted();
    } while (admit_waiting());
  }

  void write_batch() {
    Lsn lsn = log_.last();
    machine_.hand_over();
    const bool measured = !large_.empty();
    const auto begun =
        measured || options_.timings != nullptr ? options_.now() : std::chrono::steady_clock::time_point();
    const Status appended = log_.append(entries_);
    append_took_ = measured ? options_.now() - begun : std::chrono::steady_clock::duration();
    if (!appended) {
      failures_.fetch_add(1, std::memory_order_relaxed);
      machine_.refuse(batch_, appended.error());
      return;
    }
    const bool numbered = log_.last() != lsn;
    for (Write* write : batch_) {
      if (numbered && !write->rides) lsn = lsn.next();
      write->lsn = lsn;
    }
    batches_.fetch_add(1, std::memory_order_relaxed);
    written_.fetch_add(entries_.size(), std::memory_order_relaxed);
    if (options_.timings != nullptr) note_timings(begun);
    machine_.apply(batch_);
  }

  void note_timings(std::chrono::steady_clock::time_point begun) {
    options_.timings->batch.add(entries_.size());
    for (auto first = batch_.begin(); first != batch_.end();) {
      const auto arrived = (*first)->arrived;  // as those beside it, mostly
      const auto last =
          std::find_if(first, batch_.end(), [&](const Write* write) { return write->arrived != arrived; });
      const auto writes = std::count_if(first, last, [](const Write* write) { return !write->rides; });
      if (arrived != std::chrono::steady_clock::time_point())
        options_.timings->queue.add(begun - arrived, static_cast<std::uint64_t>(writes));
      first = last;
    }
  }

  // The writer's thread has ended, so that its place may be taken, by one thread at a time.
  void refuse_late(Write* first) {
    const MutexLock lock(late_mutex_);
    std::vector<Write*> chain;
    for (Write* write = first; write; write = write->next) chain.push_back(write);
    machine_.refuse(chain, internal_error("The node is shutting down"));
    machine_.cycle_done();
  }

  Log& log_;
  Machine& machine_;
  WriterOptions options_;
  const bool place_is_free_ = !log_.keeps_entries();  // no disk: any thread may take the writer's place
  Spinner spinner_;                                   // of the writer's thread

  mutable Mutex mutex_;
  Condition wake_;
  Condition action_done_;
  Chain submitted_ KARMA_GUARDED_BY(mutex_);
  std::vector<Action*> actions_ KARMA_GUARDED_BY(mutex_);  // their places are among submitted_ and waiting_
  // Something that takes long, since the writer's thread took all there was.
  bool long_submitted_ KARMA_GUARDED_BY(mutex_) = false;
  bool busy_ KARMA_GUARDED_BY(mutex_) = false;        // a thread has the writer's place; waiting_ and the batch are its
  std::uint64_t turns_ KARMA_GUARDED_BY(mutex_) = 0;  // how often the submitted was taken
  std::atomic<bool> asleep_{false};  // written with the lock held; whoever clears it wakes the writer's thread
  bool stopping_ KARMA_GUARDED_BY(mutex_) = false;
  bool ended_ KARMA_GUARDED_BY(mutex_) = false;

  Chain waiting_;  // taken, not yet admitted
  LargeWrites large_;
  std::deque<Action*> held_up_;  // by large writes that were submitted before
  bool large_first_ = false;
  std::size_t large_points_ = 0;                       // of the batch
  std::size_t preparation_ = 0;                        // that may still be done for it
  std::chrono::steady_clock::duration append_took_{};  // of the last batch, if large writes waited meanwhile
  Action* first_action_ = nullptr;
  std::vector<Write*> batch_;
  std::vector<std::string_view> entries_;  // of those that do not ride
  std::size_t batch_bytes_ = 0;
  std::size_t previous_batch_ = 0;

  std::atomic<std::uint64_t> batches_{0};
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> failures_{0};

  Mutex late_mutex_;  // one thread at a time refuses
  Mutex join_mutex_;
  std::thread thread_ KARMA_GUARDED_BY(join_mutex_);
};

Writer::Writer(Log& log, Machine& machine, WriterOptions options)
    : impl_(std::make_unique<Impl>(log, machine, options)) {}
Writer::~Writer() { stop(); }
void Writer::submit(Write* first, Write* last, bool brief) { impl_->submit(first, last, brief); }
bool Writer::run(const std::function<void()>& action) { return impl_->run(action); }
void Writer::stop() { impl_->stop(); }
Writer::Stats Writer::stats() const { return impl_->stats(); }
std::optional<std::uint64_t> Writer::turns() const { return impl_->turns(); }

}  // namespace karma::wal
