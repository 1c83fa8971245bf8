// A master whose replies are rewritten on their way: other versions of Karma, and misbehaving ones.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "replication/nodes.h"
#include "support/scripted_server.h"
#include "support/socket_client.h"

namespace karma::test {

using Reply = nlohmann::ordered_json;  // entries of the log keep the order of their fields

inline Reply refusal(const std::string& code, const std::string& message) {
  return {{"success", false}, {"response", message}, {"error_code", code}};
}

// Passes requests on to a node and lets a function change the replies.
class Relay {
 public:
  using Change = std::function<void(const nlohmann::json& request, Reply& reply)>;

  Relay(const ReplicatingNode& node, Change change)
      : node_(node), change_(std::move(change)), server_([this](const std::string& line) { return answer(line); }) {}

  int port() const { return server_.port(); }
  std::vector<std::string> ops() {
    const std::lock_guard lock(mutex_);
    return ops_;
  }

 private:
  std::string answer(const std::string& line) {
    nlohmann::json request = nlohmann::json::parse(line);
    request.erase("wait_ms");  // one answer at a time
    const std::string op = request["op"];
    {
      const std::lock_guard lock(mutex_);
      ops_.push_back(op);
    }
    SocketClient client(node_.port());
    client.send(request.dump() + "\n");
    Reply reply = Reply::parse(client.line());
    change_(request, reply);
    return reply.dump();
  }

  const ReplicatingNode& node_;
  const Change change_;
  std::mutex mutex_;
  std::vector<std::string> ops_;
  ScriptedServer server_;
};

// What a Karma 1.0 does not know.
inline void be_1_0(const nlohmann::json& request, Reply& reply) {
  if (request["op"] == "replication.status") reply["response"].erase("history");
  if (request["op"] == "replication.entries" && reply["success"] == true) {
    reply["response"].erase("epoch_after");
    reply["response"].erase("epoch_last");
    reply["response"].erase("checkpoint_revision");
  }
  for (const char* op : {"snapshot.manifest_fetch_chunk", "replication.digest"})
    if (request["op"] == op) reply = refusal("unknown_command", "Unknown command: " + std::string(op));
}

}  // namespace karma::test
