// What an op is: one struct with its fields and what it does, made into one row of the catalog.
//
// A struct tells its kind by its function:
//   apply(Store&, Outcome&)   a mutation: logged, then applied by the writer. Never fails, it answers; from the
//                             entry and the state alone, so that replay gives the same answer.
//                             admit(const Store&, Pending&, Outcome&) says before the log whether it may be logged;
//                             kReply says what the response is made of, or reply(const Outcome&, Buffer&) writes it.
//   answer(Reads&, Buffer&)   a read.
//   run(Services&, Buffer&)   an admin op, which waits for the disk: on a worker thread.
// and its fields in describe(self, fields), which drives decoder, log encoder, fingerprint and documentation.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <karma/error.h>
#include <karma/types.h>

#include "commands/codec.h"
#include "commands/fingerprint.h"
#include "commands/reads.h"
#include "commands/verdicts.h"
#include "core/arena.h"
#include "core/buffer.h"
#include "store/store.h"

namespace karma::commands {

class Services;

enum class Kind : std::uint8_t { query, mutation, admin };
enum class Access : std::uint8_t { read, write };                 // write: the write token, and a master
enum class Counted : std::uint8_t { no, retention, compaction };  // beside what all are, in the statistics

// What the snapshots hold already of an entry that is replayed.
class Coverage {
 public:
  virtual ~Coverage() = default;
  virtual bool exactly_once() const = 0;  // keys and streams
  virtual bool series(std::string_view name) const = 0;
  // Whether the chunk of a stream, as the stream holds it, was not asked about before. A log of Karma 1.0 holds repeats
  // of chunks, and also those that it refused.
  virtual bool first_time(std::string_view stream_id, std::uint64_t chunk) const = 0;
};

enum class Replayed : std::uint8_t { covered, applied };

using store::Reply;

// What the structs say of themselves.
struct Spec {
  std::string_view name;
  std::string_view command;  // the name in `forbidden` texts, fingerprints and idempotency records
  std::span<const std::string_view> aliases{};
  bool idempotent = false;   // honours idempotency_key
  bool tells_state = false;  // of one that is: its answer depends on what it found, not on the request alone
  bool deletes = false;      // counts, keys or whatever cannot be had again by asking: refuses fields it does not take
  Access access = Access::write;  // of an admin op; queries read, mutations write
  bool quick = false;             // an admin op that must not wait for snapshots
  bool heavy = false;             // an admin op that reads everything: few run or wait at a time
  bool on_slave = false;          // takes the write token, but not a master
  bool of_node = false;           // about the node and not its data: a slave answers before it has any
  Counted counted = Counted::no;
};

// An entry above `after`, for so long.
struct Awaited {
  Lsn after;
  std::chrono::milliseconds time{0};
};

struct Op : Spec {
  Kind kind = Kind::query;

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
  Item (*target)(const void*) = nullptr;  // of one that changes or reads a counter: which, and the day if it is one
  std::span<const Item> (*items)(const void*) = nullptr;  // of one that changes days of many
  std::span<const Key> (*keys)(const void*) = nullptr;    // of one that changes counters as a whole: which
  // Of the response to a mutation that is applied, without the envelope and without the text of the request that it
  // echoes, which has so many bytes when it is escaped.
  std::size_t max_reply_bytes = 0;
  std::size_t (*echoed_bytes)(const void*) = nullptr;

  // reads
  Status (*answer)(const void*, Reads&, Buffer&) = nullptr;
  Awaited (*awaited)(const void*) = nullptr;          // of one that may wait for the log to grow
  void (*arrived)(const void*, Services&) = nullptr;  // of such a one: what it tells before it waits
  bool (*is_long)(const void*, Reads&) = nullptr;     // better done on a worker thread; null: the op never takes long
  // Of one that takes a few microseconds at most, and no lock beside that of the store: how many bytes its answer may
  // take. 0, or null: it is not that short.
  std::size_t (*short_answer)(const void*) = nullptr;

  // admin ops
  Status (*run)(const void*, Services&, Buffer&) = nullptr;
};

// Fields that several ops have, and what comes with them.
struct NoFields {
  static void describe(auto&, auto&) {}
};
struct OfSeries {
  SeriesName series;

