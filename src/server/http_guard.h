// How a connection begins. Browsers, probes and crawlers find every port; they get an answer that they understand, and
// a page that makes a browser send lines to this port gets nothing executed: whatever its method, its first line does
// not begin as a request does, and the connection ends there.
#pragma once

#include <string>
#include <string_view>

namespace karma::server {

enum class FirstLine {
  blank,    // says nothing; the next one is the first
  slip,     // no request, but input of a person or a broken client: one word, or JSON that is not an object
  request,  // begins with '{', perhaps after blanks
  http,     // ends like the first line of an HTTP request
  foreign,  // anything else
};

FirstLine judge_first_line(std::string_view line);

// A whole response, 400 Bad Request, that says what this port is.
std::string http_answer(int port);

}  // namespace karma::server
