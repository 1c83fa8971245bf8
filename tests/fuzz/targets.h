// What reads bytes that anybody may have written, as functions of those bytes. libFuzzer calls them (scripts/fuzz), and
// FuzzCorpus.* calls them with each input that is kept in corpus/<target>/.
//
// Each returns what is wrong, or an empty text. An input is kept as it was found; files are written as one text:
//
//   == karma.wal.00000000000000000001.segment
//   {"v":2,"lsn":1,"entry":{"v":2,"op":"tree.create","series":"x"},"crc32c":?}
//
//   == karma.wal
//   ...
//
// A file ends before the line feed that the next "== " follows. `,"crc32c":?` stands for the right checksum, which no
// fuzzer would find by trying.
#pragma once

#include <string>
#include <string_view>

namespace karma::test::fuzz {

// Lines sent to a node as one pipeline. Each gets one reply, which is valid JSON and valid UTF-8; what the log and the
// snapshots bring back is what the node had.
std::string fault_of_requests(std::string_view input);
// Files of the log; without "== " one, karma.wal. The scan ends, check and start agree, and the log of a node that
// starts can be appended to and read again.
std::string fault_of_log(std::string_view input);
// One .tree file. What can be read can be written and read again, and a start takes it as the decoder does.
std::string fault_of_tree(std::string_view input);
// Manifest, sidecars, exactly-once state and other files of a directory.
std::string fault_of_manifest(std::string_view input);
// Points as `karma import` reads them.
std::string fault_of_csv(std::string_view input);

struct Target {
  std::string_view name;
  std::string (*fault_of)(std::string_view input);
};

inline constexpr Target kTargets[] = {
    {"requests", fault_of_requests}, {"log", fault_of_log}, {"tree", fault_of_tree},
    {"manifest", fault_of_manifest}, {"csv", fault_of_csv},
};

}  // namespace karma::test::fuzz
