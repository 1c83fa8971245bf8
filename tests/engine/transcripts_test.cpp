// Runs the conversations of tests/transcripts; README.md there says how they are written.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/engine_fixture.h"

namespace karma::test {
namespace {

std::vector<std::string> transcripts() {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(KARMA_TESTS_DIRECTORY "/transcripts")) {
    if (entry.path().extension() == ".txt") found.push_back(entry.path().stem().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

class Conversation {
 public:
  // The text with the replies that were given.
  std::string run(const std::string& text) {
    node_.open();
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("> ")) {
        if (answered_) send_gathered();
        requests_.push_back(line.substr(2));
      } else if (line.starts_with("< ")) {
        answered_ = true;
      } else {
        send_gathered();
        if (line.starts_with("@ ")) run_command(line.substr(2));
        out_ += line + "\n";
      }
    }
    send_gathered();
    return out_;
  }

 private:
  // Sends what has been gathered.
  void send_gathered() {
    if (requests_.empty()) return;
    for (const std::string& request : requests_) out_ += "> " + request + "\n";
    for (const std::string& reply : node_(requests_)) out_ += "< " + reply + "\n";
    requests_.clear();
    answered_ = false;
  }

  void run_command(const std::string& command) {
    std::istringstream words(command);
    std::string verb;
    words >> verb;
    if (verb == "set") {
      std::string name;
      std::string value;
      words >> name >> value;
      set(name, value);
    } else if (verb == "restart" || verb == "snapshot-restart") {
      node_.close(verb != "restart");
      node_.open();
    } else if (verb == "advance") {
      std::int64_t seconds = 0;
      words >> seconds;
      node_.clock.advance(seconds);
    } else {
      ADD_FAILURE() << "unknown: @ " << command;
    }
  }

  void set(const std::string& name, const std::string& value) {
    Config& config = node_.config;
    if (name == "max_response_bytes") {
      config.max_response_bytes = std::stoi(value);
    } else if (name == "auth_token") {
      config.auth_token = value;
    } else if (name == "read_auth_token") {
      config.read_auth_token = value;
    } else if (name == "role") {
      config.role = value == "slave" ? Role::slave : Role::master;
    } else if (name == "wal") {
      config.wal = value == "true";
    } else {
      ADD_FAILURE() << "unknown setting: " << name;
    }
  }

  Node node_;
  std::string out_;
  std::vector<std::string> requests_;  // not sent yet
  bool answered_ = false;              // their replies have been passed in the text
};

class Transcript : public testing::TestWithParam<std::string> {};

TEST_P(Transcript, IsWhatTheNodeSays) {
  const std::string path = std::string(KARMA_TESTS_DIRECTORY "/transcripts/") + GetParam() + ".txt";
  std::stringstream wanted;
  wanted << std::ifstream(path).rdbuf();
  Conversation conversation;
  const std::string seen = conversation.run(wanted.str());
  if (std::getenv("KARMA_REWRITE_TRANSCRIPTS") != nullptr) {
    std::ofstream(path) << seen;
    return;
  }
  EXPECT_EQ(seen, wanted.str());
}

INSTANTIATE_TEST_SUITE_P(Every, Transcript, testing::ValuesIn(transcripts()),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace karma::test
