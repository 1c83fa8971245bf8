// Every op of the catalog, held to the same rules. A new op needs an example here and gets the rest for nothing.
#include "commands/catalog.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "support/engine_fixture.h"

namespace karma::commands {
namespace {

using nlohmann::json;
using test::failed_with;
using test::Node;

// All the fields that the op takes, the optional ones too, except those that another one of the example excludes.
const std::map<std::string, std::string, std::less<>> kExamples = {
    {"counter.increment", R"({"series":"s","key":7,"bucket":20260505,"value":3})"},
    {"counter.decrement", R"({"series":"s","key":7,"bucket":20260505,"value":3})"},
    {"counter.sum", R"({"series":"s","key":7,"range":{"from":20260501,"to":20260505}})"},
    {"counter.series", R"({"series":"s","key":7,"range":{"from":20260501,"to":20260505}})"},
    {"counter.batch_sum", R"({"series":"s","keys":[7,8],"ranges":[{"from":20260501,"to":20260505}]})"},
    {"counter.multi_sum", R"({"items":[{"series":"s","key":7}],"ranges":[null]})"},
    {"counter.reset", R"({"series":"s","key":7})"},
    {"counter.batch_reset", R"({"series":"s","keys":[7,8,18446744073709551615]})"},
    {"counter.delete_range", R"({"series":"s","key":7,"range":{"from":20260501,"to":20260505}})"},
    {"counter.batch_delete_range", R"({"series":"s","keys":[7,8],"range":{"from":20260501,"to":20260505}})"},
    {"series.batch_add", R"({"series":"s","items":[[7,20260505,3],[18446744073709551615,20240229,1]]})"},
    {"series.batch_set", R"({"series":"s","items":[[7,20260505,3],[8,20260505,0]]})"},
    {"series.delete_before", R"({"series":"s","before":20260505})"},
    {"series.compact", R"({"series":"s"})"},
    {"tree.create", R"({"series":"s"})"},
    {"tree.drop", R"({"series":"s"})"},
    {"tree.list", R"({})"},
    {"tree.info", R"({"series":"s"})"},
    {"tree.keys", R"({"series":"s","limit":10,"cursor":3})"},
    {"tree.points", R"({"series":"s","limit":10,"cursor":3})"},
    {"tree.top", R"({"series":"s","limit":10,"range":{"from":20260501,"to":20260505},
      "compare_to":{"from":20260401,"to":20260405},"order_by":"delta"})"},
    {"tree.summary", R"({"series":"s","range":{"from":20260501,"to":20260505}})"},
    {"tree.series", R"({"series":"s","range":{"from":20260501,"to":20260505}})"},
    {"tree.reset", R"({"series":"s"})"},
    {"tree.delete_range", R"({"series":"s","range":{"from":20260501,"to":20260505}})"},
    {"ingest.begin", R"({"stream_id":"i","mode":"add","granularity":"day"})"},
    {"ingest.chunk", R"({"stream_id":"i","series":"s","chunk_seq":1,"items":[[7,20260505,3]]})"},
    {"ingest.commit", R"({"stream_id":"i"})"},
    {"ingest.abort", R"({"stream_id":"i"})"},
    {"ingest.status", R"({"stream_id":"i","limit":10,"cursor":"h"})"},
    {"idempotency.prune", R"({"before":1777982400,"limit":10})"},
    {"idempotency.snapshot_fetch_chunk", R"({"offset":0,"limit":10})"},
    {"snapshot.create", R"({"series":"s"})"},
    {"snapshot.create_all", R"({})"},
    {"snapshot.list", R"({})"},
    {"snapshot.info", R"({})"},
    {"snapshot.load", R"({"file":"1_s.tree"})"},
    {"snapshot.fetch", R"({"file":"1_s.tree"})"},
    {"snapshot.manifest_fetch_chunk", R"({"limit":10,"offset":0})"},
    {"snapshot.fetch_chunk", R"({"file":"1_s.tree","limit":10,"offset":0})"},
    {"snapshot.verify", R"({})"},
    {"replication.status", R"({})"},
    {"replication.entries", R"({"after_lsn":0,"limit":10,"wait_ms":5,"replica":"0123456789abcdef0123456789abcdef",
      "replica_epoch":"fedcba9876543210fedcba9876543210","durable_lsn":0})"},
    {"replication.chain", R"({"after_lsn":0,"limit":10})"},
    {"replication.digest", R"({"after_lsn":0})"},
    {"replication.replicas", R"({})"},
    {"replication.promote", R"({})"},
    {"recovery.checkpoint", R"({"source":"orders","source_offset":"e1","event_id":"b42"})"},
    {"recovery.status", R"({"source":"orders","limit":10,"cursor":"o"})"},
    {"recovery.forget", R"({"source":"orders"})"},
    {"reconciliation.report", R"({"checked_points":5,"mismatch_count":1,"absolute_drift":2,"max_abs_delta":1})"},
    {"system.ping", R"({})"},
    {"system.health", R"({})"},
    {"system.stats", R"({})"},
    {"system.metrics", R"({})"},
    {"system.histograms", R"({})"},
    {"system.slowlog", R"({"limit":10})"},
    {"system.slowlog_clear", R"({})"},
    {"system.clients", R"({"limit":10,"cursor":3})"},
    {"system.compact", R"({})"},
};

// Names beside the first one, as clients of Karma 1.0 use them.
const std::map<std::string, std::string> kAliases = {
    {"series.increment", "counter.increment"},
    {"series.sum", "counter.sum"},
    {"series.points", "counter.series"},
    {"series.batch_sum", "counter.batch_sum"},
    {"counter.batch_increment", "series.batch_add"},
    {"tree.delete_before", "series.delete_before"},
    {"tree.compact", "series.compact"},
};

