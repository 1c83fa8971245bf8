#include "engine/mutation.h"

namespace karma::engine {

CompletionQueue::Answers CompletionQueue::take() {
  const MutexLock lock(mutex_);
  Answers answers;
  answers.first = std::exchange(first_, nullptr);
  last_ = nullptr;
  answers.jobs = std::move(jobs_);
  return answers;
}

void CompletionQueue::stage(Mutation& mutation) {
  mutation.next_answered = nullptr;
  (staged_last_ == nullptr ? staged_first_ : staged_last_->next_answered) = &mutation;
  staged_last_ = &mutation;
}

// Waking under the lock: once take() has returned the answers, nobody is inside the completion queue any more, and it
// may go.
void CompletionQueue::publish() {
  const MutexLock lock(mutex_);
  (last_ == nullptr ? first_ : last_->next_answered) = std::exchange(staged_first_, nullptr);
  last_ = std::exchange(staged_last_, nullptr);
  wake_();
}

void CompletionQueue::publish(std::unique_ptr<Job> job) {
  const MutexLock lock(mutex_);
  job->next = std::move(jobs_);
  jobs_ = std::move(job);
  wake_();
}

}  // namespace karma::engine
