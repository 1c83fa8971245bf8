// A data directory made of an input, and what must be true of any directory, whatever is in its files.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <karma/config.h>
#include <karma/engine.h>

#include "support/crashable_file_system.h"
#include "support/manual_clock.h"

namespace karma::test::fuzz {

inline constexpr std::string_view kDirectory = "data";

// Quiet, with the limits of a node on the network.
Config node_config();

// The files of the input, as targets.h describes them; `only` is the name of the file if the input names none.
std::unique_ptr<CrashableFileSystem> directory_of(std::string_view input, std::string_view only);

// What clients see: series, keys, totals.
std::string state_of(Engine& engine);
// Empty, or why this is no reply to a request.
std::string fault_of_reply(std::string_view reply);

// What starts can be dumped, written to, verified, started again and saved without a change; what does not start,
// neither check nor dump is content with.
std::string fault_of_directory(CrashableFileSystem& files);

}  // namespace karma::test::fuzz
