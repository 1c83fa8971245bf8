#include "tools/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "tools/decoder.h"
#include "tools/progress.h"
#include "tools/terminal.h"

namespace karma::tools {
namespace {

constexpr std::size_t kReadBytes = 1 << 20;
constexpr std::size_t kFirstBytes = 8;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  const int number_;
};

std::string reason(int code) { return std::generic_category().message(code); }

Result<std::size_t> read_some(int descriptor, char* into, std::size_t length) {
  ssize_t got;
  do {
    got = ::read(descriptor, into, length);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return internal_error(reason(errno));
  return static_cast<std::size_t>(got);
}

std::string temporary_directory() {
  const char* const wanted = std::getenv("TMPDIR");
  return wanted == nullptr || *wanted == '\0' ? "/tmp" : wanted;
}

// Without a name.
Result<std::unique_ptr<File>> temporary_file(const std::string& directory) {
  std::string path = directory + "/karma-import-XXXXXX";
  const Descriptor made(::mkstemp(path.data()));
  if (made.number() < 0)
    return internal_error("no temporary file can be made in " + directory + ": " + reason(errno) +
                          "; TMPDIR names another directory");
  Result<std::unique_ptr<File>> file = posix_file_system().open(path, FileSystem::Open::write);
  ::unlink(path.c_str());
  return file;
}

// Copies all that comes, unpacked.
class Copy {
 public:
  explicit Copy(int from) : from_(from) {}

  Result<std::unique_ptr<File>> run() {
    Result<std::unique_ptr<File>> file = temporary_file(directory);
    if (!file) return file.error();
    to_ = std::move(*file);
    if (Status status = copy(); !status.ok()) return status.error();
    return std::move(to_);
  }

  const std::string directory = temporary_directory();
  std::string packing;      // its name, or empty
  std::uint64_t bytes = 0;  // written

 private:
  Status copy() {
    std::vector<char> buffer(kReadBytes);
    std::size_t held = 0;
    bool begun = false;
    while (true) {
      const Result<std::size_t> got = read_some(from_, buffer.data() + held, buffer.size() - held);
      if (!got) return got.error();
      held += *got;
      if (!begun && *got > 0 && held < kFirstBytes) continue;
      const std::string_view read(buffer.data(), held);
      if (!begun) {
        decoder_ = decoder_for(read);
        if (decoder_) packing = decoder_->name();
      }
      begun = true;
      held = 0;
      if (Status status = take(read); !status.ok()) return status;
      if (*got == 0) return decoder_ ? decoder_->finish() : Status();
    }
  }

  Status take(std::string_view read) {
    if (!decoder_) return write(read);
    return decoder_->take(read, [this](std::string_view unpacked) { return write(unpacked); });
  }

  Status write(std::string_view content) {
    if (Status status = to_->write_at(bytes, content); !status.ok())
      return internal_error("the temporary file in " + directory + ", of " + grouped(bytes) +
                            " bytes so far, cannot be written: " + status.error().message +
                            "; TMPDIR names a directory with more room");
    bytes += content.size();
    return {};
  }

  const int from_;
  std::unique_ptr<File> to_;
  std::unique_ptr<Decoder> decoder_;
};

Status check_content(const File& file) {
  char first[kFirstBytes];
  const Result<std::size_t> size = file.read_at(0, first, sizeof first);
  if (!size) return size.error();
  const std::string found = unreadable_content({first, *size});
  return found.empty() ? Status() : validation_error(found);
}

Result<std::unique_ptr<File>> open(const std::string& path,
                                   const std::function<void(const std::string& text)>& notice) {
  const bool standard_input = path == kStandardInput;
  const Descriptor descriptor(standard_input ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                             : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (descriptor.number() < 0 || ::fstat(descriptor.number(), &info) != 0)
    return validation_error((errno == ENOENT ? "there is no such file" : "cannot be opened: " + reason(errno)) +
                            "; name a file that can be read, or - for standard input");
  if (S_ISDIR(info.st_mode)) return validation_error("is a directory; name the files in it");
  if (S_ISREG(info.st_mode) && !standard_input) {
    char first[kFirstBytes];
    const ssize_t size = ::pread(descriptor.number(), first, sizeof first, 0);
    if (size < 0) return internal_error("cannot be read: " + reason(errno));
    if (!decoder_for({first, static_cast<std::size_t>(size)}))
      return posix_file_system().open(path, FileSystem::Open::read);
  }
  Copy copy(descriptor.number());
  Result<std::unique_ptr<File>> file = copy.run();
  if (!file) return file;
  const std::string how =
      copy.packing.empty() ? "can be read once only: copied" : "is packed (" + copy.packing + "): unpacked";
  notice(shown_name(path) + " " + how + " into a temporary file in " + copy.directory + ", " + grouped(copy.bytes) +
         " bytes");
  return file;
}

}  // namespace

std::string shown_name(const std::string& path) { return path == kStandardInput ? "standard input" : printable(path); }

Result<std::unique_ptr<File>> open_input(const std::string& path,
                                         const std::function<void(const std::string& text)>& notice) {
  Result<std::unique_ptr<File>> file = open(path, notice);
  Status status = file ? check_content(**file) : Status(file.error());
  if (status.ok()) return file;
  std::error_code unknown;
  const bool relative = path != kStandardInput && !path.starts_with('/');
  const std::filesystem::path absolute = relative ? std::filesystem::absolute(path, unknown) : std::filesystem::path();
  const std::string where = relative && !unknown ? " (" + printable(absolute.string()) + ")" : "";
  return Error{status.error().code, shown_name(path) + where + ": " + status.error().message};
}

std::string unreadable_content(std::string_view first_bytes) {
  const auto begins = [&](std::string_view with) { return first_bytes.starts_with(with); };
  using namespace std::string_view_literals;
  if (decoder_for(first_bytes)) return "is packed twice: unpack it, as in zcat FILE | karma import -";
  if (begins("\xff\xfe"sv) || begins("\xfe\xff"sv) || first_bytes.substr(0, 4).find('\0') != std::string_view::npos)
    return "is not UTF-8 but UTF-16, which spreadsheets call Unicode text, or binary: save it as CSV UTF-8, or "
           "iconv -f UTF-16 -t UTF-8 FILE | karma import -";
  if (begins("PK\x03\x04"))
    return "is a ZIP archive or a spreadsheet: save the sheet as CSV, or unzip -p FILE | karma import -";
  if (begins("\xd0\xcf\x11\xe0")) return "is a spreadsheet: save the sheet as CSV";
  if (begins("\xfd"
             "7zXZ"))
    return "is packed by xz: xz -dc FILE | karma import -";
  if (begins("BZh")) return "is packed by bzip2: bzip2 -dc FILE | karma import -";
  if (begins("PAR1") || begins("Obj\x01") || begins("ORC"))
    return "is Parquet, Avro or ORC: export it as CSV or NDJSON";
  return {};
}

}  // namespace karma::tools
