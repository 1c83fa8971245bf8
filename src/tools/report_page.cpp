#include <algorithm>
#include <map>

#include "tools/html.h"
#include "tools/report.h"
#include "tools/report_charts.h"
#include "tools/report_style.h"
#include "tools/table.h"

namespace karma::tools {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kMostCharts = 12;
// A picture of fewer requests tells nothing.
constexpr std::uint64_t kEnough = 20;
constexpr BucketUnit kRequests{duration_bound, "requests"};
constexpr BucketUnit kWrites{duration_bound, "writes"};
constexpr BucketUnit kSyncs{duration_bound, "syncs"};
constexpr BucketUnit kBatches{size_bound, "batches"};

// Whatever comes from the server is isolated, too: its direction of writing is its own.
std::string name_html(const std::string& name) { return "<bdi>" + escaped(name) + "</bdi>"; }

std::string percent_html(double part, double whole) { return escaped(percent_text(part, whole)); }

std::string total_text(std::uint64_t total, bool saturated) {
  return (saturated ? "more than " : "") + number_text(total);
}

std::string one_or_more(std::uint64_t count, const char* one, const char* more) {
  return number_text(count) + " " + (count == 1 ? one : more);
}

class Page {
 public:
  explicit Page(const Report& report)
      : report_(report),
        now_(report.now),
        before_(report.before ? &*report.before : nullptr),
        seconds_(seconds_between(before_, now_)) {}

  std::string text() {
    add_head();
    add_node();
    add_load();
    if (now_.histograms) add_latency(*now_.histograms);
    add_series();
    add_foot();
    return std::move(html_);
  }

 private:
  const ordered_json& stats() const { return now_.stats; }
  bool tells(const char* statistic) const {
    const auto found = stats().find(statistic);
    return found != stats().end() && !found->is_null();
  }

  // `value`: exactly what the node said, for programs.
  void add_tile(const char* title, const std::string& text, const char* statistic = nullptr,
                const std::string& note = {}) {
    html_ += std::string("<div><dt>") + title + "</dt><dd";
    if (statistic != nullptr)
      html_ += std::string(" data-statistic=\"") + statistic + "\" data-value=\"" + escaped(stats()[statistic].dump()) +
               "\"";
    html_ += ">" + escaped(text) + (note.empty() ? "" : "<small>" + escaped(note) + "</small>") + "</dd></div>\n";
  }
  void add_number(const char* title, const char* statistic, const std::string& note = {}) {
    if (tells(statistic)) add_tile(title, number_text(number_of(stats(), statistic)), statistic, note);
  }
  void add_bytes(const char* title, const char* statistic, const std::string& note = {}) {
    if (tells(statistic)) add_tile(title, bytes_text(number_of(stats(), statistic)), statistic, note);
  }
  void add_rate(const char* title, const char* statistic) {
    if (const std::optional<double> found = rate(before_, now_, statistic)) add_tile(title, rate_text(found));
  }

  void add_head() {
    const std::string status = now_.health.at("status").get<std::string>();
    const std::string role = now_.health.at("role").get<std::string>();
    const bool warned = now_.health.contains("warnings");
    html_ +=
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Karma at ";
    html_ += escaped(report_.address) + ", " + time_text(report_.made_unix) + "</title>\n<style>";
    html_ += kReportStyle;
    html_ += "</style>\n</head>\n<body>\n<header>\n<p class=\"kind\">Karma report</p>\n<h1>" +
             name_html(report_.address) + "</h1>\n<p><span class=\"state " +
             (status != "ok" ? "problem"
              : warned       ? "warning"
                             : "ok") +
             "\">" + escaped(status) + (status == "ok" && warned ? ", with warnings" : "") + "</span> " + escaped(role);
    if (tells("version")) html_ += ", version " + escaped(stats()["version"].get<std::string>());
    html_ += ", up " + duration_text(static_cast<std::uint64_t>(decimal_of(stats(), "uptime_seconds"))) +
             ". Seen on <time>" + time_text(report_.made_unix) + "</time>.</p>\n";
    add_notes();
    html_ += "</header>\n<main>\n";
  }

