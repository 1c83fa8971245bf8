// Nodes that replicate from each other, each with its server, its clients' view and a disk in memory.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include <karma/server.h>

#include "support/crashable_file_system.h"
#include "support/socket_client.h"

namespace karma::test {

class ReplicatingNode {
 public:
  using json = nlohmann::json;

  ReplicatingNode() {
    config.directory = "data";
    config.bind = "127.0.0.1";
    config.port = 0;
    config.log = false;
    config.io_threads = 1;
    config.replication_poll_interval_ms = 2;
  }
  ~ReplicatingNode() { server.reset(); }

  void follow(const ReplicatingNode& master) { follow(master.port()); }
  void follow(int master_port) {
    config.role = Role::slave;
    config.replication_source_host = "127.0.0.1";
    config.replication_source_port = master_port;
  }
  void be_master() {
    config.role = Role::master;
    config.replication_source_host.reset();
  }

  void start() {
    Result<std::unique_ptr<Server>> started = Server::start(config, *files);
    ASSERT_TRUE(started.ok()) << started.error().message;
    server = std::move(*started);
    config.port = server->port();  // and stays there
  }
  // With snapshots, as SIGTERM does.
  void stop() {
    EXPECT_TRUE(server->stop().ok());
    server.reset();
  }
  // Without a word, and with a disk that kept only what was synced.
  void crash(std::uint64_t seed) {
    std::unique_ptr<CrashableFileSystem> left = files->after_crash(CrashableFileSystem::Unsynced::some, seed);
    server.reset();
    files = std::move(left);
  }
  int port() const { return config.port; }

  json ask(const std::string& op, json fields = json::object()) const {
    fields["v"] = 2;
    fields["op"] = op;
    SocketClient client(port());
    client.send(fields.dump() + "\n");
    const std::string line = client.line();
    json reply = json::parse(line, nullptr, false);
    return reply.is_object() ? reply : json{{"success", false}, {"response", line}};
  }
  json response(const std::string& op, json fields = json::object()) const {
    json reply = ask(op, std::move(fields));
    EXPECT_EQ(reply["success"], true) << op << ": " << reply.dump();
    return reply["response"];
  }
  void increment(std::uint64_t key, std::uint64_t value = 1, const std::string& series = "s") const {
    (void)response("counter.increment", {{"series", series}, {"key", key}, {"bucket", 20260101}, {"value", value}});
  }
  json sum(std::uint64_t key, const std::string& series = "s") const {
    return response("counter.sum", {{"series", series}, {"key", key}});
  }
  std::uint64_t lsn() const { return response("replication.status")["wal_current_lsn"]; }

  // All counters of all series, by day; null if they change meanwhile.
  json content() const {
    json all = json::object();
    const json list = ask("tree.list");
    if (list["success"] != true) return {};
    for (const json& series : list["response"]) {
      json points = json::array();
      json cursor;
      do {
        json fields = {{"series", series}, {"limit", 1000}};
        if (!cursor.is_null()) fields["cursor"] = cursor;
        const json page = ask("tree.points", fields);
        if (page["success"] != true) return {};
        points.push_back(page["response"]["points"]);
        cursor = page["response"]["next_cursor"];
      } while (!cursor.is_null());
      all[series.get<std::string>()] = points;
    }
    return all;
  }

  Config config;
  std::unique_ptr<CrashableFileSystem> files = std::make_unique<CrashableFileSystem>();
  std::unique_ptr<Server> server;
};

// Until it is so, for half a minute at most.
template <class Condition>
bool eventually(Condition&& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

// The slave has all that its master has, and says so.
inline bool caught_up(const ReplicatingNode& slave, const ReplicatingNode& master) {
  return eventually([&] {
    const nlohmann::json status = slave.ask("replication.status")["response"];
    return status.is_object() && status["replication_lag_entries"] == 0 && status["replayed_lsn"] == master.lsn();
  });
}

class ThreeNodes : public ::testing::Test {
 protected:
  static void start_with(ReplicatingNode& follower, const ReplicatingNode& source) {
    follower.follow(source);
    follower.start();
    ASSERT_TRUE(caught_up(follower, source)) << follower.ask("replication.status").dump();
  }
  static std::string poll_error(const ReplicatingNode& node) {
    const nlohmann::json error = node.response("replication.status")["replication_last_poll_error"];
    return error.is_string() ? error.get<std::string>() : "";
  }
  static std::string role(const ReplicatingNode& node) { return node.response("replication.status")["role"]; }

  ReplicatingNode master;
  ReplicatingNode slave;
  ReplicatingNode third;
};

}  // namespace karma::test
