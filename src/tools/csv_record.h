// One record of a CSV file (RFC 4180): fields with separators between them; a field in quotes may hold separators, line
// ends, and quotes that are doubled.
//
// Wider than the RFC: LF ends a record as CR LF does, and blanks around a field do not belong to it. A quote inside a
// field that does not begin with one is a character like any other. Narrower: where tabs separate, a field in quotes
// ends in its line, and before a tab. Databases write such files without quoting, so a quote at the start of a field
// may be part of it, and nobody can tell how far it would reach.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/arena.h"

namespace karma::tools {

// Not thread-safe.
class CsvRecord {
 public:
  enum class Found {
    record,
    open_quote,    // a quote is not closed before `end`
    broken_quote,  // something other than a separator follows the quote that closes a field
    tab_in_quotes,
  };

  explicit CsvRecord(char separator = ',') : separator_(separator) {}
  void set_separator(char separator) { separator_ = separator; }

  // Reads the record at `at` and moves after its line end, which the last one before `end` may lack. `at` stays unless
  // a record was found.
  Found read(const char*& at, const char* end);

  // Of the last record; they point into its text, or live until the next read().
  std::span<const std::string_view> fields() const { return fields_; }
  std::uint64_t lines() const { return lines_; }  // that it goes over
  char separator() const { return separator_; }

 private:
  Found read_quoted(const char*& at, const char* end);
  const char* skip_blanks(const char* at, const char* end) const;

  char separator_;
  std::vector<std::string_view> fields_;
  std::uint64_t lines_ = 0;
  Arena unquoted_;
};

}  // namespace karma::tools
