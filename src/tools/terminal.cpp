#include "tools/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace karma::tools {
namespace {

std::string_view variable(Lookup environment, const char* name) {
  const char* value = environment(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

}  // namespace

TerminalSize terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

bool is_utf8_locale(Lookup environment) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view locale = variable(environment, name);
    if (locale.empty()) continue;
    return std::ranges::any_of(std::initializer_list<std::string_view>{".UTF-8", ".utf8", ".utf-8", ".UTF8"},
                               [&](std::string_view end) { return locale.find(end) != locale.npos; });
  }
  return false;
}

Canvas canvas_of(const Streams& streams, Lookup environment, int width, bool ascii) {
  Canvas canvas;
  if (width != 0) {
    canvas.width = static_cast<std::size_t>(width);
  } else if (streams.out_terminal) {
    canvas.width = std::clamp<std::size_t>(terminal_size().columns, kLeastWidth, kMostWidth);
  }
  canvas.utf8 = !ascii && is_utf8_locale(environment);
  canvas.colour =
      streams.out_terminal && variable(environment, "NO_COLOR").empty() && variable(environment, "TERM") != "dumb";
  return canvas;
}

}  // namespace karma::tools