  void add_notes() {
    std::string notes;
    const auto add = [&](const char* list, const char* kind, const char* word) {
      const auto found = now_.health.find(list);
      if (found == now_.health.end()) return;
      for (const ordered_json& note : *found)
        notes += std::string("<li class=\"") + kind + "\"><b>" + word + "</b> " + escaped(note.get<std::string>()) +
                 "</li>\n";
    };
    add("problems", "problem", "Problem:");
    add("warnings", "warning", "Warning:");
    if (restarted(before_, now_)) notes += "<li class=\"warning\">It has been restarted while it was looked at.</li>\n";
    if (!notes.empty()) html_ += "<ul class=\"notes\">\n" + notes + "</ul>\n";
  }

  void add_node() {
    html_ += "<section aria-labelledby=\"node\">\n<h2 id=\"node\">Node</h2>\n<dl class=\"tiles\">\n";
    add_number("Series", "trees");
    add_number("Keys", "keys");
    add_bytes("Memory", "memory_bytes");
    if (tells("connections"))
      add_number("Connections", "connections", "of " + number_text(number_of(stats(), "max_connections")) + " at most");
    if (tells("client_memory_bytes"))
      add_bytes("Memory for clients", "client_memory_bytes",
                "of " + bytes_text(number_of(stats(), "client_memory_limit_bytes")) + " at most");
    if (stats().value("wal_enabled", true)) {
      add_bytes("Log", "wal_bytes");
      add_number("Latest log entry", "wal_current_lsn");
    } else {
      add_tile("Log", "off");
    }
    if (tells("snapshot_last_unix"))
      add_tile(
          "Latest snapshot", snapshot_text(stats()), "snapshot_last_unix",
          number_of(stats(), "snapshot_last_unix") == 0 ? "" : time_text(number_of(stats(), "snapshot_last_unix")));
    if (now_.health.at("role") == "slave") add_tile("Replication", lag_text(stats()));
    html_ += "</dl>\n";
    add_slaves();
    html_ += "</section>\n";
  }

  void add_slaves() {
    if (now_.replicas.is_null() || now_.replicas.at("replicas").empty()) return;
    open_table("Slaves that asked in the last 24 hours", "slaves");
    html_ +=
        "<thead><tr><th scope=\"col\">Slave</th><th scope=\"col\">Position</th><th scope=\"col\">On disk</th>"
        "<th scope=\"col\">Entries behind</th><th scope=\"col\">Last contact</th></tr></thead>\n<tbody>\n";
    const auto cell = [](const ordered_json& value, const char* otherwise) {
      return "<td>" + (value.is_number_unsigned() ? number_text(value.get<std::uint64_t>()) : otherwise) + "</td>";
    };
    for (const ordered_json& replica : now_.replicas.at("replicas")) {
      html_ += "<tr><th scope=\"row\">" + name_html(replica.at("replica").get<std::string>()) + "</th>" +
               cell(replica.at("position"), "not known") + cell(replica.at("durable_lsn"), "never") +
               cell(replica.at("lag_entries"), "not known") + "<td>" +
               duration_text(static_cast<std::uint64_t>(replica.at("last_contact_ms").get<double>() / 1000)) +
               " ago</td></tr>\n";
    }
    html_ += "</tbody></table></div></div>\n";
  }

  // The title does not scroll with the table.
  void open_table(const std::string& title, const char* id) {
    html_ += std::string("<div class=\"card\"><p class=\"table-title\" id=\"") + id + "\">" + escaped(title) +
             "</p><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"" + id +
             "\"><table aria-labelledby=\"" + id + "\">\n";
  }

