#include "fuzz/directory.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include <karma/tools.h>

#include "core/crc32c.h"

namespace karma::test::fuzz {
namespace {

using nlohmann::json;

constexpr std::string_view kMark = "== ";

std::string path_of(std::string_view name) { return std::string(kDirectory) + "/" + std::string(name); }

bool is_base_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos && name.find('\0') == name.npos;
}

std::string with_checksums(std::string_view text) {
  constexpr std::string_view kMissing = R"(,"crc32c":?)";
  std::string out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const std::size_t at = line.find(kMissing);
    if (at == line.npos) {
      out += line;
    } else {
      out += line.substr(0, at + kMissing.size() - 1);
      out += std::to_string(crc32c(line.substr(0, at)));
      out += line.substr(at + kMissing.size());
    }
    if (line.size() < text.size()) out += '\n';
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return out;
}

struct Told {
  int code = 0;
  std::string out;
  std::string err;
};

template <class Tool>
Told ask(Tool tool, CrashableFileSystem& files) {
  std::ostringstream out;
  std::ostringstream err;
  const int code = tool(std::string(kDirectory), out, err, files);
  return {code, out.str(), err.str()};
}

std::string call(Engine& engine, std::string_view op, const json& fields = json::object()) {
  json request = fields;
  request["v"] = 2;
  request["op"] = op;
  return engine.execute(request.dump());
}

json response(Engine& engine, std::string_view op, const json& fields = json::object()) {
  return json::parse(call(engine, op, fields))["response"];
}

std::uint64_t lsn_of(Engine& engine) { return response(engine, "snapshot.info")["wal_current_lsn"]; }

std::string differ(const std::string& what, const std::string& before, const std::string& after) {
  return what + " differs\nbefore:\n" + before + "\nafter:\n" + after;
}

// A node on the directory for as long as it is needed.
class Start {
 public:
  explicit Start(CrashableFileSystem& files) {
    Result<std::unique_ptr<Engine>> opened = Engine::open(node_config(), files, clock_);
    if (opened) {
      engine = std::move(*opened);
    } else {
      fault = opened.error().message;
    }
  }
  std::string close(bool snapshot) {
    const Status closed = engine->close(snapshot);
    engine.reset();
    return closed.ok() ? std::string() : "the stop failed: " + closed.error().message;
  }

  std::unique_ptr<Engine> engine;
  std::string fault;

 private:
  ManualClock clock_;
};

// Adds an entry; says what is wrong about it. `whole`: nothing in the directory is damaged.
std::string fault_of_work(Engine& engine, bool whole) {
  const std::uint64_t before = lsn_of(engine);
  const std::string added =
      call(engine, "counter.increment", {{"series", "after"}, {"key", 1}, {"bucket", 20260505}, {"value", 7}});
  const json reply = json::parse(added);
  const bool full = reply["error_code"] == "validation_error";  // the counter is at its maximum
  if (!reply["success"].get<bool>() && !full) return "a write is refused: " + added;
  if (!full && lsn_of(engine) != before + 1) return "the LSN after " + std::to_string(before) + " is not the next";
  const std::string verified = call(engine, "snapshot.verify");
  if (std::string fault = fault_of_reply(verified); !fault.empty()) return fault;
  if (whole && !json::parse(verified)["success"].get<bool>()) return "verify is not content: " + verified;
  return {};
}

}  // namespace

Config node_config() {
  Config config;
  config.directory = kDirectory;
  config.bind = "127.0.0.1";
  config.query_timeout_ms = 0;
  config.log = false;
  return config;
}

std::unique_ptr<CrashableFileSystem> directory_of(std::string_view input, std::string_view only) {
  auto files = std::make_unique<CrashableFileSystem>();
  (void)files->create_directories(std::string(kDirectory));
  const std::string separator = "\n" + std::string(kMark);
  if (!input.starts_with(kMark)) {
    files->edit(path_of(only), with_checksums(input));
    return files;
  }
  while (!input.empty()) {
    input.remove_prefix(kMark.size());
    const std::string_view name = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(name.size() + 1, input.size()));
    const std::string_view content = input.substr(0, input.find(separator));
    if (is_base_name(name)) files->edit(path_of(name), with_checksums(content));
    input.remove_prefix(std::min(content.size() + 1, input.size()));
  }
  return files;
}

std::string state_of(Engine& engine) {
  std::string state;
  for (const json& name : response(engine, "tree.list")) {
    const json series = {{"series", name}};
    state += name.dump();
    for (const char* op : {"tree.info", "tree.keys", "tree.top", "tree.summary"}) state += call(engine, op, series);
    state += '\n';
  }
  return state;
}

std::string fault_of_reply(std::string_view reply) {
  const json value = json::parse(reply, nullptr, false);
  if (value.is_discarded()) return "the reply is not valid JSON in valid UTF-8: " + std::string(reply);
  if (reply.find_first_of("\r\n") != reply.npos) return "the reply has line ends in it: " + std::string(reply);
  const bool whole = value.is_object() && value.value("protocol_version", json()) == 2 && value.contains("response") &&
                     value.value("success", json()).is_boolean() && value.contains("error_code");
  if (!whole) return "the reply is no envelope: " + std::string(reply);
  if (value["success"] == value["error_code"].is_string()) return "success and error at once: " + std::string(reply);
  return {};
}

std::string fault_of_directory(CrashableFileSystem& files) {
  const Told checked = ask(check_directory, files);
  const Told dumped = ask(dump_directory, files);
  Start first(files);
  if (first.engine == nullptr) {
    if (first.fault.empty()) return "a start is refused without a word";
    if (checked.code != 1) return "check is content, the start is not: " + first.fault + "\n" + checked.out;
    if (dumped.code != 1) return "dump is content, the start is not: " + first.fault;
    return {};
  }
  // Damage that a start can do without is reported all the same.
  const bool whole = checked.code == 0;
  // What holds no data starts as an empty node, and the tools say that there is nothing.
  const bool empty = lsn_of(*first.engine) == 0 && response(*first.engine, "tree.list").empty();
  if (checked.code > 1)
    return empty && dumped.code == checked.code ? "" : "check cannot examine what starts: " + checked.err;
  if (dumped.code != 0) return "the start is content, dump is not: " + dumped.err;
  if (std::string fault = fault_of_work(*first.engine, whole); !fault.empty()) return fault;
  const std::string state = state_of(*first.engine);
  if (std::string fault = first.close(false); !fault.empty()) return fault;
  const Told after = ask(dump_directory, files);

  Start second(files);
  if (second.engine == nullptr) return "the second start is refused: " + second.fault;
  if (const std::string again = state_of(*second.engine); again != state)
    return differ("the state after a restart", state, again);
  if (std::string fault = second.close(true); !fault.empty()) return fault;
  const Told saved = ask(dump_directory, files);
  if (saved.code != 0) return "the directory cannot be read after a snapshot: " + saved.err;
  if (saved.out != after.out) return differ("the dump after a snapshot", after.out, saved.out);

  Start third(files);
  if (third.engine == nullptr) return "the start after a snapshot is refused: " + third.fault;
  if (const std::string again = state_of(*third.engine); again != state)
    return differ("the state after a snapshot", state, again);
  return fault_of_work(*third.engine, whole);
}

}  // namespace karma::test::fuzz
