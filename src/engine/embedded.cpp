// karma::Engine: the dispatcher of one connection that is not a socket.
#include <karma/engine.h>

#include <signal.h>

#include "core/mutex.h"
#include "engine/dispatcher.h"
#include "protocol/envelope.h"

namespace karma {

class Engine::Impl {
 public:
  Impl(const Config& config, Clock& clock) : config_(config), log_(clock, log_options(config)) {}

  Status open(FileSystem& files, Clock& clock) {
    if (!log_.opened()) return log_.opened();
    Result<std::unique_ptr<engine::Engine>> opened = engine::Engine::open(config_, files, clock, log_);
    if (!opened) return opened.error();
    engine_ = std::move(*opened);
    dispatcher_ = std::make_unique<engine::Dispatcher>(*engine_, config_, [this] { wake(); });
    return {};
  }

  std::vector<std::string> execute(const std::vector<std::string>& requests) {
    const MutexLock one_at_a_time(mutex_);
    replies_.clear();
    pending_ = 0;
    for (const std::string& request : requests) {
      for (engine::Handled handled = handle(request);
           handled == engine::Handled::blocked || handled == engine::Handled::no_room; handled = handle(request))
        await_replies();
    }
    await_replies();
    return std::move(replies_);
  }

  Status close(bool snapshot) {
    const MutexLock one_at_a_time(mutex_);
    if (!engine_) return {};
    Status status = engine_->shutdown(snapshot);
    dispatcher_.reset();
    engine_.reset();
    return status;
  }

 private:
  engine::Handled handle(std::string_view request) KARMA_REQUIRES(mutex_) {
    reply_.clear();
    const engine::Handled handled = dispatcher_->handle(request, this, pending_, reply_);
    if (handled == engine::Handled::replied) take_reply(reply_.view());
    if (handled == engine::Handled::pending || handled == engine::Handled::job) ++pending_;
    return handled;
  }

  void take_reply(std::string_view line) KARMA_REQUIRES(mutex_) {
    replies_.emplace_back(line.substr(0, line.find_last_not_of("\r\n") + 1));
  }

  // Until everything is answered.
  void await_replies() KARMA_REQUIRES(mutex_) {
    dispatcher_->flush();
    while (pending_ != 0) {
      {
        const MutexLock lock(wake_mutex_);
        while (!awake_) woken_.wait(wake_mutex_);
        awake_ = false;
      }
      reply_.clear();
      std::size_t complete = 0;
      const auto place = [&](void*, std::size_t) KARMA_REQUIRES(mutex_) -> Buffer& {
        --pending_;
        complete = reply_.size();
        return reply_;
      };
      dispatcher_->collect(place, [&](void*) KARMA_REQUIRES(mutex_) {
        reply_.truncate(complete);
        protocol::append_error(reply_, internal_error("Out of memory"));
      });
      std::string_view lines = reply_.view();
      while (!lines.empty()) {
        const std::size_t end = lines.find('\n') + 1;
        take_reply(lines.substr(0, end));
        lines.remove_prefix(end);
      }
    }
  }

  void wake() {
    const MutexLock lock(wake_mutex_);
    awake_ = true;
    woken_.notify_one();
  }

  const Config config_;
  EventLog log_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<engine::Dispatcher> dispatcher_;

  Mutex mutex_;
  std::vector<std::string> replies_ KARMA_GUARDED_BY(mutex_);
  std::size_t pending_ KARMA_GUARDED_BY(mutex_) = 0;
  Buffer reply_ KARMA_GUARDED_BY(mutex_);

  Mutex wake_mutex_;
  Condition woken_;
  bool awake_ KARMA_GUARDED_BY(wake_mutex_) = false;
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Engine::~Engine() {
  if (impl_) (void)impl_->close(false);
}

Result<std::unique_ptr<Engine>> Engine::open(const Config& config, FileSystem& files, Clock& clock) {
  ::signal(SIGXFSZ, SIG_IGN);  // as in Server::start
  auto impl = std::make_unique<Impl>(config, clock);
  if (Status status = impl->open(files, clock); !status) return status.error();
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

std::string Engine::execute(std::string_view request) {
  return std::move(impl_->execute(std::vector<std::string>{std::string(request)}).front());
}

std::vector<std::string> Engine::execute(const std::vector<std::string>& requests) { return impl_->execute(requests); }

Status Engine::close(bool snapshot) { return impl_->close(snapshot); }

}  // namespace karma
