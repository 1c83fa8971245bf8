// A command of a client, `karma ping` for instance, in the test's own process.
#pragma once

#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <karma/tools.h>

namespace karma::test {

struct Ran {
  std::optional<int> code;  // nothing: the first argument names no such command
  std::string out;
  std::string err;
};

// `arguments`: those after "karma". Not thread-safe.
inline Ran run_karma(std::vector<std::string> arguments, const std::map<std::string, std::string>& variables = {}) {
  arguments.insert(arguments.begin(), "karma");
  std::vector<const char*> words;
  for (const std::string& argument : arguments) words.push_back(argument.c_str());
  static const std::map<std::string, std::string>* here;
  here = &variables;
  const auto environment = [](const char* name) -> const char* {
    const auto found = here->find(name);
    return found == here->end() ? nullptr : found->second.c_str();
  };
  std::ostringstream out;
  std::ostringstream err;
  const std::optional<int> code =
      run_client_command(static_cast<int>(words.size()), words.data(), environment, out, err);
  return {code, out.str(), err.str()};
}

}  // namespace karma::test
