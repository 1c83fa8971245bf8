// What a request costs before and after the store: reading its line, making its log entry, writing its reply.
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <string_view>

#include "commands/catalog.h"

namespace karma::commands {
namespace {

constexpr std::int64_t kNow = 1777982400;  // 2026-05-05

std::string increment() {
  return R"({"v":2,"op":"counter.increment","series":"links","key":4711,"bucket":20260505,"value":3})";
}

std::string sum() { return R"({"v":2,"op":"counter.sum","series":"links","key":4711})"; }

std::string keyed_increment() {
  return R"({"v":2,"op":"counter.increment","series":"links","key":4711,"bucket":20260505,"value":3,)"
         R"("idempotency_key":"producer-7:0123456789abcdef"})";
}

// A thousand of what `element` makes of a random number.
template <class Element>
std::string batch(std::string_view head, Element element) {
  std::mt19937_64 random(1);
  std::string text(head);
  for (int i = 0; i < 1000; ++i) text += (i == 0 ? "" : ",") + element(random());
  return text + "]}";
}

std::string batch_add() {
  return batch(R"({"v":2,"op":"series.batch_add","series":"links","items":[)", [](std::uint64_t random) {
    return "[" + std::to_string(random % 50000) + "," + std::to_string(20260501 + random / 50000 % 30) + ",1]";
  });
}

std::string batch_sum() {
  return batch(R"({"v":2,"op":"counter.batch_sum","series":"links","keys":[)",
               [](std::uint64_t random) { return std::to_string(random % 50000); });
}

// From the line to the op's own fields.
void decode(benchmark::State& state, const std::string& line) {
  Fields fields;
  Arena arena;
  for (auto _ : state) {
    arena.reset();
    DecodeContext context{.arena = arena, .now = kNow};
    if (!fields.parse(line)) return state.SkipWithError("no JSON");
    const Op* op = find_op(fields.find(Field::op)->text);
    Result<void*> command = op->decode(fields, context);
    if (!command) return state.SkipWithError(command.error().message.c_str());
    benchmark::DoNotOptimize(*command);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(line.size()));
}
BENCHMARK_CAPTURE(decode, increment, increment());
BENCHMARK_CAPTURE(decode, keyed_increment, keyed_increment());
BENCHMARK_CAPTURE(decode, sum, sum());
BENCHMARK_CAPTURE(decode, batch_add_of_1000, batch_add());
BENCHMARK_CAPTURE(decode, batch_sum_of_1000, batch_sum());

// From the op's fields to its log entry, or from its outcome to the response.
template <class Write>
void write(benchmark::State& state, const std::string& line, Write write) {
  Fields fields;
  Arena arena;
  DecodeContext context{.arena = arena, .now = kNow};
  if (!fields.parse(line)) return state.SkipWithError("no JSON");
  const Op* op = find_op(fields.find(Field::op)->text);
  Result<void*> command = op->decode(fields, context);
  Buffer out;
  for (auto _ : state) {
    out.clear();
    write(*op, *command, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(out.size()));
}

void encode(benchmark::State& state, const std::string& line) {
  write(state, line, [](const Op& op, const void* command, Buffer& out) { op.encode(command, out); });
}
BENCHMARK_CAPTURE(encode, increment, increment());
BENCHMARK_CAPTURE(encode, batch_add_of_1000, batch_add());

void reply(benchmark::State& state, const std::string& line) {
  Outcome outcome;
  outcome.first = 1000;
  outcome.second = 123456;
  write(state, line, [&](const Op& op, const void* command, Buffer& out) { op.reply(command, outcome, out); });
}
BENCHMARK_CAPTURE(reply, increment, increment());
BENCHMARK_CAPTURE(reply, batch_add_of_1000, batch_add());

}  // namespace
}  // namespace karma::commands
