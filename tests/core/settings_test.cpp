#include "core/settings.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include <gtest/gtest.h>

namespace karma {
namespace {

std::map<std::string, std::string>& variables() {
  static std::map<std::string, std::string> map;
  return map;
}

const char* environment(const char* name) {
  auto found = variables().find(name);
  return found == variables().end() ? nullptr : found->second.c_str();
}

class CommandLineTest : public ::testing::Test {
 protected:
  void SetUp() override { variables().clear(); }
  void TearDown() override {
    for (const std::string& path : files_) std::remove(path.c_str());
  }

  static Result<CommandLine> parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "karma");
    return parse_command_line(static_cast<int>(arguments.size()), arguments.data(), environment);
  }

  static std::string fault(std::vector<const char*> arguments) {
    Result<CommandLine> line = parse(std::move(arguments));
    return line.ok() ? "accepted" : line.error().message;
  }

  std::string file(const std::string& content) {
    std::string path = ::testing::TempDir() + "karma_settings_" + std::to_string(files_.size());
    std::FILE* out = std::fopen(path.c_str(), "w");
    std::fwrite(content.data(), 1, content.size(), out);
    std::fclose(out);
    files_.push_back(path);
    return path;
  }

 private:
  std::vector<std::string> files_;
};

TEST_F(CommandLineTest, NothingGivenMeansTheDefaults) {
  Result<CommandLine> line = parse({});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->action, CommandLine::Action::serve);
  EXPECT_EQ(line->config.bind, "0.0.0.0");
  EXPECT_EQ(line->config.port, 8080);
  EXPECT_EQ(line->config.max_request_bytes, 4096);
  EXPECT_TRUE(line->config.wal_fsync);
  EXPECT_FALSE(line->config.auth_token);
}

TEST_F(CommandLineTest, EverySettingIsReadFromItsFlagAndItsVariable) {
  for (const Setting& setting : settings()) {
    if (std::holds_alternative<TokenFile>(setting.target) || setting.flag == kConfigFlag) continue;
    std::string value = std::holds_alternative<int Config::*>(setting.target)            ? "7"
                        : std::holds_alternative<std::int64_t Config::*>(setting.target) ? "5000000000"
                        : std::holds_alternative<bool Config::*>(setting.target)         ? ""
                        : std::holds_alternative<Role Config::*>(setting.target)         ? "slave"
                        : std::holds_alternative<OnAckTimeout Config::*>(setting.target) ? "degrade"
                        : std::holds_alternative<LogLevel Config::*>(setting.target)     ? "debug"
                                                                                         : "text";
    if (setting.flag == "replication-peers") value = "text:7";
    if (value.empty()) value = value_text(setting, Config()) == "true" ? "false" : "true";
    std::string shown = setting.secret ? "(set)" : value;
    std::string flag = "--" + std::string(setting.flag);
    const char* role = "--role=slave";  // without it a replication source is refused
    for (bool joined : {true, false}) {
      std::string first = joined ? flag + "=" + value : flag;
      Result<CommandLine> line = joined ? parse({role, first.c_str()}) : parse({role, first.c_str(), value.c_str()});
      ASSERT_TRUE(line.ok()) << line.error().message;
      EXPECT_EQ(value_text(setting, line->config), shown) << flag;
    }
    variables() = {{"KARMA_ROLE", "slave"}, {std::string(setting.variable), value}};
    Result<CommandLine> line = parse({});
    ASSERT_TRUE(line.ok()) << line.error().message;
    EXPECT_EQ(value_text(setting, line->config), shown) << setting.variable;
    variables().clear();
  }
}

TEST_F(CommandLineTest, NamesAreUnique) {
  std::set<std::string_view> flags, variable_names;
  std::set<char> letters = {'h', 'v'};
  for (const Setting& setting : settings()) {
    EXPECT_TRUE(flags.insert(setting.flag).second) << setting.flag;
    EXPECT_TRUE(variable_names.insert(setting.variable).second) << setting.variable;
    if (setting.letter) {
      EXPECT_TRUE(letters.insert(setting.letter).second) << setting.letter;
    }
  }
}

