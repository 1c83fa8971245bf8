#include <karma/server.h>
#include <karma/version.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <vector>

#include "core/absolute_path.h"
#include "core/log.h"
#include "core/mutex.h"
#include "core/settings.h"
#include "engine/dispatcher.h"
#include "engine/resources.h"
#include "io/at_path.h"
#include "ops/process.h"
#include "ops/scrape.h"
#include "replication/follower.h"
#include "replication/peers.h"
#include "server/acceptor.h"
#include "server/descriptor_limits.h"
#include "server/http_routes.h"
#include "server/http_server.h"
#include "server/io_thread.h"
#include "server/listen_socket.h"
#include "server/liveness.h"
#include "server/service_manager.h"
#include "server/signals.h"
#include "server/watchdog.h"

namespace karma {
namespace {

using server::Acceptor;
using server::IoThread;
using server::Socket;

int io_thread_count(const Config& config) {
  if (config.io_threads > 0) return config.io_threads;
  return std::clamp(engine::allowed_cores(), 1, 128);
}

}  // namespace

class Server::Impl {
 public:
  Impl(const Config& config, FileSystem& files, Clock& clock)
      : config_(config), files_(files), clock_(clock), log_(clock, log_options(config)), current_(config) {}

  ~Impl() { stop_http(); }

  Status start() {
    if (!log_.opened()) return internal_error(log_.opened().error().message + "; --log-file names another file");
    const std::string changed = changed_settings(config_);
    log_.info("server.settings", "version=" + std::string(version()) + (changed.empty() ? "" : " ") + changed);
    const bool takes_signals = server::stop_signals_blocked();
    server::NoSignalsForNewThreads guard;
    control_.emplace("karma-control", log_);
    if (takes_signals) {
      watch_signals();
      service_manager_.emplace([](const char* name) -> const char* { return std::getenv(name); });
    }
    server::raise_descriptor_limit(config_.max_connections, io_thread_count(config_), http_descriptors());
    // The port first: a restore that ends at an occupied port is time lost. But nobody can connect before the data is
    // there: a client that asks "is it up?" by connecting gets the right answer.
    Result<server::ListenSockets> bound =
        server::bind_to(control_->context(), config_.bind, config_.port, config_.nodelay);
    if (!bound) return internal_error(bound.error().message + "; --bind and --port choose another address");
    port_ = bound->port;
    if (config_.http_port != 0) {
      if (Status status = start_http(); !status.ok()) return status;  // before the restore, of which it tells
    }
    beyond_loopback_ = bound->beyond_loopback;
    const bool open = beyond_loopback_ && !config_.auth_token && !config_.read_auth_token;
    if (Status status = check_exposure(open); !status.ok()) return status;
    if (Status status = open_engine(); !status.ok()) return status;
    engine_->set_open_to_network(open);
    engine_->set_list_clients([this](std::uint64_t after, std::size_t limit) { return list_clients(after, limit); });
    begin_serving();  // before anybody can connect: from here on a stop answers requests and saves
    start_io_threads();
    if (http_) watch_loops();
    if (config_.replication_source_host && engine_->is_slave()) follower_.emplace(*engine_, files_, log_);
    if (Status status = server::start_listening(*bound); !status.ok()) return status;
    start_accepting(std::move(bound->sockets));
    log_.info("server.start", "version=" + std::string(version()) + " port=" + std::to_string(port_) +
                                  " bind=" + config_.bind + " directory=" + absolute_path(config_.directory) +
                                  "; try: karma ping --port=" + std::to_string(port_));
    if (service_manager_ && service_manager_->watchdog().count() != 0)
      watchdog_.emplace(*service_manager_, client_loops(), log_);
    tell_service_manager("READY=1\nSTATUS=port " + std::to_string(port_));
    return {};
  }

  int port() const { return port_; }

