// Whole files: read at once, replaced so that a crash leaves the old content or the new one, never a mixture.
//
// A replacement is written to `.<name>.<pid>.<16 hex digits>.tmp` (created anew, mode 0600), synced, renamed over the
// name, and the directory is synced. A crash may leave the temp file behind: remove_temp_files() at start.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <karma/error.h>
#include <karma/file_system.h>

namespace karma {

Result<std::string> read_file(FileSystem& files, const std::string& path);

// After an Error the old content is in place; only if the sync of the directory failed may either be.
Status replace_file(FileSystem& files, const std::string& directory, const std::string& name, std::string_view bytes);

// Removes the files that unfinished replacements left in the directory: those whose names have exactly the pattern
// above. Must not be called while a replacement is under way there.
Status remove_temp_files(FileSystem& files, const std::string& directory);
bool is_temp_file_name(std::string_view name);

// The same for content that is made piece by piece. Not thread-safe.
class ReplaceFile {
 public:
  static Result<std::unique_ptr<ReplaceFile>> create(FileSystem& files, const std::string& directory,
                                                     const std::string& name);
  ~ReplaceFile();  // removes the temp file unless finished
  ReplaceFile(const ReplaceFile&) = delete;
  ReplaceFile& operator=(const ReplaceFile&) = delete;

  // Once it has failed, the file cannot be finished any more.
  Status append(std::string_view bytes);
  std::uint64_t size() const { return written_ + buffer_.size(); }

  // Syncs and renames; the new name is durable only when the directory has been synced, which is left to the caller who
  // replaces several files.
  Status finish();
  // finish() and the sync of the directory.
  Status commit();

 private:
  ReplaceFile(FileSystem& files, std::string directory, std::string name);
  Status flush();

  FileSystem& files_;
  const std::string directory_;
  const std::string path_;
  const std::string temp_path_;
  std::unique_ptr<File> file_;
  std::string buffer_;
  std::uint64_t written_ = 0;
  bool failed_ = false;
  bool finished_ = false;
};

}  // namespace karma
