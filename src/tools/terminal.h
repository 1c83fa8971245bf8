// The terminal, if there is one: its size, and what it can show.
#pragma once

#include <cstddef>

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

}  // namespace karma::tools
