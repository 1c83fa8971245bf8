// What is kept of an operation that honours a key, and what its reply is made of: two numbers. Karma 1.0 keeps the
// reply itself, as JSON, in its file. Which operations there are is the ops' to say (commands/).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/buffer.h"
#include "core/json_reader.h"
#include "core/json_text.h"

namespace karma::store {

struct Reply {
  enum class Form : std::uint8_t { ok, truth, number, counts };
  Form form = Form::ok;
  std::string_view first{};  // names of counts
  std::string_view second{};

  static constexpr Reply ok() { return {Form::ok}; }
  static constexpr Reply truth() { return {Form::truth}; }
  static constexpr Reply number() { return {Form::number}; }
  static constexpr Reply count(std::string_view first) { return {Form::counts, first}; }
  static constexpr Reply counts(std::string_view first, std::string_view second) {
    return {Form::counts, first, second};
  }
  friend constexpr bool operator==(const Reply&, const Reply&) = default;

  constexpr std::size_t max_bytes() const {
    if (form == Form::counts) return second.empty() ? 32 : 64;
    return form == Form::number ? 20 : 4;
  }
  void append(Buffer& out, std::uint64_t a, std::uint64_t b) const {
    switch (form) {
      case Form::ok:
        return out.append(R"("OK")");
      case Form::truth:
        return out.append("true");
      case Form::number:
        return json::append_number(out, a);
      case Form::counts:
        break;
    }
    append_counts(out, a, b);
  }
  // False if it is no such reply.
  bool read(const json::Value& reply, std::uint64_t& a, std::uint64_t& b) const;

 private:
  void append_counts(Buffer& out, std::uint64_t a, std::uint64_t b) const;
};

struct Operation {
  std::string_view command;  // its name in registries and fingerprints: "increment"
  Reply reply;
};

// Its place among the operations, from 1 on: of this process alone.
enum class OperationId : std::uint8_t {};
using Operations = std::span<const Operation>;
inline const Operation& operation(Operations operations, OperationId id) {
  return operations[static_cast<std::size_t>(id) - 1];
}

}  // namespace karma::store
