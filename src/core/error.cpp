#include <karma/error.h>

#include <cstdio>
#include <cstdlib>

namespace karma {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_json:
      return "invalid_json";
    case ErrorCode::unsupported_protocol:
      return "unsupported_protocol";
    case ErrorCode::unknown_command:
      return "unknown_command";
    case ErrorCode::validation_error:
      return "validation_error";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::unauthorized:
      return "unauthorized";
    case ErrorCode::forbidden:
      return "forbidden";
    case ErrorCode::request_too_large:
      return "request_too_large";
    case ErrorCode::response_too_large:
      return "response_too_large";
    case ErrorCode::query_timeout:
      return "query_timeout";
    case ErrorCode::idempotency_conflict:
      return "idempotency_conflict";
    case ErrorCode::replication_gap:
      return "replication_gap";
    case ErrorCode::replication_error:
      return "replication_error";
    case ErrorCode::stale_replica:
      return "stale_replica";
    case ErrorCode::not_confirmed:
      return "not_confirmed";
    case ErrorCode::superseded:
      return "superseded";
    case ErrorCode::internal_error:
      return "internal_error";
  }
  return "internal_error";
}

void no_value(const Error& error) {
  std::fprintf(stderr, "karma: a Result without a value was used; its error is %s: %s\n",
               std::string(to_string(error.code)).c_str(), error.message.c_str());
  std::abort();
}

}  // namespace karma
