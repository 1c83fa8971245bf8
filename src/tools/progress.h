// How far a long run is: a bar on a terminal, a line every few seconds elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>

namespace karma::tools {

// "1234567" as "1,234,567".
std::string grouped(std::uint64_t number);

// ", 1,200/s, 3 min left": how fast `done` was done, and when what is left will be. Nothing before there is something
// to tell by.
std::string pace_text(std::uint64_t done, std::uint64_t left, std::chrono::duration<double> took);

// Not thread-safe.
class Progress {
 public:
  // `what` is being done to `whole` of `unit`; 0 if that is not known.
  Progress(std::ostream& out, bool terminal, std::string what, std::string unit, std::uint64_t whole);
  ~Progress();  // takes the bar away

  void at(std::uint64_t done);
  // So much was done before: it does not count for the pace.
  void from(std::uint64_t before) { before_ = before; }
  // Takes the bar away until the next at(), so that something else can be printed.
  void clear();

 private:
  void draw(std::uint64_t done);

  std::ostream& out_;
  const bool terminal_;
  const std::string what_;
  const std::string unit_;
  const std::uint64_t whole_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::uint64_t before_ = 0;  // was done by somebody else before
  std::chrono::steady_clock::time_point next_;
  bool drawn_ = false;
};

}  // namespace karma::tools
