// FileSystem on POSIX calls. Data goes through pwrite, fdatasync, fsync and rename and nothing else: external tests
// inject faults into exactly these calls. sync_file_range only starts writing; fdatasync waits for it.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <karma/file_system.h>

#include "io/path.h"

namespace karma {
namespace {

constexpr mode_t kFileMode = 0600;

Error failure(std::string_view tried, std::string_view path, int code) {
  std::string message = "Cannot ";
  message += tried;
  message += ' ';
  message += base_name(path);
  message += ": ";
  message += std::generic_category().message(code);
  return internal_error(std::move(message));
}

// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }
  bool ok() const { return number_ >= 0; }

 private:
  int number_;
};

// errno says why there is none.
Descriptor open_descriptor(const std::string& path, int flags, mode_t mode = 0) {
  int number;
  do {
    number = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (number < 0 && errno == EINTR);
  return Descriptor(number);
}

// For the owner only, whatever the umask: counts are nobody else's business, and a umask that removes the owner's own
// rights would lock out the next start.
Descriptor create_descriptor(const std::string& path) {
  Descriptor created = open_descriptor(path, O_RDWR | O_CREAT | O_EXCL, kFileMode);
  struct stat info;
  if (created.ok() && ::fstat(created.number(), &info) == 0 && (info.st_mode & 0777) != kFileMode)
    (void)::fchmod(created.number(), kFileMode);
  return created;
}

Descriptor open_or_create(const std::string& path) {
  for (;;) {
    if (Descriptor there = open_descriptor(path, O_RDWR); there.ok() || errno != ENOENT) return there;
    if (Descriptor created = create_descriptor(path); created.ok() || errno != EEXIST) return created;
    struct stat info;  // a symbolic link that leads nowhere is both missing and there
    if (::stat(path.c_str(), &info) != 0) return open_descriptor(path, O_RDWR | O_CREAT, kFileMode);
  }
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor descriptor, std::string name) : descriptor_(std::move(descriptor)), name_(std::move(name)) {}

  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::pwrite(descriptor_.number(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0) {
        if (errno == EINTR) continue;
        return failed("write", errno);
      }
      if (written == 0) return failed("write", ENOSPC);
      bytes.remove_prefix(static_cast<std::size_t>(written));
      offset += static_cast<std::uint64_t>(written);
    }
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t offset, char* into, std::size_t length) const override {
    std::size_t done = 0;
    while (done < length) {
      const ssize_t got = ::pread(descriptor_.number(), into + done, length - done, static_cast<off_t>(offset + done));
      if (got < 0) {
        if (errno == EINTR) continue;
        return failed("read", errno);
      }
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  // Only starts writing, without waiting; errors are left to sync().
  void start_sync(std::uint64_t offset, std::uint64_t length) override {
    (void)::sync_file_range(descriptor_.number(), static_cast<off_t>(offset), static_cast<off_t>(length),
                            SYNC_FILE_RANGE_WRITE);
  }

  // Never tried again: after a failure the kernel may have dropped the pages, and a second call would report success.
  Status sync() override {
    if (::fdatasync(descriptor_.number()) != 0) return failed("sync", errno);
    return {};
  }

  Status truncate(std::uint64_t size) override {
    int result;
    do {
      result = ::ftruncate(descriptor_.number(), static_cast<off_t>(size));
    } while (result != 0 && errno == EINTR);
    if (result != 0) return failed("truncate", errno);
    return {};
  }

  Result<std::uint64_t> size() const override {
    struct stat info;
    if (::fstat(descriptor_.number(), &info) != 0) return failed("examine", errno);
    return static_cast<std::uint64_t>(info.st_size);
  }

 private:
  Error failed(std::string_view tried, int code) const { return failure(tried, name(), code); }

  // As it is called now: it may have been renamed since it was opened.
  std::string name() const {
    constexpr std::string_view kDeleted = " (deleted)";
    char target[4096];
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor_.number());
    const ssize_t size = ::readlink(link.c_str(), target, sizeof target);
    const std::string_view path(target, size > 0 ? static_cast<std::size_t>(size) : 0);
    return path.empty() || path.ends_with(kDeleted) ? name_ : base_name(path);
  }

  const Descriptor descriptor_;
  const std::string name_;
};

// EINVAL and the like: this file system has no such thing as syncing a directory.
bool cannot_sync_directories(int code) { return code == EINVAL || code == ENOTSUP || code == ENOSYS || code == EROFS; }

class PosixDirectory final : public FileSystem::Directory {
 public:
  PosixDirectory(Descriptor descriptor, std::string name)
      : descriptor_(std::move(descriptor)), name_(std::move(name)) {}