  void add_load() {
    html_ += "<section aria-labelledby=\"load\">\n<h2 id=\"load\">Load</h2>\n";
    if (seconds_) {
      html_ += "<p class=\"quiet\">A second, in the " + coordinate(*seconds_) + " s in which it was watched:</p>\n";
      html_ += "<dl class=\"tiles\">\n";
      add_rate("Requests", "command_count");
      add_rate("Errors", "error_count");
      add_rate("Log entries", "wal_current_lsn");
      add_rate("Syncs", "wal_sync_count");
      html_ += "</dl>\n";
    }
    html_ += "<p class=\"quiet\">Since it was started:</p>\n<dl class=\"tiles\">\n";
    add_number("Requests", "command_count");
    add_number("Errors", "error_count");
    add_number("Reads out of time", "query_timeout_count");
    add_number("Batches read", "batch_read_count",
               one_or_more(number_of(stats(), "batch_read_key_count"), "key", "keys"));
    add_number("Batches written", "batch_write_count",
               one_or_more(number_of(stats(), "batch_write_item_count"), "item", "items"));
    html_ += "</dl>\n";
    if (now_.histograms) {
      add_ops();
    } else {
      html_ +=
          "<p>What was asked for, and how long it took, is not known: a server counts it when it is started with "
          "<code>--http-port</code>, from version 2 on.</p>\n";
    }
    html_ += "</section>\n";
  }

  void add_ops() {
    const std::vector<OpLoad> all = busiest(nullptr, *now_.histograms);
    std::map<std::string, const BucketCounts*> lately;
    std::vector<OpLoad> loads;
    const bool watched = seconds_ && before_->histograms;
    if (watched) loads = busiest(&*before_->histograms, *now_.histograms);
    for (const OpLoad& load : loads) lately[load.op] = &load.durations;
    std::uint64_t total = 0;
    for (const OpLoad& load : all) total += load.durations.count();
    open_table("Requests by op, and the time within which half of them (p50) and 99 % of them (p99) were answered",
               "ops");
    html_ +=
        "<thead class=\"two\"><tr><td></td>" +
        (watched ? "<th colspan=\"3\" scope=\"colgroup\">in " + coordinate(*seconds_) + " s</th>" : std::string()) +
        "<th class=\"wide\"></th><th colspan=\"4\" scope=\"colgroup\">since the start</th></tr>\n<tr><th "
        "scope=\"col\">Op</th>" +
        (watched ? "<th scope=\"col\">a second</th><th scope=\"col\">p50</th><th scope=\"col\">p99</th>" : "") +
        "<th scope=\"col\">requests</th><th scope=\"col\" class=\"text wide\"></th><th scope=\"col\">share</th>"
        "<th scope=\"col\">p50</th><th scope=\"col\">p99</th></tr></thead>\n<tbody>\n";
    for (const OpLoad& load : all) {
      const auto count = static_cast<double>(load.durations.count());
      html_ += "<tr data-op=\"" + escaped(load.op) + "\" data-count=\"" + std::to_string(load.durations.count()) +
               "\"><th scope=\"row\">" + escaped(load.op) + "</th>";
      if (watched) {
        const auto found = lately.find(load.op);
        if (found == lately.end()) {
          html_ += "<td>0.0</td><td>-</td><td>-</td>";
        } else {
          html_ += "<td>" + rate_text(static_cast<double>(found->second->count()) / *seconds_) + "</td>";
          add_quantiles(*found->second);
        }
      }
      html_ += "<td>" + number_text(load.durations.count()) + "</td><td class=\"text wide\">" +
               share_bar(count, static_cast<double>(total)) + "</td><td>" +
               percent_html(count, static_cast<double>(total)) + "</td>";
      add_quantiles(load.durations);
      html_ += "</tr>\n";
    }
    html_ += "</tbody></table></div></div>\n";
  }
  void add_quantiles(const BucketCounts& durations) {
    html_ += "<td>" + escaped(within(durations, 0.5, kRequests)) + "</td><td>" +
             escaped(within(durations, 0.99, kRequests)) + "</td>";
  }