  Status stop() {
    if (!engine_) return {};
    {
      const MutexLock lock(mutex_);
      if (phase_ == Phase::serving) phase_ = Phase::stop_requested;  // no signal begins a snapshot any more
    }
    log_.info("server.stop_begin", active_clients());
    tell_service_manager("STOPPING=1\nSTATUS=answering clients, then writing snapshots");
    acceptor_.reset();
    engine_->end_waiting();
    for (auto& thread : io_threads_) thread->drain();
    if (drain(std::chrono::seconds(config_.shutdown_timeout))) {
      log_.info("server.drain_complete", active_clients());
    } else {
      force_close();
    }
    engine_->abandon_jobs();  // nobody is left to ask for one; a copy that is being read ends, too
    peers_.reset();
    follower_.reset();
    Status saved = shut_down_engine();
    if (!saved.ok()) log_.error("server.snapshot_failed", saved.error().message);
    stop_http();
    watchdog_.reset();
    io_threads_.clear();  // before the engine that their dispatchers use
    engine_.reset();
    log_.info("server.stop", "version=" + std::string(version()));
    return saved;
  }

  int run_until_signalled(ReadSettings read_settings) {
    {
      server::NoSignalsForNewThreads guard;
      if (!signals_) watch_signals();
    }
    bool hung_up = false;
    {
      const MutexLock lock(mutex_);
      read_settings_ = std::move(read_settings);
      hung_up = std::exchange(reload_requested_, false);
    }
    if (hung_up) control_->call([this] { reload(); });
    {
      const MutexLock lock(mutex_);
      while (phase_ != Phase::stop_requested) signalled_.wait(mutex_);
      phase_ = Phase::stopping;
    }
    return stop().ok() ? 0 : 1;
  }

 private:
  enum class Phase { starting, serving, stop_requested, stopping };

  Status start_http() {
    Result<std::unique_ptr<server::HttpServer>> bound =
        server::HttpServer::bind(config_.http_bind, config_.http_port, log_);
    if (!bound) return internal_error(bound.error().message + "; --http-bind and --http-port choose another address");
    http_ = std::move(*bound);
    liveness_.emplace(http_->context(), kMaxTurn);
    return http_->start(
        server::http_routes({.stuck_loops = [this](server::Liveness::Told told) { liveness_->ask(std::move(told)); },
                             .state = [this] { return node_state(); },
                             .metrics = [this] { return scrape(); },
                             .ready_max_lag_ms = static_cast<std::uint64_t>(config_.ready_max_lag_ms)}));
  }

  // It ends before what it looks at.
  void stop_http() {
    if (!http_) return;
    http_->stop();
    liveness_.reset();
    http_.reset();
  }

  std::vector<server::Loop> client_loops() {
    std::vector<server::Loop> loops;
    loops.push_back(server::posted_loop("karma-control", [this](std::function<void()> function) {
      server::asio::post(control_->context(), std::move(function));
    }));
    for (const auto& thread : io_threads_) {
      loops.push_back(server::posted_loop(
          "karma-io-" + std::to_string(loops.size() - 1),
          [&thread = *thread](std::function<void()> function) { thread.run_soon(std::move(function)); }));
    }
    return loops;
  }

  // Not for the watchdog: a disk that stalls becomes no faster by a restart.
  void watch_loops() {
    std::vector<server::Loop> loops = client_loops();
    loops.push_back({"the writer of the log", [&engine = *engine_] {
                       return [&engine, before = engine.writer_turns()] {
                         const auto now = engine.writer_turns();
                         return !before || now != before;
                       };
                     }});
    http_->call([&] { liveness_->watch(std::move(loops)); });
  }

  // The HTTP server asks, and ends before the engine does.
  ops::NodeState node_state() {
    ops::NodeState state;
    {
      const MutexLock lock(mutex_);
      state.phase = phase_ == Phase::starting  ? ops::NodeState::Phase::starting
                    : phase_ == Phase::serving ? ops::NodeState::Phase::serving
                                               : ops::NodeState::Phase::stopping;
      state.progress = progress_;
    }
    return state.phase == ops::NodeState::Phase::serving ? engine_->node_state() : state;
  }

  std::string scrape() {
    std::optional<ops::NodeFigures> figures;
    if (node_state().phase == ops::NodeState::Phase::serving) figures = engine_->figures();
    return ops::scrape_text(version(), process_.figures(), figures);
  }

