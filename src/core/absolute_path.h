// Paths in messages: whoever reads one need not know where the process was started.
#pragma once

#include <string>

namespace karma {

// As it is if the working directory is unknown.
std::string absolute_path(const std::string& path);

}  // namespace karma
