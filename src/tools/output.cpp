#include "tools/output.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <ostream>

#include "core/absolute_path.h"
#include "io/path.h"

namespace karma::tools {
namespace {

// Of a new file. The mask can only be read by setting it; the tools have no other thread that makes files.
std::filesystem::perms usual_mode() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return static_cast<std::filesystem::perms>(0666 & ~mask);
}

}  // namespace

Status Output::open() {
  if (named_.empty()) return {};
  const Status opened = open_path();
  if (opened) return {};
  return Error{opened.error().code, "cannot write to " + absolute_path(named_) + ": " + opened.error().message +
                                        "; --output names another file"};
}

Status Output::write(std::string_view text) {
  if (file_) return file_->append(text);
  if (out().write(text.data(), static_cast<std::streamsize>(text.size()))) return {};
  return internal_error("cannot write the output");
}

Status Output::finish() {
  if (file_) {
    if (Status committed = file_->commit(); !committed) return committed;
    std::error_code fault;
    std::filesystem::permissions(path_, mode_, fault);
    return fault ? internal_error("cannot set the mode of " + path_ + ": " + fault.message()) : Status();
  }
  return out().flush() ? Status() : internal_error("cannot write the output");
}

Status Output::open_path() {
  namespace fs = std::filesystem;
  std::error_code fault;
  const fs::file_status found = fs::status(named_, fault);
  if (fs::exists(found) && !fs::is_regular_file(found)) {
    stream_.open(named_, std::ios::binary);
    if (stream_) return {};
    return internal_error(std::strerror(errno));
  }
  path_ = fs::exists(found) ? fs::canonical(named_, fault).string() : named_;
  if (path_.empty()) return internal_error(fault.message());
  const std::string directory = parent_path(path_);
  if (!fs::is_directory(directory, fault)) return internal_error("there is no directory " + absolute_path(directory));
  mode_ = fs::exists(found) ? found.permissions() : usual_mode();
  Result<std::unique_ptr<ReplaceFile>> file = ReplaceFile::create(posix_file_system(), directory, base_name(path_));
  if (!file) return file.error();
  file_ = std::move(*file);
  return {};
}

}  // namespace karma::tools