  void note_progress(std::string_view doing, std::uint64_t done, std::uint64_t all) {
    std::string progress(doing);
    if (all != 0) progress += ", " + std::to_string(done) + " of " + std::to_string(all) + " bytes";
    {
      const MutexLock lock(mutex_);
      progress_ = progress;
    }
    tell_service_manager("STATUS=" + progress + "\nEXTEND_TIMEOUT_USEC=" + std::to_string(kMaxStep.count()));
  }

  void tell_service_manager(std::string_view lines) const {
    if (service_manager_) service_manager_->tell(lines);
  }

  std::size_t http_descriptors() const { return config_.http_port == 0 ? 0 : server::HttpServer::kMaxDescriptors; }

  void watch_signals() {
    signals_.emplace(*control_, [this](int signal) { on_signal(signal); });
  }

  void on_signal(int signal) {
    if (signal == SIGHUP) return hang_up();
    const MutexLock lock(mutex_);
    if (signal == SIGUSR1) {
      snapshot_requested_ = true;
      snapshot_if_requested();
    } else {
      // The log has everything that was acknowledged, so leaving in the middle is safe.
      if (phase_ == Phase::starting) leave(0, "while restoring; nothing is lost");
      if (phase_ == Phase::stopping) leave(1, "second signal: leaving without snapshots");
      phase_ = Phase::stop_requested;
      signalled_.notify_all();
    }
  }

  void hang_up() {
    if (Status status = log_.reopen(); !status.ok()) {
      log_.error("log.reopen_failed", status.error().message);
    } else if (config_.log_file) {
      log_.info("log.reopened", *config_.log_file);
    }
    reload();
  }

  // The files are read without the lock, since I/O threads may want it.
  void reload() {
    ReadSettings read_settings;
    {
      const MutexLock lock(mutex_);
      if (!read_settings_) reload_requested_ = true;
      if (phase_ != Phase::serving) return;
      read_settings = read_settings_;
    }
    if (!read_settings) return;
    const Result<Config> read = read_settings();
    if (!read) return log_.error("server.reload_failed", "nothing is changed: " + read.error().message);
    const MutexLock lock(mutex_);
    if (phase_ != Phase::serving) return;
    if (Status taken = take_over(*read); !taken.ok())
      log_.error("server.reload_failed", "nothing is changed: " + taken.error().message);
  }

  Status take_over(const Config& read) KARMA_REQUIRES(mutex_) {
    const bool open = beyond_loopback_ && !read.auth_token && !read.read_auth_token;
    if (open && (current_.auth_token || current_.read_auth_token))
      return validation_error(
          "everybody who reaches the node could change everything without a token, and so it takes "
          "a restart");
    const Differences changed = differences(current_, read);
    for (auto& thread : io_threads_) thread->set_tokens({read.auth_token, read.read_auth_token});
    const std::string source_token = read.replication_token.value_or("");
    if (follower_) follower_->set_token(source_token);
    if (peers_) peers_->set_token(source_token);
    engine_->set_open_to_network(open);
    log_.set_level(std::min(log_.level(), read.log_level));  // either level lets it be told
    log_.info("server.reload", changed.reloaded.empty() ? "nothing has changed" : "changed=" + changed.reloaded);
    if (!changed.others.empty()) log_.warn("server.reload", "only a restart changes " + changed.others);
    current_.auth_token = read.auth_token;
    current_.auth_token_file = read.auth_token_file;
    current_.read_auth_token = read.read_auth_token;
    current_.read_auth_token_file = read.read_auth_token_file;
    current_.replication_token = read.replication_token;
    current_.replication_token_file = read.replication_token_file;
    current_.log_level = read.log_level;
    log_.set_level(read.log_level);
    return {};
  }

  [[noreturn]] void leave(int exit_code, std::string_view why) {
    log_.info("server.stop", why);
    log_.flush();
    ::_exit(exit_code);
  }

  void begin_serving() {
    const MutexLock lock(mutex_);
    phase_ = Phase::serving;
    snapshot_if_requested();
  }

