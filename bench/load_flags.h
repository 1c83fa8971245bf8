// The command line of a load program: --name=value, each checked, and how it ends when something is wrong.
#pragma once

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace karma::load {

// Ends the program by way of run_program(), so that a spawned server and its directory go.
[[noreturn]] inline void fail(const std::string& message) { throw std::runtime_error(message); }

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

class Flags {
 public:
  void number(const std::string& name, std::uint64_t& into, std::uint64_t least,
              std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) {
    setters_[name] = [=, &into](std::string_view text) { into = parse_number(name, text, least, most); };
  }
  void cpu(const std::string& name, int& into) {
    setters_[name] = [=, &into](std::string_view text) { into = static_cast<int>(parse_number(name, text, 0, 1023)); };
  }
  void truth(const std::string& name, bool& into) {
    setters_[name] = [=, &into](std::string_view text) {
      if (text != "true" && text != "false") misuse(name + " must be true or false");
      into = text == "true";
    };
  }
  void text(const std::string& name, std::string& into) {
    setters_[name] = [&into](std::string_view text) { into = text; };
  }
  void choice(const std::string& name, std::string& into, std::vector<std::string_view> allowed) {
    setters_[name] = [=, &into](std::string_view text) {
      for (const std::string_view one : allowed)
        if (one == text) return void(into = text);
      misuse(name + "=" + std::string(text) + " is not known");
    };
  }

  // Returns what stands behind --.
  std::vector<std::string> parse(int argc, char** argv, std::string_view usage) {
    for (int at = 1; at < argc; ++at) {
      const std::string_view argument = argv[at];
      if (argument == "--") return {argv + at + 1, argv + argc};
      if (argument == "--help") {
        std::fwrite(usage.data(), 1, usage.size(), stdout);
        std::exit(0);
      }
      const std::size_t equals = argument.find('=');
      if (equals == std::string_view::npos) misuse(std::string(argument) + " is not of the form --option=value");
      const std::string name(argument.substr(0, equals));
      const auto setter = setters_.find(name);
      if (setter == setters_.end()) misuse(name + " is not an option");
      setter->second(argument.substr(equals + 1));
      given_.insert(name);
    }
    return {};
  }
  bool given(const std::string& name) const { return given_.contains(name); }

 private:
  std::map<std::string, std::function<void(std::string_view)>> setters_;
  std::set<std::string> given_;
};

}  // namespace karma::load
