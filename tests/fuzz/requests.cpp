#include <algorithm>

#include <nlohmann/json.hpp>

#include "fuzz/directory.h"
#include "fuzz/targets.h"

namespace karma::test::fuzz {
namespace {

constexpr std::size_t kMostLines = 64;
constexpr std::string_view kExactlyOnce = "data/karma.idempotency.json";

std::vector<std::string> lines_of(std::string_view input) {
  std::vector<std::string> lines;
  while (!input.empty() && lines.size() < kMostLines) {
    const std::string_view line = input.substr(0, input.find('\n'));
    lines.emplace_back(line);
    input.remove_prefix(std::min(line.size() + 1, input.size()));
  }
  return lines;
}

// Staged points stand in the order of a hash whose seed each process makes for itself.
std::string without_order(const std::string& exactly_once) {
  nlohmann::json json = nlohmann::json::parse(exactly_once, nullptr, false);
  if (!json.is_object() || !json.contains("active_streams")) return exactly_once;
  for (nlohmann::json& stream : json["active_streams"]) {
    if (stream.contains("staged")) std::sort(stream["staged"].begin(), stream["staged"].end());
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// The state as clients see it, and the exactly-once state as a snapshot of everything writes it.
struct Kept {
  std::string state;
  std::string exactly_once;
};

std::string stop(Engine& engine, CrashableFileSystem& files, Kept& kept) {
  kept.state = state_of(engine);
  if (const Status closed = engine.close(true); !closed) return "the stop failed: " + closed.error().message;
  kept.exactly_once = without_order(files.content(std::string(kExactlyOnce)).value_or(""));
  return {};
}

}  // namespace

std::string fault_of_requests(std::string_view input) {
  const std::vector<std::string> lines = lines_of(input);
  CrashableFileSystem files;
  ManualClock clock;
  Result<std::unique_ptr<Engine>> engine = Engine::open(node_config(), files, clock);
  if (!engine) return "an empty directory does not start: " + engine.error().message;
  const std::vector<std::string> replies = (*engine)->execute(lines);
  if (replies.size() != lines.size())
    return std::to_string(lines.size()) + " lines, " + std::to_string(replies.size()) + " replies";
  for (const std::string& reply : replies) {
    if (std::string fault = fault_of_reply(reply); !fault.empty()) return fault;
  }

  // The process is killed here; what it had is compared with what it leaves.
  const std::unique_ptr<CrashableFileSystem> left = files.after_crash(CrashableFileSystem::Unsynced::lost);
  Kept lived;
  if (std::string fault = stop(**engine, files, lived); !fault.empty()) return fault;
  Result<std::unique_ptr<Engine>> next = Engine::open(node_config(), *left, clock);
  if (!next) return "what a killed node leaves does not start: " + next.error().message;
  Kept recovered;
  if (std::string fault = stop(**next, *left, recovered); !fault.empty()) return fault;
  if (lived.state != recovered.state) return "lived:\n" + lived.state + "recovered:\n" + recovered.state;
  if (lived.exactly_once != recovered.exactly_once)
    return "lived:\n" + lived.exactly_once + "\nrecovered:\n" + recovered.exactly_once;
  return {};
}

}  // namespace karma::test::fuzz
