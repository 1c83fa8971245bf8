#include "support/engine_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include <karma/tools.h>

namespace karma::test {

using nlohmann::json;

namespace {

constexpr std::string_view kSuccessStart = R"({"protocol_version":2,"success":true,"response":)";
constexpr std::string_view kSuccessEnd = R"(,"error_code":null})";

std::uint64_t number(std::string_view text) { return std::strtoull(std::string(text).c_str(), nullptr, 10); }

}  // namespace

std::uint64_t test_seed() {
  const char* given = std::getenv("KARMA_TEST_SEED");
  return given != nullptr ? number(given) : std::random_device()();
}

std::string seed_text(std::uint64_t seed) { return "KARMA_TEST_SEED=" + std::to_string(seed); }

Config test_config() {
  Config config;
  config.directory = kDirectory;
  config.bind = "127.0.0.1";
  config.max_request_bytes = 1 << 24;
  config.max_response_bytes = 0;
  config.query_timeout_ms = 0;
  config.log = false;
  return config;
}

std::string success(std::string_view response) {
  return std::string(kSuccessStart) + std::string(response) + std::string(kSuccessEnd);
}

std::string failure(std::string_view code, std::string_view message) {
  return R"({"protocol_version":2,"success":false,"response":)" + json(message).dump() + R"(,"error_code":")" +
         std::string(code) + R"("})";
}

bool succeeded(std::string_view reply) { return reply.starts_with(kSuccessStart) && reply.ends_with(kSuccessEnd); }

bool failed_with(std::string_view reply, std::string_view code) {
  return reply.ends_with(R"(,"error_code":")" + std::string(code) + R"("})");
}

Node::~Node() { close(); }

std::string Node::try_open() {
  Result<std::unique_ptr<Engine>> opened = Engine::open(config, *files, clock);
  if (!opened) return opened.error().message;
  engine_ = std::move(*opened);
  return {};
}

void Node::open() { ASSERT_EQ(try_open(), ""); }

void Node::close(bool snapshot) {
  if (!engine_) return;
  const Status closed = engine_->close(snapshot);
  EXPECT_TRUE(!snapshot || closed.ok()) << closed.error().message;
  engine_.reset();
}

void Node::stop() {
  (void)engine_->close(true);
  engine_.reset();
}

std::string Node::call(std::string_view op, std::string_view fields) {
  return (*this)(R"({"v":2,"op":")" + std::string(op) + '"' + std::string(fields) + '}');
}

std::string Node::expect(std::string_view op, std::string_view fields) {
  std::string reply = call(op, fields);
  EXPECT_TRUE(succeeded(reply)) << op << fields << " -> " << reply;
  if (!succeeded(reply)) return {};
  return reply.substr(kSuccessStart.size(), reply.size() - kSuccessStart.size() - kSuccessEnd.size());
}

std::string Node::live_content() {
  std::string text;
  const json series_names = json::parse(expect("tree.list"));
  for (const auto& name : series_names) {
    const std::string series = ",\"series\":" + name.dump();
    const json points = json::parse(expect("tree.series", series + R"(,"range":{"from":20260101,"to":20261231})"));
    const json info = json::parse(expect("tree.info", series));
    std::map<std::uint64_t, std::map<std::uint64_t, std::uint64_t>> ordered;
    std::uint64_t total = 0;
    for (const auto& [key, days] : points.items()) {
      for (const auto& [bucket, value] : days.items()) {
        ordered[number(key)][number(bucket)] = value.get<std::uint64_t>();
        total += value.get<std::uint64_t>();
      }
    }
    EXPECT_TRUE(info.contains("saturated") || total == info["total"].get<std::uint64_t>()) << name;
    if (points.empty()) text += "{\"series\":" + name.dump() + "}\n";
    for (const auto& [key, days] : ordered) {
      for (const auto& [bucket, value] : days) {
        text += "{\"series\":" + name.dump() + ",\"key\":" + std::to_string(key) +
                ",\"bucket\":" + std::to_string(bucket) + ",\"value\":" + std::to_string(value) + "}\n";
      }
    }
  }
  return text;
}

std::uint64_t Node::lsn() {
  const json info = json::parse(expect("snapshot.info"));
  return info["wal_current_lsn"].get<std::uint64_t>();
}

std::unique_ptr<Node> Node::after_crash(CrashableFileSystem::Unsynced unsynced, std::uint64_t seed) const {
  auto node = std::make_unique<Node>(files->after_crash(unsynced, seed));
  node->config = config;
  node->clock.set(clock.unix_seconds());
  return node;
}

std::string content(CrashableFileSystem& files) {
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(dump_directory(kDirectory, out, err, files), 0) << err.str();
  return out.str();
}

std::string check(CrashableFileSystem& files) {
  std::ostringstream out;
  std::ostringstream err;
  const int code = check_directory(kDirectory, out, err, files);
  return std::to_string(code) + " " + out.str() + err.str();
}

bool is_whole(CrashableFileSystem& files) { return check(files).front() == '0' || names(files).empty(); }

std::string repair(CrashableFileSystem& files) {
  std::ostringstream out;
  std::ostringstream err;
  const int code = repair_directory(kDirectory, out, err, files);
  return std::to_string(code) + " " + out.str() + err.str();
}

std::vector<std::string> names(CrashableFileSystem& files) {
  Result<std::vector<std::string>> listed = files.list(kDirectory);
  EXPECT_TRUE(listed.ok());
  if (!listed) return {};
  std::sort(listed->begin(), listed->end());
  return std::move(*listed);
}

std::string find_name(CrashableFileSystem& files, std::string_view prefix, std::string_view suffix) {
  for (std::string& name : names(files)) {
    if (name.starts_with(prefix) && name.ends_with(suffix)) return std::move(name);
  }
  ADD_FAILURE() << "no file like " << prefix << "..." << suffix;
  return {};
}

}  // namespace karma::test
