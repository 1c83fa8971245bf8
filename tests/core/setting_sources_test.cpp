// Settings from files, and which source wins.
#include "core/setting_sources.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <map>

namespace karma {
namespace {

std::map<std::string, std::string>& variables() {
  static std::map<std::string, std::string> map;
  return map;
}
const char* environment(const char* name) {
  const auto found = variables().find(name);
  return found == variables().end() ? nullptr : found->second.c_str();
}

const Setting& setting(std::string_view flag) {
  for (const Setting& one : settings())
    if (one.flag == flag) return one;
  throw std::out_of_range(std::string(flag));
}

class SettingSourcesTest : public ::testing::Test {
 protected:
  void SetUp() override { variables().clear(); }
  void TearDown() override {
    for (const std::string& path : {path_, path_ + ".token"}) std::remove(path.c_str());
  }

  void write(const std::string& content) const { write(path_, content); }
  static void write(const std::string& path, const std::string& content) {
    std::FILE* out = std::fopen(path.c_str(), "w");
    std::fwrite(content.data(), 1, content.size(), out);
    std::fclose(out);
  }

  using Flags = std::vector<std::pair<std::string_view, std::string>>;
  Result<Config> resolve(const Flags& flags) {
    sources_ = SettingSources();
    if (Status status = sources_.read_environment(environment); !status) return status.error();
    for (const auto& [flag, value] : flags) {
      const std::string fault = sources_.add_flag(setting(flag), value);
      if (!fault.empty()) return validation_error("--" + std::string(flag) + " " + fault);
    }
    return sources_.resolve();
  }
  Result<Config> from_file(const std::string& content, Flags flags = {}) {
    write(content);
    flags.push_back({"config", path_});
    return resolve(flags);
  }
  // What is wrong, with FILE for its name.
  std::string fault(const std::string& content) {
    const Result<Config> config = from_file(content);
    if (config) return "accepted";
    std::string message = config.error().message;
    for (std::size_t at; (at = message.find(path_)) != message.npos;) message.replace(at, path_.size(), "FILE");
    return message;
  }

