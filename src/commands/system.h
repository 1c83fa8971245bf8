// system.*: the node itself.
#pragma once

#include <nlohmann/json.hpp>

#include "commands/op.h"
#include "commands/replies.h"
#include "commands/services.h"

namespace karma::commands {

struct SystemPing : NoFields {
  static constexpr Spec kSpec{.name = "system.ping", .command = "ping", .of_node = true};
  static constexpr std::string_view kPong = R"("pong")";
  Status answer(Reads&, Buffer& out) const {
    out.append(kPong);
    return {};
  }
  std::size_t short_answer() const { return kPong.size(); }
};

struct SystemHealth : NoFields {
  static constexpr Spec kSpec{.name = "system.health", .command = "health", .of_node = true};
  Status answer(Reads& reads, Buffer& out) const {
    const Health health = reads.services().health();
    nlohmann::ordered_json fields = {{"status", health.problems.empty() ? "ok" : "degraded"},
                                     {"uptime_seconds", health.uptime_seconds},
                                     {"role", health.role},
                                     {"wal_enabled", health.wal_enabled}};
    // Only where there are any: 1.0 knew neither list.
    if (!health.problems.empty()) fields["problems"] = health.problems;
    if (!health.warnings.empty()) fields["warnings"] = health.warnings;
    json::append_value(out, fields);
    return {};
  }
};

struct SystemStats : NoFields {
  static constexpr Spec kSpec{.name = "system.stats", .command = "stats", .of_node = true};
  Status answer(Reads& reads, Buffer& out) const {
    ops::write_stats(reads.services().stats(), out);
    return {};
  }
};

struct SystemMetrics : NoFields {
  static constexpr Spec kSpec{.name = "system.metrics", .command = "metrics", .of_node = true};
  Status answer(Reads& reads, Buffer& out) const {
    json::append_string(out, ops::metrics_text(reads.services().stats()));
    return {};
  }
};

struct SystemHistograms : NoFields {
  static constexpr Spec kSpec{
      .name = "system.histograms", .command = "histograms", .access = Access::read, .quick = true, .of_node = true};
  Status run(Services& services, Buffer& out) const {
    ops::write_timings(services.timings(), out);
    return {};
  }
};

// The requests that took long, the latest first.
struct SystemSlowlog {
  static constexpr Spec kSpec{
      .name = "system.slowlog", .command = "slowlog", .access = Access::read, .quick = true, .of_node = true};
  static constexpr std::uint64_t kDefault = 10;
  std::uint64_t limit = 0;

  static void describe(auto& self, auto& fields) { fields.limit(self.limit, kDefault, ops::SlowLog::kCapacity); }
  Status run(Services& services, Buffer& out) const {
    ops::SlowLog& log = services.slow_log();
    nlohmann::ordered_json entries = nlohmann::ordered_json::array();
    for (const ops::SlowRequest& request : log.latest(limit)) {
      entries.push_back({{"id", request.number},
                         {"at_unix", request.unix_seconds},
                         {"op", request.op},
                         {"series", text_or_null(request.series)},
                         {"client", text_or_null(request.client)},
                         {"request_bytes", request.request_bytes},
                         {"reply_bytes", request.reply_bytes},
                         {"requests", request.requests},
                         {"total_ms", milliseconds(request.total)},
                         {"queued_ms", milliseconds(request.queued)},
                         {"executed_ms", milliseconds(request.executed)},
                         {"log_ms", milliseconds(request.log)}});
    }
    json::append_value(out,
                       {{"slow_ms", log.limit().count()}, {"count", log.count()}, {"entries", std::move(entries)}});
    return {};
  }

 private:
  static nlohmann::ordered_json text_or_null(const std::string& text) {
    return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
  }
  static nlohmann::ordered_json milliseconds(std::optional<ops::SlowRequest::Duration> duration) {
    if (!duration) return nullptr;
    return static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(*duration).count()) / 1000;
  }
};

// The connections, the oldest first.
struct SystemClients {
  static constexpr Spec kSpec{
      .name = "system.clients", .command = "clients", .access = Access::read, .quick = true, .of_node = true};
  static constexpr std::uint64_t kDefault = 100;
  static constexpr std::uint64_t kMost = 1000;
  std::uint64_t limit = 0;
  std::optional<Key> cursor;

  static void describe(auto& self, auto& fields) {
    fields.limit(self.limit, kDefault, kMost);
    fields.cursor(self.cursor);
  }
  Status run(Services& services, Buffer& out) const {
    const ClientPage page = services.clients(cursor ? cursor->value : 0, limit);
    nlohmann::ordered_json clients = nlohmann::ordered_json::array();
    for (const ClientInfo& client : page.clients) {
      clients.push_back({{"id", client.id},
                         {"address", client.address},
                         {"age_seconds", client.age_seconds},
                         {"idle_seconds", client.idle_seconds},
                         {"op", client.op.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(client.op)},
                         {"received_bytes", client.received_bytes},
                         {"sent_bytes", client.sent_bytes},
                         {"pending", client.pending}});
    }
    nlohmann::ordered_json response = {{"count", page.count}, {"clients", std::move(clients)}};
    if (page.clients.size() == limit) response["next_cursor"] = page.clients.back().id;
    json::append_value(out, response);
    return {};
  }
};

struct SystemSlowlogClear : NoFields {
  static constexpr Spec kSpec{
      .name = "system.slowlog_clear", .command = "slowlog_clear", .quick = true, .on_slave = true, .of_node = true};
  Status run(Services& services, Buffer& out) const {
    json::append_value(out, {{"cleared", services.slow_log().clear()}});
    return {};
  }
};

}  // namespace karma::commands
