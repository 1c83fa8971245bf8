#include "replication/peers.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/address.h"

namespace karma::replication {
namespace {

constexpr int kTimeoutSeconds = 1;
constexpr std::size_t kMaxReplyBytes = std::size_t{1} << 20;
// One that is being restarted is no news; nor is this node among its own peers, which does not answer before it has
// started.
constexpr int kFailuresToTell = 2;

}  // namespace

Peers::Peers(const Config& config, EventLog& log) : log_(log) {
  for (const std::string& name : config.replication_peers)
    if (const std::optional<Address> address = parse_address(name)) add(address->host, address->port, config);
  if (config.replication_source_host) add(*config.replication_source_host, config.replication_source_port, config);
  for (Peer& peer : peers_) peer.thread = std::thread([this, &peer] { run(peer); });
}

void Peers::add(const std::string& host, int port, const Config& config) {
  const std::string name = host + ":" + std::to_string(port);
  if (std::ranges::any_of(peers_, [&](const Peer& peer) { return peer.name == name; })) return;
  protocol::Endpoint endpoint{.host = host,
                              .port = port,
                              .token = config.replication_token.value_or(""),
                              .timeout_seconds = kTimeoutSeconds,
                              .max_reply_bytes = kMaxReplyBytes};
  peers_.emplace_back(name, std::move(endpoint));
}

Peers::~Peers() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  for (Peer& peer : peers_) peer.client.interrupt();
  for (Peer& peer : peers_) peer.thread.join();
}

void Peers::run(Peer& peer) {
  do {
    if (!wanted(peer)) continue;
    Result<Answer> answer = internal_error("");
    try {
      answer = ask(peer.client);
    } catch (const std::exception& failure) {
      answer = internal_error(failure.what());
    }
    peer.client.close();
    note(peer, answer);
  } while (pause());
}

// A slave, and a master that is none any more, have nothing to find out.
bool Peers::wanted(Peer& peer) {
  const MutexLock lock(mutex_);
  if (engine_ == nullptr || engine_->takes_writes()) return true;
  peer.answer.reset();
  peer.failures = 0;
  tell_notes();
  return false;
}

Result<Peers::Answer> Peers::ask(protocol::Client& client) {
  if (Status connected = client.connect(); !connected) return connected.error();
  client.send("replication.replicas", protocol::Client::Fields::object());
  const Result<protocol::Reply> reply = client.receive();
  if (!reply) return reply.error();
  if (!reply->success) {
    Error refused = reply->error();
    if (refused.code == ErrorCode::unknown_command) return Answer();  // a Karma 1.0 knows no terms
    return refused;
  }
  try {
    const nlohmann::json fields = reply->json();
    Answer answer{.master = fields.at("role") == "master", .term = fields.at("term"), .epoch = {}};
    if (const nlohmann::json& epoch = fields.at("epoch"); epoch.is_string()) answer.epoch = epoch;
    return answer;
  } catch (const nlohmann::json::exception& failure) {
    return Error{ErrorCode::replication_error, std::string("its reply is not what it should be: ") + failure.what()};
  }
}

void Peers::note(Peer& peer, const Result<Answer>& answer) {
  const MutexLock lock(mutex_);
  if (stopping_) return;
  peer.asked = true;
  changed_.notify_all();
  if (answer) {
    peer.answer = *answer;
    peer.failures = 0;
    peer.failure.clear();
    judge(peer);
  } else {
    peer.answer.reset();
    ++peer.failures;
    const bool told = peer.failures > kFailuresToTell && peer.failure == answer.error().message;
    peer.failure = answer.error().message;
    if (peer.failures >= kFailuresToTell && !told)
      log_.warn("replication.peer_not_asked",
                peer.name + ": " + peer.failure + "; if it is a later master, this node does not know");
  }
  tell_notes();
}

std::string Peers::description(const Peer& peer) {
  return peer.name + ", a " + (peer.answer->master ? "master" : "slave") + ", has term " +
         std::to_string(peer.answer->term);
}

std::optional<std::string> Peers::later_than(std::uint64_t term) {
  const MutexLock lock(mutex_);
  await_first_answers();
  for (const Peer& peer : peers_)
    if (peer.answer && peer.answer->term > term) return description(peer) + ", this node " + std::to_string(term);
  return {};
}

void Peers::watch(engine::Engine& engine) {
  const MutexLock lock(mutex_);
  if (engine.takes_writes()) await_first_answers();
  engine_ = &engine;
  for (const Peer& peer : peers_)
    if (peer.answer) judge(peer);
  tell_notes();
}

void Peers::await_first_answers() {
  const auto missing = [](const Peer& peer) { return !peer.asked; };
  while (std::ranges::any_of(peers_, missing) && changed_.wait_until(mutex_, begun_ + kFirstAnswers)) {
  }
}

void Peers::judge(const Peer& peer) {
  if (engine_ == nullptr || !engine_->takes_writes()) return;
  const std::uint64_t own = engine_->history().term();
  if (peer.answer->term <= own) return;
  engine_->supersede("This master has been superseded: " + description(peer) + ", this node " + std::to_string(own) +
                     ". Write to the new master, and restart this node as its slave");
}

void Peers::tell_notes() {
  if (engine_ == nullptr) return;
  engine::Engine::PeerNotes notes;
  const engine::History own = engine_->history();
  for (const Peer& peer : peers_) {
    if (peer.failures >= kFailuresToTell)
      notes.warnings.push_back(
          "the peer " + peer.name +
          " does not answer, so that it is not known whether it is a later master: " + peer.failure);
    // Promoted both, neither knowing of the other. This node among its own peers is in the very same epoch.
    if (peer.answer && peer.answer->master && !own.empty() && peer.answer->term == own.term() &&
        peer.answer->epoch != own.epochs().back().id)
      notes.problems.push_back("there are two masters: " + description(peer) +
                               ", as this node. Stop one of them, and start it as a slave of the other");
  }
  engine_->set_peer_notes(std::move(notes));
}

// False: the end.
bool Peers::pause() {
  const auto until = std::chrono::steady_clock::now() + kEvery;
  const MutexLock lock(mutex_);
  while (!stopping_ && changed_.wait_until(mutex_, until)) {
  }
  return !stopping_;
}

}  // namespace karma::replication