TEST_F(CommandLineTest, EveryIntegerIsCheckedAtBothEndsOfItsRange) {
  for (const Setting& setting : settings()) {
    if (!std::holds_alternative<int Config::*>(setting.target)) continue;
    ASSERT_GE(setting.min, 0) << setting.flag;
    auto with = [&](long long value) {
      std::string flag = "--" + std::string(setting.flag) + "=" + std::to_string(value);
      return fault({"--role=slave", "--replication-source-host=h", flag.c_str()});
    };
    EXPECT_EQ(with(setting.min), "accepted") << setting.flag;
    EXPECT_EQ(with(setting.max), "accepted") << setting.flag;
    EXPECT_TRUE(with(setting.min - 1LL).starts_with("Invalid configuration: ")) << with(setting.min - 1LL);
    EXPECT_NE(with(setting.max + 1LL), "accepted") << setting.flag;
  }
}

TEST_F(CommandLineTest, BytesOfADiskNeedSixtyFourBits) {
  for (const char* good :
       {"--wal-retention-bytes=-1", "--wal-retention-bytes=0", "--wal-retention-bytes=9223372036854775807"})
    EXPECT_EQ(fault({good}), "accepted");
  EXPECT_EQ(fault({"--wal-retention-bytes=-2"}),
            "Invalid configuration: --wal-retention-bytes must be greater than or equal to -1");
  EXPECT_EQ(fault({"--wal-retention-bytes=9223372036854775808"}),
            "--wal-retention-bytes must be an integer greater than or equal to -1");
}

TEST_F(CommandLineTest, ShortFormsTakeTheirValueInEveryWay) {
  for (std::vector<const char*> arguments :
       {std::vector<const char*>{"-p", "90"}, std::vector<const char*>{"-p90"}, std::vector<const char*>{"-p=90"}}) {
    Result<CommandLine> line = parse(arguments);
    ASSERT_TRUE(line.ok()) << line.error().message;
    EXPECT_EQ(line->config.port, 90);
  }
}

TEST_F(CommandLineTest, FlagsWinOverTheEnvironmentAndLaterFlagsOverEarlier) {
  variables() = {{"KARMA_PORT", "1"}, {"KARMA_AUTH_TOKEN", "env"}};
  Result<CommandLine> line = parse({"--port=2", "--auth-token=flag", "--port=3"});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->config.port, 3);
  EXPECT_EQ(line->config.auth_token, "flag");
}

TEST_F(CommandLineTest, IntegersAreDecimalWithBlanksAround) {
  EXPECT_EQ(fault({"--port", " +80\t"}), "accepted");
  for (const char* bad : {"", " ", "0x10", "1e3", "1.0", "1_000", "80 80", "99999999999", "+-1", "++1", "1k"}) {
    EXPECT_EQ(fault({"--port", bad}), "--port must be an integer between 1 and 65535") << bad;
  }
}

TEST_F(CommandLineTest, BadVariablesAreRefusedEvenIfAFlagOverridesThem) {
  variables() = {{"KARMA_PORT", "many"}};
  EXPECT_EQ(fault({"--port=1"}),
            "Environment variable KARMA_PORT must be an integer between 1 and 65535, not \"many\"");
  variables() = {{"KARMA_WAL", "yes"}};
  EXPECT_EQ(fault({}), "Environment variable KARMA_WAL must be true or false, not \"yes\"");
  variables() = {{"KARMA_LOG", ""}};
  EXPECT_EQ(fault({}), "Environment variable KARMA_LOG must be true or false");
}

