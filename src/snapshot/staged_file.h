// A file of a set that is not committed yet: `<name>.new`, created anew, written and synced before the manifest lists
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <karma/error.h>
#include <karma/file_system.h>

#include "core/crc32c.h"
#include "io/path.h"
#include "snapshot/file_name.h"

namespace karma::snapshot {

class StagedFile {
 public:
  static Result<StagedFile> create(FileSystem& files, const std::string& directory, const std::string& name) {
    Result<std::unique_ptr<File>> file =
        files.open(join_path(directory, staged_name(name)), FileSystem::Open::create_new);
    if (!file) return file.error();
    return StagedFile(std::move(*file), staged_name(name));
  }

  Status append(std::string_view bytes) {
    if (Status written = file_->write_at(bytes_, bytes); !written) return written;
    bytes_ += bytes.size();
    crc_ = crc32c(bytes, crc_);
    // While the disk takes this, the next bytes are made.
    if (bytes_ - started_ >= kStartBytes) {
      file_->start_sync(started_, bytes_ - started_);
      started_ = bytes_;
    }
    return {};
  }
  Status sync() { return file_->sync(); }
  // Now, or together with others: a small file is only sent on its way, to be synced by its name later. Of many that
  // have arrived by then, each sync costs next to nothing; the descriptor is not held for so long.
  Status sync_now_or(std::vector<std::string>* later) {
    if (later == nullptr || bytes_ > kSmallBytes) return file_->sync();
    if (bytes_ != 0) file_->start_sync(0, bytes_);
    later->push_back(name_);
    return {};
  }

  std::uint64_t bytes() const { return bytes_; }
  std::uint32_t crc() const { return crc_; }

 private:
  static constexpr std::uint64_t kStartBytes = std::uint64_t{4} << 20;
  static constexpr std::uint64_t kSmallBytes = std::uint64_t{1} << 20;

  StagedFile(std::unique_ptr<File> file, std::string name) : file_(std::move(file)), name_(std::move(name)) {}

  std::unique_ptr<File> file_;
  std::string name_;
  std::uint64_t bytes_ = 0;
  std::uint64_t started_ = 0;  // bytes that are on their way to the disk
  std::uint32_t crc_ = 0;
};

}  // namespace karma::snapshot
