// What an op is: one struct with its fields and what it does, made into one row of the catalog.
//
// A struct tells its kind by its function:
//   apply(Store&, Outcome&)   a mutation: logged, then applied by the writer. Never fails, it answers; from the
//                             entry and the state alone, so that replay gives the same answer.
//                             admit(const Store&, Pending&, Outcome&) says before the log whether it may be logged;
//                             kReply says what the response is made of, or reply(const Outcome&, Buffer&) writes it.
//   answer(Reads&, Buffer&)   a read.
//   run(Services&, Buffer&)   an act that waits for the disk: on a worker thread.
// and its fields in describe(self, fields), which drives decoder, log encoder, fingerprint and documentation.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <karma/error.h>
#include <karma/types.h>

#include "commands/codec.h"
#include "commands/fingerprint.h"
#include "commands/pending_keys.h"
#include "commands/pending_streams.h"
#include "commands/reads.h"
#include "core/arena.h"
#include "core/buffer.h"
#include "store/store.h"
#include "wal/verdict.h"

namespace karma::commands {

class Services;

enum class Kind : std::uint8_t { query, mutation, task };
enum class Access : std::uint8_t { read, write };                 // write: the write token, and a master
enum class Counted : std::uint8_t { no, retention, compaction };  // beside what all are, in the statistics

// What applying a mutation came to. Lives in the arena of its request.
struct Outcome {
  Arena* arena = nullptr;
  bool failed = false;
  ErrorCode code = ErrorCode::internal_error;
  std::string_view message;  // in the arena
  std::uint64_t first = 0;   // what the op answers, by op
  std::uint64_t second = 0;

  void fail(ErrorCode error_code, std::string_view text) {
    failed = true;
    code = error_code;
    message = arena->copy(text);
  }
  void fail(const Error& error) { fail(error.code, error.message); }
};

// What is logged in this batch but not yet applied, as far as it can change a verdict.
struct Pending {
  bool any = false;         // something is
  std::uint64_t added = 0;  // sum of all values to be added, saturating
  bool creates_series = false;
  bool removes_series = false;  // drops or replaces one
  bool lowers = false;          // takes something from a counter
  std::size_t removals = 0;     // of ranges of days from all counters of a series
  bool forgets_keys = false;    // of idempotency
  PendingStreams streams;
  PendingKeys keys;

  // Nothing is pending. Keeps the memory of the last batch.
  void reset() {
    any = creates_series = removes_series = lowers = forgets_keys = false;
    added = 0;
    removals = 0;
    streams.clear();
    keys.clear();
  }

  void add(std::uint64_t value) { added = added > UINT64_MAX - value ? UINT64_MAX : added + value; }
};

// What the snapshots hold already of an entry that is replayed.
class Coverage {
 public:
  virtual ~Coverage() = default;
  virtual bool exactly_once() const = 0;  // keys and streams
  virtual bool series(std::string_view name) const = 0;
  // Whether the chunk of a stream was not asked about before. A log of Karma 1.0 holds repeats of chunks.
  virtual bool first_time(std::string_view stream_id, std::uint64_t chunk) const = 0;
};

enum class Replayed : std::uint8_t { covered, applied };

using store::Reply;
using wal::Verdict;

struct Op {
  std::string_view name;
  std::span<const std::string_view> aliases;
  std::string_view command;  // the name in `forbidden` texts, fingerprints and idempotency records
  Kind kind = Kind::query;
  Access access = Access::read;
  bool idempotent = false;   // honours idempotency_key
  bool tells_state = false;  // of one that is: its answer depends on what it found, not on the request alone
  bool deletes = false;      // and so refuses fields of the protocol that it does not take
  Counted counted = Counted::no;

  Result<void*> (*decode)(const Fields&, DecodeContext&) = nullptr;
  std::string (*fields)() = nullptr;                 // for documentation
  std::size_t (*batch_size)(const void*) = nullptr;  // of an op on many keys or items: how many

