// Everything Karma does to files, so that tests can put a file system behind it that forgets what was not synced.
//
// Thread safety: a FileSystem may be used from several threads; a File from one at a time, except that read_at may run
// beside one writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <karma/error.h>

namespace karma {

class File {
 public:
  virtual ~File() = default;

  // Writes all of `bytes` at `offset`. After an error any part of them may be in the file.
  virtual Status write_at(std::uint64_t offset, std::string_view bytes) = 0;
  // Reads up to `length` bytes; fewer only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, char* into, std::size_t length) const = 0;
  // These bytes, which were written, are final: they may start on their way to the disk, so that sync() has less to
  // wait for. A hint, which promises nothing and reports nothing; what fails on the way, sync() reports.
  virtual void start_sync(std::uint64_t offset, std::uint64_t length) {
    (void)offset;
    (void)length;
  }
  // Content and size reach the disk. After an error nothing may be assumed of what was written since the last success.
  virtual Status sync() = 0;
  virtual Status truncate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size() const = 0;
};

class FileSystem {
 public:
  enum class Open {
    read,        // must exist
    write,       // created with mode 0600 if missing, content kept
    create_new,  // must not exist; mode 0600
  };
  // A directory that is held open, so that its sync needs no descriptor.
  class Directory {
   public:
    virtual ~Directory() = default;
    // Renames, creations and removals in the directory reach the disk. After an error nothing may be assumed of them.
    virtual Status sync() = 0;
  };
  // Keeps other processes out of a directory until it is destroyed.
  class Lock {
   public:
    virtual ~Lock() = default;
  };

  virtual ~FileSystem() = default;

  virtual Result<std::unique_ptr<File>> open(const std::string& path, Open how) = 0;
  // False only if it is certain that there is nothing: whoever then opens what cannot be looked at learns why.
  virtual bool exists(const std::string& path) = 0;
  // Regular files only, names without the directory, in no order.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  // The directories in it, likewise; links to directories are none.
  virtual Result<std::vector<std::string>> list_directories(const std::string& directory) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;
  virtual Status remove_directory(const std::string& path) = 0;  // an empty one
  virtual Result<std::unique_ptr<Directory>> open_directory(const std::string& path) = 0;
  // The same as open_directory() and Directory::sync().
  virtual Status sync_directory(const std::string& directory) = 0;
  // The directory is there and its name has reached the disk, even if a process that made it was killed before its
  // sync. What is created in it afterwards is lost only by itself.
  virtual Status create_directories(const std::string& path) = 0;
  struct Space {
    std::uint64_t free = 0;  // bytes that this process may still use
    std::uint64_t size = 0;
  };
  // Of the disk that the directory is on.
  virtual Result<Space> space(const std::string& directory) {
    return internal_error("the disk of " + directory + " is not known");
  }
  // Fails at once if another process holds it. A lock file left by a dead process does not count.
  virtual Result<std::unique_ptr<Lock>> lock(const std::string& path) = 0;
};

FileSystem& posix_file_system();

// As many descriptors as log, snapshots, lock and tools of one data directory hold at most at a time, with what
// replicas read. Connections must leave them free: without them writes would fail.
inline constexpr int kFileDescriptorReserve = 32;

}  // namespace karma
