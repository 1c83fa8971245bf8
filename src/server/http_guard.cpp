#include "server/http_guard.h"

#include <algorithm>

namespace karma::server {

bool looks_like_http(std::string_view line) {
  std::size_t method_end = line.find(' ');
  std::size_t version = line.rfind(' ');
  if (method_end == 0 || version == std::string_view::npos || version == method_end) return false;
  std::string_view method = line.substr(0, method_end);
  return std::all_of(method.begin(), method.end(), [](char c) { return c >= 'A' && c <= 'Z'; }) &&
         line.substr(version + 1).starts_with("HTTP/");
}

std::string http_answer(int port) {
  std::string body =
      "This is Karma, a TCP database of counters. It does not speak HTTP: a request is one JSON object on a line.\n"
      "\n"
      "    echo '{\"v\":2,\"op\":\"system.ping\"}' | nc -N 127.0.0.1 " +
      std::to_string(port) + "\n";
  return "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace karma::server
