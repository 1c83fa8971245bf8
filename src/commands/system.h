// system.*: the node itself.
#pragma once

#include "commands/op.h"

namespace karma::commands {

struct SystemPing {
  static constexpr Spec kSpec{.name = "system.ping", .command = "ping"};
  static void describe(auto&, auto&) {}
  Status answer(Reads& reads, Buffer& out) const;
};

struct SystemHealth {
  static constexpr Spec kSpec{.name = "system.health", .command = "health"};
  static void describe(auto&, auto&) {}
  Status answer(Reads& reads, Buffer& out) const;
};

struct SystemStats {
  static constexpr Spec kSpec{.name = "system.stats", .command = "stats"};
  static void describe(auto&, auto&) {}
  Status answer(Reads& reads, Buffer& out) const;
};

struct SystemMetrics {
  static constexpr Spec kSpec{.name = "system.metrics", .command = "metrics"};
  static void describe(auto&, auto&) {}
  Status answer(Reads& reads, Buffer& out) const;
};

}  // namespace karma::commands
