#include "tools/progress.h"

#include <algorithm>
#include <ostream>

namespace karma::tools {
namespace {

constexpr std::chrono::milliseconds kTerminalInterval{100};
constexpr std::chrono::milliseconds kPlainInterval{5000};
constexpr std::uint64_t kBarWidth = 30;
constexpr std::string_view kToLineStart = "\r\x1b[K";

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

Progress::Progress(std::ostream& out, bool terminal, std::string what, std::string unit, std::uint64_t whole)
    : out_(out),
      terminal_(terminal),
      what_(std::move(what)),
      unit_(std::move(unit)),
      whole_(whole),
      next_(std::chrono::steady_clock::now() + (terminal ? kTerminalInterval : kPlainInterval)) {}

Progress::~Progress() { clear(); }

void Progress::at(std::uint64_t done) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + (terminal_ ? kTerminalInterval : kPlainInterval);
  draw(done);
}

void Progress::clear() {
  if (drawn_ && terminal_) out_ << kToLineStart << std::flush;
  drawn_ = false;
}

void Progress::draw(std::uint64_t done) {
  if (terminal_) out_ << kToLineStart;
  out_ << what_ << ": ";
  if (terminal_ && whole_ > 0) {
    const std::uint64_t filled = std::min(kBarWidth, done * kBarWidth / whole_);
    out_ << '[' << std::string(filled, '#') << std::string(kBarWidth - filled, '.') << "] ";
  }
  out_ << grouped(done);
  if (whole_ > 0) out_ << " of " << grouped(whole_);
  out_ << ' ' << unit_;
  if (whole_ > 0) out_ << " (" << done * 100 / whole_ << " %)";
  if (!terminal_) out_ << '\n';
  out_ << std::flush;
  drawn_ = true;
}

}  // namespace karma::tools
