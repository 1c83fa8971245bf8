#include "core/absolute_path.h"

#include <filesystem>
#include <system_error>

namespace karma {

std::string absolute_path(const std::string& path) {
  std::error_code unknown;
  const std::filesystem::path whole = std::filesystem::absolute(path, unknown).lexically_normal();
  return unknown ? path : whole.string();
}

}  // namespace karma
