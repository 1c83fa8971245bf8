// The options of one sub-command: a list from which both parsing and --help come.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <karma/error.h>

namespace karma::tools {

// Targets must outlive it; what they hold when they are listed is shown as the default.
class Flags {
 public:
  void text(std::string_view flag, std::string_view value, std::string_view meaning, std::string& target);
  void number(std::string_view flag, std::string_view value, std::string_view meaning, int& target, int min, int max);
  // --flag alone means true.
  void truth(std::string_view flag, std::string_view meaning, bool& target);
  // `set` returns why it refuses the value, or an empty text.
  void custom(std::string_view flag, std::string_view value, std::string_view meaning, std::string_view shown_default,
              std::function<std::string(std::string_view)> set);

  // --flag=value and --flag value; what does not begin with '-' goes to `positionals`. -h and --help set `help_wanted`.
  Status parse(const std::vector<std::string_view>& arguments, std::vector<std::string>& positionals,
               bool& help_wanted);

  std::string help() const;

 private:
  struct Flag {
    std::string_view flag;   // without "--"
    std::string_view value;  // what stands for it in --help; empty: may be left out
    std::string_view meaning;
    std::string shown_default;
    std::function<std::string(std::string_view)> set;
  };
  std::vector<Flag> flags_;
};

}  // namespace karma::tools