// What a field may not be, in the place of what the example has; by op and field where an op has its own rule.
const std::map<std::string, std::vector<std::string>> kWrong = {
    {"series",
     {"5", "true", "[]", "\"\"", R"("a/b")", R"(".hidden")", R"("a\u0000b")", R"("tab\t")",
      "\"" + std::string(129, 'x') + "\""}},
    {"key", {R"("7")", "-1", "1.5", "1e3", "true", "[]", "{}"}},
    {"keys", {"5", R"("7")", "{}", "[-1]", "[1.5]", R"(["7"])", "[null]", "[[1]]"}},
    {"items",
     {"5", "{}", "[5]", "[[]]", "[[1,20260505]]", "[[1,20260505,1,1]]", R"([["1",20260505,1]])", "[[1,20260505,-1]]",
      "[[1,20260505,1.5]]", "[[1,20261301,1]]", "[[1,0,1]]", "[[1,260505,1]]", "[[1,9991231,1]]", "[null]"}},
    {"[bucket]",
     {R"("yesterday")", R"("")", R"("-20260505")", "-1", "1.5", "true", "20260230", "0", R"("2026-02-30")", "260505",
      R"("260505")", R"("26-05-05")", R"("2026-5-05")", "9991231", R"("99999999999999999999999")"}},
    {"[value]", {"0", "-1", "1.5", R"("1")", "true", "[]"}},
    {"range",
     {"5", "[]", R"("x")", "{}", R"({"from":20260501})", R"({"to":20260501})", R"({"from":20260505,"to":20260501})",
      R"({"from":20260101,"to":20270103})", R"({"from":20260230,"to":20260301})",
      R"({"from":"20260501","to":20260505})", R"({"from":"2026-5-01","to":20260505})",
      R"({"from":"20-260501","to":20260505})", R"({"from":"","to":20260505})", R"({"from":1,"to":2})",
      R"({"from":-1,"to":20260505})"}},
    {"[ranges]",
     {"5", "{}", "[]", R"("x")", "[5]", "[[]]", R"(["x"])", "[true]", "[{}]", R"([{"from":20260501}])",
      R"([null,{"to":20260501}])", R"([{"from":20260505,"to":20260501}])", R"([{"from":20260101,"to":20270103}])",
      R"([null,null,{"from":20260230,"to":20260301}])", R"([{"from":"20260501","to":20260505}])",
      R"([{"from":-1,"to":20260505}])",
      "[null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null]"}},
    {"[order_by]", {"5", "true", "[]", R"("")", R"("previous")", R"("Delta")"}},
    {"before",
     {R"("20260505")", R"("yesterday")", "-1", "1.5", "0", "20260230", "99999999999", "true", "260505", "9991231"}},
    {"[limit]", {"0", "-1", "1.5", R"("5")", "10000000", "true"}},
    {"[cursor]", {"-1", "1.5", R"("5")", "true"}},
    {"file", {"5", R"("")", R"("a.txt")", R"("../1_s.tree")", R"("a/1_s.tree")", R"("1_\u0000.tree")"}},
    {"[offset]", {"-1", "1.5", R"("5")"}},
    {"counter.multi_sum/items",
     {"5", "{}", "[5]", "[{}]", R"([{"series":"s"}])", R"([{"series":"s","key":-1}])", R"([{"series":"","key":1}])"}},
    {"stream_id", {"5", R"("")", "true", "[]", R"("snapshot.load/")", R"("snapshot.load\/1_s.tree/5")"}},
    {"[stream_id]", {"5", R"("")", "true", "[]"}},
    {"ingest.status/[cursor]", {"-1", "5", "true", "[]"}},
    {"recovery.status/[cursor]", {"-1", "5", "true", "[]"}},
    {"mode", {"5", R"("")", R"("sum")", "true"}},
    {"[granularity]", {}},  // what is no string counts as absent
    {"chunk_seq", {R"("1")", "-1", "1.5", "true"}},
    {"ingest.chunk/items",
     {"5", "{}", "[5]", "[[1,20260505]]", "[[1,20260505,-1]]", "[[1,20260230,1]]", "[[1,260505,1]]"}},
    {"idempotency.prune/before",
     {R"("yesterday")", R"("2026-05-05")", R"("")", "-1", "1.5", "true",
      // in the future: a second, milliseconds to nanoseconds, another year, beyond what a text can say
      "1777982401", R"("2026-05-05T12:00:01Z")", R"("2026-05-05T12:00:00-00:01")", "1777982400000", "1777982400000000",
      "1777982400000000000", "18446744073709551615", R"("2027-01-01T00:00:00Z")", "253402300800"}},
    {"after_lsn", {R"("1")", "-1", "1.5", "true"}},
    {"[wait_ms]", {R"("1")", "-1", "1.5", "true"}},
    {"[replica]",
     {"5", R"("")", "true", R"("0123456789abcdef0123456789abcde")", R"("0123456789abcdef0123456789abcdef0")",
      R"("0123456789ABCDEF0123456789abcdef")", R"("0123456789abcdef0123456789abcde ")"}},
    {"[replica_epoch]", {"5", R"("")", "true", R"("0123456789abcdef0123456789abcdex")"}},
    {"[durable_lsn]", {R"("1")", "-1", "1.5", "true"}},
    {"source", {"5", R"("")", "true"}},
    {"[source]", {}},  // what is no string asks for all
    {"recovery.checkpoint/source", {"5", R"("")", "true", "\"" + std::string(1025, 's') + "\""}},
    {"[source_offset]", {R"("")", "1.5", "true", "[]", "\"" + std::string(1025, 's') + "\""}},
    {"[event_id]", {R"("")", "1.5", "true", "[]", "\"" + std::string(1025, 's') + "\""}},
    {"checked_points", {R"("5")", "-1", "1.5", "0"}},
    {"mismatch_count", {R"("5")", "-1", "1.5", "6"}},
    {"[absolute_drift]", {R"("5")", "-1", "1.5"}},
    {"[max_abs_delta]", {R"("5")", "-1", "1.5"}},
};

