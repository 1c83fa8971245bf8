// Browsers, probes and crawlers find every port. They get an answer that they understand, and a page that makes a
// browser send lines to this port gets nothing executed: the connection ends at the request line.
#pragma once

#include <string>
#include <string_view>

namespace karma::server {

// METHOD SP target SP HTTP/version: never a Karma request, which is a JSON object.
bool looks_like_http(std::string_view line);

// A whole response, 400 Bad Request, that says what this port is.
std::string http_answer(int port);

}  // namespace karma::server
