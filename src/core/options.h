// The options of a command: one list from which parsing, suggestions and --help come. CLI11 does the work; its header
// is included in options.cpp only, since it takes seconds to compile.
//
//   --flag=value, --flag value, -f value, -fvalue and -f=value are the same; of an option that comes several times
//   every value is set, from left to right. --truth alone means true. After `--` everything is an argument.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <karma/error.h>

namespace karma {

// The word of `known` that the typed one is probably meant to be: at most two letters away. Empty if there is none.
std::string_view nearest_word(std::string_view typed, std::span<const std::string_view> known);

// A line of TOML that sets something: NAME = VALUE, in which nothing is left of a comment.
struct TomlLine {
  std::string name;
  std::vector<std::string> values;  // without their quotes
  bool is_list = false;
};
TomlLine read_toml_line(const std::string& line);

// Not thread-safe. Objects that the setters refer to must outlive it.
class Options {
 public:
  // Why the value is refused, or an empty text.
  using Set = std::function<std::string(std::string_view value)>;

  struct Option {
    std::string_view flag;   // without "--"
    std::string_view value;  // its placeholder in --help: PORT, BYTES; kTruth: true or false, and may be left out
    std::string_view meaning;
    std::string shown_default = {};
    char letter = '\0';
    std::string_view variable = {};  // in the environment, for --help
  };

  static constexpr std::string_view kTruth = "";

  enum class Asked { command, help, version };

  // `program`: as it is typed, "karma import". `head` and `tail`, which must outlive this, enclose the options in
  // --help.
  Options(std::string program, std::string_view head, std::string_view tail);
  ~Options();

  // Options that are listed from here on stand under this title.
  void group(std::string_view title);
  void add(const Option& option, Set set);
  // Frequent kinds. What the target holds now is shown as the default.
  void text(std::string_view flag, std::string_view value, std::string_view meaning, std::string& target);
  void number(std::string_view flag, std::string_view value, std::string_view meaning, int& target, int min, int max);
  void truth(std::string_view flag, std::string_view meaning, bool& target);

  // `arguments`: those after the command's name. Those that are not options go to `positionals`. If help or the version
  // is requested, no setter is called. Errors name an option as it was typed, never its value, which may be a secret.
  Result<Asked> parse(std::span<const char* const> arguments, std::vector<std::string>& positionals);

  // The text of --help: head, all groups, tail. `title`: that group alone; empty if there is none of that name.
  std::string help() const;
  std::string help(std::string_view title) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace karma