// Kubernetes sets such a variable for each Service.
TEST_F(CommandLineTest, ABadVariableIsInNobodysWayWhoNeedsNoSettings) {
  variables() = {{"KARMA_PORT", "tcp://10.0.0.7:8080"}, {"KARMA_LOG_LEVEL", "debug"}};
  const std::string message = fault({});
  EXPECT_TRUE(message.starts_with(
      "Environment variable KARMA_PORT must be an integer between 1 and 65535, not \"tcp://10.0.0.7:8080\". "
      "Kubernetes sets it"))
      << message;
  EXPECT_NE(message.find("enableServiceLinks: false"), std::string::npos);
  EXPECT_EQ(fault({"--version"}), "accepted");
  EXPECT_EQ(fault({"help", "network"}), "accepted");
  const Result<CommandLine> help = parse({"--help"});
  ASSERT_TRUE(help.ok()) << help.error().message;
  EXPECT_NE(help->argument.find("[8080]"), std::string::npos) << "the default";
  EXPECT_NE(help->argument.find("[debug]"), std::string::npos) << "the other variables count";
  variables() = {{"KARMA_AUTH_TOKEN", "tcp://s3cret"}, {"KARMA_PORT", std::string(1000, 'x')}};
  EXPECT_LT(fault({}).size(), 300u);
}

TEST_F(CommandLineTest, AFlagWithOneDashIsNotTakenForALetterWithAValue) {
  EXPECT_EQ(fault({"-port=24012"}), "-port=24012 begins with one dash, where two are needed: --port=24012.");
  EXPECT_EQ(fault({"-wal-fsync"}), "-wal-fsync begins with one dash, where two are needed: --wal-fsync.");
  EXPECT_EQ(fault({"-p=24012"}), "accepted");
  EXPECT_EQ(fault({"-d", "port"}), "accepted");
  EXPECT_EQ(fault({"-dport"}), "accepted") << "a directory";
}

TEST_F(CommandLineTest, MessagesNameSettingsAsTheyWereTyped) {
  variables() = {{"KARMA_DUMP_DIR", "x"}, {"KARMA_PORT", "0"}};
  EXPECT_EQ(fault({}), "Invalid configuration: KARMA_PORT must be between 1 and 65535");
  variables().clear();
  EXPECT_EQ(fault({"--port=0"}), "Invalid configuration: --port must be between 1 and 65535");
  EXPECT_EQ(fault({"--bind="}), "Invalid configuration: --bind must not be empty");
  EXPECT_EQ(fault({"--directory", ""}), "Invalid configuration: --directory must not be empty");
  EXPECT_EQ(fault({"--wal-batch-size=0"}), "Invalid configuration: --wal-batch-size must be greater than 0");
  EXPECT_EQ(fault({"--read-timeout=-1"}), "Invalid configuration: --read-timeout must be greater than or equal to 0");
  EXPECT_EQ(fault({"--wal-batch-wait-us=-1"}),
            "Invalid configuration: --wal-batch-wait-us must be greater than or equal to 0");
  EXPECT_EQ(fault({"--replication-source-host=h"}),
            "Invalid configuration: --replication-source-host requires --role=slave");
  EXPECT_EQ(fault({"--role=slave", "--replication-source-host="}),
            "Invalid configuration: --replication-source-host must not be empty");
  EXPECT_EQ(fault({"--role=leader"}), "--role must be master or slave");
  EXPECT_EQ(fault({"--log-level=all"}), "--log-level must be debug, info, warn or error");
}

TEST_F(CommandLineTest, ReplicationIsCheckedOnlyWhereThereIsASource) {
  EXPECT_EQ(fault({"--replication-batch-size=0"}), "accepted");
  EXPECT_EQ(fault({"--role=slave", "--replication-source-host=h", "--replication-batch-size=0"}),
            "Invalid configuration: --replication-batch-size must be between 1 and 10000");
}

