#include "wal/writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "wal/log_support.h"

namespace karma::wal {
namespace {

using test::CrashableFileSystem;
using Operation = CrashableFileSystem::Operation;
using namespace std::chrono_literals;

// A door that a thread waits at until the test opens it.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    --waiting_;
  }
  void wait_for_visitor() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ > 0; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

struct Client {
  Write write;
  std::string entry;
  Verdict verdict = Verdict::log;
  int asked = 0;
  std::size_t to_prepare = 0;
  bool slow = false;
  std::atomic<int> answers = 0;  // handed over
  bool applied = false;
  bool refused = false;
  std::string error;

  explicit Client(std::uint64_t number) : entry(entry_text(number)) { write.entry = entry; }
};

static_assert(std::is_standard_layout_v<Client>);  // a Write is converted to its Client

// Keeps a diary, and hands answers over only when a cycle is done.
class DiaryMachine final : public Machine {
 public:
  Verdict admit(Write& write, bool batch_empty) override {
    Client& client = of(write);
    ++client.asked;
    const Verdict verdict = client.verdict == Verdict::flush_first && batch_empty ? Verdict::log : client.verdict;
    diary += verdict == Verdict::log ? 'l' : verdict == Verdict::answered ? 'a' : 'f';
    if (verdict == Verdict::answered) answered_.push_back(&client);
    return verdict;
  }
  bool slows_writes() const override { return slows; }
  bool is_slow(const Write& write) const override { return of(const_cast<Write&>(write)).slow; }
  bool prepare(Write& write, std::size_t& work) override {
    Client& client = of(write);
    const std::size_t done = std::min(client.to_prepare, work);
    client.to_prepare -= done;
    work -= done;
    if (done != 0) diary += 'p';
    return client.to_prepare == 0;
  }
  void apply(std::span<Write* const> batch) override {
    if (before_apply) before_apply();
    diary += 'A' + std::to_string(batch.size());
    for (Write* write : batch) {
      Client& client = of(*write);
      client.applied = true;
      lsns.push_back(write->lsn.value);
      entries.emplace_back(write->entry);
      answered_.push_back(&client);
    }
  }
  void refuse(std::span<Write* const> batch, const Error& error) override {
    diary += 'R' + std::to_string(batch.size());
    for (Write* write : batch) {
      Client& client = of(*write);
      client.refused = true;
      client.error = error.message;
      answered_.push_back(&client);
    }
  }
  void cycle_done() override {
    diary += '.';
    for (Client* client : answered_) {
      ++client->answers;
      client->answers.notify_all();
    }
    answered_.clear();
  }

  bool has_work() const override { return work_left != 0; }
  void work() override {
    --work_left;
    diary += 'w';
  }

  bool slows = false;
  int work_left = 0;  // of the thread that has the writer's place
  std::string diary;
  std::vector<std::uint64_t> lsns;
  std::vector<std::string> entries;
  std::function<void()> before_apply;

 private:
  static Client& of(Write& write) { return reinterpret_cast<Client&>(write); }
  std::vector<Client*> answered_;
};

class WalWriter : public testing::Test {
 protected:
  void start(WriterOptions options = {}, LogOptions log_options = {}) {
    log_ = open_anew(files_, log_options);
    writer_ = std::make_unique<Writer>(*log_, machine_, options);
  }
  Client& client() { return clients_.emplace_back(clients_.size() + 1); }
  void submit(Client& client) { writer_->submit(&client.write, &client.write); }
  // Holds the writer in an action, so that what is submitted meanwhile is waiting when it goes on.
  void while_held(const std::function<void()>& action) {
    Gate gate;
    std::thread holder([&] { EXPECT_TRUE(writer_->run([&] { gate.pass(); })); });
    gate.wait_for_visitor();
    action();
    gate.open();
    holder.join();
  }
  void finish() {
    EXPECT_TRUE(writer_->run([] {}));
  }