  void add_latency(const Histograms& histograms) {
    const std::vector<OpLoad> all = busiest(nullptr, histograms);
    html_ +=
        "<section aria-labelledby=\"latency\">\n<h2 id=\"latency\">Latency</h2>\n<p class=\"quiet\">Since the start. "
        "From the moment when the server saw a request until it was answered; of a write that includes the sync of "
        "the log.";
    std::size_t shown = 0;
    while (shown < std::min(all.size(), kMostCharts) && all[shown].durations.count() >= kEnough) ++shown;
    if (shown < all.size())
      html_ += " Of the ops that are not here there were fewer requests; they are in the table above.";
    html_ += "</p>\n<div class=\"charts\">\n";
    for (std::size_t i = 0; i < shown; ++i)
      add_histogram(all[i].op, all[i].durations, kRequests, "op" + std::to_string(i));
    html_ += "</div>\n";
    if (histograms.log_batch.count() != 0) {
      html_ +=
          "<h3>The log</h3>\n<p class=\"quiet\">Writes wait for their batch, are written together and synced "
          "once.</p>\n"
          "<div class=\"charts\">\n";
      add_histogram("Writes that wait for their batch", histograms.log_queue, kWrites, "log-queue");
      add_histogram("Writes in a batch", histograms.log_batch, kBatches, "log-batch");
      add_histogram("Syncs", histograms.log_sync, kSyncs, "log-sync");
      html_ += "</div>\n";
    }
    html_ += "</section>\n";
  }

  void add_histogram(const std::string& name, const BucketCounts& values, const BucketUnit& unit,
                     const std::string& id) {
    if (values.count() == 0) return;
    const auto count = static_cast<double>(values.count());
    html_ += "<figure data-histogram=\"" + escaped(name) + "\"><figcaption><b>" + escaped(name) + "</b>" +
             number_text(values.count()) + " " + std::string(unit.things) + "<br>half " +
             escaped(within(values, 0.5, unit)) + ", 99 % " + escaped(within(values, 0.99, unit)) + ", mean " +
             mean_text(values, unit) + "</figcaption>\n" + histogram_chart(values, unit, id, name) +
             "\n<details><summary>Numbers</summary><table><thead><tr><th scope=\"col\">" +
             (unit.bound == duration_bound ? "took" : "writes") + "</th><th scope=\"col\">" + std::string(unit.things) +
             "</th><th scope=\"col\">share</th></tr></thead><tbody>\n";
    for (std::size_t i = 0; i < values.counts.size(); ++i) {
      if (values.counts[i] == 0) continue;
      html_ += "<tr data-bucket=\"" + std::to_string(i) + "\" data-count=\"" + std::to_string(values.counts[i]) +
               "\"><th scope=\"row\">" + bucket_text(values, i, unit) + "</th><td>" + number_text(values.counts[i]) +
               "</td><td>" + percent_html(static_cast<double>(values.counts[i]), count) + "</td></tr>\n";
    }
    html_ += "</tbody></table></details></figure>\n";
  }

  void add_series() {
    html_ += "<section aria-labelledby=\"series\">\n<h2 id=\"series\">Series</h2>\n";
    if (!report_.series_fault.empty()) {
      html_ += "<p class=\"problem notes\">They could not be read: " + escaped(report_.series_fault) + "</p>\n";
    } else if (report_.series.empty()) {
      html_ += "<p>There are none.</p>\n";
    } else {
      html_ += "<p class=\"quiet\">The largest keys of " + range_text(report_.range) +
               " (UTC), each scaled to its own largest day. A day without a bar has no value.";
      if (report_.series_left_out != 0)
        html_ +=
            " " +
            one_or_more(report_.series_left_out, "series with a smaller total is", "series with smaller totals are") +
            " left out; <code>--series</code> names others.";
      html_ += "</p>\n";
    }
    for (std::size_t i = 0; i < report_.series.size(); ++i) add_one_series(report_.series[i], "s" + std::to_string(i));
    html_ += "</section>\n";
  }

