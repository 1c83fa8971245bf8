// karma plot: the days of counters, as a picture.
#include <ostream>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "protocol/limits.h"
#include "tools/ask.h"
#include "tools/chart.h"
#include "tools/commands.h"
#include "tools/counter_days.h"
#include "tools/table.h"

namespace karma::tools {
namespace {

using nlohmann::ordered_json;

class Plot {
 public:
  Plot(const PlotOptions& options, const Streams& streams)
      : options_(options),
        first_(*options.range.from.day()),
        day_count_(static_cast<std::size_t>(*options.range.to.day() - first_) + 1),
        out_(streams.out),
        client_(options.connection.endpoint),
        retry_(client_, options.connection.retry_seconds, streams.err) {}

  Status run() {
    std::vector<std::uint64_t> keys = options_.keys;
    if (keys.empty()) {
      const Result<std::vector<LargestKey>> largest =
          largest_keys(client_, retry_, options_.series, options_.range, options_.limit);
      if (!largest) return largest.error();
      for (const LargestKey& found : *largest) keys.push_back(found.key);
    }
    std::vector<KeyDays> plotted;
    for (const std::uint64_t key : keys) {
      Result<KeyDays> found = days_of_key(client_, retry_, options_.series, options_.range, key);
      if (!found) return found.error();
      plotted.push_back(std::move(*found));
    }
    if (options_.json) {
      print_json(plotted);
    } else if (options_.keys.empty() || options_.spark) {
      print_table(plotted);
    } else {
      for (const KeyDays& counter : plotted) print_bars(counter, &counter != plotted.data());
    }
    out_ << std::flush;
    return {};
  }

 private:
  void print_title(const std::string& text) {
    const bool colour = options_.canvas.colour;
    out_ << (colour ? "\x1b[1m" : "") << text << (colour ? "\x1b[0m" : "") << '\n';
  }

  void print_bars(const KeyDays& counter, bool follows) {
    if (follows) out_ << '\n';
    print_title(options_.series + " " + std::to_string(counter.key) + ", " + range_text(options_.range));
    draw_bars(first_, counter.days, options_.canvas, out_);
    const Figures figures = figures_of(counter.days);
    out_ << "total " << (figures.saturated ? "more than " : "") << number_text(figures.total) << " in "
         << figures.counted << " of " << day_count_ << (day_count_ == 1 ? " day" : " days") << '\n';
    if (figures.counted != 0)
      out_ << "maximum " << number_text(figures.maximum) << " on "
           << date_text(first_ + static_cast<std::int32_t>(figures.maximum_at)) << '\n';
    if (counter.elsewhere != 0) out_ << "and " << number_text(counter.elsewhere) << " under numbers that are no days\n";
  }

  void print_table(const std::vector<KeyDays>& plotted) {
    print_title(options_.series + ", " + range_text(options_.range));
    if (plotted.empty()) {
      out_ << "no key has a value in these days\n";
      return;
    }
    std::vector<LabelledDays> rows;
    for (const KeyDays& counter : plotted) rows.push_back({std::to_string(counter.key), counter.days});
    draw_sparklines(rows, options_.canvas, out_);
  }

  void print_json(const std::vector<KeyDays>& plotted) {
    ordered_json keys = ordered_json::array();
    for (const KeyDays& counter : plotted) {
      const Figures figures = figures_of(counter.days);
      ordered_json key = {{"key", counter.key}, {"total", figures.total}, {"maximum", figures.maximum}};
      if (figures.saturated) key["saturated"] = true;
      if (counter.elsewhere != 0) key["under_no_day"] = counter.elsewhere;
      ordered_json& days = key["days"] = ordered_json::object();
      for (std::size_t i = 0; i < day_count_; ++i) {
        if (!counter.days[i]) continue;
        days[std::to_string(Bucket::of_day(first_ + static_cast<std::int32_t>(i)).number())] = *counter.days[i];
      }
      keys.push_back(std::move(key));
    }
    out_ << ordered_json{{"series", options_.series},
                         {"from", options_.range.from.number()},
                         {"to", options_.range.to.number()},
                         {"keys", std::move(keys)}}
                .dump(-1, ' ', false, ordered_json::error_handler_t::replace)
         << '\n';
  }

  const PlotOptions& options_;
  const std::int32_t first_;
  const std::size_t day_count_;
  std::ostream& out_;
  Client client_;
  Retry retry_;
};

}  // namespace

std::optional<BucketRange> plot_range_of(std::string_view text, Bucket today) {
  constexpr std::int32_t kMostDays = protocol::kMaxRangeDays + 1;
  if (text.ends_with('d')) {
    const std::optional<std::int32_t> days = parse_number<std::int32_t>(text.substr(0, text.size() - 1));
    if (!days || *days < 1 || *days > kMostDays) return std::nullopt;
    return BucketRange{Bucket::of_day(*today.day() - *days + 1), today};
  }
  const std::size_t dots = text.find("..");
  if (dots == text.npos) return std::nullopt;
  const std::optional<Bucket> from = bucket_of(text.substr(0, dots));
  const std::optional<Bucket> to = bucket_of(text.substr(dots + 2));
  if (!from || !to || *to < *from || *to->day() - *from->day() >= kMostDays) return std::nullopt;
  return BucketRange{*from, *to};
}

int run_plot(const PlotOptions& options, const Streams& streams) {
  return exit_code(understood([&] { return Plot(options, streams).run(); }), streams);
}

}  // namespace karma::tools
