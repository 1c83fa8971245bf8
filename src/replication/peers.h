// A master looks whether there is a later one: a slave that was promoted while this node was away, or cut off. Its
// peers tell the term of their epochs (engine/history.h). Each is asked by a thread of its own, so that one that does
// not answer holds up none of the others; it tells nothing, and stops nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <thread>

#include <karma/config.h>

#include "core/log.h"
#include "core/mutex.h"
#include "engine/engine.h"
#include "protocol/client.h"

namespace karma::replication {

class Peers {
 public:
  static constexpr std::chrono::seconds kEvery{1};
  static constexpr std::chrono::seconds kFirstAnswers{2};  // what a start waits for at most

  // Asks the nodes that the settings name: peers and, where there is one, the source.
  Peers(const Config& config, EventLog& log);
  ~Peers();

  // From any thread: what the peers want to see from now on.
  void set_token(const std::string& token) {
    for (Peer& peer : peers_) peer.client.set_token(token);
  }
  // Which of them has a later term than this, in words. Waits for their first answers.
  std::optional<std::string> later_than(std::uint64_t term);
  // From now on a later term ends the engine's time as master. Waits for the first answers where it is one. The engine
  // lives longer.
  void watch(engine::Engine& engine);

 private:
  struct Answer {
    bool master = false;
    std::uint64_t term = 0;
    std::string epoch;
  };
  struct Peer {
    Peer(std::string its_name, protocol::Endpoint endpoint) : name(std::move(its_name)), client(std::move(endpoint)) {}

    const std::string name;
    protocol::Client client;  // for its thread
    // Under mutex_.
    bool asked = false;            // once, in vain or not
    std::optional<Answer> answer;  // to the last question
    std::string failure;           // of the last question
    int failures = 0;              // in a row
    std::thread thread;
  };

  void add(const std::string& host, int port, const Config& config);
  void run(Peer& peer);
  bool wanted(Peer& peer);
  static Result<Answer> ask(protocol::Client& client);
  void note(Peer& peer, const Result<Answer>& answer);
  static std::string description(const Peer& peer);
  void await_first_answers() KARMA_REQUIRES(mutex_);
  void judge(const Peer& peer) KARMA_REQUIRES(mutex_);
  void tell_notes() KARMA_REQUIRES(mutex_);
  bool pause();

  EventLog& log_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::deque<Peer> peers_;

  Mutex mutex_;
  Condition changed_;
  engine::Engine* engine_ KARMA_GUARDED_BY(mutex_) = nullptr;
  bool stopping_ KARMA_GUARDED_BY(mutex_) = false;
};

}  // namespace karma::replication
