#include "tools/progress.h"

#include <algorithm>
#include <cmath>
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

std::string pace_text(std::uint64_t done, std::uint64_t left, std::chrono::duration<double> took) {
  if (done == 0 || took.count() <= 0) return {};
  const double rate = static_cast<double>(done) / took.count();
  std::string text = ", " + grouped(static_cast<std::uint64_t>(rate)) + "/s";
  if (left == 0) return text;
  const double seconds = static_cast<double>(left) / rate;
  constexpr double kMinute = 60;
  constexpr double kHour = 3600;
  const auto number = [](double value) { return grouped(static_cast<std::uint64_t>(std::ceil(value))); };
  if (seconds < 2 * kMinute) return text + ", " + number(seconds) + " s left";
  if (seconds < 2 * kHour) return text + ", " + number(seconds / kMinute) + " min left";
  return text + ", " + number(seconds / kHour) + " h left";
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
  if (whole_ > 0) {
    out_ << " (" << done * 100 / whole_ << " %)";
    const std::uint64_t now_done = done - std::min(done, before_);
    out_ << pace_text(now_done, whole_ - std::min(done, whole_), std::chrono::steady_clock::now() - start_);
  }
  if (!terminal_) out_ << '\n';
  out_ << std::flush;
  drawn_ = true;
}

}  // namespace karma::tools
