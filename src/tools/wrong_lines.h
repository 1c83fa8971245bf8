// The wrong lines of a file: how many there are of each kind, the first of each, and, where they are left out of an
// import, their text in a file.
#pragma once

#include <fstream>
#include <iosfwd>
#include <string>
#include <vector>

#include "tools/import_plan.h"

namespace karma::tools {

// Not thread-safe.
class WrongLines {
 public:
  // `name`: of the file, in messages. `rejects`: where they are written, over what is there; empty: nowhere.
  WrongLines(std::string name, std::string rejects) : name_(std::move(name)), rejects_(std::move(rejects)) {}

  // `header`: the file's, which is written first, so that the rejects can be mended and imported.
  void add(const WrongLine& line, const std::string& header);
  std::uint64_t count() const { return count_; }
  // What there is, on several lines; nothing if there is nothing.
  void tell(std::ostream& out) const;
  // All of them are in the file of rejects.
  Status finish();

 private:
  struct Kind {
    std::string_view name;
    std::uint64_t count = 0;
    std::vector<std::string> first;  // "file:line: message"
  };

  const std::string name_;
  const std::string rejects_;
  std::vector<Kind> kinds_;  // by their first line
  std::uint64_t count_ = 0;
  std::ofstream out_;
};

}  // namespace karma::tools
