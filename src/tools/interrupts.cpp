#include "tools/interrupts.h"

#include <csignal>

namespace karma::tools {
namespace {

constexpr int kEndingSignals[] = {SIGINT, SIGTERM, SIGHUP};

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);  // so that a signal handler may set it

void note(int) {
  interrupted = true;
  for (const int signal : kEndingSignals) std::signal(signal, SIG_DFL);
}

}  // namespace

Interrupts::Interrupts() {
  interrupted = false;
  for (const int signal : kEndingSignals) std::signal(signal, note);
  std::signal(SIGPIPE, SIG_IGN);
}

Interrupts::~Interrupts() {
  for (const int signal : kEndingSignals) std::signal(signal, SIG_DFL);
  std::signal(SIGPIPE, SIG_DFL);
}

const std::atomic<bool>& Interrupts::requested() const { return interrupted; }

}  // namespace karma::tools
