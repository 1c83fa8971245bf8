#include "core/options.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <sstream>

#include "core/edit_distance.h"
#include "core/text.h"

namespace karma {
namespace {

constexpr std::size_t kMeaningColumn = 32;
constexpr std::size_t kLineWidth = 96;
constexpr std::size_t kFarthestTypo = 2;

// Adds the words of `text` to `page`, which stands at kMeaningColumn of a line, where further lines begin, too.
void append_wrapped(std::string& page, std::string_view text) {
  std::size_t column = kMeaningColumn;
  bool first = true;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (!first && column + 1 + word.size() > kLineWidth) {
      page += '\n';
      page.append(kMeaningColumn, ' ');
      column = kMeaningColumn;
    } else if (!first) {
      page += ' ';
      ++column;
    }
    page += word;
    column += word.size();
    first = false;
  }
  page += '\n';
}

}  // namespace

std::string_view nearest_word(std::string_view typed, std::span<const std::string_view> known) {
  std::string_view nearest;
  std::size_t least = kFarthestTypo + 1;
  for (const std::string_view word : known) {
    // A short word is near to everything.
    if (word.size() <= kFarthestTypo + 1 && typed.size() <= kFarthestTypo + 1) continue;
    const std::size_t distance = edit_distance(typed, word);
    if (distance < least) least = distance, nearest = word;
  }
  return nearest;
}

TomlLine read_toml_line(const std::string& line) {
  std::istringstream input(line);
  CLI::ConfigTOML reader;
  reader.comment('\0');
  std::vector<CLI::ConfigItem> items = reader.from_config(input);
  // Of names with dots in them nothing is known.
  const std::string_view name = trim(std::string_view(line).substr(0, line.find('=')));
  if (items.size() != 1 || !items.front().parents.empty()) return {std::string(name), {}, false};
  const std::string_view value = trim(std::string_view(line).substr(line.find('=') + 1));
  return {std::move(items.front().name), std::move(items.front().inputs), value.starts_with('[')};
}

struct Options::Impl {
  struct Listed {
    Option option;
    Set set;
    CLI::Option* parsed = nullptr;  // owned by app
  };

  // Lays out --help from the listed options, group by group.
  class Page final : public CLI::Formatter {
   public:
    explicit Page(const Impl& impl) : impl_(impl) {}
    // CLI11 begins each group with a blank line of its own.
    std::string make_description(const CLI::App*) const override {
      return std::string(impl_.head.substr(0, impl_.head.find_last_not_of('\n') + 1)) + "\n";
    }
    std::string make_usage(const CLI::App*, std::string) const override { return {}; }
    std::string make_footer(const CLI::App*) const override { return std::string(impl_.tail); }
    std::string make_option(const CLI::Option* parsed, bool) const override {
      const auto found = std::find_if(impl_.listed.begin(), impl_.listed.end(),
                                      [&](const Listed& one) { return one.parsed == parsed; });
      return found == impl_.listed.end() ? std::string() : line(found->option);
    }

    static std::string line(const Option& option) {
      std::string text = option.letter ? std::string("  -") + option.letter + ", " : std::string("  ");
      text += "--" + std::string(option.flag);
      if (option.value != kTruth) text += "=" + std::string(option.value);
      if (text.size() >= kMeaningColumn) {
        text += '\n';
        text.append(kMeaningColumn, ' ');
      } else {
        text.append(kMeaningColumn - text.size(), ' ');
      }
      std::string meaning(option.meaning);
      if (!option.shown_default.empty()) meaning += " [" + option.shown_default + "]";
      if (!option.variable.empty()) meaning += " " + std::string(option.variable);
      append_wrapped(text, meaning);
      return text;
    }

   private:
    const Impl& impl_;
  };

  Impl(std::string program_name, std::string_view head_text, std::string_view tail_text)
      : program(std::move(program_name)), head(head_text), tail(tail_text), app(std::string(), program) {
    app.allow_extras();  // we report unknown options, without their values
    app.set_help_flag("-h,--help")->group("");
    app.set_version_flag("-v,--version", "")->group("");
    app.formatter(std::make_shared<Page>(*this));
  }

  const Listed* find(std::string_view flag) const {
    const auto found =
        std::find_if(listed.begin(), listed.end(), [&](const Listed& one) { return one.option.flag == flag; });
    return found == listed.end() ? nullptr : &*found;
  }

  const Listed* find(char letter) const {
    const auto found =
        std::find_if(listed.begin(), listed.end(), [&](const Listed& one) { return one.option.letter == letter; });
    return found == listed.end() ? nullptr : &*found;
  }

