// The single path of every request, on the I/O thread of its connection:
//
//   decode the envelope -> token -> op -> fields -> role -> query: answer here
//                                                        -> mutation: to the writer, the reply comes later
//                                                        -> admin (snapshots, long scans): to a worker, likewise
//
// After a mutation of its connection that is not answered yet, a short read or a refusal goes to the writer, too, for
// its turn (engine/mutation.h); the rest waits for the answer.
//
// One dispatcher per I/O thread; nothing here is thread-safe except the `wake` that it is given, which other threads
// call.
#pragma once

#include <chrono>
#include <memory>
#include <unordered_set>
#include <vector>

#include <karma/config.h>

#include "engine/engine.h"
#include "engine/request_handler.h"
#include "protocol/fields.h"

namespace karma::engine {

class Dispatcher final : public RequestHandler {
 public:
  Dispatcher(Engine& engine, const Config& config, std::function<void()> wake);
  ~Dispatcher() override;  // nothing may be under way; answers that nobody has collected go with it

  Handled handle(std::string_view line, void* connection, std::size_t pending, Buffer& out) override;
  void flush() override;
  void collect(const ReplyBuffer& place, const ReplyLost& lost) override;
  void reply_error(const Error& error, Buffer& out) override;
  void begin_round(Time now, Time::duration took) override;
  void name_clients(NameClient name) override { name_client_ = std::move(name); }
  std::string_view latest_op() const override { return op_ == nullptr ? std::string_view() : op_->name; }
  void set_tokens(const AccessTokens& tokens) override { tokens_ = tokens; }

 private:
  Handled execute(std::string_view line, void* connection, std::size_t pending, Buffer& out);
  bool authenticate(commands::Access& granted) const;
  commands::DecodeContext make_context(Arena& arena);
  Error refusal(const Error& error) const;
  Error too_large() const;

  Handled mutate(const commands::Op& op, void* connection, std::size_t pending, Buffer& out);
  Mutation& new_mutation();
  Handled hand_over(Mutation& mutation, void* connection);
  Handled ride(const commands::Op& op, void* connection);
  Handled ride(const Error& refusal, void* connection);
  void submit(Time now);
  void begin_keyed(commands::KeyedWrite& keyed);
  void encode(Mutation& mutation);
  // How new what is read has to be, and how long that may take.
  struct Freshness {
    Lsn lsn;
    std::chrono::milliseconds patience{0};
  };
  Status decode_want_lsn(commands::DecodeContext& context, bool& wanted) const;
  Status decode_min_lsn(Freshness& wanted);
  Handled read_or_run(const commands::Op& op, void* connection, Buffer& out);
  Handled start_job(const Decoded& decoded, void* connection, Buffer& out);

  void write_reply(const Mutation& mutation, Buffer& out);
  void write_reply(const Job& job, Buffer& out);
  void finish(const Status& status, const Decoded& decoded, std::size_t start, Buffer& out);
  std::unique_ptr<MutationBatch> take_batch();
  void recycle(MutationBatch* answered);
  template <class Deliver>
  void take_back(Mutation* answered, const Deliver& deliver);
  void count_time(std::chrono::steady_clock::duration duration);

  // The slow log. `reply`: bytes.
  bool is_slow(const Mutation& mutation) const { return mutation.batch->submitted <= slow_before_; }
  bool is_slow(const Job& job) const { return slow_log_.is_slow(time_of(job)); }
  static Time::duration time_of(const Job& job);
  void note_slow(const Mutation& mutation, std::size_t reply);
  void note_slow(const Job& job, std::size_t reply);
  void note_slow_read(const void* connection, std::size_t reply, Time::duration took);
  void note_slow(ops::SlowRequest request, const void* connection);

  Engine& engine_;
  const Config& config_;
  AccessTokens tokens_;
  CompletionQueue completions_;
  store::StoreLock::Reader& reader_;
  RequestStats& request_stats_;
  RequestTimes* const times_;  // nullptr: nobody asks for them

  std::size_t write_bytes_ = 0;     // of those under way
  ClientMemory::Part writes_;       // of the node's
  std::size_t gathered_bytes_ = 0;  // of the requests in batch_

  protocol::Fields fields_;
  const commands::Op* latest_op_ = nullptr;
  std::uint64_t slow_answers_ = 0;        // of this round
  const commands::Op* op_ = nullptr;      // of the line at hand, once it is known
  std::size_t request_bytes_ = 0;         // of the line at hand
  std::string_view id_;                   // of the line at hand
  bool looked_for_series_ = false;        // to decode it
  Arena arena_;                           // of the read at hand, if it never takes long
  std::unique_ptr<Job> job_;              // of a read that may, or of an admin op
  std::unique_ptr<MutationBatch> batch_;  // being gathered
  std::vector<std::unique_ptr<MutationBatch>> spare_;
  // Connections that wait for a worker: their next requests must wait for that.
  std::unordered_set<void*> alone_;
  ops::SlowLog& slow_log_;
  const std::size_t long_request_;
  NameClient name_client_;
  Time now_{};                           // of the round
  Time slow_before_ = Time::min();       // what was submitted by then and is answered now is slow
  std::uint64_t handled_in_rounds_ = 0;  // of handled_, before this wake-up
  bool slow_noted_ = false;              // of this wake-up
  std::uint64_t handled_ = 0;
  std::uint64_t keyed_ = 0;  // with an idempotency key
};

}  // namespace karma::engine
