// What is typed at the prompt of karma cli: words, what could come next, help from the catalog of ops, and how a reply
// is shown. No terminal, no server.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <karma/error.h>

namespace karma::tools {

// Words end at blanks that are in no string, brackets or single quotes; single quotes go, as in a shell.
//   counter.sum series=links range={"from": 20260501, "to": 20260531}
Result<std::vector<std::string>> words_of(std::string_view line);

// The request that a line is: itself if it begins like JSON, else an op and NAME=VALUE.
Result<std::string> request_of_line(std::string_view line);

// May a token be in it? Such a line goes into no history.
bool may_hold_token(std::string_view line);

// What the word before the cursor can become, in the order of the catalog; after "help" and at the beginning ops, then
// the fields that the op takes and that are not there yet.
struct Completion {
  std::size_t typed = 0;  // length of that word
  std::vector<std::string> words;

  // What all of them have after the typed part; of one alone also the blank or '=' that comes next.
  std::string common() const;
};
Completion complete(std::string_view before_cursor);

// The ops by family, or one op with its fields. Empty if there is none of that name.
std::string help_ops();
std::string help_op(std::string_view name);

// JSON over as many lines as it takes, with what fits `width` on one line.
std::string folded(const nlohmann::ordered_json& json, std::size_t width);

}  // namespace karma::tools
