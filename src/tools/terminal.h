// The terminal, if there is one: its size, what it can show, and a view that takes all of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "tools/chart.h"
#include "tools/commands.h"

namespace karma::tools {

using Lookup = const char* (*)(const char* name);

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t lines = 24;
};
// Of standard output; the default if it is no terminal.
TerminalSize terminal_size();
// LC_ALL, else LC_CTYPE, else LANG names UTF-8.
bool is_utf8_locale(Lookup environment);
// `width`: 0 for that of the terminal. Colour only on a terminal that is not "dumb", and unless NO_COLOR is set.
Canvas canvas_of(const Streams& streams, Lookup environment, int width, bool ascii);

// Without control characters and bytes that are no UTF-8, which a server's text or a file may hold: each is a question
// mark.
std::string printable(std::string_view text);
// The first `cells` characters.
std::string_view cut(std::string_view text, std::size_t cells);

struct ScreenLine {
  enum class Emphasis { none, title, warning, alarm };
  std::string text = {};
  Emphasis emphasis = Emphasis::none;
};
// What a terminal of this size is sent to show the lines, from its first one on; the last says how many are left out.
std::string screen_text(const std::vector<ScreenLine>& lines, TerminalSize size, bool colour);

// A view on the terminal's other page, without cursor and echo. The terminal is as before when this is destroyed, and
// when a signal ends the program; SIGINT, which Ctrl-C sends, then ends it with 0. One at a time.
class Screen {
 public:
  Screen(std::ostream& out, bool colour);
  ~Screen();
  Screen(const Screen&) = delete;

  void show(const std::vector<ScreenLine>& lines);
  // Waits so long. True as soon as q was typed.
  bool quit_within(std::chrono::milliseconds time);

 private:
  std::ostream& out_;
  const bool colour_;
  bool keyboard_;
};

}  // namespace karma::tools