const std::vector<std::string>& wrong_values(std::string_view op, const std::string& field) {
  const auto own = kWrong.find(std::string(op) + "/" + field);
  if (own != kWrong.end()) return own->second;
  return kWrong.at(field == "[range]" || field == "[compare_to]" ? "range" : field);
}

std::vector<std::string> fields_of(const Op& op) {
  std::vector<std::string> found;
  std::string text = op.fields();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(", ", at), text.size());
    found.push_back(text.substr(at, end - at));
    at = end + 2;
  }
  return found;
}

bool is_optional(const std::string& field) { return field.front() == '['; }
std::string bare(const std::string& field) { return is_optional(field) ? field.substr(1, field.size() - 2) : field; }

// Of fields that exclude each other an example has the second one.
constexpr std::pair<const char*, const char*> kExclusive[] = {{"range", "ranges"}};
// A field that means nothing without another one.
constexpr std::pair<const char*, const char*> kBeside[] = {{"compare_to", "range"}, {"order_by", "compare_to"}};

json example(const Op& op) {
  json request = json::parse(kExamples.at(std::string(op.name)));
  request["v"] = 2;
  request["op"] = std::string(op.name);
  return request;
}

std::string with(const json& request, const std::string& field, const std::string& value) {
  json copy = request;
  copy.erase(field);
  for (const auto& [one, other] : kExclusive)
    if (field == one) copy.erase(other);
  std::string text = copy.dump();
  text.insert(text.size() - 1, ",\"" + field + "\":" + value);
  return text;
}

// And without what means nothing then.
json without(json request, const std::string& field) {
  request.erase(field);
  for (const auto& [name, other] : kBeside)
    if (field == other) request = without(std::move(request), name);
  return request;
}

// Decoded from a request or from the log; the entry as it is logged.
struct Decoded {
  explicit Decoded(std::string text, DecodeContext::Source source = DecodeContext::Source::request)
      : line(std::move(text)) {
    status = fields.parse(line);
    if (!status) return;
    op = find_op(fields.find(Field::op)->text);
    DecodeContext context{.arena = arena, .source = source, .now = 1777982400};  // 2026-05-05
    Result<void*> result = op->decode(fields, context);
    if (!result) {
      status = result.error();
      return;
    }
    command = *result;
  }
  std::string entry() {
    Buffer out;
    out.append(R"({"v":2,"op":")");
    out.append(op->name);
    out.append('"');
    op->encode(command, out);
    out.append('}');
    return std::string(out.view());
  }

  std::string line;
  Fields fields;
  Arena arena;
  Status status;
  const Op* op = nullptr;
  const void* command = nullptr;
};

class CatalogOp : public testing::TestWithParam<std::string> {
 protected:
  const Op& op() const { return *find_op(GetParam()); }
};

TEST_P(CatalogOp, HasAnExampleThatDecodes) {
  ASSERT_TRUE(kExamples.contains(GetParam())) << "add one";
  Decoded decoded(example(op()).dump());
  EXPECT_TRUE(decoded.status.ok()) << decoded.status.error().message;
  for (const std::string& field : fields_of(op())) {
    const bool excluded = std::ranges::any_of(
        kExclusive, [&](const auto& pair) { return bare(field) == pair.first && example(op()).contains(pair.second); });
    EXPECT_TRUE(example(op()).contains(bare(field)) || excluded) << field;
  }
}

TEST_P(CatalogOp, WhatIsLoggedReadsBackTheSame) {
  if (op().kind != Kind::mutation) {
    EXPECT_EQ(op().encode, nullptr) << "only mutations are logged";
    return;
  }
  Decoded request(example(op()).dump());
  ASSERT_TRUE(request.status.ok());
  const std::string entry = request.entry();
  Decoded logged(entry, DecodeContext::Source::log);
  ASSERT_TRUE(logged.status.ok()) << entry << ": " << logged.status.error().message;
  EXPECT_EQ(logged.entry(), entry);
  EXPECT_EQ(logged.op, request.op);
  // Nothing of the request is lost on the way: every field is in the entry, with the same value.
  const json entry_json = json::parse(entry);
  const json all = example(op());
  for (const auto& [name, value] : all.items()) EXPECT_EQ(entry_json[name], value) << name;
}

TEST_P(CatalogOp, MissesNoRequiredField) {
  for (const std::string& field : fields_of(op())) {
    Decoded decoded(without(example(op()), bare(field)).dump());
    if (is_optional(field)) {
      EXPECT_TRUE(decoded.status.ok()) << field << ": " << decoded.status.error().message;
      continue;
    }
    ASSERT_FALSE(decoded.status.ok()) << field;
    EXPECT_EQ(decoded.status.error().code, ErrorCode::validation_error);
    const std::string expected =
        field == "series" ? "Field tree or series is required" : "Field " + field + " is required";
    EXPECT_EQ(decoded.status.error().message, expected);
  }
}

// The caller may have meant something.
TEST_P(CatalogOp, TakesNoNullButWhereNullMeansNothing) {
  const std::set<std::string> nothing = {"[cursor]", "[granularity]", "[source]"};
  for (const std::string& field : fields_of(op())) {
    Decoded null(with(example(op()), bare(field), "null"));
    EXPECT_EQ(null.status.ok(), nothing.contains(field)) << field;
  }
}

