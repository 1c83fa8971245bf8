#include "engine/worker.h"

#include <sys/resource.h>
#include <unistd.h>

#include <exception>
#include <utility>

namespace karma::engine {
namespace {

void call(const std::function<void()>& function) {
  try {
    function();
  } catch (const std::exception&) {
    // No memory, most likely. The thread has others to serve.
  }
}

}  // namespace

Worker::Worker() : thread_([this] { run(); }) {}

Worker::~Worker() { stop(); }

bool Worker::submit(std::function<void()> job, std::function<void()> abandon, std::size_t most) {
  {
    const MutexLock lock(mutex_);
    if (closed_ || jobs_.size() >= most) return false;
    jobs_.push_back({std::move(job), std::move(abandon)});
  }
  changed_.notify_one();
  return true;
}

// On this thread: the worker's may be busy for long.
void Worker::close() {
  std::deque<Queued> begins_no_more;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    begins_no_more.swap(jobs_);
    for (Queued& job : begins_no_more) {
      if (!job.abandon) jobs_.push_back(std::move(job));
    }
  }
  for (const Queued& job : begins_no_more) {
    if (job.abandon) call(job.abandon);
  }
}

void Worker::stop() {
  close();
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Worker::run() {
  // On Linux a thread has a priority of its own; so do those that it starts.
  const auto self = static_cast<id_t>(::gettid());
  (void)::setpriority(PRIO_PROCESS, self, ::getpriority(PRIO_PROCESS, self) + kNice);
  MutexLock lock(mutex_);
  while (true) {
    while (!stopping_ && jobs_.empty()) changed_.wait(mutex_);
    if (jobs_.empty()) return;
    const std::function<void()> job = std::move(jobs_.front().run);
    jobs_.pop_front();
    lock.unlock();
    call(job);
    lock.lock();
  }
}

}  // namespace karma::engine
