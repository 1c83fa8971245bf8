#include "server/http_guard.h"

#include <algorithm>

#include "core/text.h"

namespace karma::server {

namespace {

constexpr std::string_view kJsonBlanks = " \t\r\n";

// METHOD SP target SP HTTP/version, whatever the method and its spelling.
bool looks_like_http(std::string_view line) {
  constexpr std::string_view kProtocol = "http/";
  const std::size_t version = line.find_last_of(" \t") + 1;
  if (version < 3 || line.size() - version < kProtocol.size()) return false;
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; };
  return std::equal(kProtocol.begin(), kProtocol.end(), line.begin() + static_cast<std::ptrdiff_t>(version),
                    [&](char expected, char found) { return same(found, expected); });
}

// No foreign protocol that carries a request in its body begins like this: a first line of HTTP has blanks in it.
bool is_slip(std::string_view line) {
  constexpr std::string_view kJson = "[\"-0123456789";
  const auto printable = [](char c) { return c > ' ' && c < '\x7f'; };
  return kJson.find(line.front()) != std::string_view::npos || std::all_of(line.begin(), line.end(), printable);
}

}  // namespace

FirstLine judge_first_line(std::string_view line) {
  line = trim(line, kJsonBlanks);
  if (line.empty()) return FirstLine::blank;
  if (line.front() == '{') return FirstLine::request;
  if (looks_like_http(line)) return FirstLine::http;
  return is_slip(line) ? FirstLine::slip : FirstLine::foreign;
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