TEST_P(CatalogOp, RefusesWrongTypesAndLimits) {
  for (const std::string& field : fields_of(op())) {
    for (const std::string& value : wrong_values(op().name, field)) {
      Decoded wrong(with(example(op()), bare(field), value));
      ASSERT_FALSE(wrong.status.ok()) << field << " = " << value;
      EXPECT_EQ(wrong.status.error().code, ErrorCode::validation_error);
      EXPECT_NE(wrong.status.error().message, "");
    }
  }
}

TEST_P(CatalogOp, TakesTheSeriesAsTreeToo) {
  json request = example(op());
  if (!request.contains("series")) return;
  const std::string plain = Decoded(request.dump()).status.ok() ? request.dump() : "";
  request.erase("series");
  request["tree"] = "s";
  Decoded by_tree(request.dump());
  ASSERT_TRUE(by_tree.status.ok());
  if (op().kind == Kind::mutation) {
    EXPECT_EQ(by_tree.entry(), Decoded(plain).entry());
  }
}

TEST_P(CatalogOp, BlanksOfARequestAreNotLogged) {
  if (op().kind != Kind::mutation) return;
  Decoded plain(example(op()).dump());
  for (const char blank : {' ', '\t'}) {
    Decoded spaced(example(op()).dump(3, blank));
    ASSERT_TRUE(spaced.status.ok());
    EXPECT_EQ(spaced.entry(), plain.entry());
  }
}

// What the log takes over as it stands in the request: a blank at any of its places is one too many.
TEST(CatalogItems, OneBlankAnywhereIsNotLogged) {
  const std::string items = "[[1,20260505,1],[18446744073709551615,20260505,0]]";
  const std::string start = R"({"v":2,"op":"ingest.chunk","series":"s","stream_id":"i","chunk_seq":1,"items":)";
  const std::string entry = Decoded(start + items + "}").entry();
  EXPECT_NE(entry.find(items), std::string::npos);
  for (std::size_t at = 1; at < items.size(); ++at) {
    if (std::isdigit(items[at - 1]) && std::isdigit(items[at])) continue;
    std::string spaced = items;
    spaced.insert(at, 1, "\t\n\r "[at % 4]);
    Decoded decoded(start + spaced + "}");
    ASSERT_TRUE(decoded.status.ok()) << spaced;
    EXPECT_EQ(decoded.entry(), entry) << spaced;
  }
}

TEST_P(CatalogOp, AReadTokenReadsAndWritesNothing) {
  Node node;
  node.config.auth_token = "secret";
  node.config.read_auth_token = "looking";
  node.open();
  json request = example(op());
  EXPECT_EQ(node(request.dump()), test::failure("unauthorized", "Unauthorized"));
  request["token"] = "wrong";
  EXPECT_EQ(node(request.dump()), test::failure("unauthorized", "Unauthorized"));
  request["token"] = "looking";
  const std::string reply = node(request.dump());
  if (op().access == Access::write) {
    EXPECT_EQ(reply, test::failure("forbidden", "Read-only token cannot execute command " + std::string(op().command)));
    EXPECT_EQ(node.expect("tree.list", R"(,"token":"looking")"), "[]");
  } else {
    EXPECT_FALSE(failed_with(reply, "forbidden")) << reply;
    EXPECT_FALSE(failed_with(reply, "unauthorized")) << reply;
  }
  request["token"] = "secret";
  const std::string allowed = node(request.dump());
  EXPECT_FALSE(failed_with(allowed, "forbidden") || failed_with(allowed, "unauthorized")) << allowed;
}

TEST_P(CatalogOp, ASlaveReadsAndWritesNothing) {
  Node node;
  node.config.role = Role::slave;
  node.open();
  const std::string reply = node(example(op()).dump());
  if (op().access == Access::write && !op().on_slave) {
    EXPECT_EQ(reply, test::failure("forbidden", "Slave role cannot execute command " + std::string(op().command)));
    // What is malformed is told first.
    for (const std::string& field : fields_of(op())) {
      if (is_optional(field)) continue;
      EXPECT_TRUE(failed_with(node(with(example(op()), bare(field), "-1")), "validation_error")) << field;
    }
    EXPECT_EQ(node.lsn(), 0u);
  } else {
    EXPECT_FALSE(failed_with(reply, "forbidden")) << reply;
  }
}

// What the op takes, by what the documentation says of it.
std::set<std::string> taken_by(const Op& op) {
  std::set<std::string> taken = {"v", "op", "token", "id"};
  for (const std::string& field : fields_of(op)) taken.insert(bare(field));
  if (taken.contains("series")) taken.insert("tree");
  if (taken.contains("bucket") || op.name == "series.delete_before") taken.insert("date");
  if (op.idempotent) taken.insert({"idempotency_key", "fingerprint", "idempotency_created_at_unix"});
  if (op.kind == Kind::mutation) taken.insert("want_lsn");
  return taken;
}

