// Tools: `karma check` and `karma dump` for data directories that no server uses, and the sub-commands that are clients
// of a running server.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include <karma/error.h>
#include <karma/file_system.h>

namespace karma {

// Verifies every checksum, the continuity of the log, snapshots against the log, and a restore. Changes nothing.
// What it finds goes to `out`, one line each, damage with file and place.
// Returns the exit code: 0 all is whole, 1 something is damaged, 2 the directory cannot be examined.
int check_directory(const std::string& directory, std::ostream& out, std::ostream& err,
                    FileSystem& files = posix_file_system());

// What a start does to the files, without starting: cuts an unfinished tail of the log, finishes its last line, gives
// committed snapshot files their names and removes temporary files. Where Karma 1.0 would count entries of the log
// twice or could not replay them, writes snapshots of everything and begins a new log. Nothing else, and nothing at all
// where a start would refuse. Then as check_directory().
int repair_directory(const std::string& directory, std::ostream& out, std::ostream& err,
                     FileSystem& files = posix_file_system());

// Prints what a start would restore as JSON lines, series by name, keys and buckets ascending:
//   {"series":"links","key":42,"bucket":20260505,"value":10}
// and {"series":"links"} for a series without points. Returns the exit code, as above.
int dump_directory(const std::string& directory, std::ostream& out, std::ostream& err,
                   FileSystem& files = posix_file_system());

// `karma import`, `export`, `reconcile`, `promote`, `replicas`, `ping`, `call`, `stats`, `slowlog`, `clients`,
// `plot`, `top`, `report`, `cli`, `bench` and `config`, if argv[1] names one of them; each describes itself with
// --help. All but the last talk to a server over TCP and take its answers as they are: it need not be of this version.
// Returns the exit code, or nothing if argv asks for something else.
std::optional<int> run_client_command(int argc, const char* const* argv, const char* (*environment)(const char* name),
                                      std::ostream& out, std::ostream& err);

// What was typed is wrong: says why, and where it is explained, unless the message does. `program`: "karma import".
void print_misuse(const Error& error, std::string_view program, std::ostream& err);

}  // namespace karma
