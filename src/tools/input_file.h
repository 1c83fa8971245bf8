// What karma import and karma reconcile read: a plain file as it is; all else, which cannot be read twice, as a copy in
// a temporary file: pipes, standard input, and gzip or zstd unpacked.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <karma/error.h>
#include <karma/file_system.h>

namespace karma::tools {

// Standard input, as it is typed and as messages call it.
inline constexpr std::string_view kStandardInput = "-";
std::string shown_name(const std::string& path);

// The copy has no name any more, so nothing is left of it, whatever ends the program. `notice` hears of it; of a copy
// that takes long, too. Errors name the file.
Result<std::unique_ptr<File>> open_input(const std::string& path,
                                         const std::function<void(const std::string& text)>& notice);

// What a file is that begins like this and cannot be read as points, and what to do then; empty if it may be points.
std::string unreadable_content(std::string_view first_bytes);

}  // namespace karma::tools
