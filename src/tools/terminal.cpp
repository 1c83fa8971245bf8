#include "tools/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ostream>
#include <string_view>

#include "core/utf8.h"

namespace karma::tools {
namespace {

std::string_view variable(Lookup environment, const char* name) {
  const char* value = environment(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";  // the other page, no cursor
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr int kEndingSignals[] = {SIGINT, SIGTERM, SIGHUP};

// For the handler: what standard input was before.
bool input_changed = false;
termios input_before;

// Only what a signal handler may call.
void leave() {
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, kLeave.data(), kLeave.size());
  if (input_changed) ::tcsetattr(STDIN_FILENO, TCSANOW, &input_before);
}

void end_by(int signal) {
  leave();
  if (signal == SIGINT) ::_exit(0);
  std::signal(signal, SIG_DFL);
  ::raise(signal);
}

std::string_view start_of(ScreenLine::Emphasis emphasis) {
  switch (emphasis) {
    case ScreenLine::Emphasis::none:
      return {};
    case ScreenLine::Emphasis::title:
      return "\x1b[1m";
    case ScreenLine::Emphasis::warning:
      return "\x1b[33m";
    case ScreenLine::Emphasis::alarm:
      return "\x1b[1;31m";
  }
  return {};
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

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    // A character of UTF-8 is a first byte and those that go on with it.
    std::size_t size = 1;
    const bool several = (static_cast<unsigned char>(text[0]) & 0x80) != 0;
    while (several && size < text.size() && size < 4 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) ++size;
    const std::string_view character = text.substr(0, size);
    const bool control = static_cast<unsigned char>(text[0]) < ' ' || text[0] == '\x7f' ||
                         (size == 2 && text[0] == '\xc2' && static_cast<unsigned char>(text[1]) < 0xa0);
    if (control || !valid_utf8(character)) {
      result += '?';
      text.remove_prefix(1);
      continue;
    }
    result += character;
    text.remove_prefix(size);
  }
  return result;
}

std::string_view cut(std::string_view text, std::size_t cells) {
  std::size_t begun = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;  // a character of UTF-8
    if (begins && begun++ == cells) return text.substr(0, i);
  }
  return text;
}

std::string screen_text(const std::vector<ScreenLine>& lines, TerminalSize size, bool colour) {
  constexpr std::string_view kEndOfLine = "\x1b[K";
  const std::size_t shown = lines.size() <= size.lines ? lines.size() : size.lines - 1;
  std::string text = "\x1b[H";
  const auto add = [&](const ScreenLine& line, bool first) {
    const std::string content = printable(line.text);
    const std::string_view start = colour ? start_of(line.emphasis) : std::string_view();
    if (!first) text += "\r\n";
    text.append(start).append(cut(content, size.columns)).append(start.empty() ? "" : "\x1b[0m").append(kEndOfLine);
  };
  for (std::size_t i = 0; i < shown; ++i) add(lines[i], i == 0);
  if (shown < lines.size()) add({std::to_string(lines.size() - shown) + " more lines"}, shown == 0);
  return text + "\x1b[J";
}

Screen::Screen(std::ostream& out, bool colour) : out_(out), colour_(colour), keyboard_(::isatty(STDIN_FILENO) == 1) {
  if (keyboard_ && ::tcgetattr(STDIN_FILENO, &input_before) == 0) {
    termios input = input_before;
    input.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    input.c_cc[VSUSP] = _POSIX_VDISABLE;  // a stopped program would leave the terminal as it is now
    input_changed = ::tcsetattr(STDIN_FILENO, TCSANOW, &input) == 0;
  }
  for (const int signal : kEndingSignals) std::signal(signal, end_by);
  out_ << kEnter << std::flush;
}

Screen::~Screen() {
  for (const int signal : kEndingSignals) std::signal(signal, SIG_DFL);
  out_ << std::flush;
  leave();
  input_changed = false;
}

void Screen::show(const std::vector<ScreenLine>& lines) {
  out_ << screen_text(lines, terminal_size(), colour_) << std::flush;
}

bool Screen::quit_within(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd input{keyboard_ ? STDIN_FILENO : -1, POLLIN, 0};
    if (::poll(&input, 1, static_cast<int>(left)) <= 0) continue;  // also when the window changed its size
    char key = 0;
    if (::read(STDIN_FILENO, &key, 1) != 1) keyboard_ = false;
    if (key == 'q' || key == 'Q') return true;
  }
}

}  // namespace karma::tools
