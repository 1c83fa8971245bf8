#include "tools/line_editor.h"

#include <histedit.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cwchar>
#include <iterator>

#include "tools/history_file.h"
#include "tools/terminal.h"

namespace karma::tools {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT};

volatile std::sig_atomic_t caught = 0;
sigset_t while_waiting;  // the mask of the program

bool ends_the_line(int signal) { return signal == SIGINT || signal == SIGTERM || signal == SIGHUP; }

void note(int signal) {
  if (!ends_the_line(caught)) caught = signal;
}

// While a line is read, signals come only when it waits for a key, so that none is missed. What libedit has for them
// instead loses those that come between two keys.
class Signals {
 public:
  Signals() {
    caught = 0;
    sigset_t all;
    ::sigemptyset(&all);
    struct sigaction noted {};
    noted.sa_handler = note;
    for (std::size_t i = 0; i < std::size(kSignals); ++i) ::sigaddset(&all, kSignals[i]);
    ::sigprocmask(SIG_BLOCK, &all, &while_waiting);
    for (std::size_t i = 0; i < std::size(kSignals); ++i) ::sigaction(kSignals[i], &noted, &before_[i]);
  }
  ~Signals() {
    for (std::size_t i = 0; i < std::size(kSignals); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
    ::sigprocmask(SIG_SETMASK, &while_waiting, nullptr);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  struct sigaction before_[std::size(kSignals)]{};
};

// What signals that do not end the line have changed: the size of the window, or whose the terminal was meanwhile.
void take_terminal_back(EditLine* editor) {
  caught = 0;
  ::el_set(editor, EL_PREP_TERM, 0);
  ::el_set(editor, EL_PREP_TERM, 1);
  ::el_resize(editor);
  ::el_set(editor, EL_REFRESH);
}

// Returns 1, or 0 at the end of the input, or -1.
int read_character(EditLine* editor, wchar_t* character) {
  std::mbstate_t state{};
  while (true) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::ppoll(&input, 1, nullptr, &while_waiting) < 0) {
      if (errno != EINTR || ends_the_line(caught)) return -1;
      take_terminal_back(editor);
      continue;
    }
    char byte = 0;
    const ssize_t size = ::read(STDIN_FILENO, &byte, 1);
    if (size <= 0) return static_cast<int>(size);
    const std::size_t decoded = std::mbrtowc(character, &byte, 1, &state);
    if (decoded == static_cast<std::size_t>(-2)) continue;  // more of it is to come
    if (decoded == static_cast<std::size_t>(-1)) *character = L'?';
    return 1;
  }
}

// Names in columns, as a shell lists them.
void list(const std::vector<std::string>& words) {
  std::size_t width = 0;
  for (const std::string& word : words) width = std::max(width, word.size() + 2);
  const std::size_t columns = std::max<std::size_t>(terminal_size().columns / width, 1);
  const std::size_t lines = (words.size() + columns - 1) / columns;
  for (std::size_t line = 0; line < lines; ++line) {
    std::fputc('\n', stdout);
    for (std::size_t i = line; i < words.size(); i += lines) {
      const bool last = i + lines >= words.size();
      std::fprintf(stdout, "%-*s", last ? 0 : static_cast<int>(width), words[i].c_str());
    }
  }
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

unsigned char complete_word(EditLine* editor, int) {
  const LineInfo* const line = ::el_line(editor);
  const Completion completion =
      complete(std::string_view(line->buffer, static_cast<std::size_t>(line->cursor - line->buffer)));
  if (completion.words.empty()) return CC_REFRESH_BEEP;
  const std::string more = completion.common();
  if (!more.empty()) return ::el_insertstr(editor, more.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
  list(completion.words);
  return CC_REDISPLAY;
}

}  // namespace

struct LineEditor::Impl {
  explicit Impl(std::string text) : prompt(std::move(text)) {}
  ~Impl() {
    ::el_end(editor);
    ::history_end(history);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  static char* prompt_of(EditLine* editor) {
    Impl* self = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &self);
    return self->prompt.data();
  }

  std::string prompt;
  EditLine* editor = nullptr;
  History* history = ::history_init();
};

LineEditor::LineEditor(std::string prompt) : impl_(std::make_unique<Impl>(std::move(prompt))) {
  std::setlocale(LC_CTYPE, "");  // so that a letter of several bytes is one
  EditLine* const editor = impl_->editor = ::el_init("karma", stdin, stdout, stderr);
  HistEvent event;
  ::history(impl_->history, &event, H_SETSIZE, static_cast<int>(HistoryFile::kMostLines));
  ::history(impl_->history, &event, H_SETUNIQUE, 1);
  ::el_set(editor, EL_CLIENTDATA, impl_.get());
  ::el_set(editor, EL_PROMPT, Impl::prompt_of);
  ::el_set(editor, EL_EDITOR, "emacs");
  ::el_set(editor, EL_GETCFN, read_character);
  ::el_set(editor, EL_HIST, ::history, impl_->history);
  ::el_set(editor, EL_ADDFN, "karma-complete", "completes an op or a field", complete_word);
  ::el_set(editor, EL_BIND, "^I", "karma-complete", nullptr);
  ::el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  ::el_source(editor, nullptr);  // ~/.editrc
}

LineEditor::~LineEditor() = default;

LineEditor::Came LineEditor::read(std::string& line) {
  const char* text = nullptr;
  int size = 0;
  {
    const Signals signals;
    ::el_set(impl_->editor, EL_PREP_TERM, 1);  // before the prompt: what comes then is not echoed
    text = ::el_gets(impl_->editor, &size);
    ::el_set(impl_->editor, EL_PREP_TERM, 0);
  }
  if (caught == SIGINT) {
    ::el_reset(impl_->editor);
    std::fputc('\n', stdout);
    return Came::interrupt;
  }
  if (caught == SIGTERM || caught == SIGHUP) ::raise(caught);
  if (text == nullptr || size <= 0) {
    std::fputc('\n', stdout);
    return Came::end;
  }
  line.assign(text, static_cast<std::size_t>(size));
  while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
  return Came::line;
}

void LineEditor::remember(const std::string& line) {
  HistEvent event;
  ::history(impl_->history, &event, H_ENTER, line.c_str());
}

}  // namespace karma::tools
