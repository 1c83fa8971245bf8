// Environment, then flags, then validation; and the text of a mistyped flag.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>

#include "core/settings.h"

namespace karma {
namespace {

constexpr std::size_t kMaxTokenBytes = 4096;

Error misuse(std::string message) { return validation_error(std::move(message)); }

// How many insertions, removals and replacements lead from one word to the other.
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

std::string unknown_flag(std::string_view typed) {
  std::string message = std::string(typed) + " is not a valid option.\n";
  constexpr std::size_t kFarthest = 3;
  std::size_t nearest = kFarthest;
  const Setting* meant = nullptr;
  if (typed.starts_with("--") && typed.size() > 2 + kFarthest) {
    for (const Setting& setting : settings()) {
      std::size_t away = distance(typed.substr(2), setting.flag);
      if (away < nearest) nearest = away, meant = &setting;
    }
  }
  if (meant) message += "Did you mean --" + std::string(meant->flag) + "? ";
  return message + "karma --help lists all options.";
}

}  // namespace

Result<std::string> read_token_file(const std::string& path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  char bytes[kMaxTokenBytes + 1];
  std::size_t size = file ? std::fread(bytes, 1, sizeof bytes, file.get()) : 0;
  if (!file || std::ferror(file.get()))
    return misuse("Cannot read the token file " + path + ": " + std::strerror(errno));
  if (size > kMaxTokenBytes) return misuse("The token file " + path + " is longer than 4096 bytes");
  std::string_view token(bytes, size);
  if (token.ends_with('\n')) token.remove_suffix(1);
  if (token.ends_with('\r')) token.remove_suffix(1);
  // An empty token would let everybody in who sends "token":"".
  if (token.empty()) return misuse("The token file " + path + " is empty");
  return std::string(token);
}

namespace {

class Parser {
 public:
  Parser(int argc, const char* const* argv) : arguments_(argv + std::min(argc, 1), argv + argc) {}

  Result<CommandLine> parse(const char* (*environment)(const char* name)) {
    if (Status status = read_environment(environment); !status.ok()) return status.error();
    const Config from_environment = line_.config;
    if (Status status = read_flags(); !status.ok()) return status.error();
    if (line_.action == CommandLine::Action::help || line_.action == CommandLine::Action::version) {
      line_.config = from_environment;  // --help shows it as the defaults
      return std::move(line_);
    }
    for (Status (Parser::*step)() : {&Parser::read_positionals, &Parser::read_token_files, &Parser::check}) {
      if (Status status = (this->*step)(); !status.ok()) return status.error();
    }
    return std::move(line_);
  }

 private:
  Status read_environment(const char* (*environment)(const char* name)) {
    for (const Setting& setting : settings()) {
      const char* text = environment(std::string(setting.variable).c_str());
      if (text == nullptr) continue;
      bool empty_is_unset = std::holds_alternative<std::optional<std::string> Config::*>(setting.target) ||
                            std::holds_alternative<std::vector<std::string> Config::*>(setting.target) ||
                            std::holds_alternative<TokenFile>(setting.target);
      if (*text == '\0' && empty_is_unset) continue;
      if (Status status = set(setting, text); !status.ok()) {
        return misuse("Environment variable " + std::string(setting.variable) + " " + status.error().message);
      }
    }
    return {};
  }

  Status read_flags() {
    while (next_ < arguments_.size()) {
      std::string_view argument = arguments_[next_++];
      if (argument.size() < 2 || argument[0] != '-') {
        positionals_.emplace_back(argument);
      } else if (argument == "--help" || argument == "-h") {
        line_.action = CommandLine::Action::help;
        return {};
      } else if (argument == "--version" || argument == "-v") {
        line_.action = CommandLine::Action::version;
        return {};
      } else if (Status status = read_flag(argument); !status.ok()) {
        return status;
      }
    }
    return {};
  }

  // --flag=value, --flag value, -f value, -fvalue and -f=value
  Status read_flag(std::string_view argument) {
    bool long_form = argument.starts_with("--");
    std::size_t end = long_form ? argument.find('=') : 2;
    // What follows '=' stays out of messages: it may be a token.
    std::string typed(argument.substr(0, end));
    auto matches = [&](const Setting& setting) {
      return long_form ? typed.substr(2) == setting.flag : setting.letter != '\0' && typed[1] == setting.letter;
    };
    auto setting = std::find_if(settings().begin(), settings().end(), matches);
    if (setting == settings().end()) return misuse(unknown_flag(typed));

    std::string_view value;
    if (end < argument.size()) {
      value = argument.substr(end);
      if (value[0] == '=') value.remove_prefix(1);
    } else if (next_ < arguments_.size()) {
      value = arguments_[next_++];
    } else {
      return misuse(typed + " needs a value");
    }
    if (Status status = set(*setting, value); !status.ok()) return misuse(typed + " " + status.error().message);
    return {};
  }

  Status set(const Setting& setting, std::string_view text) {
    if (std::holds_alternative<TokenFile>(setting.target)) {
      if (text.empty()) return misuse("must not be empty");
      token_files_[&setting] = text;
    }
    return assign(setting, text, line_.config);
  }

  Status read_positionals() {
    if (positionals_.empty()) return {};
    const std::string& command = positionals_[0];
    if (command == "check") {
      line_.action = CommandLine::Action::check;
    } else if (command == "dump") {
      line_.action = CommandLine::Action::dump;
    } else {
      return misuse(command + " is not a command: there are `karma check DIR` and `karma dump DIR`, and as first " +
                    "argument import, export and reconcile; without a command the server starts. " +
                    "karma --help tells more.");
    }
    if (positionals_.size() != 2)
      return misuse("karma " + command + " takes one data directory: karma " + command + " DIR");
    line_.argument = positionals_[1];
    return {};
  }

  Status read_token_files() {
    for (const auto& [setting, path] : token_files_) {
      std::optional<std::string>& token = line_.config.*std::get<TokenFile>(setting->target).token;
      std::string flag = "--" + std::string(setting->flag);
      if (token) {
        return misuse(flag.substr(0, flag.rfind("-file")) + " and " + flag + " are both given; one of them must go");
      }
      Result<std::string> content = read_token_file(path);
      if (!content) return content.error();
      token = std::move(*content);
    }
    return {};
  }

  Status check() { return validate(line_.config); }

  const std::vector<std::string_view> arguments_;  // without the name of the program
  std::size_t next_ = 0;
  std::vector<std::string> positionals_;
  std::map<const Setting*, std::string> token_files_;
  CommandLine line_;
};

}  // namespace

Result<CommandLine> parse_command_line(int argc, const char* const* argv,
                                       const char* (*environment)(const char* name)) {
  return Parser(argc, argv).parse(environment);
}

}  // namespace karma
