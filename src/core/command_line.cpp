// What the command line asks for.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>

#include <karma/version.h>

#include "core/absolute_path.h"
#include "core/command_names.h"
#include "core/options.h"
#include "core/setting_sources.h"
#include "core/settings.h"
#include "core/text.h"

namespace karma {
namespace {

constexpr std::size_t kMaxTokenBytes = 4096;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kCheckHelp = R"(Usage: karma check DIR
       karma check --repair DIR

Looks for damage in a data directory that no server uses: every checksum, the log without a gap, the snapshots against
it, and a restore into memory. Changes nothing, unless told to repair.

)";
constexpr std::string_view kDumpHelp = R"(Usage: karma dump DIR

Prints the counters of a data directory that no server uses, as a start would restore them, one JSON object a line.
Changes nothing.

)";
constexpr std::string_view kDirectoryTail = R"(
Exit codes   0  whole     1  damaged     2  cannot tell
)";
std::string version_text() { return "karma " + std::string(version()) + "\n"; }

Error misuse(std::string message) { return validation_error(std::move(message)); }

}  // namespace

Result<std::string> read_token_file(const std::string& path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  char bytes[kMaxTokenBytes + 1];
  std::size_t size = file ? std::fread(bytes, 1, sizeof bytes, file.get()) : 0;
  if (!file || std::ferror(file.get()))
    return misuse("Cannot read the token file " + absolute_path(path) + ": " + std::strerror(errno));
  if (size > kMaxTokenBytes) return misuse("The token file " + absolute_path(path) + " is longer than 4096 bytes");
  std::string_view token(bytes, size);
  // An editor may have left a mark of UTF-8, blanks and further lines: none of it is part of a token.
  if (token.starts_with(kByteOrderMark)) token.remove_prefix(kByteOrderMark.size());
  token = trim(token.substr(0, token.find('\n')));
  // An empty token would let in everybody who sends "token":"".
  if (token.empty()) return misuse("The token file " + absolute_path(path) + " is empty: its first line is the token");
  return std::string(token);
}

namespace {

class Parser {
 public:
  Parser(int argc, const char* const* argv) : arguments_(argv + std::min(argc, 1), argv + argc) {}

  Result<CommandLine> parse(const char* (*environment)(const char* name)) {
    if (!arguments_.empty()) {
      const std::string_view first = arguments_.front();
      if (first == "check") return directory_command(CommandLine::Action::check, "karma check", kCheckHelp);
      if (first == "dump") return directory_command(CommandLine::Action::dump, "karma dump", kDumpHelp);
    }
    // What needs no settings must not fail because of them: --help, for example.
    const Status read = sources_.read_environment(environment);
    const Config& from_environment = sources_.from_environment();
    Options options("karma", {}, {});
    add_settings(options, from_environment,
                 [this](const Setting& setting, std::string_view text) { return sources_.add_flag(setting, text); });
    std::vector<std::string> positionals;
    const Result<Options::Asked> asked = options.parse(arguments_, positionals);
    if (!asked) return asked.error();
    if (*asked == Options::Asked::version) return print(version_text());
    // --help shows values from the environment as the defaults.
    if (*asked == Options::Asked::help) return print(help_text(from_environment));
    if (!positionals.empty()) return command(positionals, from_environment);
    if (!read) return read.error();
    Result<Config> resolved = sources_.resolve();
    if (!resolved) return resolved.error();
    line_.config = std::move(*resolved);
    return std::move(line_);
  }

 private:
  // The tools that look at a data directory need no settings, so nothing in the environment can get in their way.
  Result<CommandLine> directory_command(CommandLine::Action action, std::string program, std::string_view help) {
    Options options(program, help, kDirectoryTail);
    bool repair = false;
    if (action == CommandLine::Action::check)
      options.truth("repair",
                    "Do to the files what a start does after a crash, and no more: cut the unfinished tail of the log, "
                    "give committed snapshots their names, remove temporary files. Nothing where a start would refuse.",
                    repair);
    std::vector<std::string> positionals;
    const Result<Options::Asked> asked = options.parse(arguments_.subspan(1), positionals);
    if (!asked) return asked.error();
    if (*asked == Options::Asked::version) return print(version_text());
    if (*asked == Options::Asked::help) return print(options.help());
    if (positionals.size() != 1) return misuse(program + " takes one data directory: " + program + " DIR");
    line_.action = repair ? CommandLine::Action::repair : action;
    line_.argument = positionals.front();
    return std::move(line_);
  }

  // An argument that is not an option.
  Result<CommandLine> command(const std::vector<std::string>& arguments, const Config& defaults) {
    const std::string& name = arguments.front();
    if (name != "help") {
      const std::string_view meant = nearest_word(name, kCommandNames);
      return misuse(name + " is not a command of karma.\n" +
                    (meant.empty() ? "" : "Did you mean karma " + std::string(meant) + "? ") +
                    "A command is the first argument; without one the server starts. karma --help lists them.");
    }
    if (arguments.size() > 2) return misuse("karma help takes one topic: karma help TOPIC");
    std::string text = help_topic(arguments.size() == 2 ? arguments.back() : std::string(), defaults);
    if (text.empty()) return misuse(arguments.back() + " is not a topic of karma help; karma help lists them");
    return print(std::move(text));
  }

  Result<CommandLine> print(std::string text) {
    line_.action = CommandLine::Action::print;
    line_.argument = std::move(text);
    return std::move(line_);
  }

  const std::span<const char* const> arguments_;  // without the name of the program
  SettingSources sources_;
  CommandLine line_;
};

}  // namespace

Result<CommandLine> parse_command_line(int argc, const char* const* argv,
                                       const char* (*environment)(const char* name)) {
  return Parser(argc, argv).parse(environment);
}

}  // namespace karma
