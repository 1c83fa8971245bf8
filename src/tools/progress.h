// How far a long run is: a bar on a terminal, a line every few seconds elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>

namespace karma::tools {

// "1234567" as "1,234,567".
std::string grouped(std::uint64_t number);

// Not thread-safe.
class Progress {
 public:
  // `what` is being done to `whole` of `unit`; 0 if that is not known.
  Progress(std::ostream& out, bool terminal, std::string what, std::string unit, std::uint64_t whole);
  ~Progress();  // takes the bar away

  void at(std::uint64_t done);
  // Takes the bar away until the next at(), so that something else can be printed.
  void clear();

 private:
  void draw(std::uint64_t done);

  std::ostream& out_;
  const bool terminal_;
  const std::string what_;
  const std::string unit_;
  const std::uint64_t whole_;
  std::chrono::steady_clock::time_point next_;
  bool drawn_ = false;
};

}  // namespace karma::tools