  void snapshot_if_requested() KARMA_REQUIRES(mutex_) {
    if (phase_ == Phase::serving && std::exchange(snapshot_requested_, false)) engine_->snapshot_in_background();
  }

  std::string active_clients() { return "active_clients=" + std::to_string(engine_->open_connections().load()); }

  Status check_exposure(bool open) {
    if (!open) return {};
    const std::string where = config_.bind + ":" + std::to_string(port_);
    if (config_.protected_mode) {
      return internal_error("Protected mode: " + where +
                            " can be reached from other machines and no token is set. Set --auth-token-file, listen on "
                            "127.0.0.1 with --bind, or switch --protected-mode off.");
    }
    log_.warn("server.open_to_network", "EVERYBODY who reaches " + where +
                                            " can read, change and delete all data: no token is set. Use "
                                            "--auth-token-file or --bind=127.0.0.1.");
    return {};
  }

  Status open_engine() {
    const auto later_master = [this](std::uint64_t term) {
      if (!peers_) peers_.emplace(config_, log_);
      return peers_->later_than(term);
    };
    if (!config_.replication_peers.empty()) peers_.emplace(config_, log_);
    Result<std::unique_ptr<engine::Engine>> opened = engine::Engine::open(
        config_, files_, clock_, log_, later_master,
        [this](std::string_view doing, std::uint64_t done, std::uint64_t all) { note_progress(doing, done, all); });
    if (!opened) return Error{opened.error().code, at_path(config_.directory, opened.error().message)};
    engine_ = std::move(*opened);
    if (peers_) peers_->watch(*engine_);  // before anybody can write
    return {};
  }

  void start_io_threads() {
    server::IoThreadOptions options;
    options.session.max_request_bytes = static_cast<std::size_t>(config_.max_request_bytes);
    options.session.read_timeout = std::chrono::seconds(config_.read_timeout);
    options.session.port = port_;
    options.write_timeout = std::chrono::seconds(config_.write_timeout);
    auto make_handler = [this](std::function<void()> wake) {
      return std::make_unique<engine::Dispatcher>(*engine_, config_, std::move(wake));
    };
    auto changed = [this] {
      const MutexLock lock(mutex_);
      clients_changed_.notify_all();
    };
    const int count = io_thread_count(config_);
    for (int i = 0; i < count; ++i) {
      io_threads_.push_back(std::make_unique<IoThread>("karma-io-" + std::to_string(i), options, make_handler,
                                                       engine_->open_connections(), engine_->client_memory(),
                                                       engine_->spin_places(), log_, changed));
    }
  }

  // For a worker of the engine, which ends before the I/O threads do.
  commands::ClientPage list_clients(std::uint64_t after, std::size_t limit) {
    std::vector<std::future<commands::ClientPage>> parts;
    for (auto& thread : io_threads_) parts.push_back(thread->clients(after, limit));
    commands::ClientPage all;
    for (auto& part : parts) {
      commands::ClientPage page = part.get();
      all.count += page.count;
      std::ranges::move(page.clients, std::back_inserter(all.clients));
    }
    std::ranges::sort(all.clients, {}, &commands::ClientInfo::id);
    all.clients.resize(std::min(all.clients.size(), limit));
    return all;
  }

  void start_accepting(std::vector<server::ListenSocket> sockets) {
    auto hand_over = [this](Socket socket) {
      const auto fewest =
          std::ranges::min_element(io_threads_, {}, [](const auto& thread) { return thread->sockets(); });
      (*fewest)->adopt(std::move(socket));
    };
    const server::ConnectionLimits limits = server::connection_limits(
        config_.max_connections, static_cast<int>(io_threads_.size()), http_descriptors(), log_);
    engine_->set_connection_limit(limits.connections);
    Acceptor::Service service{hand_over, &engine_->open_connections(), &engine_->client_memory().connections,
                              limits.connections, limits.refused};
    acceptor_.emplace(std::move(sockets), std::move(service), *control_, log_);
  }