  // mutations
  // The fields of the log entry, each led by a comma. While the request is there, as it may take text from it.
  void (*encode)(const void*, Buffer&) = nullptr;
  Verdict (*admit)(const void*, const store::Store&, Pending&, Outcome&) = nullptr;
  void (*apply)(const void*, store::Store&, Outcome&) = nullptr;
  // Instead of apply for an entry that may be covered in part; by default it is covered with its series, or with the
  // exactly-once state if it has none. An internal_error means that the state cannot be rebuilt.
  Replayed (*replay)(const void*, store::Store&, const Coverage&, Outcome&) = nullptr;
  void (*reply)(const void*, const Outcome&, Buffer&) = nullptr;
  Reply reply_form{};              // of one that is idempotent, as the next two
  store::OperationId operation{};  // set by the catalog
  store::RequestContent (*content)(const void*, Arena&) = nullptr;
  std::string_view (*series)(const void*) = nullptr;                // the one it changes; empty: several or none
  store::Series* (*changed)(const void*, store::Store&) = nullptr;  // the one whose counters it changes, if it exists
  Item (*target)(const void*) = nullptr;  // of one that changes a counter: which, and the day if it is one
  std::span<const Item> (*items)(const void*) = nullptr;  // of one that changes days of many
  std::span<const Key> (*keys)(const void*) = nullptr;    // of one that changes counters as a whole: which
  std::size_t max_reply_bytes = 0;                        // of the response, without the envelope

  // reads
  Status (*answer)(const void*, Reads&, Buffer&) = nullptr;
  bool (*is_long)(const void*, Reads&) = nullptr;  // better done on a worker thread; null: the op never takes long
  bool quick = false;                              // a task that must not wait for snapshots

