// Requests as somebody types them, one after the other.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "tools/commands.h"
#include "tools/retry.h"

namespace karma::tools {

// An op and fields as NAME=VALUE, in JSON; a VALUE that is no JSON is a text.
Result<std::string> request_of_fields(const std::vector<std::string>& words);

class Caller {
 public:
  Caller(const ConnectionOptions& options, std::ostream& notices);

  // Sends a request as it is, except that "v" and the token are added where they are missing. It is sent once, whatever
  // happens; what is tried again is to connect. The reply is valid until the next call. An error: there is none.
  Result<protocol::Reply> call(const std::string& text);

 private:
  Client client_;
  Retry retry_;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace karma::tools
