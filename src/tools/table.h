// What the sub-commands print for people: aligned columns, and quantities in units that are easy to read.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace karma::tools {

using Row = std::vector<std::string>;

// Columns as wide as their longest text, two blanks between them, each line after `indent`.
void print_table(const std::vector<Row>& rows, std::ostream& out, std::string_view indent = {});

std::string bytes_text(std::uint64_t bytes);        // 1.5 GiB
std::string duration_text(std::uint64_t seconds);   // 3 min 20 s
std::string number_text(std::uint64_t number);      // 12,345
std::string time_text(std::uint64_t unix_seconds);  // 2026-11-30 12:00:00 UTC

}  // namespace karma::tools