TEST_F(CommandLineTest, WhatSlavesConfirmIsCheckedAndNeedsTheLog) {
  EXPECT_EQ(fault({"--min-replicas-ack=2", "--replicas-ack-on-timeout=degrade"}), "accepted");
  EXPECT_EQ(fault({"--min-replicas-ack=65"}), "Invalid configuration: --min-replicas-ack must be between 0 and 64");
  EXPECT_EQ(fault({"--replicas-ack-on-timeout=wait"}), "--replicas-ack-on-timeout must be error or degrade");
  EXPECT_EQ(fault({"--min-replicas-ack=1", "--wal=false"}),
            "Invalid configuration: --min-replicas-ack requires the log: --wal=true");
}

TEST_F(CommandLineTest, UnknownFlagsAreNamedWithoutTheirValue) {
  std::string message = fault({"--auth-tokn=secret"});
  EXPECT_TRUE(message.starts_with("--auth-tokn is not a valid option.")) << message;
  EXPECT_NE(message.find("Did you mean --auth-token?"), std::string::npos) << message;
  EXPECT_NE(message.find("--help"), std::string::npos);
  EXPECT_EQ(message.find("secret"), std::string::npos);
  EXPECT_TRUE(fault({"-x"}).starts_with("-x is not a valid option."));
  EXPECT_TRUE(fault({"--", "--port=1"}).starts_with("--port=1 is not a command"));
  EXPECT_EQ(fault({"--port"}), "--port needs a value");
}

// A variable of a shell that was never set. Of switches see BadVariablesAreRefusedEvenIfAFlagOverridesThem.
TEST_F(CommandLineTest, AnEmptyVariableIsUnset) {
  for (const Setting& setting : settings()) {
    if (std::holds_alternative<bool Config::*>(setting.target)) continue;
    variables() = {{std::string(setting.variable), ""}};
    Result<CommandLine> line = parse({});
    ASSERT_TRUE(line.ok()) << setting.variable << ": " << line.error().message;
    EXPECT_EQ(value_text(setting, line->config), value_text(setting, Config())) << setting.variable;
    EXPECT_FALSE(line->config.auth_token || line->config.read_auth_token || line->config.replication_token);
  }
}

// "token":"" would be let in, and no warning would say so.
TEST_F(CommandLineTest, AnEmptyTokenIsRefused) {
  for (const Setting& setting : settings()) {
    if (!setting.secret) continue;
    const std::string flag = "--" + std::string(setting.flag);
    EXPECT_NE(fault({(flag + "=").c_str()}).find(" must not be empty"), std::string::npos) << flag;
    EXPECT_NE(fault({flag.c_str(), ""}).find(" must not be empty"), std::string::npos) << flag;
    EXPECT_NE(fault({(flag + "-file=").c_str()}).find(" must not be empty"), std::string::npos) << flag;
    for (const char* content : {"", "\n", "\r\n", "\nx", " \n", "\xef\xbb\xbf\n"})
      EXPECT_NE(fault({(flag + "-file").c_str(), file(content).c_str()}).find("is empty"), std::string::npos) << flag;
  }
}

TEST_F(CommandLineTest, TokensAreTheFirstLinesOfFiles) {
  for (const char* content : {"s3cret", "s3cret\n", "s3cret\r\n", "\xef\xbb\xbfs3cret\n", "s3cret \t\n\n", "s3cret\n\n",
                              "s3cret\nuser: x\n"}) {
    std::string path = file(content);
    for (const char* flag : {"--auth-token-file", "--read-auth-token-file", "--replication-token-file"}) {
      Result<CommandLine> line = parse({flag, path.c_str()});
      ASSERT_TRUE(line.ok()) << line.error().message;
      const Config& config = line->config;
      EXPECT_EQ(
          config.auth_token.value_or("") + config.read_auth_token.value_or("") + config.replication_token.value_or(""),
          "s3cret");
    }
  }
}