  // Never tried again, as with files.
  Status sync() override {
    if (::fsync(descriptor_.number()) != 0 && !cannot_sync_directories(errno))
      return failure("sync the directory", name_, errno);
    return {};
  }

 private:
  const Descriptor descriptor_;
  const std::string name_;
};

// The lock belongs to the open descriptor, so that it ends with the process, however that ends.
class PosixLock final : public FileSystem::Lock {
 public:
  explicit PosixLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  const Descriptor descriptor_;
};

bool is_regular(int directory, const dirent& entry) {
  if (entry.d_type == DT_REG) return true;
  if (entry.d_type != DT_UNKNOWN && entry.d_type != DT_LNK) return false;
  struct stat info;
  return ::fstatat(directory, entry.d_name, &info, 0) == 0 && S_ISREG(info.st_mode);
}

bool is_directory(int directory, const dirent& entry) {
  const std::string_view name(entry.d_name);
  if (name == "." || name == "..") return false;
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  struct stat info;
  return ::fstatat(directory, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, Open how) override {
    Descriptor descriptor = how == Open::read         ? open_descriptor(path, O_RDONLY)
                            : how == Open::create_new ? create_descriptor(path)
                                                      : open_or_create(path);
    if (!descriptor.ok()) return failure(how == Open::create_new ? "create" : "open", path, errno);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(descriptor), base_name(path)));
  }

  bool exists(const std::string& path) override {
    struct stat info;
    return ::stat(path.c_str(), &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    return list_those(directory, is_regular);
  }
  Result<std::vector<std::string>> list_directories(const std::string& directory) override {
    return list_those(directory, is_directory);
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      return failure("rename " + base_name(from) + " to", to, errno);
    }
    return {};
  }

  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return failure("remove", path, errno);
    return {};
  }
  Status remove_directory(const std::string& path) override {
    if (::rmdir(path.c_str()) != 0) return failure("remove the directory", path, errno);
    return {};
  }

  Result<std::unique_ptr<Directory>> open_directory(const std::string& path) override {
    Descriptor descriptor = open_descriptor(path, O_RDONLY | O_DIRECTORY);
    if (!descriptor.ok()) return failure("open the directory", path, errno);
    return std::unique_ptr<Directory>(std::make_unique<PosixDirectory>(std::move(descriptor), base_name(path)));
  }

  Status sync_directory(const std::string& directory) override {
    const Result<std::unique_ptr<Directory>> opened = open_directory(directory);
    return opened ? (*opened)->sync() : opened.error();
  }

  // The new directories themselves reach the disk too: a file synced in a directory that is gone would be gone. The
  // same goes for a directory that existed already: the process that made it may have been killed before its sync.
  Status create_directories(const std::string& path) override {
    const std::string parent = parent_path(path);
    struct stat info;
    if (::stat(path.c_str(), &info) == 0) {
      if (!S_ISDIR(info.st_mode)) return failure("create the directory", path, ENOTDIR);
      // If we may not read the parent, we did not make the directory.
      if (parent == path || (::access(parent.c_str(), R_OK) != 0 && errno == EACCES)) return {};
      return sync_directory(parent);
    }
    if (parent != path) {
      if (Status made = create_directories(parent); !made) return made;
    }
    if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) return failure("create the directory", path, errno);
    return sync_directory(parent);
  }

  Result<Space> space(const std::string& directory) override {
    std::error_code failure;
    const std::filesystem::space_info disk = std::filesystem::space(directory, failure);
    if (failure) return internal_error("cannot look at the disk of " + directory + ": " + failure.message());
    return Space{disk.available, disk.capacity};
  }
  Result<std::unique_ptr<Lock>> lock(const std::string& path) override {
    Descriptor descriptor = open_or_create(path);
    if (!descriptor.ok()) return failure("open", path, errno);
    int result;
    do {
      result = ::flock(descriptor.number(), LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
      if (errno != EWOULDBLOCK) return failure("lock", path, errno);
      return internal_error("The data directory is in use: another process holds " + base_name(path));
    }
    return std::unique_ptr<Lock>(std::make_unique<PosixLock>(std::move(descriptor)));
  }

 private:
  static Result<std::vector<std::string>> list_those(const std::string& directory,
                                                     bool (*wanted)(int directory, const dirent& entry)) {
    std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
    if (!stream) return failure("list", directory, errno);
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(stream.get());
      if (!entry) {
        if (errno != 0) return failure("list", directory, errno);
        return names;
      }
      if (wanted(::dirfd(stream.get()), *entry)) names.emplace_back(entry->d_name);
    }
  }
};

}  // namespace

FileSystem& posix_file_system() {
  static PosixFileSystem files;
  return files;
}

}  // namespace karma
