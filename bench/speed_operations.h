// What scripts/check_speed counts the instructions of: operations of a node inside this process, on input that is the
// same in every run. All go through the public API, so that the inside may change without touching them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace karma::speed {

struct Operation {
  std::string_view name;
  std::string_view what;
  std::uint64_t per_call;  // how many are handed over at once, as one read of a connection brings them
  // Two numbers of calls whose costs differ by those of the operation alone: the first warms up what is made once.
  std::uint64_t few;
  std::uint64_t many;
  void (*run)(const Operation& operation, const std::string& directory, std::uint64_t calls);
};

std::span<const Operation> operations();

// Writes the data that the operations find, below `directory`: to be done once, and without counting.
void prepare(const std::string& directory);

// Does an operation `count` times on the data below `directory`, which it may change. A refusal ends the program.
void run(const Operation& operation, const std::string& directory, std::uint64_t count);

[[noreturn]] void fail(const std::string& message);

}  // namespace karma::speed
