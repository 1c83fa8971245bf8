// What the system says of this process.
#pragma once

#include <cstdint>
#include <optional>

namespace karma::ops {

// What the system does not say is 0.
struct ProcessFigures {
  double cpu_seconds = 0;
  double start_unix = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_descriptors = 0;
  std::uint64_t max_descriptors = 0;
};

class Process {
 public:
  Process();
  ProcessFigures figures() const;

 private:
  const double start_unix_;  // read once: a clock that is set would move it
};

// Those that are wanted by themselves.
std::uint64_t resident_bytes();
std::optional<std::uint64_t> open_descriptors();  // inherited ones too; nothing if they cannot be listed

}  // namespace karma::ops
