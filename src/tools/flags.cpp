#include "tools/flags.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace karma::tools {
namespace {

constexpr std::size_t kMeaningColumn = 32;

std::optional<int> int_of(std::string_view text) {
  int number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

void Flags::text(std::string_view flag, std::string_view value, std::string_view meaning, std::string& target) {
  custom(flag, value, meaning, target, [&target](std::string_view text) {
    if (text.empty()) return "must not be empty";
    target = text;
    return "";
  });
}

void Flags::number(std::string_view flag, std::string_view value, std::string_view meaning, int& target, int min,
                   int max) {
  custom(flag, value, meaning, std::to_string(target), [&target, min, max](std::string_view text) {
    const std::optional<int> number = int_of(text);
    if (!number || *number < min || *number > max)
      return "must be a number from " + std::to_string(min) + " to " + std::to_string(max);
    target = *number;
    return std::string();
  });
}

void Flags::truth(std::string_view flag, std::string_view meaning, bool& target) {
  custom(flag, "", meaning, "", [&target](std::string_view text) {
    if (text != "true" && text != "false") return "must be true or false";
    target = text == "true";
    return "";
  });
}

void Flags::custom(std::string_view flag, std::string_view value, std::string_view meaning,
                   std::string_view shown_default, std::function<std::string(std::string_view)> set) {
  flags_.push_back({flag, value, meaning, std::string(shown_default), std::move(set)});
}

Status Flags::parse(const std::vector<std::string_view>& arguments, std::vector<std::string>& positionals,
                    bool& help_wanted) {
  for (std::size_t next = 0; next < arguments.size();) {
    const std::string_view argument = arguments[next++];
    if (argument.size() < 2 || argument[0] != '-') {
      positionals.emplace_back(argument);
      continue;
    }
    if (argument == "-h" || argument == "--help") {
      help_wanted = true;
      return {};
    }
    // What follows '=' stays out of messages: it may be a token.
    const std::size_t equals = argument.find('=');
    const std::string typed(argument.substr(0, equals));
    const auto found = std::find_if(flags_.begin(), flags_.end(), [&](const Flag& flag) {
      return typed.starts_with("--") && std::string_view(typed).substr(2) == flag.flag;
    });
    if (found == flags_.end()) return validation_error(typed + " is not a valid option of this command");
    std::string_view value = "true";
    if (equals != std::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (!found->value.empty()) {
      if (next == arguments.size()) return validation_error(typed + " needs a value");
      value = arguments[next++];
    }
    if (const std::string fault = found->set(value); !fault.empty()) return validation_error(typed + " " + fault);
  }
  return {};
}

std::string Flags::help() const {
  std::string page;
  for (const Flag& flag : flags_) {
    std::string line = "  --" + std::string(flag.flag);
    if (!flag.value.empty()) line += "=" + std::string(flag.value);
    line.append(line.size() < kMeaningColumn ? kMeaningColumn - line.size() : 1, ' ');
    // Further lines of a meaning stand below the first one.
    for (const char c : flag.meaning) {
      line += c;
      if (c == '\n') line.append(kMeaningColumn, ' ');
    }
    if (!flag.shown_default.empty()) line += " [" + flag.shown_default + "]";
    page += line + "\n";
  }
  return page;
}

}  // namespace karma::tools
