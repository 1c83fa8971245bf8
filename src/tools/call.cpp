// karma call: any request, and its reply.
#include <algorithm>
#include <chrono>
#include <istream>
#include <ostream>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "tools/commands.h"
#include "tools/retry.h"

namespace karma::tools {
namespace {

using Json = nlohmann::ordered_json;

// A server closes connections that are idle for some seconds: after this long a new one is better.
constexpr std::chrono::seconds kIdle{1};

std::string json_text(std::string_view text) { return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace); }

// The text stays as it is, so that numbers do not change; line ends, which can only be blanks, become such.
std::string completed(std::string text, const Json& request, const std::string& token) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  std::string more;
  if (!request.contains("v")) more += R"("v":2,)";
  if (!request.contains("token") && !token.empty()) more += R"("token":)" + json_text(token) + ",";
  if (request.empty() && !more.empty()) more.pop_back();
  return text.insert(text.find('{') + 1, more);
}

class Caller {
 public:
  Caller(const CallOptions& options, const Streams& streams)
      : client_(options.connection.endpoint),
        retry_(client_, options.connection.retry_seconds, streams.err),
        pretty_(streams.out_terminal && !options.json),
        streams_(streams) {}

  // Whether it succeeded. An error: there is no reply.
  Result<bool> call(const std::string& text) {
    const Json request = Json::parse(text, nullptr, false);
    // What is no object the server refuses in its own words.
    const std::string line = request.is_object() ? completed(text, request, client_.endpoint().token) : text;
    if (std::chrono::steady_clock::now() - last_ > kIdle) client_.close();
    if (Status connected = retry_.run([] { return Status(); }); !connected) return connected.error();
    client_.send_line(line);
    const Result<protocol::Reply> reply = client_.receive();
    if (!reply) return reply.error();
    last_ = std::chrono::steady_clock::now();
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

  Client client_;
  Retry retry_;
  const bool pretty_;
  const Streams& streams_;
  std::chrono::steady_clock::time_point last_{};
};

int failed(const Error& error, const Streams& streams) {
  streams.err << "ERROR: " << error.message << std::endl;
  return 1;
}

}  // namespace

Result<std::string> request_of(const std::vector<std::string>& words) {
  const std::string& first = words.front();
  if (trim(first).starts_with('{')) {
    if (words.size() > 1) return validation_error("karma call takes one request; after it there can only be options");
    if (!Json::parse(first, nullptr, false).is_object())
      return validation_error("the request is no JSON object; has the shell taken its quotes?");
    return first;
  }
  std::string request = R"({"op":)" + json_text(first);
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const std::size_t end = word.find('=');
    if (end == word.npos || end == 0)
      return validation_error(words[i] + " is no field: karma call " + first + " NAME=VALUE");
    const std::string_view value = word.substr(end + 1);
    request +=
        "," + json_text(word.substr(0, end)) + ":" + (Json::accept(value) ? std::string(value) : json_text(value));
  }
  return request + "}";
}

int run_call(const CallOptions& options, const std::string& request, const Streams& streams) {
  Caller caller(options, streams);
  const Result<bool> done = caller.call(request);
  if (!done) return failed(done.error(), streams);
  return *done ? 0 : 1;
}

int run_calls(const CallOptions& options, std::istream& requests, const Streams& streams) {
  Caller caller(options, streams);
  bool all = true;
  for (std::string line; std::getline(requests, line);) {
    if (trim(line).empty()) continue;
    const Result<bool> done = caller.call(line);
    if (!done) return failed(done.error(), streams);
    all = *done && all;
  }
  return all ? 0 : 1;
}

}  // namespace karma::tools