// A field that would narrow what is deleted must not be passed over: the caller meant less than the op does.
TEST_P(CatalogOp, TakesEveryFieldItNamesOrRefusesItWhenItDeletes) {
  const std::set<std::string> taken = taken_by(op());
  for (std::size_t i = 0; i < protocol::kFieldCount; ++i) {
    const std::string field(name_of(static_cast<Field>(i)));
    if (taken.contains(field)) continue;
    for (const char* value : {"7", "null", R"("x")", "[7]", R"({"from":20260501,"to":20260505})"}) {
      const std::string request = with(example(op()), field, value);
      Decoded decoded(request);
      if (!op().deletes) {
        const bool beside_range = field == "from" || field == "to" || (field == "ranges" && taken.contains("range"));
        const bool other_rule = op().name == "system.compact" && (field == "series" || field == "tree");
        const bool another_name =
            (field == "date" && taken.contains("bucket")) || (field == "offset" && taken.contains("source_offset"));
        if (beside_range) {
          EXPECT_FALSE(decoded.status.ok()) << request;
        } else {
          EXPECT_TRUE(decoded.status.ok() || other_rule || another_name) << request;
        }
        continue;
      }
      ASSERT_FALSE(decoded.status.ok()) << request;
      EXPECT_EQ(decoded.status.error().code, ErrorCode::validation_error);
      EXPECT_TRUE(decoded.status.error().message.starts_with("Field " + field + " is not taken by ")) << request;
      // Karma 1.0 logged such requests as it did them.
      if (op().kind == Kind::mutation) {
        EXPECT_TRUE(Decoded(request, DecodeContext::Source::log).status.ok()) << request;
      }
    }
  }
}

// A slip in a name must not be passed over: the caller would get another answer than the one asked for.
TEST_P(CatalogOp, RefusesANameThatIsAlmostOneItTakes) {
  for (const std::string& field : taken_by(op())) {
    if (field.size() < 3) continue;
    std::string capital = field;
    capital[0] = static_cast<char>(capital[0] - 'a' + 'A');
    std::string swapped = field;
    std::swap(swapped[field.size() - 1], swapped[field.size() - 2]);
    std::string doubled = field;
    doubled.insert(doubled.begin(), doubled[0]);
    std::set<std::string> slips = {capital, swapped, doubled, field.substr(0, field.size() - 1)};
    if (field.find('_') != field.npos) {
      std::string dashed = field;
      std::replace(dashed.begin(), dashed.end(), '_', '-');
      std::string camel = field;
      const std::size_t at = camel.find('_');
      camel.erase(at, 1);
      camel[at] = static_cast<char>(camel[at] - 'a' + 'A');
      slips.insert({dashed, camel});
    }
    for (const std::string& slip : slips) {
      if (protocol::field_of(slip)) continue;  // "key" for "keys": another field
      const std::string request = with(example(op()), slip, "7");
      const Decoded decoded(request);
      ASSERT_FALSE(decoded.status.ok()) << request;
      EXPECT_EQ(decoded.status.error().code, ErrorCode::validation_error);
      EXPECT_TRUE(decoded.status.error().message.starts_with("Unknown field " + slip + ": did you mean "))
          << request << ": " << decoded.status.error().message;
      // Karma 1.0 passed over it.
      if (op().kind == Kind::mutation) {
        EXPECT_TRUE(Decoded(request, DecodeContext::Source::log).status.ok()) << request;
      }
    }
  }
  for (const char* other : {"comment", "trace_id", "x", "user_agent", "note_to_self"})
    EXPECT_TRUE(Decoded(with(example(op()), other, "7")).status.ok()) << other << " means nothing else";
}

// As people write them, wherever one is wanted.
TEST(Days, AreNumbersOrHaveDashes) {
  for (const char* day : {"20260505", R"("2026-05-05")"}) {
    const std::string text(day);
    const auto entry = [](const std::string& request) {
      Decoded decoded(request);
      EXPECT_TRUE(decoded.status.ok()) << request;
      return decoded.status.ok() ? decoded.entry() : "";
    };
    for (const char* field : {"bucket", "date"})
      EXPECT_NE(
          entry(R"({"v":2,"op":"counter.increment","series":"s","key":1,")" + std::string(field) + "\":" + text + "}")
              .find("20260505"),
          std::string::npos);
    for (const char* field : {"before", "date"})
      EXPECT_NE(entry(R"({"v":2,"op":"series.delete_before","series":"s",")" + std::string(field) + "\":" + text + "}")
                    .find("20260505"),
                std::string::npos);
    EXPECT_NE(
        entry(R"({"v":2,"op":"tree.delete_range","series":"s","range":{"from":)" + text + R"(,"to":)" + text + "}}")
            .find(R"("range":{"from":20260505,"to":20260505})"),
        std::string::npos);
  }
}

TEST_P(CatalogOp, RefusesTheEndsOfARangeOutsideOfIt) {
  for (const char* field : {"from", "to"}) {
    const Decoded decoded(with(example(op()), field, "20260501"));
    ASSERT_FALSE(decoded.status.ok()) << field;
    EXPECT_EQ(decoded.status.error().code, ErrorCode::validation_error);
  }
}

// Nor must one of two names of a field be passed over.
TEST_P(CatalogOp, TwoNamesOfOneFieldAgreeWhenItDeletes) {
  if (!op().deletes || !taken_by(op()).contains("series")) return;
  const std::string name = example(op()).at("series").dump();
  EXPECT_TRUE(Decoded(with(example(op()), "tree", name)).status.ok());
  const std::string request = with(example(op()), "tree", R"("other")");
  const Decoded decoded(request);
  ASSERT_FALSE(decoded.status.ok()) << request;
  EXPECT_TRUE(decoded.status.error().message.starts_with("Fields tree and series differ: ")) << request;
  if (op().kind == Kind::mutation) {
    EXPECT_TRUE(Decoded(request, DecodeContext::Source::log).status.ok());
  }
  if (op().name != "series.delete_before") return;
  const std::string day = example(op()).at("before").dump();
  EXPECT_TRUE(Decoded(with(example(op()), "date", day)).status.ok());
  EXPECT_FALSE(Decoded(with(example(op()), "date", "20200101")).status.ok());
}

