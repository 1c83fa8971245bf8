#include "engine/dispatcher.h"

#include <mutex>
#include <optional>

#include "protocol/envelope.h"

namespace karma::engine {
namespace {

using commands::Access;
using commands::Kind;
using commands::Op;
using protocol::Field;

constexpr std::uint64_t kTimedEvery = 16;
// A longer request is timed for the slow log: beside what it costs, reading the clock does not matter.
constexpr std::size_t kLongRequest = 1024;
constexpr std::size_t kSpareBatches = 8;
// This many bytes of requests go to the writer at once, whatever else a wake-up brings: gathered requests are not
// counted in the budget.
constexpr std::size_t kGatheredBytes = 128 << 10;

// A longer request is not decoded to find out whether it is a short read, which may ride.
constexpr std::size_t kShortRequest = 2048;

constexpr std::uint64_t kSlowNotedOfRound = 4;

// Of a request that was refused it may be anything.
constexpr std::size_t kMaxNotedSeries = 128;

constexpr std::size_t kLsnBytes = std::string_view(R"(,"lsn":18446744073709551615)").size();

// Of a write that is applied.
std::size_t longest_reply(const Mutation& mutation) {
  const Op& op = *mutation.op;
  const std::size_t echoed = op.echoed_bytes == nullptr ? 0 : op.echoed_bytes(mutation.command);
  return op.max_reply_bytes + echoed + protocol::kEnvelopeBytes + (mutation.tells_lsn ? kLsnBytes : 0);
}

Error unauthorized() { return {ErrorCode::unauthorized, "Unauthorized"}; }

}  // namespace

Dispatcher::Dispatcher(Engine& engine, const Config& config, std::function<void()> wake)
    : engine_(engine),
      config_(config),
      tokens_{config.auth_token, config.read_auth_token},
      completions_(std::move(wake)),
      reader_(engine.store().lock().add_reader()),
      request_stats_(engine.add_request_stats()),
      times_(request_stats_.times.get()),
      writes_(engine.client_memory().writes),
      slow_log_(engine.slow_log()),
      long_request_(slow_log_.is_on() ? kLongRequest : SIZE_MAX) {
  spare_.reserve(kSpareBatches);
}

// Batches of which every write is answered can be used again.
template <class Deliver>
void Dispatcher::take_back(Mutation* answered, const Deliver& deliver) {
  while (answered != nullptr) {
    Mutation* const next = answered->next_answered;
    deliver(*answered);
    if (--answered->batch->unanswered == 0) recycle(answered->batch);
    answered = next;
  }
}

Dispatcher::~Dispatcher() {
  take_back(completions_.take().first, [](const Mutation&) {});
}

Handled Dispatcher::handle(std::string_view line, void* connection, std::size_t pending, Buffer& out) {
  if (!alone_.empty() && alone_.contains(connection)) return Handled::blocked;
  if (times_ != nullptr) (void)times_->wake_up();
  const bool sampled = ++handled_ % kTimedEvery == 0;
  const bool timed = sampled || line.size() >= long_request_;
  const auto begin = timed ? engine_.clock().steady() : std::chrono::steady_clock::time_point();
  const std::size_t before = out.size();
  request_bytes_ = line.size();
  op_ = nullptr;
  id_ = {};
  looked_for_series_ = false;
  const Handled handled = execute(line, connection, pending, out);
  if (handled == Handled::replied && !id_.empty()) protocol::append_id(out, id_);
  if (times_ != nullptr && handled == Handled::replied && op_ != nullptr) times_->answered(*op_);
  if (timed && handled == Handled::replied) {
    const auto took = engine_.clock().steady() - begin;
    if (sampled) count_time(took);
    if (slow_log_.is_slow(took)) note_slow_read(connection, out.size() - before, took);
  }
  return handled;
}

// A wake-up that was slow without a request of which that is known: one of those that were not timed, or all of them.
void Dispatcher::begin_round(Time now, Time::duration took) {
  const std::uint64_t requests = handled_ - handled_in_rounds_;
  if (slow_log_.is_slow(took) && !slow_noted_ && requests != 0) {
    ops::SlowRequest request{.op = latest_op(), .requests = requests, .total = took, .executed = took};
    note_slow(std::move(request), nullptr);
  }
  if (slow_answers_ > kSlowNotedOfRound) slow_log_.add_unnoted(slow_answers_ - kSlowNotedOfRound);
  slow_answers_ = 0;
  handled_in_rounds_ = handled_;
  slow_noted_ = false;
  now_ = now;
  if (slow_log_.is_on()) slow_before_ = now - slow_log_.limit();
}

void Dispatcher::flush() {
  if (times_ != nullptr) times_->end_wake_up();
  submit(now_);
}

void Dispatcher::submit(Time now) {
  if (!batch_) return;
  if (batch_->first == nullptr) return batch_->reset();  // of writes that were refused
  MutationBatch* batch = batch_.release();
  gathered_bytes_ = 0;
  batch->held_bytes = batch->footprint();
  writes_.set(write_bytes_ += batch->held_bytes);
  batch->submitted = now;
  if (engine_.logs_entries()) batch->view_entries();
  engine_.submit(*batch);
}

// Without memory a reply is lost, and with it its connection, but none of the others.
void Dispatcher::collect(const ReplyBuffer& place, const ReplyLost& lost) {
  const auto now = times_ == nullptr ? RequestTimes::Time() : engine_.clock().steady();
  const auto deliver = [&](const auto& answered) {
    if (times_ != nullptr && answered.op != nullptr) times_->answered(*answered.op, answered.arrived, now);
    try {
      Buffer& out = place(answered.connection, answered.request_bytes);
      const std::size_t before = out.size();
      write_reply(answered, out);
      if (!answered.id.empty()) protocol::append_id(out, answered.id);
      // After a stall of the disk all of them are, and the slow log has room for a few.
      if (answered.command != nullptr && is_slow(answered) && ++slow_answers_ <= kSlowNotedOfRound) [[unlikely]]
        note_slow(answered, out.size() - before);
    } catch (const std::exception&) {
      lost(answered.connection);
    }
  };
  CompletionQueue::Answers answers = completions_.take();
  take_back(answers.first, deliver);
  for (std::unique_ptr<Job> job = std::move(answers.jobs); job; job = std::move(job->next)) {
    alone_.erase(job->connection);
    deliver(*job);
  }
  writes_.set(write_bytes_);
}

void Dispatcher::reply_error(const Error& error, Buffer& out) {
  request_stats_.count_error(error.code);
  protocol::append_error(out, error);
}

// The order of the checks is part of the protocol: a client without a token learns nothing.
Handled Dispatcher::execute(std::string_view line, void* connection, std::size_t pending, Buffer& out) {
  const auto refuse = [&](const Error& error) {
    if (pending != 0) return ride(error, connection);
    reply_error(error, out);
    return Handled::replied;
  };
  if (Status status = fields_.parse_request(line); !status) return refuse(status.error());
  const Status identified = protocol::find_id(fields_, id_);
  if (Status status = protocol::check_version(fields_); !status) return refuse(status.error());
  Access granted;
  if (!authenticate(granted)) return refuse(unauthorized());
  const Op* named = find_op(fields_, latest_op_);
  if (named == nullptr) return refuse(no_op(fields_));
  const Op& op = *(op_ = latest_op_ = named);
  if (granted < op.access)
    return refuse({ErrorCode::forbidden, "Read-only token cannot execute command " + std::string(op.command)});
  if (!identified) return refuse(identified.error());
  if (op.kind == Kind::mutation) return mutate(op, connection, pending, out);
  return pending != 0 ? ride(op, connection) : read_or_run(op, connection, out);
}

bool Dispatcher::authenticate(Access& granted) const {
  granted = Access::write;
  if (!tokens_.write && !tokens_.read) return true;
  if (protocol::has_token(fields_, tokens_.write)) return true;
  granted = Access::read;
  return protocol::has_token(fields_, tokens_.read);
}

// The clock is read once for a request, here.
commands::DecodeContext Dispatcher::make_context(Arena& arena) {
  commands::DecodeContext context{.arena = arena};
  context.now = engine_.clock().unix_seconds();
  context.series_exists = [](void* self, std::string_view series) {
    Dispatcher& mine = *static_cast<Dispatcher*>(self);
    mine.looked_for_series_ = true;
    std::lock_guard lock(mine.reader_);
    return static_cast<const store::Store&>(mine.engine_.store()).find(series) != nullptr;
  };
  context.state = this;
  context.no_writes = !engine_.takes_writes();
  return context;
}

// Of a request that could not be decoded: a slave is not the only node that takes no writes.
Error Dispatcher::refusal(const Error& error) const {
  return error.code == ErrorCode::forbidden && engine_.is_superseded() ? engine_.superseded() : error;
}

Error Dispatcher::too_large() const {
  return {ErrorCode::response_too_large, "Response exceeds " + std::to_string(config_.max_response_bytes) + " bytes"};
}

Handled Dispatcher::mutate(const Op& op, void* connection, std::size_t pending, Buffer& out) {
  if (engine_.client_memory().writes_wait(ClientMemory::is_large(request_bytes_))) return Handled::no_room;
  Mutation& mutation = new_mutation();
  commands::DecodeContext context = make_context(batch_->arena);
  Status status = decode(op, fields_, engine_.store().exactly_once(), context, mutation);
  if (status && fields_.find(Field::want_lsn) != nullptr) status = decode_want_lsn(context, mutation.tells_lsn);
  // Before it is applied: a write never fails on the size of its reply.
  if (status && engine_.over_response_limit(longest_reply(mutation))) status = too_large();
  if (!status) {
    if (pending != 0) return ride(refusal(status.error()), connection);
    if (status.error().code == ErrorCode::idempotency_conflict)
      engine_.store().exactly_once().counters().conflicts.fetch_add(1, std::memory_order_relaxed);
    reply_error(refusal(status.error()), out);
    return Handled::replied;
  }
  if (mutation.keyed != nullptr) begin_keyed(*mutation.keyed);
  if (engine_.logs_entries()) encode(mutation);
  return hand_over(mutation, connection);
}

// In the batch that is being gathered.
Mutation& Dispatcher::new_mutation() {
  if (!batch_) batch_ = take_batch();
  Mutation& mutation = *batch_->arena.make<Mutation>();
  mutation.outcome.arena = &batch_->arena;
  return mutation;
}

Handled Dispatcher::hand_over(Mutation& mutation, void* connection) {
  if (!id_.empty()) mutation.id = batch_->arena.copy(id_);
  mutation.connection = connection;
  mutation.request_bytes = request_bytes_;
  if (times_ != nullptr) mutation.arrived = times_->wake_up();
  mutation.completions = &completions_;
  batch_->append(mutation);
  gathered_bytes_ += request_bytes_;
  if (gathered_bytes_ >= kGatheredBytes) submit(std::chrono::steady_clock::now());
  return Handled::pending;
}

// A read that has to see what is pending on its connection.
Handled Dispatcher::ride(const Op& op, void* connection) {
  const bool short_one = op.short_answer != nullptr && request_bytes_ <= kShortRequest;
  if (!short_one || engine_.withholds_reads() || fields_.find(Field::min_lsn) != nullptr) return Handled::blocked;
  if (engine_.client_memory().writes_wait(false)) return Handled::blocked;
  Mutation& read = new_mutation();
  commands::DecodeContext context = make_context(batch_->arena);
  if (Status status = decode(op, fields_, engine_.store().exactly_once(), context, read); !status)
    return ride(refusal(status.error()), connection);
  const std::size_t room = op.short_answer(read.command);
  if (room == 0) return Handled::blocked;
  read.rides = true;
  read.room = batch_->arena.array<char>(room);
  return hand_over(read, connection);
}

Handled Dispatcher::ride(const Error& refusal, void* connection) {
  // After the writes before it, it could be another one, or none.
  const bool depends_on_writes = looked_for_series_ || refusal.code == ErrorCode::idempotency_conflict;
  if (depends_on_writes || engine_.client_memory().writes_wait(false)) return Handled::blocked;
  Mutation& refused = new_mutation();
  refused.rides = true;
  refused.op = op_;
  refused.outcome.fail(refusal);
  return hand_over(refused, connection);
}

void Dispatcher::begin_keyed(commands::KeyedWrite& keyed) {
  // The writer fetches ahead along the batch; nothing comes before the first write to fetch it.
  if (batch_->first == nullptr) engine_.store().exactly_once().records().prefetch(keyed.record.key);
  keyed.timed = keyed_++ % kTimedEvery == 0;
  if (keyed.timed) keyed.started = engine_.clock().steady();
}

void Dispatcher::encode(Mutation& mutation) {
  Buffer& entries = batch_->entries;
  mutation.entry_offset = entries.size();
  entries.append(R"({"v":2,"op":")");
  entries.append(mutation.op->name);
  entries.append('"');
  mutation.op->encode(mutation.command, entries);
  if (mutation.keyed != nullptr) commands::encode_key(*mutation.keyed, entries);
  entries.append('}');
  mutation.entry_bytes = entries.size() - mutation.entry_offset;
}

Handled Dispatcher::read_or_run(const Op& op, void* connection, Buffer& out) {
  if (engine_.withholds_reads() && !op.of_node && op.access == Access::read)
    return reply_error(engine_.why_withheld(), out), Handled::replied;
  Freshness wanted;
  if (fields_.find(Field::min_lsn) != nullptr && !op.of_node && op.awaited == nullptr && op.access == Access::read)
    if (Status status = decode_min_lsn(wanted); !status) return reply_error(status.error(), out), Handled::replied;
  const bool must_wait = wanted.lsn > engine_.applied();
  // A command that may go to a worker is decoded into memory that can go with it.
  const bool may_leave = op.kind == Kind::admin || op.is_long != nullptr || must_wait;
  if (may_leave && !job_) job_ = std::make_unique<Job>();
  Arena& arena = may_leave ? job_->arena : arena_;
  arena.reset();
  commands::DecodeContext context = make_context(arena);
  context.line_stays = !may_leave;
  Decoded decoded;
  if (Status status = decode(op, fields_, engine_.store().exactly_once(), context, decoded); !status)
    return reply_error(refusal(status.error()), out), Handled::replied;
  if (job_) {
    job_->min_lsn = wanted.lsn;
    job_->patience = wanted.patience;
  }
  if (op.kind == Kind::admin || must_wait) return start_job(decoded, connection, out);
  commands::Reads reads(engine_.store(), reader_, engine_, arena);
  if (op.is_long != nullptr) {
    if (op.is_long(decoded.command, reads)) return start_job(decoded, connection, out);
    reads.set_query_timeout(engine_.clock(), config_.query_timeout_ms);
  }
  const std::size_t start = out.size();
  out.append(protocol::kReplyStart);
  const Status status = op.answer(decoded.command, reads, out);
  finish(status, decoded, start, out);
  return Handled::replied;
}

Status Dispatcher::decode_want_lsn(commands::DecodeContext& context, bool& wanted) const {
  commands::Decoder decoder(fields_, context);
  decoder.flag(Field::want_lsn, wanted);
  if (decoder.failed()) return decoder.error();
  return {};
}

Status Dispatcher::decode_min_lsn(Freshness& wanted) {
  commands::DecodeContext context{.arena = arena_};
  commands::Decoder decoder(fields_, context);
  std::optional<std::uint64_t> wait_ms;
  decoder.number(Field::min_lsn, wanted.lsn.value);
  decoder.number(Field::wait_ms, wait_ms);
  if (decoder.failed()) return decoder.error();
  wanted.patience =
      std::chrono::milliseconds(std::min(wait_ms.value_or(protocol::kDefaultWaitMs), protocol::kMaxWaitMs));
  return {};
}

// It was decoded into job_.
Handled Dispatcher::start_job(const Decoded& decoded, void* connection, Buffer& out) {
  if (decoded.op->access == Access::read && engine_.client_memory().jobs_are_refused()) {
    reply_error(internal_error("Too many requests are under way; try again shortly"), out);
    return Handled::replied;
  }
  static_cast<Decoded&>(*job_) = decoded;
  if (!id_.empty()) job_->id = job_->arena.copy(id_);
  job_->connection = connection;
  job_->request_bytes = request_bytes_;
  if (times_ != nullptr) job_->arrived = times_->wake_up();
  job_->completions = &completions_;
  job_->memory = &engine_.client_memory();
  job_->submitted = engine_.clock().steady();
  job_->hold(sizeof(Job) + job_->arena.footprint());
  alone_.insert(connection);
  try {
    engine_.submit(std::move(job_));
  } catch (...) {
    alone_.erase(connection);
    throw;
  }
  return Handled::job;
}

// Ends the envelope that began at `start`, or puts an error in its place.
void Dispatcher::finish(const Status& status, const Decoded& decoded, std::size_t start, Buffer& out) {
  if (status && !engine_.over_response_limit(out.size() - start + protocol::kReplyEnd.size())) {
    out.append(protocol::kReplyLineEnd);
    request_stats_.count_success(decoded);
    return;
  }
  out.truncate(start);
  reply_error(status ? too_large() : status.error(), out);
}

void Dispatcher::write_reply(const Mutation& mutation, Buffer& out) {
  const commands::Outcome& outcome = mutation.outcome;
  if (outcome.failed) return reply_error(engine_.refusal(mutation), out);
  const std::size_t start = out.size();
  out.append(protocol::kReplyStart);
  if (mutation.rides) {
    out.append(mutation.answer);
    return finish({}, mutation, start, out);
  }
  mutation.op->reply(mutation.command, outcome, out);
  if (mutation.keyed != nullptr)
    out.append(mutation.keyed->repeated ? R"(,"idempotent":true)" : R"(,"idempotent":false)");
  if (mutation.tells_lsn) json::append_field(out, "lsn", mutation.lsn.value);
  // Only the state of a stream that was there before: nothing was applied.
  if (mutation.op->echoed_bytes != nullptr &&
      engine_.over_response_limit(out.size() - start + protocol::kReplyEnd.size())) {
    out.truncate(start);
    return reply_error(too_large(), out);
  }
  out.append(protocol::kReplyLineEnd);
  request_stats_.count_success(mutation);
}

void Dispatcher::write_reply(const Job& job, Buffer& out) {
  const std::size_t start = out.size();
  out.append(protocol::kReplyStart);
  if (job.status) out.append(job.response.view());
  finish(job.status, job, start, out);
}

std::unique_ptr<MutationBatch> Dispatcher::take_batch() {
  if (spare_.empty()) return std::make_unique<MutationBatch>();
  std::unique_ptr<MutationBatch> batch = std::move(spare_.back());
  spare_.pop_back();
  return batch;
}

void Dispatcher::recycle(MutationBatch* answered) {
  std::unique_ptr<MutationBatch> batch(answered);
  write_bytes_ -= batch->held_bytes;
  if (spare_.size() == kSpareBatches) return;
  batch->reset();
  spare_.push_back(std::move(batch));
}

// An op that waits for the log to grow is slow only from then on.
Dispatcher::Time::duration Dispatcher::time_of(const Job& job) {
  return job.ended - (job.op->awaited != nullptr ? job.begun : job.submitted);
}

void Dispatcher::note_slow(const Mutation& mutation, std::size_t reply) {
  const auto took = now_ - mutation.batch->submitted;
  note_slow({.op = mutation.op->name,
             .series = std::string(mutation.op->series(mutation.command)),
             .request_bytes = mutation.request_bytes,
             .reply_bytes = reply,
             .total = took,
             .log = took},
            mutation.connection);
}

void Dispatcher::note_slow(const Job& job, std::size_t reply) {
  ops::SlowRequest request{.op = job.op->name,
                           .series = std::string(job.op->series(job.command)),
                           .request_bytes = job.request_bytes,
                           .reply_bytes = reply,
                           .total = time_of(job),
                           .executed = job.ended - job.begun};
  if (job.op->awaited == nullptr) request.queued = job.begun - job.submitted;
  note_slow(std::move(request), job.connection);
}

// The latest request; its fields are still there.
void Dispatcher::note_slow_read(const void* connection, std::size_t reply, Time::duration took) {
  ops::SlowRequest request{
      .op = latest_op(), .request_bytes = request_bytes_, .reply_bytes = reply, .total = took, .executed = took};
  const json::Value* series = fields_.find(Field::series);
  if (series == nullptr) series = fields_.find(Field::tree);
  Arena arena;
  if (series != nullptr && series->type == json::Type::string) request.series = json::decode_string(*series, arena);
  if (request.series.size() > kMaxNotedSeries) request.series.resize(kMaxNotedSeries);
  slow_noted_ = true;
  note_slow(std::move(request), connection);
}

void Dispatcher::note_slow(ops::SlowRequest request, const void* connection) {
  request.unix_seconds = engine_.clock().unix_seconds();
  if (connection != nullptr && name_client_) request.client = name_client_(connection);
  slow_log_.note(std::move(request));
}

void Dispatcher::count_time(std::chrono::steady_clock::duration duration) {
  const auto nanoseconds =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count());
  request_stats_.timed_requests.add(1);
  request_stats_.timed_nanoseconds.add(nanoseconds);
  request_stats_.last_nanoseconds.set(nanoseconds);
}

}  // namespace karma::engine