  const std::string path_ = ::testing::TempDir() + "karma_setting_sources." + std::to_string(::getpid()) + ".toml";
  SettingSources sources_;
};

// A value of each source where it is given: of the flag, the environment and the file.
TEST_F(SettingSourcesTest, AFlagWinsOverTheEnvironmentThatOverTheFileThatOverTheDefault) {
  using Source = SettingSources::Source;
  struct Row {
    bool flag, variable, file;
    int port;
    Source source;
    std::string where;
  };
  const std::string line = path_ + ":2";
  const Row rows[] = {
      {false, false, false, 8080, Source::by_default, ""},
      {false, false, true, 3, Source::file, line},
      {false, true, false, 2, Source::environment, "KARMA_PORT"},
      {false, true, true, 2, Source::environment, "KARMA_PORT"},
      {true, false, false, 1, Source::flag, ""},
      {true, false, true, 1, Source::flag, ""},
      {true, true, false, 1, Source::flag, ""},
      {true, true, true, 1, Source::flag, ""},
  };
  for (const Row& row : rows) {
    variables().clear();
    if (row.variable) variables()["KARMA_PORT"] = "2";
    const Result<Config> config =
        from_file(row.file ? "# one\nport = 3\n" : "", row.flag ? Flags{{"port", "1"}} : Flags{});
    ASSERT_TRUE(config.ok()) << config.error().message;
    EXPECT_EQ(config->port, row.port);
    EXPECT_EQ(sources_.origin(setting("port")).source, row.source);
    EXPECT_EQ(sources_.origin(setting("port")).where, row.where);
  }
}

TEST_F(SettingSourcesTest, EverySettingCanStandInTheFile) {
  std::string content = "role = \"slave\"\n";
  std::map<const Setting*, std::string> values;
  for (const Setting& one : settings()) {
    if (one.flag == kConfigFlag || one.flag == "role" || std::holds_alternative<TokenFile>(one.target)) continue;
    const std::string was = value_text(one, Config());
    std::string value = "text", written = "\"text\"";
    if (std::holds_alternative<int Config::*>(one.target)) value = written = "7";
    if (std::holds_alternative<std::int64_t Config::*>(one.target)) value = written = "5000000000";
    if (std::holds_alternative<bool Config::*>(one.target)) value = written = was == "true" ? "false" : "true";
    if (one.flag == "replicas-ack-on-timeout") value = "degrade", written = "'degrade'";
    if (one.flag == "replication-peers") value = "a:1,b:2", written = R"(["a:1", 'b:2'])";
    if (one.flag == "log-level") value = written = "warn", written = "'warn'";
    if (one.flag == "log-format") value = "text";
    if (one.flag == "min-replicas-ack") value = written = "0";  // it needs the log
    values[&one] = one.secret ? "(set)" : value;
    content += std::string(one.flag) + " = " + written + "   # of a kind\n";
  }
  const Result<Config> config = from_file(content);
  ASSERT_TRUE(config.ok()) << config.error().message;
  for (const auto& [one, value] : values) EXPECT_EQ(value_text(*one, *config), value) << one->flag;
}

TEST_F(SettingSourcesTest, TheFlagNamesTheFileAndElseTheVariableDoes) {
  write("port = 3\n");
  variables()["KARMA_CONFIG"] = path_;
  EXPECT_EQ(resolve({})->port, 3);
  variables()["KARMA_CONFIG"] = path_ + ".none";
  EXPECT_EQ(resolve({}).error().message, "Cannot read the settings file " + path_ + ".none: No such file or directory");
  EXPECT_EQ(resolve({{"config", path_}})->port, 3);
  EXPECT_EQ(resolve({{"config", ""}}).error().message, "--config must not be empty");
  EXPECT_EQ(resolve({{"config", "/"}}).error().message, "Cannot read the settings file /: Is a directory");
}

TEST_F(SettingSourcesTest, TextIsTakenAsItIsQuoted) {
  const auto host = [this](const std::string& written) {
    const Result<Config> config = from_file("bind = " + written);
    return config ? config->bind : config.error().message;
  };
  EXPECT_EQ(host("\"a b\""), "a b");
  EXPECT_EQ(host("'a#b' # c"), "a#b");
  EXPECT_EQ(host("'C:\\d'"), "C:\\d");
  EXPECT_EQ(host("\"a,b=c\"\r"), "a,b=c");
  EXPECT_EQ(host("'[::1]'"), "[::1]");
}

TEST_F(SettingSourcesTest, WhatIsWrongIsNamedWithItsLineAndWithoutItsValue) {
  EXPECT_EQ(fault("\n# port\nprot = 1\n"), "FILE:3: prot is not a setting. Did you mean port?");
  EXPECT_EQ(fault("max_request_bytes = 1"),
            "FILE:1: max_request_bytes is not a setting. Did you mean max-request-bytes?");
  EXPECT_EQ(fault("s3cret-thing = 1"), "FILE:1: s3cret-thing is not a setting.");
  EXPECT_EQ(fault("log.level = 1"), "FILE:1: log.level is not a setting. Did you mean log-level?");
  EXPECT_EQ(fault("wal = true\nport = many"), "FILE:2: port must be an integer between 1 and 65535");
  EXPECT_EQ(fault("wal = yes"), "FILE:1: wal must be true or false");
  EXPECT_EQ(fault("\nport = 0"), "FILE:2: Invalid configuration: port must be between 1 and 65535");
  EXPECT_EQ(fault("auth-token = ''"), "FILE:1: Invalid configuration: auth-token must not be empty");
  EXPECT_EQ(fault("port = 1\nwal = true\nport = 1"), "FILE:3: port is set in line 1 already");
  EXPECT_EQ(fault("port = 1 2"), "FILE:1: port takes one value; a text with blanks needs quotes");
  EXPECT_EQ(fault("port = [1]"), "FILE:1: port takes one value; a text with blanks needs quotes");
  EXPECT_EQ(fault("config = 'other'"), "FILE:1: config cannot be set in the file itself");
  EXPECT_EQ(fault("port"), "FILE:1: this line is no setting: NAME = VALUE, as port = 8080");
  EXPECT_EQ(fault("= 1"), "FILE:1: this line is no setting: NAME = VALUE, as port = 8080");
  EXPECT_EQ(fault("; port = 1"), "FILE:1: ; port is not a setting. Did you mean port?");
  EXPECT_EQ(fault("port ="), "FILE:1: this line has no value: NAME = VALUE, as port = 8080");
  EXPECT_EQ(fault("port = # 1"), "FILE:1: this line has no value: NAME = VALUE, as port = 8080");
  EXPECT_EQ(fault("[network]\nport = 1"),
            "FILE:1: this line begins a table: settings stand for themselves here, without one");
  EXPECT_EQ(fault("recover = [\"a\",\n \"b\"]"), "FILE:1: this line begins a list that does not end on this line");
  EXPECT_EQ(fault("bind = \"a"), "FILE:1: this line has a quote that does not end");
  EXPECT_EQ(fault("bind = \"a\\tb\""),
            "FILE:1: this line has an escape, which is not read: put the text into single quotes");
  EXPECT_EQ(fault(std::string((1 << 20) + 1, '#')), "The settings file FILE is longer than 1 MiB");
  EXPECT_EQ(fault(""), "accepted");
}

TEST_F(SettingSourcesTest, OfAnOverriddenValueOnlyTheFormIsChecked) {
  EXPECT_TRUE(from_file("port = 0", {{"port", "1"}}).ok());
  EXPECT_FALSE(from_file("port = many", {{"port", "1"}}).ok());
  EXPECT_EQ(from_file("port = 1", {{"port", "0"}}).error().message,
            "Invalid configuration: --port must be between 1 and 65535");
}

TEST_F(SettingSourcesTest, ListsTakeWhatAllSay) {
  variables()["KARMA_RECOVER"] = "b";
  EXPECT_EQ(from_file("recover = ['a']", {{"recover", "c"}})->recover, (std::vector<std::string>{"a", "b", "c"}));
}

TEST(SettingDifferences, AreNamedAndSecretsKept) {
  Config config;
  EXPECT_EQ(changed_settings(config), "");
  config.port = 9090;
  config.auth_token = "s3cret";
  config.log_level = LogLevel::debug;
  config.recover = {"a", "b"};
  EXPECT_EQ(changed_settings(config), "port=9090 recover=a,b auth-token=(set) log-level=debug");
  Config other = config;
  other.auth_token = "0ther";
  other.port = 1;
  other.auth_token_file = "f";
  EXPECT_EQ(differences(config, other).reloaded, "auth-token,auth-token-file");
  EXPECT_EQ(differences(config, other).others, "port");
  EXPECT_EQ(differences(config, config).reloaded + differences(config, config).others, "");
}

TEST_F(SettingSourcesTest, TokenFilesOfAnySourceAreReadAndTheTokenHasTheirOrigin) {
  write(path_ + ".token", "s3cret\n");
  const std::string line = "auth-token-file = '" + path_ + ".token'\n";
  const Result<Config> config = from_file(line);
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->auth_token, "s3cret");
  EXPECT_EQ(value_text(setting("auth-token-file"), *config), path_ + ".token");
  EXPECT_EQ(sources_.origin(setting("auth-token")).where, path_ + ":1");
  EXPECT_EQ(sources_.origin(setting("read-auth-token")).source, SettingSources::Source::by_default);
  EXPECT_EQ(from_file(line, {{"auth-token", "other"}}).error().message,
            "--auth-token and --auth-token-file are both given; one of them must go");
}

}  // namespace
}  // namespace karma
