// A line from somebody at a terminal, who can edit it, get earlier ones back and have words completed: libedit, whose
// header is included in line_editor.cpp only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tools/prompt.h"

namespace karma::tools {

// On standard input and output. One at a time.
class LineEditor {
 public:
  enum class Came { line, interrupt, end };  // Ctrl-C, Ctrl-D

  explicit LineEditor(std::string prompt);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  Came read(std::string& line);
  // The next arrow up gives it back.
  void remember(const std::string& line);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace karma::tools