  // The arguments in a form that CLI11 reads as they are meant. It would take `--flag=` for a flag without a value and
  // swallow the next argument, `-f=value` for the value "=value", and any argument after a boolean for its value.
  std::vector<std::string> normalised(std::span<const char* const> arguments) const {
    std::vector<std::string> typed;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const std::string_view text(arguments[i]);
      if (text == "--") {
        for (; i < arguments.size(); ++i) typed.emplace_back(arguments[i]);
        break;
      }
      const bool letter = text.size() > 1 && text[0] == '-' && text[1] != '-';
      const std::size_t end = letter ? 2 : text.find('=');
      const Listed* const option = letter                   ? find(text[1])
                                   : text.starts_with("--") ? find(text.substr(2, end - 2))
                                                            : nullptr;
      typed.emplace_back(text.substr(0, option ? end : text.npos));
      if (option == nullptr) continue;
      if (end < text.size()) {
        typed.emplace_back(text.substr(text[end] == '=' ? end + 1 : end));
      } else if (option->option.value == kTruth) {
        const std::string_view next(i + 1 < arguments.size() ? arguments[i + 1] : "");
        const bool given = next == "true" || next == "false";
        typed.emplace_back(given ? next : "true");
        i += given;
      } else if (i + 1 < arguments.size()) {
        typed.emplace_back(arguments[++i]);
      }
    }
    return typed;
  }

  // -port=9090 would be -p with the value "ort=9090".
  bool lacks_a_dash(std::string_view typed) const {
    if (!typed.starts_with('-')) return false;
    const std::string_view name = typed.substr(1, typed.find('=') - 1);
    return name.size() > 1 && find(name) != nullptr;
  }

  std::string unknown(std::string_view typed) const {
    if (lacks_a_dash(typed))
      return std::string(typed) + " begins with one dash, where two are needed: -" + std::string(typed) + ".";
    typed = typed.substr(0, typed.find('='));
    std::string message = std::string(typed) + " is not a valid option.\n";
    std::vector<std::string_view> flags;
    for (const Listed& one : listed) flags.push_back(one.option.flag);
    const std::string_view meant = typed.starts_with("--") ? nearest_word(typed.substr(2), flags) : std::string_view();
    if (!meant.empty()) message += "Did you mean --" + std::string(meant) + "? ";
    return message + program + " --help lists all options.";
  }

  const std::string program;
  const std::string_view head;
  const std::string_view tail;
  CLI::App app;
  std::string title = "Options";
  std::vector<Listed> listed;
};

Options::Options(std::string program, std::string_view head, std::string_view tail)
    : impl_(std::make_unique<Impl>(std::move(program), head, tail)) {}
Options::~Options() = default;

void Options::group(std::string_view title) { impl_->title = title; }

void Options::add(const Option& option, Set set) {
  const std::string names =
      (option.letter ? std::string("-") + option.letter + "," : "") + "--" + std::string(option.flag);
  CLI::Option* parsed = impl_->app.add_option(names);
  parsed->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->group(impl_->title);
  impl_->listed.push_back({option, std::move(set), parsed});
}

void Options::text(std::string_view flag, std::string_view value, std::string_view meaning, std::string& target) {
  add({.flag = flag, .value = value, .meaning = meaning, .shown_default = target}, [&target](std::string_view text) {
    if (text.empty()) return "must not be empty";
    target = text;
    return "";
  });
}

void Options::number(std::string_view flag, std::string_view value, std::string_view meaning, int& target, int min,
                     int max) {
  add({.flag = flag, .value = value, .meaning = meaning, .shown_default = std::to_string(target)},
      [&target, min, max](std::string_view text) {
        const std::optional<int> number = parse_number<int>(text);
        if (!number || *number < min || *number > max)
          return "must be a number from " + std::to_string(min) + " to " + std::to_string(max);
        target = *number;
        return std::string();
      });
}

void Options::truth(std::string_view flag, std::string_view meaning, bool& target) {
  add({.flag = flag, .value = kTruth, .meaning = meaning}, [&target](std::string_view text) {
    if (text != "true" && text != "false") return "must be true or false";
    target = text == "true";
    return "";
  });
}

Result<Options::Asked> Options::parse(std::span<const char* const> arguments, std::vector<std::string>& positionals) {
  for (const std::string_view argument : arguments) {
    if (argument == "--") break;
    if (impl_->lacks_a_dash(argument)) return validation_error(impl_->unknown(argument));
  }
  std::vector<std::string> typed = impl_->normalised(arguments);
  std::reverse(typed.begin(), typed.end());
  try {
    impl_->app.parse(typed);
  } catch (const CLI::CallForHelp&) {
    return Asked::help;
  } catch (const CLI::CallForVersion&) {
    return Asked::version;
  } catch (const CLI::ArgumentMismatch& mismatch) {
    const std::string_view what = mismatch.what();
    return validation_error(std::string(what.substr(0, what.find(':'))) + " needs a value");
  } catch (const CLI::Error& error) {
    return validation_error(error.what());
  }
  bool only_arguments = false;
  for (const std::string& rest : impl_->app.remaining()) {
    if (!only_arguments && rest == "--") {
      only_arguments = true;
    } else if (!only_arguments && rest.size() > 1 && rest[0] == '-') {
      return validation_error(impl_->unknown(rest));
    } else {
      positionals.push_back(rest);
    }
  }
  for (const Impl::Listed& listed : impl_->listed) {
    for (const std::string& value : listed.parsed->results()) {
      if (std::string fault = listed.set(value); !fault.empty())
        return validation_error("--" + std::string(listed.option.flag) + " " + fault);
    }
  }
  return Asked::command;
}

std::string Options::help() const { return impl_->app.help(); }

std::string Options::help(std::string_view title) const {
  std::string page;
  for (const Impl::Listed& listed : impl_->listed) {
    if (listed.parsed->get_group() == title) page += Impl::Page::line(listed.option);
  }
  return page;
}

}  // namespace karma