TEST_P(CatalogOp, ARangeToDeleteHoldsItsTwoEndsOnly) {
  if (!taken_by(op()).contains("range")) return;
  for (const char* field : {"key", "keys", "series", "before", "limit"}) {
    json request = json::parse(with(example(op()), "range", R"({"from":20260501,"to":20260505})"));
    request["range"][field] = 7;
    Decoded decoded(request.dump());
    EXPECT_EQ(decoded.status.ok(), !op().deletes) << request;
    if (op().deletes) {
      EXPECT_NE(decoded.status.error().message.find("range." + std::string(field)), std::string::npos);
    }
  }
}

// Also where nobody would look at them.
TEST_P(CatalogOp, BytesThatAreNoUtf8AreInvalidJson) {
  Node node;
  node.open();
  const std::string request = example(op()).dump();
  const auto with_more = [&](const std::string& fields) {
    return request.substr(0, request.size() - 1) + "," + fields + "}";
  };
  for (const char* bytes : {"\xFF", "\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80"}) {
    const std::string bad(bytes);
    for (const std::string& line : {with_more(R"("note":"a)" + bad + R"(b")"), with_more("\"no" + bad + "te\":1"),
                                    with_more(R"("note":{"in":["x",{"deep)" + bad + R"(":1}]})"),
                                    with_more(R"("series":"s)" + bad + "\""), request + bad})
      EXPECT_TRUE(failed_with(node(line), "invalid_json")) << line;
  }
  for (const char* lone : {R"(\ud800)", R"(\udc00)", R"(\ud800\u0041)", R"(\udc00\ud800)"})
    EXPECT_TRUE(failed_with(node(with_more(R"("note":")" + std::string(lone) + "\"")), "invalid_json")) << lone;
  const bool deletes = op().deletes;
  EXPECT_FALSE(failed_with(node(with_more(R"("note":"\ud83d\ude00 é €")")), "invalid_json")) << deletes;
}

TEST_P(CatalogOp, RepeatedFieldsCountTheLastTime) {
  for (const std::string& field : fields_of(op())) {
    const json request = example(op());
    if (!request.contains(bare(field))) continue;
    std::string text = request.dump();
    text.insert(1, "\"" + bare(field) + "\":-1,");
    EXPECT_TRUE(Decoded(text).status.ok()) << text;
  }
}

std::vector<std::string> op_names() {
  std::vector<std::string> found;
  for (const Op& op : catalog()) found.emplace_back(op.name);
  return found;
}

INSTANTIATE_TEST_SUITE_P(Every, CatalogOp, testing::ValuesIn(op_names()), [](const auto& parameter) {
  std::string name = parameter.param;
  for (char& byte : name) {
    if (byte == '.') byte = '_';
  }
  return name;
});

TEST(Catalog, NamesAndAliasesAreThoseOfTheProtocol) {
  std::set<std::string> aliases;
  for (const Op& op : catalog()) {
    EXPECT_EQ(find_op(op.name), &op);
    for (const std::string_view alias : op.aliases) {
      EXPECT_TRUE(aliases.emplace(alias).second) << alias;
      EXPECT_EQ(find_op(alias), &op);
      ASSERT_TRUE(kAliases.contains(std::string(alias))) << alias;
      EXPECT_EQ(kAliases.at(std::string(alias)), op.name);
    }
  }
  EXPECT_EQ(aliases.size(), kAliases.size());
  for (const char* name : {"", "counter", "Counter.increment", "counter.increment ", "series.create", "counter.set"})
    EXPECT_EQ(find_op(name), nullptr) << name;
}

TEST(Catalog, EveryExampleIsAnOp) {
  for (const auto& [name, fields] : kExamples) EXPECT_NE(find_op(name), nullptr) << name;
}

TEST(Codec, ListsEndAtTenThousand) {
  const auto list = [](std::size_t count, const std::string& element) {
    std::string text = "[";
    for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : ",") + element;
    return text + "]";
  };
  const auto refusal = [&](std::string_view op, const std::string& field, std::size_t count,
                           const std::string& element) {
    Decoded decoded(with(example(*find_op(op)), field, list(count, element)));
    return decoded.status.ok() ? std::string() : decoded.status.error().message;
  };
  EXPECT_EQ(refusal("counter.batch_sum", "keys", 10000, "7"), "");
  EXPECT_EQ(refusal("counter.batch_sum", "keys", 10001, "7"), "Field keys exceeds max size 10000");
  EXPECT_EQ(refusal("series.batch_add", "items", 10000, "[7,20260505,1]"), "");
  EXPECT_EQ(refusal("series.batch_add", "items", 10001, "[7,20260505,1]"), "Field items exceeds max size 10000");
  EXPECT_EQ(refusal("counter.multi_sum", "items", 10000, R"({"series":"s","key":7})"), "");
  EXPECT_EQ(refusal("counter.multi_sum", "items", 10001, R"({"series":"s","key":7})"),
            "Field items exceeds max size 10000");
  EXPECT_EQ(refusal("series.batch_add", "items", 0, ""), "");
  EXPECT_EQ(refusal("series.batch_add", "items", 1, "[7,20260505,0]"), "Batch item value must be greater than 0");
  EXPECT_EQ(refusal("series.batch_add", "items", 2, "[7,20260505,9223372036854775808]"), "Batch total overflow");
  EXPECT_EQ(refusal("series.batch_add", "items", 3, " [ 7 ,\t20260505 , 1 ] "), "");
  EXPECT_EQ(refusal("series.batch_add", "items", 1, "[7,20260505,18446744073709551616]"),
            "Invalid JSON: integer beyond 64 bits");
}

