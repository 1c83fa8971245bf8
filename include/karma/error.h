// Errors as the protocol names them, and Result: a value or an Error.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace karma {

// The stable codes of the protocol (docs/protocol.md); every error that leaves Karma carries one of them.
enum class ErrorCode {
  invalid_json,          // the line is not one JSON value
  unsupported_protocol,  // `v` is missing or not 2
  unknown_command,       // no such op
  validation_error,      // a field, a limit or a state that the op needs is wrong
  not_found,             // series, stream, snapshot
  unauthorized,          // a token is needed
  forbidden,             // the token or the role does not allow this op
  request_too_large,     // the line exceeds --max-request-bytes
  response_too_large,    // the reply would exceed --max-response-bytes
  query_timeout,         // the read took longer than --query-timeout-ms
  idempotency_conflict,  // the key or stream was used with another content
  replication_gap,       // the log does not reach back that far
  replication_error,     // the other node misbehaves
  stale_replica,         // a slave that does not have its master's data yet
  not_confirmed,         // the write is durable here, but too few slaves have confirmed it in time
  superseded,            // a master that knows of a later one takes no writes
  internal_error,        // disk, memory: not the client's fault
};

// The spelling on the wire.
std::string_view to_string(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::internal_error;
  std::string message;
};

inline Error internal_error(std::string message) { return {ErrorCode::internal_error, std::move(message)}; }
inline Error validation_error(std::string message) { return {ErrorCode::validation_error, std::move(message)}; }

// A Result was used as if it held a value: prints the error that it holds, and aborts.
[[noreturn]] void no_value(const Error& error);

// A value or the Error that prevented it. Free of allocation when all is well.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Only if ok(): otherwise it ends the program, and says which error nobody looked at.
  T& value() { return need_value(), *std::get_if<0>(&state_); }
  const T& value() const { return need_value(), *std::get_if<0>(&state_); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  Error& error() { return assert(!ok()), *std::get_if<1>(&state_); }
  const Error& error() const { return assert(!ok()), *std::get_if<1>(&state_); }

 private:
  void need_value() const {
    if (!ok()) [[unlikely]]
      no_value(*std::get_if<1>(&state_));
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  Error& error() { return assert(!ok()), *error_; }
  const Error& error() const { return assert(!ok()), *error_; }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace karma
