// The documents against the code: what is generated is what stands there, and every code and name is explained. With
// KARMA_REWRITE_DOCS=1 the generated parts are written anew.
#include <gtest/gtest.h>
#include <karma/config.h>
#include <karma/error.h>
#include <karma/version.h>

#include <algorithm>
#include <array>
#include <span>
#include <sstream>
#include <string>

#include "commands/catalog.h"
#include "core/settings.h"
#include "engine/startup.h"
#include "ops/scrape.h"
#include "ops/stats.h"
#include "server/http_routes.h"
#include "support/document.h"

namespace karma {
namespace {

using commands::Access;
using commands::Kind;
using commands::Op;

// Flag, variable, default, meaning.
std::string settings_table() {
  const Config defaults;
  std::string table = "| Flag | Variable | Default | Meaning |\n| --- | --- | --- | --- |\n";
  for (SettingGroup group : setting_groups()) {
    for (const Setting& setting : settings()) {
      if (setting.group != group) continue;
      table += "| `--" + std::string(setting.flag) + "`";
      if (setting.letter) table += std::string(" (`-") + setting.letter + "`)";
      table += " | `" + std::string(setting.variable) + "` | ";
      std::string value = value_text(setting, defaults);
      table += value == "none" ? value : "`" + value + "`";
      if (setting.value == "BYTES" || setting.value == "SECONDS" || setting.value == "MILLISECONDS" ||
          setting.value == "MICROSECONDS") {
        std::string unit(setting.value);
        for (char& c : unit) c = static_cast<char>(c - 'A' + 'a');
        table += " " + unit;
      }
      table += " | " + std::string(setting.meaning) + " |\n";
    }
  }
  return table;
}

namespace starts {

using namespace engine;

std::string cell(std::uint8_t values, std::span<const std::string_view> names) {
  std::string text;
  bool all = true;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if ((values >> i & 1) == 0) {
      all = false;
    } else {
      text += (text.empty() ? "" : ", ") + std::string(names[i]);
    }
  }
  return all ? "any" : text;
}

std::string_view name_of(Decision decision) {
  switch (decision) {
    case Decision::refuse:
      return "refuse";
    case Decision::go_on:
      return "load and go on";
    case Decision::go_on_anew:
      return "load, write snapshots of everything, begin a new log";
    case Decision::start_empty:
      break;
  }
  return "start empty, append to the log";
}

std::string start_table_text() {
  using Names = std::span<const std::string_view>;
  constexpr std::array<std::string_view, 2> kNamed{"exist", "do not"};
  constexpr std::array<std::string_view, 3> kCheckpointStates{"whole", "damaged", "given up"};
  constexpr std::array<std::string_view, 4> kLogs{"whole", "damaged", "newer", "given up"};
  constexpr std::array<std::string_view, 5> kManifests{"none", "good", "newer", "damaged", "given up"};
  constexpr std::array<std::string_view, 4> kPieces{"whole", "replaced", "damaged", "given up"};
  constexpr std::array<std::string_view, 3> kMissing{"none", "some", "given up"};
  constexpr std::array<std::string_view, 2> kNumbers{"yes", "no"};
  constexpr std::array<std::string_view, 2> kLoads{"true", "false"};
  std::string text =
      "| Files of `--recover` | Checkpoints | Log | Manifest | Snapshots, exactly-once state | Entries missing | Log "
      "can go on | "
      "`--restore` | "
      "The start |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const StartRow& row : start_table()) {
    text += "| " + cell(row.named, Names(kNamed)) + " | " + cell(row.checkpoints, Names(kCheckpointStates)) + " | " +
            cell(row.log, Names(kLogs)) + " | " + cell(row.manifest, Names(kManifests)) + " | " +
            cell(row.parts, Names(kPieces)) + " | " + cell(row.entries, Names(kMissing)) + " | " +
            cell(row.numbers, Names(kNumbers)) + " | " + cell(row.load, Names(kLoads)) + " | " +
            std::string(name_of(row.decision));
    if (!row.what.empty()) text += ": " + std::string(row.what);
    text += " |\n";
  }
  return text;
}

}  // namespace starts

std::string quoted(std::string_view text) { return "`" + std::string(text) + "`"; }

std::string row_of(const Op& op) {
  std::string names = quoted(op.name);
  for (const std::string_view alias : op.aliases) names += ", " + quoted(alias);
  std::string row = "| " + names + " | " + op.fields() + " | ";
  row += op.access == Access::read ? "read" : "write";
  row += op.kind == Kind::mutation ? " | yes" : " |";
  row += op.idempotent ? " | yes |\n" : " | |\n";
  return row;
}