  // Jobs that wait for a worker may begin in the first half of the time. In the rest, clients of the others are told
  // that their jobs will not begin, so that nobody is left without an answer.
  bool drain(std::chrono::milliseconds timeout) {
    if (wait_for_clients(timeout / 2)) return true;
    engine_->abandon_jobs();
    return wait_for_clients(timeout - timeout / 2);
  }

  Status shut_down_engine() {
    try {
      return engine_->shutdown(true);
    } catch (const std::exception& failure) {
      return internal_error(failure.what());
    }
  }

  bool wait_for_clients(std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    const auto none_left = [this] { return engine_->open_connections().load() == 0; };
    const MutexLock lock(mutex_);
    while (!none_left() && clients_changed_.wait_until(mutex_, deadline)) {
    }
    return none_left();
  }

  void force_close() {
    int active = engine_->open_connections().load();
    log_.info("server.drain_timeout", active_clients());
    for (auto& thread : io_threads_) thread->close_all();
    // Closing takes no time; the wait is for the threads to get to it, since nothing may be submitted any more.
    wait_for_clients(kCloseTime);
    int remaining = engine_->open_connections().load();
    log_.info("server.force_close", "closed_clients=" + std::to_string(active - remaining) +
                                        " remaining_clients=" + std::to_string(remaining));
  }

  static constexpr std::chrono::seconds kCloseTime{10};
  // A loop that takes longer for a turn than this is not alive: a disk that stalls, for the writer.
  static constexpr std::chrono::seconds kMaxTurn{2};
  // A start that says nothing for longer is given up by the service manager.
  static constexpr std::chrono::microseconds kMaxStep{std::chrono::minutes(15)};

  const Config config_;
  FileSystem& files_;
  Clock& clock_;
  EventLog log_;
  int port_ = 0;
  bool beyond_loopback_ = false;

  Mutex mutex_;
  Condition clients_changed_;
  Condition signalled_;
  Phase phase_ KARMA_GUARDED_BY(mutex_) = Phase::starting;
  bool snapshot_requested_ KARMA_GUARDED_BY(mutex_) = false;
  std::string progress_ KARMA_GUARDED_BY(mutex_) = "nothing is loaded yet";
  ReadSettings read_settings_ KARMA_GUARDED_BY(mutex_);
  bool reload_requested_ KARMA_GUARDED_BY(mutex_) = false;
  Config current_ KARMA_GUARDED_BY(mutex_);  // config_ with what was taken over
  // Destroyed from below: no signals and no connections come, none are answered, then the engine goes.
  std::optional<server::ContextThread> control_;
  std::unique_ptr<engine::Engine> engine_;
  std::vector<std::unique_ptr<IoThread>> io_threads_;
  std::optional<replication::Follower> follower_;
  std::optional<replication::Peers> peers_;
  std::optional<Acceptor> acceptor_;
  std::optional<server::SignalWatch> signals_;
  std::optional<server::ServiceManager> service_manager_;  // of a program; an embedded server tells nobody
  std::optional<server::Watchdog> watchdog_;
  const ops::Process process_;
  std::unique_ptr<server::HttpServer> http_;  // looks at all of them
  std::optional<server::Liveness> liveness_;  // on its thread
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  // Nobody is left to be told; the log has been.
  static_cast<void>(stop());
}

void Server::block_signals() {
  sigset_t signals = server::server_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

Result<std::unique_ptr<Server>> Server::start(const Config& config, FileSystem& files, Clock& clock) {
  // A client that has gone is an error of send(), not a reason to die; so is a log that nobody reads.
  ::signal(SIGPIPE, SIG_IGN);
  // A file that reaches the limit on its size is a write that fails, as on a full disk.
  ::signal(SIGXFSZ, SIG_IGN);
  auto impl = std::make_unique<Impl>(config, files, clock);
  if (Status status = impl->start(); !status.ok()) return status.error();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

int Server::port() const { return impl_->port(); }
int Server::run_until_signalled(ReadSettings read_settings) {
  return impl_->run_until_signalled(std::move(read_settings));
}

Status Server::stop() { return impl_->stop(); }

}  // namespace karma
