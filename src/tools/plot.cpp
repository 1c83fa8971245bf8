// karma plot: the days of counters, as a picture.
#include <ostream>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "protocol/limits.h"
#include "tools/ask.h"
#include "tools/chart.h"
#include "tools/commands.h"
#include "tools/table.h"

namespace karma::tools {
namespace {

using nlohmann::ordered_json;

Error not_understood(std::string_view op) {
  return internal_error("the reply to " + std::string(op) + " is not understood");
}

struct Plotted {
  std::uint64_t key = 0;
  Days days;
  std::uint64_t elsewhere = 0;  // under buckets that are no days, which 1.0 took
};

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
      Result<std::vector<std::uint64_t>> largest = largest_keys();
      if (!largest) return largest.error();
      keys = std::move(*largest);
    }
    std::vector<Plotted> plotted;
    for (const std::uint64_t key : keys) {
      Result<Plotted> found = days_of(key);
      if (!found) return found.error();
      plotted.push_back(std::move(*found));
    }
    if (options_.json) {
      print_json(plotted);
    } else if (options_.keys.empty() || options_.spark) {
      print_table(plotted);
    } else {
      for (const Plotted& counter : plotted) print_bars(counter, &counter != plotted.data());
    }
    out_ << std::flush;
    return {};
  }

 private:
  Client::Fields fields() const {
    return {{"series", options_.series},
            {"range", {{"from", options_.range.from.number()}, {"to", options_.range.to.number()}}}};
  }

  Result<std::vector<std::uint64_t>> largest_keys() {
    Client::Fields request = fields();
    request["limit"] = options_.limit;
    const Result<ordered_json> top = ask(client_, retry_, "tree.top", request);
    if (!top) return top.error();
    std::vector<std::uint64_t> keys;
    for (const ordered_json& item : top->at("items")) {
      const ordered_json& key = item.at("key");
      if (!key.is_number_unsigned()) return not_understood("tree.top");
      keys.push_back(key.get<std::uint64_t>());
    }
    return keys;
  }

  Result<Plotted> days_of(std::uint64_t key) {
    Client::Fields request = fields();
    request["key"] = key;
    const Result<ordered_json> points = ask(client_, retry_, "counter.series", request);
    if (!points) return points.error();
    Plotted plotted{.key = key, .days = Days(day_count_)};
    if (!points->is_object()) return not_understood("counter.series");
    for (const auto& [name, value] : points->items()) {
      const std::optional<std::uint64_t> bucket = parse_number<std::uint64_t>(name);
      if (!bucket || !value.is_number_unsigned()) return not_understood("counter.series");
      const auto number = value.get<std::uint64_t>();
      const std::optional<std::int32_t> day = Bucket::of_number(*bucket).day();
      const std::int64_t at = day ? std::int64_t{*day} - first_ : -1;
      if (at >= 0 && static_cast<std::size_t>(at) < day_count_) {
        plotted.days[static_cast<std::size_t>(at)] = number;
      } else {
        add_saturating(plotted.elsewhere, number);
      }
    }
    return plotted;
  }

  std::string range_text() const {
    const std::int32_t last = first_ + static_cast<std::int32_t>(day_count_) - 1;
    return day_count_ == 1 ? date_text(first_) : date_text(first_) + " to " + date_text(last);
  }

  void print_title(const std::string& text) {
    const bool colour = options_.canvas.colour;
    out_ << (colour ? "\x1b[1m" : "") << text << (colour ? "\x1b[0m" : "") << '\n';
  }

  void print_bars(const Plotted& counter, bool follows) {
    if (follows) out_ << '\n';
    print_title(options_.series + " " + std::to_string(counter.key) + ", " + range_text());
    draw_bars(first_, counter.days, options_.canvas, out_);
    const Figures figures = figures_of(counter.days);
    out_ << "total " << (figures.saturated ? "more than " : "") << number_text(figures.total) << " in "
         << figures.counted << " of " << day_count_ << (day_count_ == 1 ? " day" : " days") << '\n';
    if (figures.counted != 0)
      out_ << "maximum " << number_text(figures.maximum) << " on "
           << date_text(first_ + static_cast<std::int32_t>(figures.maximum_at)) << '\n';
    if (counter.elsewhere != 0) out_ << "and " << number_text(counter.elsewhere) << " under numbers that are no days\n";
  }

  void print_table(const std::vector<Plotted>& plotted) {
    print_title(options_.series + ", " + range_text());
    if (plotted.empty()) {
      out_ << "no key has a value in these days\n";
      return;
    }
    std::vector<LabelledDays> rows;
    for (const Plotted& counter : plotted) rows.push_back({std::to_string(counter.key), counter.days});
    draw_sparklines(rows, options_.canvas, out_);
  }

  void print_json(const std::vector<Plotted>& plotted) {
    ordered_json keys = ordered_json::array();
    for (const Plotted& counter : plotted) {
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
  Status drawn;
  try {
    drawn = Plot(options, streams).run();
  } catch (const ordered_json::exception& failure) {
    drawn = internal_error(std::string("the server's reply is not what it should be: ") + failure.what());
  }
  if (drawn) return 0;
  streams.err << "ERROR: " << drawn.error().message << std::endl;
  return 1;
}

}  // namespace karma::tools
