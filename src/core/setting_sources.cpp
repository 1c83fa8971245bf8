#include "core/setting_sources.h"

namespace karma {
namespace {

constexpr std::size_t kShownBytes = 100;  // of a value, in a message

// Why the value is refused, or an empty text.
std::string set(const Setting& setting, std::string_view text, Config& config) {
  const bool file = std::holds_alternative<TokenFile>(setting.target) || setting.flag == kConfigFlag;
  if (file && text.empty()) return "must not be empty";
  const Status status = assign(setting, text, config);
  return status ? std::string() : status.error().message;
}

}  // namespace

std::string environment_fault(const std::string& variable, const std::string& fault, std::string_view text,
                              bool secret) {
  std::string message = "Environment variable " + variable + " " + fault;
  if (!secret && !text.empty()) message += ", not \"" + std::string(text.substr(0, kShownBytes)) + "\"";
  // https://kubernetes.io/docs/concepts/containers/container-environment/
  if (text.starts_with("tcp://"))
    message +=
        ". Kubernetes sets it so for a Service named karma: set enableServiceLinks: false in the pod, give the Service "
        "another name, or set the variable yourself";
  return message;
}

Status SettingSources::read_environment(const char* (*environment)(const char* name)) {
  Status found;
  for (const Setting& setting : settings()) {
    const std::string variable(setting.variable);
    const char* text = environment(variable.c_str());
    if (text == nullptr) continue;
    // A variable of a shell that was never set. A switch, as in 1.0, must say what it is: the default may be unsafe.
    if (*text == '\0' && !std::holds_alternative<bool Config::*>(setting.target)) continue;
    if (const std::string fault = set(setting, text, from_environment_); !fault.empty()) {
      if (found) found = validation_error(environment_fault(variable, fault, text, setting.secret));
      continue;
    }
    environment_.push_back({&setting, text, {Source::environment, variable}});
  }
  return found;
}

std::string SettingSources::add_flag(const Setting& setting, std::string_view text) {
  Config tried;
  std::string fault = set(setting, text, tried);
  if (fault.empty()) flags_.push_back({&setting, std::string(text), {Source::flag, {}}});
  return fault;
}

Status SettingSources::add_file(const std::string& path) {
  Result<std::vector<FileSetting>> read = read_settings_file(path);
  if (!read) return read.error();
  for (FileSetting& line : *read) {
    Config tried;
    if (const std::string fault = set(*line.setting, line.value, tried); !fault.empty())
      return validation_error(line.where + ": " + std::string(line.setting->flag) + " " + fault);
    file_.push_back({line.setting, std::move(line.value), {Source::file, std::move(line.where)}});
  }
  return {};
}

Result<Config> SettingSources::resolve() {
  Config config;
  for (const auto* given : {&environment_, &flags_})
    for (const Given& one : *given)
      if (one.setting->flag == kConfigFlag) config.config = one.value;
  if (config.config)
    if (Status status = add_file(*config.config); !status) return status.error();
  for (const auto* given : {&file_, &environment_, &flags_}) {
    for (const Given& one : *given) {
      set(*one.setting, one.value, config);
      origins_[one.setting] = one.origin;
    }
  }
  if (Status status = read_token_files(config); !status) return status.error();
  if (const std::optional<SettingFault> fault = find_fault(config)) {
    const Origin from = fault->setting == nullptr ? Origin() : origin(*fault->setting);
    std::string message = "Invalid configuration: ";
    if (from.source == Source::file) {
      message = from.where + ": " + message + std::string(fault->setting->flag) + " ";
    } else if (from.source == Source::environment) {
      message += from.where + " ";
    } else if (fault->setting != nullptr) {
      message += "--" + std::string(fault->setting->flag) + " ";
    }
    return validation_error(message + fault->message);
  }
  return config;
}

Status SettingSources::read_token_files(Config& config) const {
  for (const Setting& setting : settings()) {
    const auto* const target = std::get_if<TokenFile>(&setting.target);
    if (target == nullptr || !(config.*target->path)) continue;
    std::optional<std::string>& token = config.*target->token;
    const std::string flag = "--" + std::string(setting.flag);
    if (token)
      return validation_error(flag.substr(0, flag.rfind("-file")) + " and " + flag +
                              " are both given; one of them must go");
    Result<std::string> content = read_token_file(*(config.*target->path));
    if (!content) return content.error();
    token = std::move(*content);
  }
  return {};
}

SettingSources::Origin SettingSources::origin(const Setting& setting) const {
  if (const auto found = origins_.find(&setting); found != origins_.end()) return found->second;
  if (!setting.secret) return {};
  const std::string file = std::string(setting.flag) + "-file";
  for (const auto& [other, origin] : origins_)
    if (other->flag == file) return origin;
  return {};
}

}  // namespace karma