std::string op_table() {
  std::string table = "| Op, aliases | Fields | Token | Logged | Idempotency key |\n| --- | --- | --- | --- | --- |\n";
  for (const Op& op : commands::catalog()) table += row_of(op);
  return table;
}

// Each line "# TYPE name kind" of the metrics, as a row.
std::string metric_table() {
  std::string table = "| Metric | Type |\n| --- | --- |\n";
  std::istringstream lines(ops::metrics_text(ops::Stats()));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("# TYPE ")) continue;
    const std::size_t kind = line.rfind(' ');
    table += "| " + quoted(std::string_view(line).substr(7, kind - 7)) + " | " + line.substr(kind + 1) + " |\n";
  }
  return table;
}

// Of what Prometheus gets, the lines "# HELP name text" and "# TYPE name kind", and the labels.
std::string scrape_table() {
  ops::NodeFigures node;
  node.timings.requests.emplace_back();
  std::string table = "| Metric | Type | Meaning |\n| --- | --- | --- |\n";
  std::istringstream lines(ops::scrape_text(version(), {}, node));
  std::string help;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t name = std::string("# HELP ").size();
    const std::size_t after = line.find(' ', name);
    if (line.starts_with("# HELP ")) help = line.substr(after + 1);
    if (line.starts_with("# TYPE "))
      table += "| " + quoted(std::string_view(line).substr(name, after - name)) + " | " + line.substr(after + 1) +
               " | " + help + " |\n";
  }
  return table;
}

TEST(Documents, TheTableOfScrapedMetricsIsThatOfTheProgram) {
  EXPECT_EQ(test::generated_part("docs/operations.md", "scrape", scrape_table()), scrape_table());
}

TEST(Documents, TheTableOfOpsIsThatOfTheCatalog) {
  EXPECT_EQ(test::generated_part("docs/protocol.md", "ops", op_table()), op_table());
}

TEST(Documents, TheTableOfSettingsIsThatOfTheProgram) {
  EXPECT_EQ(test::generated_part("docs/configuration.md", "settings", settings_table()), settings_table());
}

TEST(Documents, TheTableOfSettingsHasOneRowForEach) {
  std::string table = settings_table();
  EXPECT_EQ(static_cast<std::size_t>(std::count(table.begin(), table.end(), '\n')), settings().size() + 2);
  EXPECT_NE(table.find("| `--max-request-bytes` | `KARMA_MAX_REQUEST_BYTES` | `4096` bytes | "), std::string::npos);
}

TEST(Documents, TheTableOfStartsIsThatOfTheProgram) {
  EXPECT_EQ(test::generated_part("docs/storage-format.md", "start", starts::start_table_text()),
            starts::start_table_text());
}

TEST(Documents, TheTableOfMetricsIsThatOfTheProgram) {
  EXPECT_EQ(test::generated_part("docs/operations.md", "metrics", metric_table()), metric_table());
}

// Each path, and when it answers 200.
std::string http_table() {
  std::string table = "| Path | 200 when the node |\n| --- | --- |\n";
  for (const server::HttpPath& path : server::http_paths())
    table += "| " + quoted(path.path) + " | " + std::string(path.meaning) + " |\n";
  return table;
}

TEST(Documents, TheTableOfHttpPathsIsThatOfTheProgram) {
  EXPECT_EQ(test::generated_part("docs/operations.md", "http", http_table()), http_table());
}

TEST(Documents, EveryErrorCodeIsExplained) {
  const std::string protocol = test::read_document("docs/protocol.md");
  for (int code = 0; code <= static_cast<int>(ErrorCode::internal_error); ++code) {
    const std::string row = "| " + quoted(to_string(static_cast<ErrorCode>(code))) + " |";
    EXPECT_NE(protocol.find(row), std::string::npos) << row;
  }
}

TEST(Documents, EveryOpIsDescribed) {
  const std::string protocol = test::read_document("docs/protocol.md");
  const std::size_t behind_table = protocol.find("<!-- /ops -->");
  ASSERT_NE(behind_table, std::string::npos);
  for (const Op& op : commands::catalog())
    EXPECT_NE(protocol.find("| " + quoted(op.name) + " |", behind_table), std::string::npos) << op.name;
}

}  // namespace
}  // namespace karma
