#include "io/replace_file.h"

#include <unistd.h>

#include <atomic>
#include <random>

#include "core/text.h"
#include "io/path.h"

namespace karma {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
constexpr std::size_t kRandomDigits = 16;
constexpr std::string_view kTempSuffix = ".tmp";

// Unlike any name that another thread, process or container with the same process id may choose.
std::string random_digits() {
  static std::atomic<std::uint64_t> counter{std::random_device{}() * 0x100000001ull};
  std::uint64_t number = counter.fetch_add(1) ^ (std::uint64_t{std::random_device{}()} << 32);
  std::string digits(kRandomDigits, '0');
  for (char& digit : digits) {
    digit = kHexDigits[number & 15];
    number >>= 4;
  }
  return digits;
}

std::string temp_name(const std::string& name) {
  return "." + name + "." + std::to_string(::getpid()) + "." + random_digits() + std::string(kTempSuffix);
}

bool all_of(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

}  // namespace

Result<std::string> read_file(FileSystem& files, const std::string& path) {
  Result<std::unique_ptr<File>> file = files.open(path, FileSystem::Open::read);
  if (!file) return file.error();
  const Result<std::uint64_t> size = (*file)->size();
  if (!size) return size.error();
  std::string bytes(*size, '\0');
  const Result<std::size_t> got = (*file)->read_at(0, bytes.data(), bytes.size());
  if (!got) return got.error();
  bytes.resize(*got);
  return bytes;
}

Status replace_file(FileSystem& files, const std::string& directory, const std::string& name, std::string_view bytes) {
  Result<std::unique_ptr<ReplaceFile>> file = ReplaceFile::create(files, directory, name);
  if (!file) return file.error();
  if (Status appended = (*file)->append(bytes); !appended) return appended;
  return (*file)->commit();
}

bool is_temp_file_name(std::string_view name) {
  if (name.size() <= kTempSuffix.size() || name.front() != '.' || !name.ends_with(kTempSuffix)) return false;
  name.remove_suffix(kTempSuffix.size());
  name.remove_prefix(1);
  const std::size_t random_dot = name.rfind('.');
  if (random_dot == std::string_view::npos || name.size() - random_dot - 1 != kRandomDigits) return false;
  if (!all_of(name.substr(random_dot + 1), kHexDigits)) return false;
  name = name.substr(0, random_dot);
  const std::size_t pid_dot = name.rfind('.');
  return pid_dot != std::string_view::npos && pid_dot > 0 && all_of(name.substr(pid_dot + 1), "0123456789");
}

Status remove_temp_files(FileSystem& files, const std::string& directory) {
  const Result<std::vector<std::string>> names = files.list(directory);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (!is_temp_file_name(name)) continue;
    if (Status removed = files.remove(join_path(directory, name)); !removed) return removed;
  }
  return {};
}

ReplaceFile::ReplaceFile(FileSystem& files, std::string directory, std::string name)
    : files_(files),
      directory_(std::move(directory)),
      path_(join_path(directory_, name)),
      temp_path_(join_path(directory_, temp_name(name))) {}

Result<std::unique_ptr<ReplaceFile>> ReplaceFile::create(FileSystem& files, const std::string& directory,
                                                         const std::string& name) {
  std::unique_ptr<ReplaceFile> replace(new ReplaceFile(files, directory, name));
  Result<std::unique_ptr<File>> file = files.open(replace->temp_path_, FileSystem::Open::create_new);
  if (!file) return file.error();
  replace->file_ = std::move(*file);
  return replace;
}

ReplaceFile::~ReplaceFile() {
  if (!file_) return;
  file_.reset();
  // A temp file that cannot be removed does no harm and goes at the next start.
  if (!finished_) (void)files_.remove(temp_path_);
}

Status ReplaceFile::append(std::string_view bytes) {
  if (failed_) return internal_error("Cannot write " + base_name(path_) + ": an earlier write failed");
  if (buffer_.size() + bytes.size() < kBufferBytes) {
    buffer_ += bytes;
    return {};
  }
  if (Status flushed = flush(); !flushed) return flushed;
  if (bytes.size() < kBufferBytes) {
    buffer_ += bytes;
    return {};
  }
  Status wrote = file_->write_at(written_, bytes);
  failed_ = !wrote.ok();
  written_ += bytes.size();
  return wrote;
}

Status ReplaceFile::flush() {
  if (buffer_.empty()) return {};
  Status wrote = file_->write_at(written_, buffer_);
  failed_ = !wrote.ok();
  written_ += buffer_.size();
  buffer_.clear();
  return wrote;
}

Status ReplaceFile::finish() {
  if (failed_) return internal_error("Cannot write " + base_name(path_) + ": an earlier write failed");
  if (Status flushed = flush(); !flushed) return flushed;
  failed_ = true;
  if (Status synced = file_->sync(); !synced) return synced;
  if (Status renamed = files_.rename(temp_path_, path_); !renamed) return renamed;
  finished_ = true;
  return {};
}

Status ReplaceFile::commit() {
  if (Status done = finish(); !done) return done;
  return files_.sync_directory(directory_);
}

}  // namespace karma
