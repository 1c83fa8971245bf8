// karma config: what would a server start with?
#include <cstdio>
#include <map>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/client_command.h"

namespace karma::tools {
namespace {

class ConfigCommandTest : public ::testing::Test {
 protected:
  ConfigCommandTest() {
    std::FILE* out = std::fopen(path_.c_str(), "w");
    std::fputs("# a node\nport = 9090\ndirectory = \"/data\"\nread-auth-token = \"s3cret\"\n", out);
    std::fclose(out);
  }
  ~ConfigCommandTest() override { std::remove(path_.c_str()); }

  int run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "config");
    const auto [code, out, err] = test::run_karma(std::move(arguments), variables_);
    out_ = out;
    err_ = err;
    EXPECT_EQ((out_ + err_).find("s3cret"), std::string::npos);
    return code.value_or(-1);
  }

  const std::string path_ = ::testing::TempDir() + "karma_config_command.toml";
  std::map<std::string, std::string> variables_ = {{"KARMA_DUMP_DIR", "/other"}, {"KARMA_AUTH_TOKEN", "s3cret"}};
  std::string out_;
  std::string err_;
};

TEST_F(ConfigCommandTest, TellsWhereEachSettingComesFrom) {
  ASSERT_EQ(run({"--config=" + path_, "--bind=127.0.0.1"}), 0) << err_;
  std::map<std::string, std::string> lines;
  std::istringstream all(out_);
  for (std::string line; std::getline(all, line);) {
    std::istringstream words(line);
    std::string name, value, from;
    words >> name >> value;
    std::getline(words >> std::ws, from);
    lines[name] = value + "|" + from;
  }
  EXPECT_EQ(lines.at("bind"), "127.0.0.1|flag");
  EXPECT_EQ(lines.at("port"), "9090|file " + path_ + ":2");
  EXPECT_EQ(lines.at("directory"), "/other|environment KARMA_DUMP_DIR");
  EXPECT_EQ(lines.at("max-request-bytes"), "4096|default");
  EXPECT_EQ(lines.at("auth-token"), "(set)|environment KARMA_AUTH_TOKEN");
  EXPECT_EQ(lines.at("read-auth-token"), "(set)|file " + path_ + ":4");
  EXPECT_EQ(lines.at("config"), path_ + "|flag");
}

TEST_F(ConfigCommandTest, IsAnObjectForPrograms) {
  ASSERT_EQ(run({"--json", "--config", path_, "--recover=a,b"}), 0) << err_;
  const nlohmann::json all = nlohmann::json::parse(out_);
  std::map<std::string, nlohmann::json> settings;
  for (const auto& setting : all.at("settings")) settings[setting.at("name")] = setting;
  using nlohmann::json;
  EXPECT_EQ(settings.at("port"),
            json::parse(R"({"name":"port","value":9090,"source":"file","where":")" + path_ + R"(:2"})"));
  EXPECT_EQ(settings.at("wal"), json::parse(R"({"name":"wal","value":true,"source":"default","where":null})"));
  EXPECT_EQ(settings.at("recover"),
            json::parse(R"({"name":"recover","value":["a","b"],"source":"flag","where":null})"));
  EXPECT_EQ(settings.at("replication-source-host").at("value"), nullptr);
  EXPECT_EQ(settings.at("auth-token").at("value"), "(set)");
}

TEST_F(ConfigCommandTest, RefusesWhatAStartWouldRefuse) {
  EXPECT_EQ(run({"--port=0"}), 1);
  EXPECT_EQ(err_,
            "ERROR: Invalid configuration: --port must be between 1 and 65535\nkarma --help lists all options.\n");
  EXPECT_EQ(run({"--prot=1"}), 1);
  EXPECT_NE(err_.find("Did you mean --port?"), std::string::npos) << err_;
  EXPECT_EQ(run({"more"}), 1);
  EXPECT_EQ(run({"--config=does/not/exist"}), 1);
  EXPECT_EQ(out_, "");
  variables_["KARMA_PORT"] = "many";
  EXPECT_EQ(run({}), 1);
  EXPECT_EQ(err_,
            "ERROR: Environment variable KARMA_PORT must be an integer between 1 and 65535, not \"many\"\n"
            "karma --help lists all options.\n");
}

TEST_F(ConfigCommandTest, DescribesItself) {
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_TRUE(out_.starts_with("Usage: karma config")) << out_;
}

}  // namespace
}  // namespace karma::tools