  void add_one_series(const SeriesReport& series, const std::string& id) {
    html_ += "<section class=\"card\" aria-labelledby=\"" + id + "\" data-series=\"" + escaped(series.name) +
             "\">\n<h3 id=\"" + id + "\">" + name_html(series.name) + "</h3>\n";
    if (!series.fault.empty()) {
      html_ += "<p>It could not be read: " + escaped(series.fault) + "</p>\n</section>\n";
      return;
    }
    html_ += "<p class=\"quiet\">" + total_text(series.total, series.saturated) + " in " +
             one_or_more(series.keys, "key", "keys") + "; in these days " +
             total_text(series.range_total, series.range_saturated) + " in " +
             one_or_more(series.range_keys, "key", "keys");
    std::uint64_t shown = 0;
    for (const KeyDays& counter : series.largest) add_saturating(shown, figures_of(counter.days).total);
    if (series.range_keys > series.largest.size())
      html_ += ", of which the " + one_or_more(series.largest.size(), "largest has ", "largest have ") +
               percent_html(static_cast<double>(shown), static_cast<double>(series.range_total));
    html_ += ".</p>\n";
    if (series.largest.empty()) {
      html_ += "<p>No key has a value in these days; <code>--range</code> chooses others.</p>\n</section>\n";
      return;
    }
    html_ += "<ul class=\"keys\">\n<li aria-hidden=\"true\"><span class=\"axis-days\"><span>" +
             date_text(*report_.range.from.day()) + "</span><span>" + date_text(*report_.range.to.day()) +
             "</span></span></li>\n";
    for (std::size_t i = 0; i < series.largest.size(); ++i)
      add_key(series.largest[i], series, id + "-" + std::to_string(i));
    html_ += "</ul>\n";
    add_values(series);
    html_ += "</section>\n";
  }

  void add_key(const KeyDays& counter, const SeriesReport& series, const std::string& id) {
    const Figures figures = figures_of(counter.days);
    html_ += "<li data-key=\"" + std::to_string(counter.key) + "\"><span class=\"key\">" + std::to_string(counter.key) +
             "</span><span class=\"total\">" + total_text(figures.total, figures.saturated) + "<small>" +
             percent_html(static_cast<double>(figures.total), static_cast<double>(series.range_total)) +
             "</small></span>" + days_chart(counter, report_.range, id) + "<span class=\"most\">";
    if (figures.counted != 0)
      html_ += "most " + number_text(figures.maximum) + " on " +
               date_text(*report_.range.from.day() + static_cast<std::int32_t>(figures.maximum_at));
    if (counter.elsewhere != 0) html_ += ", and " + number_text(counter.elsewhere) + " under numbers that are no days";
    html_ += "</span></li>\n";
  }

  void add_values(const SeriesReport& series) {
    html_ +=
        "<details><summary>Numbers</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"Values by day and key\"><table><thead><tr><th scope=\"col\">day</th>";
    for (const KeyDays& counter : series.largest) html_ += "<th scope=\"col\">" + std::to_string(counter.key) + "</th>";
    html_ += "</tr></thead><tbody>\n";
    for (std::size_t day = 0; day < series.largest.front().days.size(); ++day) {
      const auto has_value = [&](const KeyDays& counter) { return counter.days[day].has_value(); };
      if (std::ranges::none_of(series.largest, has_value)) continue;
      html_ +=
          "<tr><th scope=\"row\">" + date_text(*report_.range.from.day() + static_cast<std::int32_t>(day)) + "</th>";
      for (const KeyDays& counter : series.largest)
        html_ += "<td>" + (counter.days[day] ? number_text(*counter.days[day]) : std::string()) + "</td>";
      html_ += "</tr>\n";
    }
    html_ += "</tbody></table></div></details>\n";
  }

  void add_foot() {
    html_ +=
        "</main>\n<footer><p>Made by karma report " + escaped(report_.made_by) +
        ". The page holds all that it shows: it loads nothing and runs nothing. Its questions are among the requests. "
        "The server went on counting between them, so figures that were asked for one after the other may differ by "
        "what came meanwhile.</p></footer>\n</body>\n</html>\n";
  }

  const Report& report_;
  const NodeSample& now_;
  const NodeSample* const before_;
  const std::optional<double> seconds_;
  std::string html_;
};

}  // namespace

std::string report_page(const Report& report) { return Page(report).text(); }

}  // namespace karma::tools
