// Paths as strings: a directory, a slash, a name.
#pragma once

#include <string>
#include <string_view>

namespace karma {

inline std::string join_path(std::string_view directory, std::string_view name) {
  std::string path(directory.empty() ? std::string_view(".") : directory);
  if (path.back() != '/') path += '/';
  return path += name;
}

// The part of a path that error messages may show: they reach clients, who must not learn where the files are.
inline std::string base_name(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos || path.size() == 1 ? path : path.substr(slash + 1));
}

// The directory that holds the path's last part.
inline std::string parent_path(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(slash == 0 ? std::string_view("/") : path.substr(0, slash));
}

}  // namespace karma
