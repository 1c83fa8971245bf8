#include "io/at_path.h"

#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/absolute_path.h"

namespace karma {
namespace {

std::string user_name() {
  const uid_t user = ::geteuid();
  const passwd* const entry = ::getpwuid(user);
  return entry == nullptr ? std::to_string(user) : entry->pw_name;
}

}  // namespace

std::string at_path(const std::string& path, const std::string& message) {
  const std::string text = absolute_path(path) + ": " + message;
  for (const int code : {EACCES, EPERM})
    if (message.find(std::generic_category().message(code)) != message.npos)
      return text + " (as user " + user_name() + ")";
  return text;
}

}  // namespace karma