  // tasks
  Status (*run)(const void*, Services&, Buffer&) = nullptr;
};

// What the structs say of themselves.
struct Spec {
  std::string_view name;
  std::string_view command;
  std::span<const std::string_view> aliases{};
  bool idempotent = false;
  bool tells_state = false;
  bool deletes = false;                // counts, keys or whatever cannot be had again by asking
  Access task_access = Access::write;  // of a task; queries read, mutations write
  bool quick_task = false;             // must not wait for snapshots
  Counted counted = Counted::no;
};

template <class C>
concept Mutation = requires(const C& c, store::Store& store, Outcome& outcome) {
  c.apply(store, outcome);
};
template <class C>
concept Query = requires(const C& c, Reads& reads, Buffer& out) {
  c.answer(reads, out);
};
template <class C>
concept Task = requires(const C& c, Services& services, Buffer& out) {
  c.run(services, out);
};

namespace detail {

// What a request of the op may carry.
template <class C>
FieldSet taken() {
  FieldLister lister;
  C command{};
  C::describe(command, lister);
  FieldSet taken = lister.taken() | set_of(Field::v, Field::op, Field::token);
  if (C::kSpec.idempotent) {
    taken |= set_of(Field::idempotency_key, Field::fingerprint, Field::idempotency_created_at_unix);
  }
  return taken;
}

template <class C>
Result<void*> decode(const Fields& fields, DecodeContext& context) {
  C* command = context.arena.make<C>();
  Decoder decoder(fields, context);
  if constexpr (C::kSpec.deletes) {
    static const FieldSet kTaken = taken<C>();
    decoder.take_only(kTaken, C::kSpec.name);
  }
  C::describe(*command, decoder);
  if (decoder.failed()) return decoder.error();
  if constexpr (requires { command->check(); }) {
    if (Status status = command->check(); !status) return status.error();
  }
  return static_cast<void*>(command);
}

template <class C>
std::string fields() {
  FieldLister lister;
  C command{};
  C::describe(command, lister);
  return lister.text();
}

template <class C>
std::string_view series(const void* command) {
  if constexpr (requires(const C& c) { c.series.text; }) {
    return static_cast<const C*>(command)->series.text;
  } else {
    return {};
  }
}

template <class C>
constexpr auto batch_size() -> std::size_t (*)(const void*) {
  if constexpr (requires(const C& c) { c.items.size(); }) {
    return [](const void* command) { return static_cast<const C*>(command)->items.size(); };
  } else if constexpr (requires(const C& c) { c.keys.size(); }) {
    return [](const void* command) { return static_cast<const C*>(command)->keys.size(); };
  } else {
    return nullptr;
  }
}

}  // namespace detail

// One row of the catalog.
template <class C>
constexpr Op make_op() {
  static_assert(int(Mutation<C>) + int(Query<C>) + int(Task<C>) == 1, "an op is of exactly one kind");
  static_assert(std::is_trivially_destructible_v<C>, "commands live in an arena");
  Op op;
  op.name = C::kSpec.name;
  op.command = C::kSpec.command;
  op.aliases = C::kSpec.aliases;
  op.idempotent = C::kSpec.idempotent;
  op.tells_state = C::kSpec.tells_state;
  op.deletes = C::kSpec.deletes;
  op.counted = C::kSpec.counted;
  op.decode = detail::decode<C>;
  op.fields = detail::fields<C>;
  op.batch_size = detail::batch_size<C>();
  if constexpr (Mutation<C>) {
    op.kind = Kind::mutation;
    op.access = Access::write;
    op.encode = [](const void* command, Buffer& out) {
      Encoder encoder(out);
      C::describe(*static_cast<const C*>(command), encoder);
    };
    op.admit = [](const void* command, const store::Store& store, Pending& pending, Outcome& outcome) {
      return static_cast<const C*>(command)->admit(store, pending, outcome);
    };
    op.apply = [](const void* command, store::Store& store, Outcome& outcome) {
      static_cast<const C*>(command)->apply(store, outcome);
    };
    if constexpr (requires(const C& c, store::Store& store, const Coverage& coverage, Outcome& outcome) {
                    c.replay(store, coverage, outcome);
                  }) {
      op.replay = [](const void* command, store::Store& store, const Coverage& coverage, Outcome& outcome) {
        return static_cast<const C*>(command)->replay(store, coverage, outcome);
      };
    }
    if constexpr (requires { C::kReply; }) {
      op.reply = [](const void*, const Outcome& outcome, Buffer& out) {
        C::kReply.append(out, outcome.first, outcome.second);
      };
      op.max_reply_bytes = C::kReply.max_bytes();
    } else {
      op.reply = [](const void* command, const Outcome& outcome, Buffer& out) {
        static_cast<const C*>(command)->reply(outcome, out);
      };
      op.max_reply_bytes = C::kMaxReplyBytes;
    }
    if constexpr (C::kSpec.idempotent) {
      op.reply_form = C::kReply;
      op.content = [](const void* command, Arena& arena) { return content_of(*static_cast<const C*>(command), arena); };
    }
    op.series = detail::series<C>;
    if constexpr (requires(const C& c) { Key{c.key}; }) {
      op.target = [](const void* command) {
        const C& c = *static_cast<const C*>(command);
        if constexpr (requires { Bucket{c.bucket}; }) {
          return Item{c.key, c.bucket, 0};
        } else {
          return Item{c.key, {}, 0};
        }
      };
    }
    op.changed = [](const void* command, store::Store& store) -> store::Series* {
      if constexpr (requires(const C& c) { c.changed(store); }) {
        return static_cast<const C*>(command)->changed(store);
      } else {
        return store.find(detail::series<C>(command));
      }
    };
    if constexpr (requires(const C& c) { std::span<const Item>(c.items); }) {
      op.items = [](const void* command) { return std::span<const Item>(static_cast<const C*>(command)->items); };
    }
    if constexpr (requires(const C& c) { std::span<const Key>(c.keys); }) {
      op.keys = [](const void* command) { return std::span<const Key>(static_cast<const C*>(command)->keys); };
    }
  } else if constexpr (Query<C>) {
    op.answer = [](const void* command, Reads& reads, Buffer& out) {
      return static_cast<const C*>(command)->answer(reads, out);
    };
    if constexpr (requires(const C& c, Reads& reads) { c.is_long(reads); }) {
      op.is_long = [](const void* command, Reads& reads) { return static_cast<const C*>(command)->is_long(reads); };
    }
  } else {
    op.kind = Kind::task;
    op.access = C::kSpec.task_access;
    op.quick = C::kSpec.quick_task;
    op.run = [](const void* command, Services& services, Buffer& out) {
      return static_cast<const C*>(command)->run(services, out);
    };
  }
  return op;
}

}  // namespace karma::commands
