// How long a page of the log takes that a replica asks for, wherever in the log it begins. See bench/README.md.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <karma/engine.h>

#include "load_directory.h"
#include "load_flags.h"
#include "tools/load/report.h"

namespace karma::tools::load {
namespace {

constexpr std::string_view kHead =
    R"(Usage: karma_wal_page_bench [option...]

Writes a log, then asks for pages of it with replication.entries, from the start, the middle and the tail: an engine in
this program, no network.
)";

struct Options {
  std::uint64_t entries = 1000000;
  std::uint64_t limit = 1000;
  std::uint64_t rounds = 50;
  std::uint64_t segment_bytes = 64u << 20;
  std::uint64_t after = 0;
  bool after_given = false;
  bool compare_sidecar = false;
  bool skip_linear = false;
  bool json = false;
};

Options parse_options(int argc, char** argv) {
  Options options;
  Flags flags("karma_wal_page_bench", kHead, {});
  flags.number("entries", "N", "entries of the log", options.entries, 1, 1u << 30);
  flags.number("limit", "N", "entries of a page", options.limit, 1, 10000);
  flags.number("tail-rounds", "N", "so often is each page asked for; the median counts", options.rounds, 1, 1000000);
  flags.number("segment-bytes", "BYTES", "begin a new file of the log when one is this large; 0: never",
               options.segment_bytes, 0, 1u << 30);
  flags.number("after-lsn", "LSN", "ask for the page after this entry, too", options.after, 0);
  flags.truth("compare-sidecar",
              "ask for the same pages while the indexes of the segments are not there: each segment is then read from "
              "its beginning",
              options.compare_sidecar);
  flags.truth("skip-linear", "do not read the log from its first line to the end of each page, to compare",
              options.skip_linear);
  flags.truth("json", "print one JSON object instead of a text", options.json);
  if (!flags.parse(argc, argv).empty()) misuse("nothing may stand after --");
  options.after_given = flags.given("after-lsn");
  return options;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

struct Place {
  std::string name;
  std::uint64_t after;
};

class Pages {
 public:
  explicit Pages(const Options& options) : options_(options) {
    Config config;
    config.directory = directory_.string();
    config.wal_fsync = false;
    config.wal_segment_bytes = static_cast<int>(options.segment_bytes);
    config.wal_batch_size = 100;  // files end after a batch
    config.max_response_bytes = 0;
    config.log = false;
    Result<std::unique_ptr<Engine>> engine = Engine::open(config);
    if (!engine) fail(engine.error().message);
    engine_ = std::move(*engine);
    write();
  }

  void measure(Report& report) {
    report.number("entries", "entries", static_cast<double>(options_.entries));
    report.number("limit", "entries of a page", static_cast<double>(options_.limit));
    report.number("log_bytes", "bytes of the log", static_cast<double>(log_bytes()));
    report.number("segments", "segments", static_cast<double>(files(".segment").size()));
    const std::uint64_t last = options_.entries - std::min(options_.entries, options_.limit);
    std::vector<Place> places = {{"start", 0}, {"middle", last / 2}, {"tail", last}};
    if (options_.after_given) places.push_back({"given", std::min(options_.after, options_.entries)});
    for (const Place& place : places)
      report.number(place.name + "_us", "page from the " + place.name + ", us", page(place.after));
    if (options_.compare_sidecar) {
      move_indexes(".idx", ".away");
      for (const Place& place : places)
        report.number(place.name + "_no_index_us", "  without index, from the " + place.name + ", us",
                      page(place.after));
      move_indexes(".away", ".idx");
    }
    if (options_.skip_linear) return;
    for (const Place& place : places)
      report.number(place.name + "_linear_us", "  read from the first line, to the " + place.name + ", us",
                    linear(place.after));
  }

 private:
  void write() {
    constexpr std::uint64_t kAtOnce = 10000;
    (void)ask(R"({"v":2,"op":"tree.create","series":"load"})");
    for (std::uint64_t done = 1; done < options_.entries;) {
      std::vector<std::string> requests;
      for (; requests.size() < kAtOnce && done < options_.entries; ++done)
        requests.push_back(R"({"v":2,"op":"counter.increment","series":"load","key":)" + std::to_string(done % 100000) +
                           R"(,"bucket":20260101,"value":1})");
      for (const std::string& reply : engine_->execute(requests)) check(reply);
      // As slaves do that follow: only then are the newest entries kept in memory, where the tail is found.
      (void)ask(R"({"v":2,"op":"replication.entries","after_lsn":)" + std::to_string(done - 1) + R"(,"limit":1})");
    }
  }

  std::string ask(const std::string& request) {
    std::string reply = engine_->execute(request);
    check(reply);
    return reply;
  }
  static void check(const std::string& reply) {
    if (reply.find(R"("success":true)") == reply.npos) fail("refused: " + reply.substr(0, 200));
  }

  // Microseconds.
  double page(std::uint64_t after) {
    const std::string request = R"({"v":2,"op":"replication.entries","after_lsn":)" + std::to_string(after) +
                                R"(,"limit":)" + std::to_string(options_.limit) + "}";
    const std::uint64_t expected = std::min(options_.limit, options_.entries - after);
    std::vector<double> times;
    for (std::uint64_t i = 0; i < options_.rounds; ++i) {
      const Time begin = now();
      const std::string reply = ask(request);
      times.push_back(seconds_since(begin) * 1e6);
      if (reply.find(R"("count":)" + std::to_string(expected) + ",") == reply.npos) fail("not the page asked for");
    }
    return median(std::move(times));
  }

  // What a source without indexes does: line after line from the beginning. Once, since it takes long.
  double linear(std::uint64_t after) const {
    const std::uint64_t end = std::min(options_.entries, after + options_.limit);
    const Time begin = now();
    std::vector<std::string> page;
    std::uint64_t lsn = 0;
    std::vector<std::filesystem::path> in_order = files(".segment");
    in_order.push_back(directory_.path() / "karma.wal");
    for (const std::filesystem::path& path : in_order) {
      std::ifstream file(path);
      for (std::string line; lsn < end && std::getline(file, line);)
        if (++lsn > after) page.push_back(std::move(line));
    }
    if (page.size() != end - after) fail("the log has fewer lines than entries");
    return seconds_since(begin) * 1e6;
  }

  // Ascending, which is the order of the log.
  std::vector<std::filesystem::path> files(std::string_view extension) const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path()))
      if (entry.path().extension() == extension) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
  }
  std::uint64_t log_bytes() const {
    std::uint64_t bytes = std::filesystem::file_size(directory_.path() / "karma.wal");
    for (const std::filesystem::path& segment : files(".segment")) bytes += std::filesystem::file_size(segment);
    return bytes;
  }
  void move_indexes(std::string_view from, std::string_view to) const {
    for (const std::filesystem::path& index : files(from)) {
      std::filesystem::path moved = index;
      std::filesystem::rename(index, moved.replace_extension(to));
    }
  }

  const Options& options_;
  const TemporaryDirectory directory_;
  std::unique_ptr<Engine> engine_;
};

int run(const Options& options) {
  Report report;
  Pages(options).measure(report);
  std::fputs(options.json ? (report.json().dump() + "\n").c_str() : ("pages of a log\n" + report.lines()).c_str(),
             stdout);
  return 0;
}

}  // namespace
}  // namespace karma::tools::load

int main(int argc, char** argv) {
  return karma::tools::load::run_program(
      [&] { return karma::tools::load::run(karma::tools::load::parse_options(argc, argv)); });
}