TEST_F(CommandLineTest, TokenFilesThatCannotBeUsedAreRefused) {
  EXPECT_NE(fault({"--auth-token-file=/does/not/exist"}).find("No such file"), std::string::npos);
  EXPECT_NE(fault({"--auth-token-file=/"}).find("Is a directory"), std::string::npos);
  EXPECT_NE(fault({"--auth-token-file", file("\n").c_str()}).find("is empty"), std::string::npos);
  EXPECT_NE(fault({"--auth-token-file", file(std::string(4097, 'x')).c_str()}).find("longer"), std::string::npos);
  EXPECT_EQ(fault({"--auth-token-file="}), "--auth-token-file must not be empty");
}

TEST_F(CommandLineTest, ATokenAndItsFileTogetherAreRefused) {
  std::string path = file("other");
  std::string message = fault({"--auth-token=t", "--auth-token-file", path.c_str()});
  EXPECT_EQ(message, "--auth-token and --auth-token-file are both given; one of them must go");
  variables() = {{"KARMA_AUTH_TOKEN", "t"}};
  EXPECT_EQ(fault({"--auth-token-file", path.c_str()}), message);
}

TEST_F(CommandLineTest, RecoverNamesSeveralFiles) {
  variables() = {{"KARMA_RECOVER", "a,b,,"}};
  Result<CommandLine> line = parse({"--recover=c", "--recover", "d"});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->config.recover, (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(CommandLineTest, PeersAreHostsWithPorts) {
  Result<CommandLine> line = parse({"--replication-peers=a:1,[::1]:2", "--replication-peers", "10.0.0.1:65535"});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->config.replication_peers, (std::vector<std::string>{"a:1", "[::1]:2", "10.0.0.1:65535"}));
  for (const char* wrong : {"a", "a:", ":1", "a:0", "a:65536", "a:1x", "::1:2", "[::1]", "[]:1"})
    EXPECT_EQ(fault({"--replication-peers", wrong}),
              "Invalid configuration: --replication-peers must be HOST:PORT, as 10.0.0.5:8080, not \"" +
                  std::string(wrong) + "\"")
        << wrong;
}

TEST_F(CommandLineTest, CommandsTakeADirectory) {
  Result<CommandLine> line = parse({"check", "some/where"});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->action, CommandLine::Action::check);
  EXPECT_EQ(line->argument, "some/where");
  EXPECT_EQ(parse({"dump", "d"})->action, CommandLine::Action::dump);
  EXPECT_EQ(parse({"check", "--repair", "d"})->action, CommandLine::Action::repair);
  EXPECT_EQ(parse({"check", "d", "--repair"})->argument, "d");
  EXPECT_TRUE(fault({"dump", "--repair", "d"}).starts_with("--repair is not a valid option."));
  EXPECT_NE(fault({"--repair"}), "accepted");
  EXPECT_EQ(fault({"check"}), "karma check takes one data directory: karma check DIR");
  EXPECT_EQ(fault({"dump", "a", "b"}), "karma dump takes one data directory: karma dump DIR");
  EXPECT_TRUE(fault({"check", "a", "--wal=true"}).starts_with("--wal is not a valid option."));
  variables() = {{"KARMA_PORT", "tcp://10.0.0.7:8080"}};
  EXPECT_EQ(fault({"check", "a"}), "accepted") << "no setting is in the way of a tool that needs none";
}

TEST_F(CommandLineTest, EachCommandHasItsOwnHelp) {
  for (const char* command : {"check", "dump"}) {
    Result<CommandLine> line = parse({command, "--help"});
    ASSERT_TRUE(line.ok());
    EXPECT_EQ(line->action, CommandLine::Action::print);
    EXPECT_TRUE(line->argument.starts_with("Usage: karma " + std::string(command) + " DIR\n")) << line->argument;
  }
}

TEST_F(CommandLineTest, AnUnknownCommandIsNamedWithTheOneThatWasMeant) {
  EXPECT_TRUE(fault({"serve"}).starts_with("serve is not a command of karma."));
  EXPECT_NE(fault({"chekc", "d"}).find("Did you mean karma check?"), std::string::npos) << fault({"chekc", "d"});
  EXPECT_NE(fault({"reprot"}).find("Did you mean karma report?"), std::string::npos) << fault({"reprot"});
  EXPECT_EQ(fault({"serve"}).find("Did you mean"), std::string::npos);
}

