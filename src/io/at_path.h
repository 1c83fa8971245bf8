// For messages to whoever starts a program: the files' own errors name no directory, since they may reach clients.
#pragma once

#include <string>

#include <karma/error.h>

namespace karma {

// "/data/links: Cannot list links: Permission denied (as user karma)". The path is made absolute; the user is named
// where rights are missing.
std::string at_path(const std::string& path, const std::string& message);

}  // namespace karma
