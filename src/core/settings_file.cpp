#include "core/settings_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>

#include "core/absolute_path.h"
#include "core/text.h"

namespace karma {
namespace {

// Longer than all settings with all they can hold; a wrong file is not read to its end.
constexpr std::size_t kMaxFileBytes = 1 << 20;

Result<std::string> content_of(const std::string& path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  std::string content(kMaxFileBytes + 1, '\0');
  content.resize(file ? std::fread(content.data(), 1, content.size(), file.get()) : 0);
  if (!file || std::ferror(file.get()))
    return validation_error("Cannot read the settings file " + absolute_path(path) + ": " + std::strerror(errno));
  if (content.size() > kMaxFileBytes)
    return validation_error("The settings file " + absolute_path(path) + " is longer than 1 MiB");
  return content;
}

// What TOML says, and the library's reader would take for something else, is refused, so that nothing is misread.
// Takes the comment off `line`.
std::string fault_of(std::string_view& line) {
  char quote = '\0';
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (c == '\\' && quote == '"') return "has an escape, which is not read: put the text into single quotes";
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#') {
      line = line.substr(0, at);
    }
  }
  if (quote != '\0') return "has a quote that does not end";
  line = trim(line);
  if (line.empty()) return {};
  if (line.front() == '[') return "begins a table: settings stand for themselves here, without one";
  const std::size_t equals = line.find('=');
  if (equals == line.npos || equals == 0) return "is no setting: NAME = VALUE, as port = 8080";
  const std::string_view value = trim(line.substr(equals + 1));
  if (value.empty()) return "has no value: NAME = VALUE, as port = 8080";
  if (value.front() == '[' && value.back() != ']') return "begins a list that does not end on this line";
  return {};
}

const Setting* find(std::string_view name) {
  const auto found = std::ranges::find(settings(), name, &Setting::flag);
  return found == settings().end() ? nullptr : &*found;
}

std::string unknown(const std::string& name) {
  std::string typed = name;
  std::replace(typed.begin(), typed.end(), '_', '-');
  std::vector<std::string_view> flags;
  for (const Setting& setting : settings()) flags.push_back(setting.flag);
  const std::string_view meant = find(typed) != nullptr ? std::string_view(typed) : nearest_word(typed, flags);
  return name + " is not a setting." + (meant.empty() ? "" : " Did you mean " + std::string(meant) + "?");
}

// Why the values cannot be those of the setting, or an empty text.
std::string fault_of(const Setting& setting, const TomlLine& line) {
  if (setting.flag == kConfigFlag) return "cannot be set in the file itself";
  const bool list = std::holds_alternative<std::vector<std::string> Config::*>(setting.target);
  if (!list && (line.is_list || line.values.size() != 1)) return "takes one value; a text with blanks needs quotes";
  return {};
}

std::string joined(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : ",") + value;
  return text;
}

}  // namespace

Result<std::vector<FileSetting>> read_settings_file(const std::string& path) {
  const Result<std::string> content = content_of(path);
  if (!content) return content.error();
  std::vector<FileSetting> found;
  std::map<const Setting*, std::size_t> lines;
  std::string_view rest = *content;
  const std::string whole_path = absolute_path(path);
  for (std::size_t number = 1; !rest.empty(); ++number) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::string where = whole_path + ":" + std::to_string(number);
    if (const std::string fault = fault_of(line); !fault.empty())
      return validation_error(where + ": this line " + fault);
    if (line.empty()) continue;
    const TomlLine read = read_toml_line(std::string(line));
    const Setting* const setting = find(read.name);
    if (setting == nullptr) return validation_error(where + ": " + unknown(read.name));
    std::string fault = fault_of(*setting, read);
    if (const auto [first, fresh] = lines.emplace(setting, number); !fresh)
      fault = "is set in line " + std::to_string(first->second) + " already";
    if (!fault.empty()) return validation_error(where + ": " + read.name + " " + fault);
    found.push_back({setting, joined(read.values), where});
  }
  return found;
}

}  // namespace karma
