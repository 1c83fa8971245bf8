// The documents against the code: what is generated is what stands there, and every code and name is explained. With
// KARMA_REWRITE_DOCS=1 the generated parts are written anew.
#include <gtest/gtest.h>
#include <karma/config.h>
#include <karma/error.h>

#include <sstream>
#include <string>

#include "commands/catalog.h"
#include "engine/startup.h"
#include "ops/stats.h"
#include "support/document.h"

namespace karma {
namespace {

using commands::Access;
using commands::Kind;
using commands::Op;

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

TEST(Documents, TheTableOfOpsIsThatOfTheCatalog) {
  EXPECT_EQ(test::generated_part("docs/protocol.md", "ops", op_table()), op_table());
}

TEST(Documents, TheTableOfSettingsIsThatOfTheProgram) {
  EXPECT_EQ(test::generated_part("README.md", "settings", settings_table()), settings_table());
}

TEST(Documents, TheTableOfStartsIsThatOfTheProgram) {
  EXPECT_EQ(test::generated_part("docs/storage-format.md", "start", engine::start_table_text()),
            engine::start_table_text());
}

TEST(Documents, TheTableOfMetricsIsThatOfTheProgram) {
  EXPECT_EQ(test::generated_part("docs/operations.md", "metrics", metric_table()), metric_table());
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
