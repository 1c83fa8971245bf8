// Parts of documents that are generated from the code, so that they cannot say anything else.
#pragma once

#include <string>

namespace karma::test {

// The text of a file of the project; `path` from its top.
std::string read_document(const std::string& path);

// What stands between the lines `<!-- name -->` and `<!-- /name -->`; a test fails if the document lacks them.
// With KARMA_REWRITE_DOCS=1 in the environment, `wanted` is put there first.
std::string generated_part(const std::string& path, const std::string& name, const std::string& wanted);

}  // namespace karma::test
