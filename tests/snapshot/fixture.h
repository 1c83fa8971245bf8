// A data directory in memory, and states to put into it.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <karma/clock.h>

#include "snapshot/manager.h"
#include "store/store.h"
#include "support/crashable_file_system.h"

namespace karma::snapshot {

class ManualClock final : public Clock {
 public:
  std::int64_t unix_seconds() const override { return now; }
  std::chrono::steady_clock::time_point steady() const override { return {}; }
  std::int64_t now = 1700000000;
};

// series → key → bucket → value; what a store holds, to compare with.
using Content = std::map<std::string, std::map<std::uint64_t, std::map<std::uint64_t, std::uint64_t>>>;

inline Content content_of(const store::Store& store) {
  Content content;
  for (const std::string& name : store.names()) {
    auto& series = content[name];
    store.find(name)->for_each([&](Key key, std::uint64_t, std::span<const store::Point> points) {
      for (const store::Point& point : points) series[key.value][point.bucket.number()] = point.value;
    });
  }
  return content;
}

inline std::unique_ptr<store::Store> store_of(const Content& content) {
  auto store = std::make_unique<store::Store>(42);
  for (const auto& [name, keys] : content) {
    store::Series& series = store->find_or_create(name);
    for (const auto& [key, buckets] : keys) {
      for (const auto& [bucket, value] : buckets) series.set(Key{key}, Bucket::of_number(bucket), value);
    }
  }
  return store;
}

inline Frozen freeze(const store::Store& store, Lsn lsn, std::string exactly_once = "{\"records\":[]}") {
  Frozen frozen;
  frozen.lsn = lsn;
  for (const std::string& name : store.names()) frozen.series.emplace_back(name, store.find(name)->view());
  frozen.exactly_once.write = [json = std::move(exactly_once)](const ExactlyOnceState::Sink& sink) {
    return sink(json);
  };
  frozen.exactly_once.record_count = 3;
  frozen.exactly_once.committed_stream_count = 1;
  return frozen;
}

inline LogReach log_from(std::uint64_t first, std::uint64_t last) {
  LogReach log;
  log.has_entries = true;
  log.first = Lsn{first};
  log.last = Lsn{last};
  return log;
}

inline constexpr char kDirectory[] = "/data";
inline std::string in_directory(std::string_view name) { return std::string(kDirectory) + "/" + std::string(name); }

// A directory with a manager, as a running node has it.
struct Node {
  Node() : Node(std::make_unique<test::CrashableFileSystem>()) {}
  explicit Node(std::unique_ptr<test::CrashableFileSystem> on_disk, std::size_t retention = 5)
      : files(std::move(on_disk)), options{retention, [this](const std::string& event, const std::string& message) {
                                             events.push_back(event + " " + message);
                                           }} {}

  Manager manager() { return Manager(*files, kDirectory, clock, options); }

  Status save(const Content& content, std::uint64_t lsn, const std::string& exactly_once = "{\"records\":[]}") {
    const auto store = store_of(content);
    return manager().create_all(freeze(*store, Lsn{lsn}, exactly_once));
  }
  Result<Meta> save_one(const std::string& name, const Content& content, std::uint64_t lsn) {
    const auto store = store_of(content);
    return manager().create_one(name, store->find(name)->view(), Lsn{lsn});
  }

  struct Found {
    Result<Restored> restored = Restored{};
    Content content;

    bool ok() const { return restored.ok(); }
    const Restored& operator*() const { return *restored; }
    const Restored* operator->() const { return &*restored; }
    std::string error() { return restored.error().message; }
    std::uint64_t lsn(const std::string& series) const {
      const auto at = restored->series_lsn.find(series);
      return at == restored->series_lsn.end() ? 0 : at->second.value;
    }
    bool warned_of(std::string_view text) const {
      for (const std::string& warning : restored->warnings) {
        if (warning.find(text) != warning.npos) return true;
      }
      return false;
    }
  };
  Found restore(const LogReach& log = {}, const std::set<std::string>& set_aside = {}) {
    store::Store store(7);
    Found found;
    found.restored = manager().restore(&store, log, set_aside);
    store.check_invariants();
    found.content = content_of(store);
    return found;
  }

  std::vector<std::string> names() {
    std::vector<std::string> names = *files->list(kDirectory);
    std::sort(names.begin(), names.end());
    return names;
  }
  std::vector<std::string> trees() {
    std::vector<std::string> trees;
    for (const std::string& name : names()) {
      if (name.ends_with(".tree")) trees.push_back(name);
    }
    return trees;
  }
  std::string text(std::string_view name) { return files->content(in_directory(name)).value_or("(no such file)"); }
  void write(std::string_view name, std::string text) { files->edit(in_directory(name), std::move(text)); }
  void erase(std::string_view name) { files->erase(in_directory(name)); }
  bool has(std::string_view name) { return files->content(in_directory(name)).has_value(); }
  void flip(std::string_view name, std::size_t at, int bit = 0) {
    std::string bytes = text(name);
    bytes.at(at) = static_cast<char>(bytes.at(at) ^ (1 << bit));
    write(name, bytes);
  }
  // As Karma 1.0 leaves a snapshot: the file and, if `lsn` is there, a sidecar.
  std::string write_as_1_0(const std::string& series, const Content& content, std::int64_t timestamp,
                           std::optional<std::uint64_t> lsn);

  std::unique_ptr<test::CrashableFileSystem> files;
  ManualClock clock;
  std::vector<std::string> events;
  ManagerOptions options;
};

inline std::string Node::write_as_1_0(const std::string& series, const Content& content, std::int64_t timestamp,
                                      std::optional<std::uint64_t> lsn) {
  Node elsewhere;
  elsewhere.clock.now = timestamp;
  const Content alone = {{series, content.at(series)}};
  EXPECT_TRUE(elsewhere.save(alone, lsn.value_or(0)).ok());
  const std::string file = elsewhere.trees().at(0);
  files->create_directories(kDirectory).ok();
  write(file, elsewhere.text(file));
  if (lsn) write(file + ".meta.json", elsewhere.text(file + ".meta.json"));
  return file;
}

}  // namespace karma::snapshot
