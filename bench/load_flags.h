// The command line of a load program, and how it ends when something is wrong.
#pragma once

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/options.h"
#include "tools/load/connect.h"

namespace karma::tools::load {

inline int run_program(const std::function<int()>& program) {
  try {
    return program();
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, failure.what());
    return 1;
  }
}

[[noreturn]] inline void misuse(const std::string& message) {
  std::fprintf(stderr, "%s: %s; --help lists the options\n", program_invocation_short_name, message.c_str());
  std::exit(2);
}

inline std::uint64_t parse_number(const std::string& name, std::string_view text, std::uint64_t least,
                                  std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size() || number < least || number > most)
    misuse(name + " must be a number of at least " + std::to_string(least) +
           (most == std::numeric_limits<std::uint64_t>::max() ? "" : " and at most " + std::to_string(most)));
  return number;
}

// The options of a load program; what stands after `--` is for somebody else.
class Flags {
 public:
  Flags(const char* program, std::string_view head, std::string_view tail) : options_(program, head, tail) {}

  void number(std::string_view flag, std::string_view value, std::string_view meaning, std::uint64_t& into,
              std::uint64_t least, std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) {
    add(flag, value, meaning, into != 0 ? std::to_string(into) : std::string(),
        [=, &into](std::string_view text) { into = parse_number("--" + std::string(flag), text, least, most); });
  }
  void cpu(std::string_view flag, std::string_view value, std::string_view meaning, int& into) {
    add(flag, value, meaning, {}, [=, &into](std::string_view text) {
      into = static_cast<int>(parse_number("--" + std::string(flag), text, 0, 1023));
    });
  }
  void truth(std::string_view flag, std::string_view meaning, bool& into) {
    add(flag, karma::Options::kTruth, meaning, into ? "true" : "false", [=, &into](std::string_view text) {
      if (text != "true" && text != "false") misuse("--" + std::string(flag) + " must be true or false");
      into = text == "true";
    });
  }
  void text(std::string_view flag, std::string_view value, std::string_view meaning, std::string& into) {
    add(flag, value, meaning, into, [&into](std::string_view text) { into = text; });
  }
  void choice(std::string_view flag, std::string_view value, std::string_view meaning, std::string& into,
              std::vector<std::string_view> allowed) {
    add(flag, value, meaning, into, [=, &into](std::string_view text) {
      for (const std::string_view one : allowed)
        if (one == text) return void(into = text);
      misuse("--" + std::string(flag) + "=" + std::string(text) + " is not known");
    });
  }

  // Returns what stands after `--`.
  std::vector<std::string> parse(int argc, char** argv) {
    const auto end = std::find(argv + 1, argv + argc, std::string_view("--"));
    std::vector<std::string> positionals;
    const Result<karma::Options::Asked> asked =
        options_.parse(std::span<const char* const>(argv + 1, static_cast<std::size_t>(end - argv - 1)), positionals);
    if (!asked) misuse(asked.error().message);
    if (*asked != karma::Options::Asked::command) {
      std::fputs(options_.help().c_str(), stdout);
      std::exit(0);
    }
    if (!positionals.empty()) misuse(positionals.front() + " is not an option");
    return {end == argv + argc ? end : end + 1, argv + argc};
  }
  bool given(const std::string& flag) const { return given_.contains(flag); }

 private:
  void add(std::string_view flag, std::string_view value, std::string_view meaning, std::string shown_default,
           std::function<void(std::string_view)> set) {
    options_.add({.flag = flag, .value = value, .meaning = meaning, .shown_default = std::move(shown_default)},
                 [=, this](std::string_view text) {
                   given_.insert(std::string(flag));
                   set(text);
                   return std::string();
                 });
  }

  karma::Options options_;
  std::set<std::string> given_;
};

}  // namespace karma::tools::load
