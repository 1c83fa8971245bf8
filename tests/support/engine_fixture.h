// A node on a disk in memory, and what tests ask of it: its state as text, live and from the files.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <karma/config.h>
#include <karma/engine.h>

#include "support/crashable_file_system.h"
#include "support/manual_clock.h"

namespace karma::test {

inline const std::string kDirectory = "data";
inline std::string in_directory(std::string_view name) { return kDirectory + "/" + std::string(name); }

// KARMA_TEST_SEED, or another one each run. Say it when the test fails.
std::uint64_t test_seed();
std::string seed_text(std::uint64_t seed);

// A generator with a helper.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t up_to(std::uint64_t most) { return std::uniform_int_distribution<std::uint64_t>(0, most)(engine_); }
  std::uint64_t any() { return engine_(); }
  bool one_in(std::uint64_t count) { return up_to(count - 1) == 0; }
  template <class Container>
  auto& of(Container& choices) {
    return choices[up_to(std::size(choices) - 1)];
  }

 private:
  std::mt19937_64 engine_;
};

// Quiet, without limits on requests and replies, in kDirectory.
Config test_config();

// The answers of Karma.
std::string success(std::string_view response);
std::string failure(std::string_view code, std::string_view message);
bool succeeded(std::string_view reply);
bool failed_with(std::string_view reply, std::string_view code);

class Node {
 public:
  Node() : Node(std::make_unique<CrashableFileSystem>()) {}
  explicit Node(std::unique_ptr<CrashableFileSystem> disk) : files(std::move(disk)) {}
  ~Node();

  // Empty, or why the node does not start.
  std::string try_open();
  void open();  // a failure of the test if it does not start
  void close(bool snapshot = false);
  void stop();  // with a snapshot, whatever comes of it
  void reopen() { close(), open(); }
  bool is_open() const { return engine_ != nullptr; }

  std::string operator()(std::string_view request) { return engine_->execute(request); }
  std::vector<std::string> operator()(const std::vector<std::string>& requests) { return engine_->execute(requests); }
  // With `"v":2,"op":…` written for the caller; `fields` begins with a comma, or is empty.
  std::string call(std::string_view op, std::string_view fields = "");
  // The test fails unless the answer is a success; the result is what stands in `response`.
  std::string expect(std::string_view op, std::string_view fields = "");

  // Every point of every series as `karma dump` prints it, asked of the running node. Only days of 2026 can be asked
  // for; other buckets show in a total that does not fit and fail the test.
  std::string live_content();
  std::uint64_t lsn();

  // As a crash at this moment would leave it; a node on that disk, not opened.
  std::unique_ptr<Node> after_crash(CrashableFileSystem::Unsynced unsynced, std::uint64_t seed = 0) const;

  Config config = test_config();
  ManualClock clock;
  std::unique_ptr<CrashableFileSystem> files;

 private:
  std::unique_ptr<Engine> engine_;
};

// What the files hold, as `karma dump` prints it; the test fails if they cannot be restored.
std::string content(CrashableFileSystem& files);
// What `karma check` says, with its exit code in front of it: "0 ok: …".
std::string check(CrashableFileSystem& files);
// Whether it finds no fault. A start may have been killed before it made its first file: then there is nothing to find.
bool is_whole(CrashableFileSystem& files);
// The same for `karma check --repair`.
std::string repair(CrashableFileSystem& files);
// Names in kDirectory, ascending.
std::vector<std::string> names(CrashableFileSystem& files);
// The first name that begins and ends like this; the test fails if there is none.
std::string find_name(CrashableFileSystem& files, std::string_view prefix, std::string_view suffix);

}  // namespace karma::test
