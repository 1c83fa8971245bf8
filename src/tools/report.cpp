// karma report: a node, its load and its largest keys, as one page.
#include "tools/report.h"

#include <algorithm>
#include <chrono>
#include <ostream>
#include <thread>
#include <utility>

#include <karma/clock.h>
#include <karma/version.h>

#include "tools/ask.h"
#include "tools/output.h"

namespace karma::tools {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kStandardOutput = "-";
// Of so many series the totals are looked at, to find the largest ones.
constexpr std::size_t kMostAsked = 1000;
constexpr std::size_t kMostShown = 10;

class Collector {
 public:
  Collector(const ReportOptions& options, const Streams& streams)
      : options_(options),
        streams_(streams),
        client_(options.connection.endpoint),
        retry_(client_, options.connection.retry_seconds, streams.err) {}

  Result<Report> collect() {
    Report report{
        .address = options_.connection.endpoint.address(), .made_by = std::string(version()), .range = options_.range};
    if (Status looked = look(report); !looked) return looked.error();
    report.made_unix = static_cast<std::uint64_t>(system_clock().unix_seconds());
    if (Status read = options_.series.empty() ? read_largest_series(report) : read_named_series(report); !read)
      return read.error();
    return report;
  }

 private:
  Status look(Report& report) {
    Result<NodeSample> sample = sample_node(client_, retry_);
    if (!sample) return sample.error();
    if (options_.seconds > 0) {
      report.before = std::move(*sample);
      client_.close();  // the server closes it when it is idle for some seconds
      if (streams_.terminal) streams_.err << "watching it for " << options_.seconds << " s" << std::endl;
      std::this_thread::sleep_for(std::chrono::seconds(options_.seconds));
      sample = sample_node(client_, retry_);
      if (!sample) return sample.error();
    }
    report.now = std::move(*sample);
    return {};
  }

  // A series that cannot be read is one that somebody mistyped.
  Status read_named_series(Report& report) {
    for (const std::string& name : options_.series) {
      SeriesReport series{.name = name};
      if (Status counted = count_series(series); !counted) return counted;
      if (Status read = read_series(series); !read) return read;
      report.series.push_back(std::move(series));
    }
    return {};
  }

  // One that cannot be read, since it was dropped meanwhile or takes too long, does not keep the others away.
  Status read_largest_series(Report& report) {
    const Result<ordered_json> list = ask(client_, retry_, "tree.list", Client::Fields::object());
    if (!list && client_.lost()) return list.error();
    if (!list) return note(list.error(), "the series", report.series_fault);
    auto names = list->get<std::vector<std::string>>();
    report.series_left_out = names.size();
    names.resize(std::min(names.size(), kMostAsked));
    std::vector<SeriesReport> found;
    for (std::string& name : names) {
      SeriesReport series{.name = std::move(name)};
      if (Status counted = count_series(series); !counted) {
        if (client_.lost()) return counted;
        (void)note(counted.error(), series.name, series.fault);
      }
      found.push_back(std::move(series));
    }
    std::ranges::stable_sort(found, std::ranges::greater(), &SeriesReport::total);
    found.resize(std::min(found.size(), kMostShown));
    for (SeriesReport& series : found) {
      if (!series.fault.empty()) continue;
      if (Status read = read_series(series); !read) {
        if (client_.lost()) return read;
        (void)note(read.error(), series.name, series.fault);
      }
    }
    report.series_left_out -= found.size();
    report.series = std::move(found);
    return {};
  }

  Status note(const Error& error, const std::string& what, std::string& fault) {
    fault = error.message;
    streams_.err << "karma: " << what << " cannot be read: " << error.message << std::endl;
    return {};
  }

  Status count_series(SeriesReport& series) {
    const Result<ordered_json> info = ask(client_, retry_, "tree.info", {{"series", series.name}});
    if (!info) return info.error();
    series.keys = info->at("key_count").get<std::uint64_t>();
    series.total = info->at("total").get<std::uint64_t>();
    series.saturated = info->value("saturated", false);
    return {};
  }

  // One that has been counted.
  Status read_series(SeriesReport& series) {
    const ordered_json days = {{"from", options_.range.from.number()}, {"to", options_.range.to.number()}};
    const Result<ordered_json> summary =
        ask(client_, retry_, "tree.summary", {{"series", series.name}, {"range", days}});
    if (!summary) return summary.error();
    series.range_keys = summary->at("active_keys").get<std::uint64_t>();
    series.range_total = summary->at("total").get<std::uint64_t>();
    series.range_saturated = summary->value("saturated", false);
    const Result<std::vector<LargestKey>> largest =
        largest_keys(client_, retry_, series.name, options_.range, options_.limit);
    if (!largest) return largest.error();
    for (const LargestKey& found : *largest) {
      Result<KeyDays> key = days_of_key(client_, retry_, series.name, options_.range, found.key);
      if (!key) return key.error();
      series.largest.push_back(std::move(*key));
    }
    return {};
  }

  const ReportOptions& options_;
  const Streams& streams_;
  Client client_;
  Retry retry_;
};

Status write_report(const ReportOptions& options, const Streams& streams) {
  const bool to_stream = options.output == kStandardOutput;
  Output output(to_stream ? std::string() : options.output, streams.out);
  if (Status opened = output.open(); !opened) return opened;  // before the server is asked for anything
  const Result<Report> report = Collector(options, streams).collect();
  if (!report) return report.error();
  if (Status written = output.write(report_page(*report)); !written) return written;
  if (Status finished = output.finish(); !finished) return finished;
  if (!to_stream) streams.err << "wrote " << options.output << std::endl;
  return {};
}

}  // namespace

int run_report(const ReportOptions& options, const Streams& streams) {
  return exit_code(understood([&] { return write_report(options, streams); }), streams);
}

}  // namespace karma::tools
