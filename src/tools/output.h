// Where a command's text goes: a file that appears when it is whole, or a stream.
#pragma once

#include <filesystem>
#include <fstream>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>

#include <karma/error.h>

#include "io/replace_file.h"

namespace karma::tools {

// A link is followed; a device or a pipe is written to, since a file in its place would take it away from everybody.
class Output {
 public:
  // `path`: empty for `out`.
  Output(std::string path, std::ostream& out) : named_(std::move(path)), out_(out) {}

  Status open();
  Status write(std::string_view text);
  // Until then the path has what it had before.
  Status finish();

 private:
  Status open_path();
  std::ostream& out() { return stream_.is_open() ? stream_ : out_; }

  const std::string named_;
  std::ostream& out_;
  std::ofstream stream_;  // of a path that is no regular file
  std::string path_;      // of the file that is replaced
  std::filesystem::perms mode_{};
  std::unique_ptr<ReplaceFile> file_;
};

}  // namespace karma::tools
