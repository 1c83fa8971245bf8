// The outer JSON object of a log line, read without building anything: any white space, any order of keys.
#pragma once

#include <string_view>

namespace karma::wal {

struct Envelope {
  bool is_object = false;  // the text is one JSON object and nothing else; strings and brackets inside it balance
  std::string_view lsn;    // text of the last value of that key
  std::string_view entry;
  std::string_view version;
  int lsn_count = 0;
  int entry_count = 0;
  int version_count = 0;
  bool has_checksum = false;
  bool has_other = false;  // a key that is none of these
};

// Nested values are checked no further than needed to find their ends.
Envelope read_envelope(std::string_view text);

}  // namespace karma::wal
