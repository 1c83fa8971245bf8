// The whole text that Prometheus gets, held against the rules of its format and of `promtool check metrics`.
#include "ops/scrape.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace karma::ops {
namespace {

NodeFigures node() {
  NodeFigures figures;
  figures.stats.role = "master";
  DurationHistogram durations;
  durations.add(std::uint64_t{5});
  SizeHistogram sizes;
  figures.timings.requests.push_back({"counter.sum", {}});
  durations.add_to(figures.timings.requests[0].durations);
  durations.add_to(figures.timings.log_queue);
  durations.add_to(figures.timings.log_sync);
  sizes.add_to(figures.timings.log_batch);
  return figures;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Name and type of each family; fails if one has no help, or begins twice.
std::map<std::string, std::string> families(const std::string& text) {
  std::map<std::string, std::string> found;
  std::string helped;
  const std::regex help(R"(# HELP ([a-z][a-z0-9_]*) (.+))");
  const std::regex type(R"(# TYPE ([a-z][a-z0-9_]*) (counter|gauge|histogram))");
  const std::regex sample(R"(([a-z][a-z0-9_]*)(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? (-?[0-9.e+-]+|[+-]Inf|NaN))");
  std::string name;
  for (const std::string& line : lines_of(text)) {
    std::smatch match;
    if (std::regex_match(line, match, help)) {
      helped = match[1];
      EXPECT_TRUE(std::string(match[2]).ends_with(".") || line.find(';') != std::string::npos) << line;
    } else if (std::regex_match(line, match, type)) {
      name = match[1];
      EXPECT_EQ(helped, name);
      EXPECT_TRUE(found.emplace(name, match[2]).second) << line;
    } else {
      EXPECT_TRUE(std::regex_match(line, match, sample)) << line;
      std::string of = match[1];
      if (found[name] == "histogram") of = std::regex_replace(of, std::regex("_(bucket|sum|count)$"), "");
      EXPECT_EQ(of, name) << line;
    }
  }
  return found;
}

TEST(Scrape, EveryFamilyHasHelpAndTypeAndComesOnce) {
  const auto found = families(scrape_text("2.0.0", {}, node()));
  EXPECT_GT(found.size(), 80u);
  for (const auto& [name, type] : found) {
    EXPECT_TRUE(name.starts_with("karma_") || name.starts_with("process_")) << name;
    EXPECT_EQ(type == "counter", name.ends_with("_total")) << name;
    for (const char* wrong : {"_ms", "_unix", "_milliseconds", "_count", "_sum", "_bucket"})
      EXPECT_FALSE(name.ends_with(wrong)) << name;
  }
  EXPECT_EQ(found.at("karma_replication_lag_seconds"), "gauge");
  EXPECT_EQ(found.at("karma_snapshot_last_timestamp_seconds"), "gauge");
  EXPECT_EQ(found.at("karma_request_duration_seconds"), "histogram");
}

TEST(Scrape, WhileItRestoresANodeTellsOfItsProcess) {
  ProcessFigures process;
  process.max_descriptors = 1024;
  const std::string text = scrape_text("2.0.0", process, {});
  EXPECT_EQ(families(text).size(), 7u);
  EXPECT_NE(text.find("karma_build_info{version=\"2.0.0\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("process_max_fds 1024\n"), std::string::npos);
}

TEST(Scrape, TimesAreInSecondsAndWhatIsNotKnownIsAbsent) {
  NodeFigures figures = node();
  figures.stats.replication_lag_ms = 1500;
  figures.stats.snapshot_last_unix = 1'777'982'400;
  std::string text = scrape_text("", {}, figures);
  EXPECT_NE(text.find("\nkarma_replication_lag_seconds 1.5\n"), std::string::npos);
  EXPECT_NE(text.find("\nkarma_snapshot_last_timestamp_seconds 1777982400\n"), std::string::npos);
  EXPECT_NE(text.find("\nkarma_role{role=\"master\"} 1\n"), std::string::npos);
  figures.stats.replication_lag_ms.reset();
  text = scrape_text("", {}, figures);
  EXPECT_EQ(text.find("karma_replication_lag_seconds"), std::string::npos);
  EXPECT_EQ(text.find("latency_ms"), std::string::npos);
}

TEST(Scrape, SpinsAreToldByThreadAndResult) {
  NodeFigures figures = node();
  figures.io_spins = {.paid = 1, .in_vain = 2};
  figures.writer_spins = {.paid = 3, .in_vain = 4};
  const std::string text = scrape_text("", {}, figures);
  EXPECT_NE(text.find("\nkarma_spins_total{thread=\"io\",result=\"paid\"} 1\n"
                      "karma_spins_total{thread=\"io\",result=\"in_vain\"} 2\n"
                      "karma_spins_total{thread=\"writer\",result=\"paid\"} 3\n"
                      "karma_spins_total{thread=\"writer\",result=\"in_vain\"} 4\n"),
            std::string::npos);
}

TEST(Process, FiguresAreThoseOfTheSystem) {
  const Process process;
  const ProcessFigures first = process.figures();
  EXPECT_GT(first.cpu_seconds, 0);
  EXPECT_GT(first.start_unix, 1'600'000'000);
  EXPECT_GT(first.resident_bytes, 1u << 20);
  EXPECT_GT(first.virtual_bytes, first.resident_bytes);
  EXPECT_GE(first.open_descriptors, 3u);
  EXPECT_GE(first.max_descriptors, first.open_descriptors);
  EXPECT_EQ(process.figures().start_unix, first.start_unix);
}

}  // namespace
}  // namespace karma::ops