TEST(Codec, RangesAndKeysAskForTenThousandValuesAtMost) {
  const auto refusal = [](std::string_view op, const std::string& field, std::size_t count, const std::string& element,
                          std::size_t range_count) {
    json request = example(*find_op(op));
    request[field] = json(count, json::parse(element));
    request["ranges"] = json(range_count, nullptr);
    Decoded decoded(request.dump());
    return decoded.status.ok() ? std::string() : decoded.status.error().message;
  };
  EXPECT_EQ(refusal("counter.batch_sum", "keys", 10000, "7", 1), "");
  EXPECT_EQ(refusal("counter.batch_sum", "keys", 2500, "7", 4), "");
  EXPECT_EQ(refusal("counter.batch_sum", "keys", 625, "7", 16), "");
  EXPECT_EQ(refusal("counter.batch_sum", "keys", 0, "7", 16), "");
  EXPECT_EQ(refusal("counter.batch_sum", "keys", 2501, "7", 4),
            "Fields keys and ranges ask for 10004 values, at most 10000");
  EXPECT_EQ(refusal("counter.multi_sum", "items", 625, R"({"series":"s","key":7})", 16), "");
  EXPECT_EQ(refusal("counter.multi_sum", "items", 626, R"({"series":"s","key":7})", 16),
            "Fields items and ranges ask for 10016 values, at most 10000");
}

TEST(Codec, ARangeAmongOthersIsNamedWhenItIsWrong) {
  const auto refusal = [](const std::string& fields, std::string_view op = "counter.batch_sum") {
    Decoded decoded(R"({"v":2,"op":")" + std::string(op) + R"(","series":"s","keys":[7],"key":7,)" + fields + "}");
    return decoded.status.ok() ? std::string() : decoded.status.error().message;
  };
  const auto second = [&](const std::string& range) { return refusal(R"("ranges":[null,)" + range + "]"); };
  EXPECT_EQ(second("null"), "");
  EXPECT_EQ(second("7"), R"(Field ranges[1] must be an object {"from":…,"to":…} or null)");
  EXPECT_EQ(second(R"({"to":20260501})"), "Field ranges[1].from is required");
  EXPECT_EQ(second(R"({"from":20260501,"to":"x"})"),
            R"(Field ranges[1].to must be a bucket date, as 20260505 or "2026-05-05")");
  EXPECT_EQ(second(R"({"from":20260501,"to":-1})"), "Field ranges[1].to must be greater than or equal to 0");
  EXPECT_EQ(second(R"({"from":20260501,"to":20260532})"),
            "Field ranges[1]: Invalid bucket date 20260532: a calendar day as YYYYMMDD is wanted");
  EXPECT_EQ(second(R"({"from":20260502,"to":20260501})"),
            "Field ranges[1]: Bucket range start must be less than or equal to range end");
  EXPECT_EQ(second(R"({"from":20260101,"to":20270103})"), "Field ranges[1]: Range exceeds max days 366");
  EXPECT_EQ(refusal(R"("ranges":[])"), "Field ranges must not be empty");
  EXPECT_EQ(refusal(R"("ranges":{})"), "Field ranges must be an array");
  EXPECT_EQ(refusal(R"("ranges":[null],"range":{"from":20260501,"to":20260501})"),
            "Fields range and ranges exclude each other");
  EXPECT_EQ(refusal(R"("ranges":[null],"range":null)"), "Fields range and ranges exclude each other");
  EXPECT_EQ(refusal(R"("ranges":[null])", "counter.sum"),
            "Field ranges is not taken by this op, but range is; counter.batch_sum and counter.multi_sum take both");
  EXPECT_EQ(refusal(R"("ranges":[null])", "counter.increment"), "") << "takes neither";
  const std::string one = R"("range":{"from":20260501,"to":20260501})";
  EXPECT_EQ(refusal(R"("range":{"from":20260502,"to":20260501})", "tree.top"),
            "Bucket range start must be less than or equal to range end");
  EXPECT_EQ(refusal(one + R"(,"compare_to":{"from":20260502,"to":20260501})", "tree.top"),
            "Field compare_to: Bucket range start must be less than or equal to range end");
  EXPECT_EQ(refusal(one + R"(,"compare_to":null)", "tree.top"),
            R"(Field compare_to must be an object {"from":…,"to":…})");
  EXPECT_EQ(refusal(R"("compare_to":{"from":20260501,"to":20260501})", "tree.top"),
            "Field compare_to needs a range that is compared");
  EXPECT_EQ(refusal(one + R"(,"order_by":"delta")", "tree.top"), "Field order_by needs compare_to");
  EXPECT_EQ(refusal(one + R"(,"order_by":"previous")", "tree.top"), R"(Field order_by must be "value" or "delta")");
}

TEST(Codec, MultiSumItemsAreObjects) {
  for (const auto& [element, message] : std::map<std::string, std::string>{
           {"5", "Each item must be an object"},
           {"{}", "Field items[].series is required"},
           {R"({"tree":"s","key":1})", "Field items[].series is required"},
           {R"({"series":"","key":1})", "Field items[].series must not be empty"},
           {R"({"series":"s"})", "Field items[].key is required"},
           {R"({"series":"s","key":-1})", "Field items[].key must be greater than or equal to 0"}}) {
    Decoded decoded(with(example(*find_op("counter.multi_sum")), "items", "[" + element + "]"));
    ASSERT_FALSE(decoded.status.ok()) << element;
    EXPECT_EQ(decoded.status.error().message, message);
  }
}