  CrashableFileSystem files_;
  std::deque<Client> clients_;
  DiaryMachine machine_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Writer> writer_;
};

TEST_F(WalWriter, RepliesOnlyAfterSync) {
  start();
  Gate in_sync;
  files_.before_sync([&] { in_sync.pass(); });
  Client& c = client();
  submit(c);
  in_sync.wait_for_visitor();
  EXPECT_EQ(c.answers, 0);
  EXPECT_EQ(log_->last().value, 0u);
  EXPECT_TRUE(read_log(*log_, 0).empty()) << "not visible to replicas either";
  in_sync.open();
  c.answers.wait(0);
  EXPECT_TRUE(c.applied);
  EXPECT_EQ(c.write.lsn.value, 1u);
  EXPECT_EQ(log_->last().value, 1u);
  expect_entries(scan_log(*files_.after_crash(CrashableFileSystem::Unsynced::lost)).entries, 1, 1);
}

TEST_F(WalWriter, TakesAllThatWaitsInOneSync) {
  start();
  while_held([&] {
    for (int i = 0; i < 50; ++i) submit(client());
  });
  finish();
  EXPECT_EQ(log_->sync_count(), 1u);
  expect_entries(scan_log(files_).entries, 1, 50);
  for (std::uint64_t i = 0; i < 50; ++i) ASSERT_EQ(machine_.lsns[i], i + 1);
  EXPECT_EQ(writer_->stats().batches, 1u);
  EXPECT_EQ(writer_->stats().entries, 50u);
}

TEST_F(WalWriter, KeepsToTheBatchSize) {
  start({.batch_size = 8});
  while_held([&] {
    for (int i = 0; i < 20; ++i) submit(client());
  });
  finish();
  EXPECT_EQ(machine_.diary, ".llllllllA8.llllllllA8.llllA4..");
}

TEST_F(WalWriter, TakesAChainInItsOrder) {
  start();
  Client& a = client();
  Client& b = client();
  Client& c = client();
  a.write.next = &b.write;
  b.write.next = &c.write;
  c.write.next = &a.write;  // whatever it was before
  writer_->submit(&a.write, &c.write);
  finish();
  expect_entries(scan_log(files_).entries, 1, 3);
  EXPECT_EQ(c.write.lsn.value, 3u);
}

TEST_F(WalWriter, OneClientsRefusalRefusesNobodyElse) {
  start();
  while_held([&] {
    submit(client());
    Client& known = client();
    known.verdict = Verdict::answered;
    submit(known);
    submit(client());
  });
  finish();
  EXPECT_EQ(machine_.diary, ".lalA2..");
  EXPECT_EQ(machine_.lsns, (std::vector<std::uint64_t>{1, 2}));
  for (const Client& c : clients_) EXPECT_EQ(c.answers, 1);
}

TEST_F(WalWriter, NothingIsWrittenForABatchOfAnswers) {
  start();
  Client& known = client();
  known.verdict = Verdict::answered;
  submit(known);
  finish();
  EXPECT_EQ(known.answers, 1);
  EXPECT_EQ(files_.changes(), 0u);
}

TEST_F(WalWriter, AppliesTheBatchBeforeItAsksAgain) {
  start();
  while_held([&] {
    submit(client());
    submit(client());
    Client& dependent = client();
    dependent.verdict = Verdict::flush_first;
    submit(dependent);
    submit(client());
  });
  finish();
  EXPECT_EQ(machine_.diary, ".llffA2.llA2..");
  EXPECT_EQ(clients_[2].asked, 3);
  EXPECT_EQ(machine_.lsns, (std::vector<std::uint64_t>{1, 2, 3, 4}));
  EXPECT_EQ(machine_.entries[2], clients_[2].entry);
}

TEST_F(WalWriter, RefusesExactlyTheBatchThatFailedAndHeals) {
  start({.batch_size = 3});
  files_.fail({.operation = Operation::write, .nth = 2, .written = 130});
  while_held([&] {
    for (int i = 0; i < 9; ++i) submit(client());
  });
  finish();
  EXPECT_EQ(machine_.diary, ".lllA3.lllR3.lllA3..");
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(clients_[i].answers, 1);
    EXPECT_EQ(clients_[i].refused, i >= 3 && i < 6);
    EXPECT_NE(clients_[i].applied, clients_[i].refused);
  }
  EXPECT_EQ(clients_[4].error, "Cannot write karma.wal: No space left on device");
  EXPECT_EQ(machine_.lsns, (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(writer_->stats().failures, 1u);
  Entries expected;
  for (const std::uint64_t i : {1, 2, 3}) expected[i] = entry_text(i);
  for (const std::uint64_t i : {4, 5, 6}) expected[i] = entry_text(i + 3);
  EXPECT_EQ(scan_log(files_).entries, expected);
}

TEST_F(WalWriter, RefusesEverythingAfterAFailedSync) {
  start({.batch_size = 2});
  files_.fail({.operation = Operation::sync});
  while_held([&] {
    for (int i = 0; i < 5; ++i) submit(client());
  });
  finish();
  EXPECT_TRUE(log_->stopped());
  for (const Client& c : clients_) {
    EXPECT_TRUE(c.refused && !c.applied);
    EXPECT_EQ(c.answers, 1);
    EXPECT_TRUE(c.error.starts_with("Writing has stopped")) << c.error;
  }
  EXPECT_EQ(files_.count(Operation::sync), 1u) << "never tried again";
}

TEST_F(WalWriter, RunsATaskBetweenTheWritesAroundIt) {
  start({.batch_size = 2});
  for (int i = 0; i < 3; ++i) submit(client());
  std::size_t applied = 0;
  EXPECT_TRUE(writer_->run([&] { applied = machine_.lsns.size(); }));
  EXPECT_EQ(applied, 3u);
  submit(client());
  finish();
  EXPECT_EQ(machine_.lsns.size(), 4u);
}

TEST_F(WalWriter, ATaskFollowsAllThatItsThreadSubmittedBefore) {
  start({.batch_size = 4});
  std::vector<std::thread> threads;
  std::deque<Client> many;
  for (int i = 0; i < 200; ++i) many.emplace_back(i);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t * 50; i < t * 50 + 50; ++i) {
        submit(many[i]);
        if (i % 5 == 0) {
          bool applied = false;
          EXPECT_TRUE(writer_->run([&] { applied = many[i].applied; }));
          EXPECT_TRUE(applied);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  finish();
  EXPECT_EQ(machine_.lsns.size(), 200u);
}

TEST_F(WalWriter, FinishesEverythingBeforeItStops) {
  start({.batch_size = 3});
  Gate in_sync;
  files_.before_sync([&] { in_sync.pass(); });
  submit(client());
  in_sync.wait_for_visitor();
  for (int i = 0; i < 10; ++i) submit(client());
  std::thread stopper([&] { writer_->stop(); });
  in_sync.open();
  stopper.join();
  for (const Client& c : clients_) EXPECT_TRUE(c.applied && c.answers == 1);
  expect_entries(scan_log(files_).entries, 1, 11);
}

TEST_F(WalWriter, RefusesOnTheCallersThreadAfterItStopped) {
  start();
  writer_->stop();
  Client& a = client();
  Client& b = client();
  a.write.next = &b.write;
  writer_->submit(&a.write, &b.write);
  EXPECT_TRUE(a.refused && b.refused);
  EXPECT_EQ(a.answers, 1);
  bool ran = false;
  EXPECT_FALSE(writer_->run([&] { ran = true; }));
  EXPECT_FALSE(ran);
  writer_->stop();
}

TEST_F(WalWriter, LeavesLsnsAloneWithoutALog) {
  log_ = null_log(Lsn{7});
  writer_ = std::make_unique<Writer>(*log_, machine_, WriterOptions{});
  for (int i = 0; i < 3; ++i) submit(client());
  finish();
  EXPECT_EQ(machine_.lsns, (std::vector<std::uint64_t>{7, 7, 7}));
}

// An hour would not pass unnoticed: that these tests end at all shows that nobody waited for it.
TEST_F(WalWriter, ALoneWriterDoesNotWaitForCompany) {
  start({.batch_wait = 1h});
  for (int i = 0; i < 3; ++i) {
    Client& c = client();
    submit(c);
    c.answers.wait(0);
  }
  EXPECT_EQ(log_->sync_count(), 3u);
}

TEST_F(WalWriter, AFullBatchDoesNotWaitForCompany) {
  start({.batch_size = 4, .batch_wait = 1h});
  while_held([&] {
    for (int i = 0; i < 8; ++i) submit(client());
  });
  for (Client& c : clients_) c.answers.wait(0);
  EXPECT_EQ(log_->sync_count(), 2u);
}

TEST_F(WalWriter, ABatchInCompanyWaitsForMoreUntilItIsFull) {
  start({.batch_size = 5, .batch_wait = 1h});
  while_held([&] {
    submit(client());
    submit(client());
  });
  for (int i = 0; i < 3; ++i) submit(client());
  for (Client& c : clients_) c.answers.wait(0);
  EXPECT_EQ(log_->sync_count(), 1u);
}

TEST_F(WalWriter, ATaskAndAStopEndTheWaitForCompany) {
  start({.batch_wait = 1h});
  while_held([&] {
    submit(client());
    submit(client());
  });
  finish();
  EXPECT_EQ(machine_.lsns.size(), 2u);
  submit(client());
  writer_->stop();
  EXPECT_EQ(machine_.lsns.size(), 3u);
}

TEST_F(WalWriter, ManyThreadsShareEachSync) {
  start();
  constexpr int kThreads = 24;
  constexpr int kWrites = 40;
  // A sync takes until every thread that still runs has submitted a write that is not applied yet.
  std::atomic<std::size_t> submitted = 0;
  std::atomic<std::size_t> running = kThreads;
  files_.before_sync([&] {
    while (submitted - machine_.lsns.size() < running) std::this_thread::yield();
  });
  std::deque<Client> many;
  for (int i = 0; i < kThreads * kWrites; ++i) many.emplace_back(i);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kWrites; ++i) {
        Client& c = many[t * kWrites + i];
        submit(c);
        ++submitted;
        c.answers.wait(0);
        EXPECT_TRUE(c.applied);
      }
      --running;
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::uint64_t writes = kThreads * kWrites;
  EXPECT_GE(writes, 4 * log_->sync_count()) << log_->sync_count() << " syncs";
  std::vector<std::uint64_t> expected(writes);
  for (std::uint64_t i = 0; i < writes; ++i) expected[i] = i + 1;
  EXPECT_EQ(machine_.lsns, expected);
  const Entries entries = scan_log(files_).entries;
  ASSERT_EQ(entries.size(), writes);
  for (std::uint64_t i = 0; i < writes; ++i) ASSERT_EQ(entries.at(i + 1), machine_.entries[i]) << "applied as logged";
}

// A step after each batch or action; and without either, until there is none.
TEST_F(WalWriter, WorkThatABatchLeavesIsDoneInStepsBetweenOthers) {
  start();
  machine_.before_apply = [this] { machine_.work_left = 3; };
  while_held([&] { submit(client()); });
  clients_[0].answers.wait(0);
  int left = -1;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(writer_->run([&] { left = machine_.work_left; }));
  EXPECT_EQ(left, 0);
  EXPECT_EQ(std::count(machine_.diary.begin(), machine_.diary.end(), 'w'), 3);
  EXPECT_NE(machine_.diary.find("A1.w"), std::string::npos) << machine_.diary;
}

// Large writes of a client, which take long, and others beside them.
// Each thread waits for its answer before it submits again, so that the writer runs out of work all the time, and
// somebody submits at each moment of its way into sleep. A wake-up that were lost would be the end of the test.
TEST_F(WalWriter, WhoSpinsBeforeItSleepsMissesNothing) {
  constexpr int kThreads = 3;
  constexpr int kWrites = 3000;
  SpinPlaces places(std::chrono::microseconds(20), 8);
  start({.spin_places = &places});
  std::deque<Client> many;
  for (int i = 0; i < kThreads * kWrites; ++i) many.emplace_back(i);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t * kWrites; i < (t + 1) * kWrites; ++i) {
        submit(many[i]);
        many[i].answers.wait(0);
        if (i % 50 == 0) {
          EXPECT_TRUE(writer_->run([] {}));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  writer_->stop();
  EXPECT_EQ(machine_.lsns.size(), std::size_t{kThreads * kWrites});
  for (const Client& c : many) EXPECT_TRUE(c.applied && c.answers == 1);
}

class WalWriterLarge : public WalWriter {
 protected:
  Client& client(int source, std::uint32_t points) {
    Client& added = WalWriter::client();
    added.write.source = &sources_[source];
    added.write.points = points;
    submit(added);
    return added;
  }
  // In the order in which they were applied.
  std::string sources() const {
    std::string names;
    for (const std::string& entry : machine_.entries) {
      const auto found =
          std::find_if(clients_.begin(), clients_.end(), [&](const Client& c) { return c.entry == entry; });
      names += static_cast<char>('a' + (static_cast<const int*>(found->write.source) - sources_));
    }
    return names;
  }

  int sources_[8] = {};
};

TEST_F(WalWriterLarge, SmallWritesOfOthersOvertakeThem) {
  start();
  while_held([&] {
    for (int i = 0; i < 5; ++i) client(0, 6000);
    for (int i = 0; i < 3; ++i) client(1, 1);
  });
  finish();
  EXPECT_EQ(machine_.diary, ".llllA4.lA1.lA1.lA1.lA1..");
  EXPECT_EQ(sources(), "bbbaaaaa");
}

TEST_F(WalWriterLarge, WhoDependsOnTheBatchHoldsUpNobodyElse) {
  start();
  while_held([&] {
    for (int i = 0; i < 4; ++i) client(0, 1).verdict = i == 0 ? Verdict::log : Verdict::flush_first;
    for (int i = 0; i < 3; ++i) client(1, 1);
  });
  finish();
  EXPECT_EQ(machine_.diary, ".lflllfA4.lfA1.lffA1.lA1..");
  EXPECT_EQ(sources(), "abbbaaa");
  EXPECT_TRUE(std::is_sorted(machine_.lsns.begin(), machine_.lsns.end()));
}

TEST_F(WalWriterLarge, ATaskFollowsWhatDependsOnTheBatch) {
  start();
  std::thread other;
  std::atomic<bool> done = false;
  while_held([&] {
    client(0, 1);
    Client& dependent = client(0, 1);
    dependent.verdict = Verdict::flush_first;
    other = std::thread([&] {
      EXPECT_TRUE(writer_->run([&] { EXPECT_TRUE(dependent.applied); }));
      done = true;
    });
  });
  other.join();
  EXPECT_TRUE(done);
}

TEST_F(WalWriterLarge, ABatchTakesOnSoManyPointsOfThem) {
  start();
  while_held([&] {
    for (int i = 0; i < 25; ++i) client(0, 1000);
    client(0, 20000);  // one is always taken
  });
  finish();
  EXPECT_EQ(machine_.diary, ".llllllllllA10.llllllllllA10.lllllA5.lA1..");
}

TEST_F(WalWriterLarge, WhatTheirClientSendsAfterThemStaysAfterThem) {
  start();
  while_held([&] {
    client(0, 6000);
    client(0, 6000);
    client(0, 1);
    client(1, 1);
    client(0, 6000);
  });
  finish();
  EXPECT_EQ(sources(), "baaaa");
  std::vector<std::string> of_first;
  for (const Client& c : clients_)
    if (c.write.source == &sources_[0]) of_first.push_back(c.entry);
  std::erase(machine_.entries, clients_[3].entry);
  EXPECT_EQ(machine_.entries, of_first);
}

TEST_F(WalWriterLarge, ClientsTakeTurns) {
  start();
  while_held([&] {
    for (int i = 0; i < 4; ++i) client(0, 6000);
    for (int i = 0; i < 2; ++i) client(1, 6000);
    client(2, 6000);
  });
  finish();
  EXPECT_EQ(sources(), "abcabaa");
}

TEST_F(WalWriterLarge, OthersAreAppliedWhileTheyArePrepared) {
  start();
  while_held([&] {
    client(0, 6000).to_prepare = 200;
    client(1, 1);
    client(2, 6000);  // which has nothing to prepare
  });
  finish();
  EXPECT_EQ(machine_.diary, ".lplA2.p.p.plA1..");
  EXPECT_EQ(sources(), "bca");
}

TEST_F(WalWriterLarge, MoreOfThemIsPreparedWhereTheDiskIsSlow) {
  const auto now = std::make_shared<std::chrono::steady_clock::time_point>();
  files_.before_sync([now] { *now += 100ms; });
  start({.now = [now] { return *now; }});
  while_held([&] {
    client(0, 6000).to_prepare = 64 + 11 * 64;
    client(1, 1);
  });
  finish();
  EXPECT_EQ(machine_.diary, ".lpA1.plA1..");
}

TEST_F(WalWriterLarge, HoweverSlowTheDiskIsThereIsAnEndToThat) {
  const auto now = std::make_shared<std::chrono::steady_clock::time_point>();
  files_.before_sync([now] { *now += 1h; });
  start({.now = [now] { return *now; }});
  while_held([&] {
    client(0, 6000).to_prepare = 64 + 2 * 1024;
    client(1, 1);
  });
  finish();
  EXPECT_EQ(machine_.diary, ".lpA1.p.plA1..");
}

TEST_F(WalWriterLarge, ASmallOneThatIsSlowWaitsLikeThem) {
  start();
  machine_.slows = true;
  while_held([&] {
    Client& slow = client(0, 1);
    slow.slow = true;
    slow.to_prepare = 100;
    client(1, 1);
  });
  finish();
  EXPECT_EQ(machine_.diary, ".lpA1.plA1..");
  EXPECT_EQ(sources(), "ba");
}

TEST_F(WalWriterLarge, ATaskFollowsThoseBeforeItAndHoldsNobodyUp) {
  start();
  Gate gate;
  std::thread holder([&] { EXPECT_TRUE(writer_->run([&] { gate.pass(); })); });
  gate.wait_for_visitor();
  Client& large = client(0, 6000);
  large.to_prepare = 200;
  std::thread task([&] { EXPECT_TRUE(writer_->run([&] { machine_.diary += large.applied ? 'T' : '!'; })); });
  gate.open();
  holder.join();
  task.join();
  client(1, 1);
  finish();
  EXPECT_EQ(std::count(machine_.diary.begin(), machine_.diary.end(), 'T'), 1) << machine_.diary;
}

TEST_F(WalWriterLarge, AreFinishedBeforeItStops) {
  start();
  while_held([&] {
    for (int i = 0; i < 5; ++i) client(i % 2, 6000).to_prepare = 500;
    client(0, 1);
  });
  writer_->stop();
  for (const Client& c : clients_) EXPECT_TRUE(c.applied && c.answers == 1);
}

// Whatever comes, each is answered once and the writes of a source are applied in their order.
TEST_F(WalWriterLarge, NothingIsLostOrTurnedAround) {
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  start({.batch_size = 1 + random() % 40});
  machine_.slows = random() % 2 == 0;
  for (int round = 0; round < 20; ++round) {
    while_held([&] {
      for (int i = 0; i < 30; ++i) {
        Client& c = WalWriter::client();
        c.write.source = &sources_[random() % 8];
        c.write.points = random() % 3 == 0 ? 64 + random() % 9000 : 1;
        if (random() % 3 == 0) c.to_prepare = random() % 200;
        c.slow = random() % 5 == 0;
        if (random() % 6 == 0) c.verdict = Verdict::flush_first;
        submit(c);
      }
    });
    if (round % 3 == 0) finish();
  }
  writer_->stop();
  std::map<const void*, std::vector<std::string>> expected;
  std::map<const void*, std::vector<std::string>> applied;
  std::map<std::string, const void*> source_of;
  for (const Client& c : clients_) {
    EXPECT_TRUE(c.applied && c.answers == 1);
    expected[c.write.source].push_back(c.entry);
    source_of[c.entry] = c.write.source;
  }
  for (const std::string& entry : machine_.entries) applied[source_of[entry]].push_back(entry);
  EXPECT_TRUE(applied == expected);
}

// Without a log there is no disk to wait for.
class WalWriterWithoutLog : public WalWriter {
 protected:
  void SetUp() override {
    log_ = null_log(Lsn{});
    writer_ = std::make_unique<Writer>(*log_, machine_, WriterOptions{.batch_size = 2, .batch_wait = 10min});
    machine_.before_apply = [this] { applied_by_ = std::this_thread::get_id(); };
  }
  std::thread::id applied_by_;
};

TEST_F(WalWriterWithoutLog, BriefWritesAreDoneByWhoeverSubmitsThem) {
  Client& a = client();
  Client& b = client();
  Client& c = client();
  a.write.next = &b.write;
  b.write.next = &c.write;
  writer_->submit(&a.write, &c.write, true);
  EXPECT_EQ(applied_by_, std::this_thread::get_id());
  EXPECT_EQ(machine_.diary, "llA2.lA1.") << "at once, in batches";
}

// Memory that runs out while entries are applied leaves some applied and others not. That state is never seen: the
// process ends, and the next start applies all that was logged.
TEST_F(WalWriterWithoutLog, MemoryThatRunsOutWhileApplyingEndsTheProcess) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  for (const bool brief : {false, true}) {
    EXPECT_DEATH(
        {
          machine_.before_apply = [] { throw std::bad_alloc(); };
          Client& a = client();
          writer_->submit(&a.write, &a.write, brief);
          a.answers.wait(0);
        },
        "bad_alloc");
  }
}

TEST_F(WalWriterWithoutLog, WorkIsLeftToTheWriter) {
  const std::thread::id self = std::this_thread::get_id();
  machine_.before_apply = [&] {
    applied_by_ = std::this_thread::get_id();
    machine_.work_left = 2;
  };
  Client& a = client();
  writer_->submit(&a.write, &a.write, true);
  EXPECT_EQ(applied_by_, self);
  int left = -1;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(writer_->run([&] { left = machine_.work_left; }));
  EXPECT_EQ(left, 0);
}

TEST_F(WalWriterWithoutLog, OthersAreDoneByTheWriter) {
  Client& a = client();
  writer_->submit(&a.write, &a.write, false);
  a.answers.wait(0);
  EXPECT_NE(applied_by_, std::this_thread::get_id());
}

TEST_F(WalWriterWithoutLog, NobodyTakesThePlaceOfATask) {
  while_held([&] {
    Client& a = client();
    writer_->submit(&a.write, &a.write, true);
    EXPECT_FALSE(a.applied);
  });
  finish();
  EXPECT_TRUE(clients_[0].applied);
  EXPECT_NE(applied_by_, std::this_thread::get_id());
}

TEST_F(WalWriterWithoutLog, WhatIsSubmittedMeanwhileIsDoneToo) {
  Client& a = client();
  Client& b = client();
  const auto note = machine_.before_apply;
  machine_.before_apply = [&, first = true]() mutable {
    if (std::exchange(first, false)) std::thread([&] { writer_->submit(&b.write, &b.write, true); }).join();
    note();
  };
  writer_->submit(&a.write, &a.write, true);
  b.answers.wait(0);
  EXPECT_TRUE(a.applied);
  EXPECT_TRUE(b.applied);
  EXPECT_EQ(machine_.diary, "lA1.lA1.");
  EXPECT_EQ(applied_by_, std::this_thread::get_id());
}

TEST_F(WalWriterWithoutLog, NoThreadIsHeldForEver) {
  constexpr std::size_t kMore = 100;
  std::deque<Client> more;
  for (std::uint64_t i = 0; i < kMore; ++i) more.emplace_back(i);
  std::size_t next = 0;  // used by one thread at a time, like the machine
  machine_.before_apply = [&] {
    applied_by_ = std::this_thread::get_id();
    if (next == kMore) return;
    Client& client = more[next++];
    std::thread([&] { writer_->submit(&client.write, &client.write, true); }).join();
  };
  Client& a = client();
  writer_->submit(&a.write, &a.write, true);
  for (Client& client : more) client.answers.wait(0);
  finish();
  EXPECT_EQ(machine_.lsns.size(), kMore + 1);
  EXPECT_NE(applied_by_, std::this_thread::get_id());
}

TEST_F(WalWriterWithoutLog, NobodyDoesWhatTakesLongForOthers) {
  Client& a = client();
  Client& b = client();
  const auto note = machine_.before_apply;
  machine_.before_apply = [&, first = true]() mutable {
    note();
    if (std::exchange(first, false)) std::thread([&] { writer_->submit(&b.write, &b.write, false); }).join();
  };
  writer_->submit(&a.write, &a.write, true);
  EXPECT_FALSE(a.answers == 0);
  b.answers.wait(0);
  finish();
  EXPECT_NE(applied_by_, std::this_thread::get_id());
}

TEST_F(WalWriterWithoutLog, ManyThreadsAndTasksTakeTurns) {
  std::vector<std::thread> threads;
  std::deque<Client> many;
  for (int i = 0; i < 400; ++i) many.emplace_back(i);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t * 100; i < t * 100 + 100; ++i) {
        writer_->submit(&many[i].write, &many[i].write, i % 3 != 0);
        if (i % 5 == 0) {
          bool applied = false;
          EXPECT_TRUE(writer_->run([&] { applied = many[i].applied; }));
          EXPECT_TRUE(applied);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  writer_->stop();
  EXPECT_EQ(machine_.lsns.size(), 400u);
  for (const Client& c : many) EXPECT_TRUE(c.applied && c.answers == 1);
}

}  // namespace
}  // namespace karma::wal
