#include "tools/caller.h"

#include <algorithm>

#include <nlohmann/json.hpp>

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

}  // namespace

Result<std::string> request_of_fields(const std::vector<std::string>& words) {
  std::string request = R"({"op":)" + json_text(words.front());
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const std::size_t end = word.find('=');
    if (end == word.npos || end == 0)
      return validation_error(words[i] + " is no field: " + words.front() + " NAME=VALUE");
    const std::string_view value = word.substr(end + 1);
    request +=
        "," + json_text(word.substr(0, end)) + ":" + (Json::accept(value) ? std::string(value) : json_text(value));
  }
  return request + "}";
}

Caller::Caller(const ConnectionOptions& options, std::ostream& notices)
    : client_(options.endpoint), retry_(client_, options.retry_seconds, notices) {}

Result<protocol::Reply> Caller::call(const std::string& text) {
  const Json request = Json::parse(text, nullptr, false);
  // What is no object the server refuses in its own words.
  const std::string line = request.is_object() ? completed(text, request, client_.endpoint().token) : text;
  if (std::chrono::steady_clock::now() - last_ > kIdle) client_.close();
  if (Status connected = retry_.run([] { return Status(); }); !connected) return connected.error();
  client_.send_line(line);
  Result<protocol::Reply> reply = client_.receive();
  if (!reply) return no_answer(reply.error());
  last_ = std::chrono::steady_clock::now();
  return reply;
}

}  // namespace karma::tools
