// karma call: any request, and its reply.
#include <istream>
#include <ostream>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "tools/ask.h"
#include "tools/caller.h"

namespace karma::tools {
namespace {

using Json = nlohmann::ordered_json;

class PrintingCaller {
 public:
  PrintingCaller(const CallOptions& options, const Streams& streams)
      : caller_(options.connection, streams.err), pretty_(streams.out_terminal && !options.json), streams_(streams) {}

  // Whether it succeeded. An error: there is no reply.
  Result<bool> call(const std::string& text) {
    const Result<protocol::Reply> reply = caller_.call(text);
    if (!reply) return reply.error();
    print(reply->line);
    return reply->success;
  }

 private:
  void print(std::string_view line) {
    const Json reply = pretty_ ? Json::parse(line, nullptr, false) : Json(Json::value_t::discarded);
    if (reply.is_discarded()) {
      streams_.out << line << std::endl;
    } else {
      streams_.out << reply.dump(2, ' ', false, Json::error_handler_t::replace) << std::endl;
    }
  }

  Caller caller_;
  const bool pretty_;
  const Streams& streams_;
};

}  // namespace

Result<std::string> request_of(const std::vector<std::string>& words) {
  const std::string& first = words.front();
  if (trim(first).starts_with('{')) {
    if (words.size() > 1) return validation_error("karma call takes one request; after it there can only be options");
    if (!Json::parse(first, nullptr, false).is_object())
      return validation_error("the request is no JSON object; has the shell taken its quotes?");
    return first;
  }
  return request_of_fields(words);
}

int run_call(const CallOptions& options, const std::string& request, const Streams& streams) {
  PrintingCaller caller(options, streams);
  const Result<bool> done = caller.call(request);
  if (!done) return exit_code(done.error(), streams);
  return *done ? 0 : 1;
}

int run_calls(const CallOptions& options, std::istream& requests, const Streams& streams) {
  PrintingCaller caller(options, streams);
  bool all = true;
  for (std::string line; std::getline(requests, line);) {
    if (trim(line).empty()) continue;
    const Result<bool> done = caller.call(line);
    if (!done) return exit_code(done.error(), streams);
    all = *done && all;
  }
  return all ? 0 : 1;
}

}  // namespace karma::tools