  static void describe(auto& self, auto& fields) { fields.series(self.series); }
};
// A mutation that creates the series if it is missing, and may take something from its counters.
struct CreatesSeries : OfSeries {
  Verdict admit(const store::Store& store, Pending& pending, Outcome&) const {
    const store::Series* found = store.find(series.text);
    PendingSeries& ahead = pending.of(found);
    if (found == nullptr) ahead.created = true;
    ahead.lowered = true;
    return Verdict::log;
  }
};
// One that is refused if the series is missing, likewise.
struct NeedsSeries : OfSeries {
  Verdict admit(const store::Store& store, Pending& pending, Outcome& outcome) const {
    const store::Series* found = store.find(series.text);
    PendingSeries& ahead = pending.of(found);
    if (found != nullptr) {
      if (ahead.removed) return Verdict::flush_first;
      ahead.lowered = true;
      return Verdict::log;
    }
    if (ahead.created) return Verdict::flush_first;
    outcome.fail(no_such_series(series.text));
    return Verdict::answered;
  }
  // When it is applied; nullptr, and it has failed, if the series is gone.
  store::Series* find(store::Store& store, Outcome& outcome) const {
    store::Series* found = store.find(series.text);
    if (found == nullptr) outcome.fail(no_such_series(series.text));
    return found;
  }
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
concept Admin = requires(const C& c, Services& services, Buffer& out) {
  c.run(services, out);
};

namespace detail {

// What a request of the op may carry.
template <class C>
FieldSet taken() {
  FieldLister lister;
  C command{};
  C::describe(command, lister);
  FieldSet taken = lister.taken() | set_of(Field::v, Field::op, Field::token, Field::id);
  if (Mutation<C>) taken |= set_of(Field::want_lsn);
  if (Query<C>) taken |= set_of(Field::min_lsn, Field::wait_ms);
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
  if (decoder.may_be_mistaken()) [[unlikely]]
    decoder.refuse_mistakes(taken<C>());
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

// A member function of the command, for those who do not know its type.
template <class C, auto kFunction>
struct Erased;
template <class C, class Base, class R, class... A, R (Base::*kFunction)(A...) const>
struct Erased<C, kFunction> {
  static R call(const void* command, A... arguments) {
    const Base& base = *static_cast<const C*>(command);
    return (base.*kFunction)(std::forward<A>(arguments)...);
  }
};
template <class C, auto kFunction>
constexpr auto erased = Erased<C, kFunction>::call;

template <class C>
std::string_view series(const void* command) {
  if constexpr (requires(const C& c) { c.series.text; }) return static_cast<const C*>(command)->series.text;
  return {};
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
  static_assert(int(Mutation<C>) + int(Query<C>) + int(Admin<C>) == 1, "an op is of exactly one kind");
  static_assert(std::is_trivially_destructible_v<C>, "commands live in an arena");
  static_assert(Mutation<C> || !C::kSpec.idempotent, "only mutations are idempotent");
  Op op{C::kSpec};
  op.decode = detail::decode<C>;
  op.fields = detail::fields<C>;
  op.batch_size = detail::batch_size<C>();
  op.series = detail::series<C>;
  if constexpr (requires(const C& c) { Item{c.key, c.bucket, 0}; }) {
    op.target = [](const void* command) {
      const C& c = *static_cast<const C*>(command);
      return Item{c.key, c.bucket, 0};
    };
  } else if constexpr (requires(const C& c) { Key{c.key}; }) {
    op.target = [](const void* command) { return Item{static_cast<const C*>(command)->key, {}, 0}; };
  }
  if constexpr (Mutation<C>) {
    op.kind = Kind::mutation;
    op.access = Access::write;
    op.encode = [](const void* command, Buffer& out) {
      Encoder encoder(out);
      C::describe(*static_cast<const C*>(command), encoder);
    };
    op.admit = detail::erased<C, &C::admit>;
    op.apply = detail::erased<C, &C::apply>;
    if constexpr (requires { &C::replay; }) op.replay = detail::erased<C, &C::replay>;
    if constexpr (requires { C::kReply; }) {
      op.reply = [](const void*, const Outcome& outcome, Buffer& out) {
        C::kReply.append(out, outcome.first, outcome.second);
      };
      op.max_reply_bytes = C::kReply.max_bytes();
    } else {
      op.reply = detail::erased<C, &C::reply>;
      op.max_reply_bytes = C::kMaxReplyBytes;
      op.echoed_bytes = detail::erased<C, &C::echoed_bytes>;
    }
    if constexpr (C::kSpec.idempotent) {
      op.reply_form = C::kReply;
      op.content = [](const void* command, Arena& arena) { return content_of(*static_cast<const C*>(command), arena); };
    }
    if constexpr (requires { &C::changed; }) {
      op.changed = detail::erased<C, &C::changed>;
    } else {
      op.changed = [](const void* command, store::Store& store) { return store.find(detail::series<C>(command)); };
    }
    if constexpr (requires(const C& c) { std::span<const Item>(c.items); }) {
      op.items = [](const void* command) { return std::span<const Item>(static_cast<const C*>(command)->items); };
    }
    if constexpr (requires(const C& c) { std::span<const Key>(c.keys); }) {
      op.keys = [](const void* command) { return std::span<const Key>(static_cast<const C*>(command)->keys); };
    }
  } else if constexpr (Query<C>) {
    op.access = Access::read;
    op.answer = detail::erased<C, &C::answer>;
    if constexpr (requires { &C::is_long; }) op.is_long = detail::erased<C, &C::is_long>;
    if constexpr (requires { &C::short_answer; }) op.short_answer = detail::erased<C, &C::short_answer>;
    if constexpr (requires { &C::awaited; }) {
      op.awaited = detail::erased<C, &C::awaited>;
      op.arrived = detail::erased<C, &C::arrived>;
    }
  } else {
    op.kind = Kind::admin;
    op.run = detail::erased<C, &C::run>;
  }
  return op;
}

}  // namespace karma::commands
