// Text in a page of HTML.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace karma::tools {

// As content and as a quoted attribute. Characters that HTML does not allow become U+FFFD. `text`: UTF-8.
std::string escaped(std::string_view text);

// A number of a drawing: two decimals at most.
std::string coordinate(double number);

// 12.3 %, < 0.1 %; 100 % only if it is all of it, and 0 % only if it is nothing.
std::string percent_text(double part, double whole);

}  // namespace karma::tools
