#include "protocol/client.h"

#include <future>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/scripted_server.h"

namespace karma::protocol {
namespace {

TEST(Client, AServerThatSaysNothingIsGivenUp) {
  std::promise<void> end;
  const std::shared_future<void> ended = end.get_future().share();
  const test::ScriptedServer server([ended](const std::string&) {
    ended.wait();
    return std::string();
  });
  Client client({.host = "127.0.0.1", .port = server.port(), .token = "", .timeout_seconds = 1});
  ASSERT_TRUE(client.connect().ok());
  client.send("system.ping", Client::Fields::object());
  const Result<Reply> reply = client.receive();
  end.set_value();
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().message, client.endpoint().address() + ": the server has not answered for 1 s");
  EXPECT_TRUE(client.lost());
}

}  // namespace
}  // namespace karma::protocol