TEST_F(CommandLineTest, HelpAndVersionEndTheReadingOfFlags) {
  for (std::vector<const char*> arguments : {std::vector<const char*>{"--help", "--nonsense"}, {"-h", "--port=x"}}) {
    Result<CommandLine> line = parse(arguments);
    ASSERT_TRUE(line.ok());
    EXPECT_EQ(line->action, CommandLine::Action::print);
    EXPECT_EQ(line->argument, help_text());
  }
  EXPECT_TRUE(parse({"--version"})->argument.starts_with("karma "));
  EXPECT_EQ(parse({"-v"})->action, CommandLine::Action::print);
}

TEST_F(CommandLineTest, ABooleanAloneMeansTrueAndNeverSwallowsWhatFollows) {
  Result<CommandLine> line = parse({"--wal-fsync=false", "--protected-mode", "--wal-fsync", "--port=1", "-w"});
  ASSERT_TRUE(line.ok()) << line.error().message;
  EXPECT_TRUE(line->config.protected_mode);
  EXPECT_TRUE(line->config.wal_fsync);
  EXPECT_EQ(line->config.port, 1);
  EXPECT_FALSE(parse({"--wal", "false"})->config.wal);
  for (const char* bad : {"--wal=", "--wal=yes", "--wal=True", "-w=1"})
    EXPECT_EQ(fault({bad}), "--wal must be true or false") << bad;
  EXPECT_TRUE(fault({"--wal", "yes"}).starts_with("yes is not a command of karma."));
}

TEST_F(CommandLineTest, HelpShowsEverySettingWithTheEnvironmentAsDefault) {
  variables() = {{"KARMA_PORT", "4711"}, {"KARMA_AUTH_TOKEN", "s3cret"}};
  Result<CommandLine> line = parse({"--port=5", "--help"});
  ASSERT_TRUE(line.ok());
  const std::string& help = line->argument;
  EXPECT_TRUE(help.starts_with("Usage: karma [arguments]"));
  for (const Setting& setting : settings()) {
    EXPECT_NE(help.find("--" + std::string(setting.flag)), std::string::npos) << setting.flag;
    EXPECT_NE(help.find(std::string(setting.variable)), std::string::npos) << setting.variable;
  }
  EXPECT_NE(help.find("[4711]"), std::string::npos);
  EXPECT_NE(help.find("(set)"), std::string::npos);
  EXPECT_EQ(help.find("s3cret"), std::string::npos);
}

TEST_F(CommandLineTest, EachTopicOfTheHelpFitsAScreen) {
  const std::string topics = parse({"help"})->argument;
  for (const SettingGroup group : setting_groups()) {
    std::string topic(title(group).substr(0, title(group).find(' ')));
    topic[0] = static_cast<char>(topic[0] - 'A' + 'a');
    EXPECT_NE(topics.find("karma help " + topic + "\n"), std::string::npos);
    const std::string page = parse({"help", topic.c_str()})->argument;
    EXPECT_LE(std::count(page.begin(), page.end(), '\n'), 40) << page;
    for (const Setting& setting : settings())
      EXPECT_EQ(page.find("--" + std::string(setting.flag)) != std::string::npos && setting.group == group,
                setting.group == group)
          << setting.flag;
  }
  EXPECT_EQ(fault({"help", "nonsense"}), "nonsense is not a topic of karma help; karma help lists them");
}

TEST_F(CommandLineTest, HelpFitsATerminal) {
  std::string help = help_text();
  for (std::size_t begin = 0; begin < help.size();) {
    std::size_t end = help.find('\n', begin);
    ASSERT_NE(end, std::string::npos) << "the last line ends with a line end";
    EXPECT_LE(end - begin, 100u) << help.substr(begin, end - begin);
    begin = end + 1;
  }
}

}  // namespace
}  // namespace karma
