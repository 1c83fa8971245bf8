#include "support/document.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace karma::test {
namespace {

std::string full_path(const std::string& path) { return std::string(KARMA_SOURCE_DIRECTORY) + "/" + path; }

bool rewriting() {
  const char* wish = std::getenv("KARMA_REWRITE_DOCS");
  return wish != nullptr && std::string(wish) == "1";
}

}  // namespace

std::string read_document(const std::string& path) {
  std::ifstream file(full_path(path), std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path << " is missing";
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string generated_part(const std::string& path, const std::string& name, const std::string& wanted) {
  std::string text = read_document(path);
  const std::string opening = "<!-- " + name + " -->\n";
  const std::size_t opening_at = text.find(opening);
  const std::size_t end = text.find("<!-- /" + name + " -->");
  if (opening_at == std::string::npos || end == std::string::npos) {
    ADD_FAILURE() << path << " has no part " << name;
    return "";
  }
  const std::size_t begin = opening_at + opening.size();
  if (rewriting() && text.substr(begin, end - begin) != wanted) {
    text.replace(begin, end - begin, wanted);
    std::ofstream(full_path(path), std::ios::binary) << text;
    return wanted;
  }
  return text.substr(begin, end - begin);
}

}  // namespace karma::test