TEST(Codec, BucketsComeAsNumbersDatesOrNotAtAll) {
  const auto bucket = [](const std::string& fields) {
    Decoded decoded(R"({"v":2,"op":"counter.increment","series":"s","key":1)" + fields + "}");
    EXPECT_TRUE(decoded.status.ok()) << fields;
    return json::parse(decoded.entry())["bucket"].get<std::uint64_t>();
  };
  EXPECT_EQ(bucket(""), 20260505u) << "today";
  EXPECT_EQ(bucket(R"(,"bucket":20240229)"), 20240229u);
  EXPECT_EQ(bucket(R"(,"bucket":"20240229")"), 20240229u);
  EXPECT_EQ(bucket(R"(,"bucket":"2024-02-29")"), 20240229u);
  EXPECT_EQ(bucket(R"(,"date":20240301,"bucket":20240229)"), 20240301u) << "date wins";
  EXPECT_EQ(bucket(R"(,"bucket":10000101)"), 10000101u);
  EXPECT_EQ(bucket(R"(,"bucket":"1000-01-01")"), 10000101u);
  EXPECT_EQ(bucket(R"(,"bucket":99991231)"), 99991231u);
}

// Nobody counts under the year 26: the century is missing.
// As clients of 1.0 say that all shall go.
TEST(Codec, APruneOfAllTimeIsADateThatNobodyLivesToSee) {
  const Op& op = *find_op("idempotency.prune");
  for (const char* before :
       {"0", "1777982400", R"("2026-05-05T12:00:00Z")", R"("2999-05-29T00:00:00Z")", "32000000000"})
    EXPECT_TRUE(Decoded(with(example(op), "before", before)).status.ok()) << before;
  EXPECT_TRUE(Decoded(with(example(op), "before", "1777982400000"), DecodeContext::Source::log).status.ok());
}

TEST(Codec, AYearHasFourDigitsWhereSomethingIsWritten) {
  for (const char* fields : {R"("bucket":260505)", R"("bucket":"260505")", R"("bucket":"26-05-05")", R"("date":260505)",
                             R"("bucket":9991231)", R"("bucket":10101)"}) {
    const std::string request = R"({"v":2,"op":"counter.increment","series":"s","key":1,)" + std::string(fields) + "}";
    Decoded decoded(request);
    ASSERT_FALSE(decoded.status.ok()) << request;
    EXPECT_NE(decoded.status.error().message.find(": the year needs four digits"), std::string::npos) << request;
    EXPECT_TRUE(Decoded(request, DecodeContext::Source::log).status.ok()) << "counted once, by an older version";
  }
  // What was counted so can be read, and deleted where it is named.
  for (const char* op : {"counter.sum", "counter.series", "tree.top", "tree.delete_range"})
    EXPECT_TRUE(Decoded(with(example(*find_op(op)), "range", R"({"from":260501,"to":260531})")).status.ok()) << op;
}

TEST(Codec, ARangeEndsAfterThreeHundredAndSixtySevenDays) {
  const auto range = [](std::uint64_t from, std::uint64_t to) {
    return Decoded(with(example(*find_op("counter.sum")), "range",
                        "{\"from\":" + std::to_string(from) + ",\"to\":" + std::to_string(to) + "}"))
        .status.ok();
  };
  EXPECT_TRUE(range(20260101, 20270102));
  EXPECT_FALSE(range(20260101, 20270103));
  EXPECT_TRUE(range(20240101, 20250101)) << "a leap year";
  EXPECT_FALSE(range(20240101, 20250102 + 1));
  EXPECT_TRUE(range(20260505, 20260505));
}

TEST(Catalog, OpsThatDeleteAreThese) {
  const std::set<std::string> expected = {"counter.reset", "counter.batch_reset", "counter.delete_range",
                                          "counter.batch_delete_range", "series.delete_before", "tree.drop",
                                          "tree.reset", "tree.delete_range", "ingest.abort", "idempotency.prune",
                                          // puts another content in the place of the series
                                          "snapshot.load", "recovery.forget"};
  std::set<std::string> found;
  for (const Op& op : catalog())
    if (op.deletes) found.emplace(op.name);
  EXPECT_EQ(found, expected);
}

// The caller meant something else.
TEST(Codec, FieldsThatContradictTheOpAreRefused) {
  for (const char* line :
       {R"({"v":2,"op":"system.compact","series":"s"})", R"({"v":2,"op":"system.compact","tree":"s"})"}) {
    EXPECT_FALSE(Decoded(line).status.ok()) << line;
    EXPECT_TRUE(Decoded(line, DecodeContext::Source::log).status.ok()) << "Karma 1.0 logged it: " << line;
  }
}

// What the log holds was accepted once, perhaps by Karma 1.0.
TEST(Codec, TheLogIsTakenAsItIs) {
  for (const char* entry :
       {R"({"v":2,"op":"counter.increment","series":"a/b","key":1,"bucket":0,"value":1})",
        R"({"v":2,"op":"counter.increment","series":"","key":1,"bucket":20261399,"value":1})",
        R"({"v":2,"op":"series.batch_add","series":".x","granularity":"day","items":[[1,9223372036854775807,1]]})",
        R"({"v":2,"op":"counter.delete_range","series":"s","key":1,"range":{"from":0,"to":18446744073709551615}})",
        R"({"v":2,"op":"series.delete_before","series":"s","before":99999999999})"}) {
    Decoded decoded(entry, DecodeContext::Source::log);
    ASSERT_TRUE(decoded.status.ok()) << entry << ": " << decoded.status.error().message;
    EXPECT_EQ(decoded.entry(), entry);
    EXPECT_FALSE(Decoded(entry).status.ok()) << "but not as a new request: " << entry;
  }
}

}  // namespace
}  // namespace karma::commands
