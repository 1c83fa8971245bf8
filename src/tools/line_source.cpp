#include "tools/line_source.h"

#include <cstring>

#include "core/buffer.h"

namespace karma::tools {
namespace {

constexpr std::size_t kBlockBytes = 1 << 20;

}  // namespace

Result<Sha256Digest> for_each_line(const File& file, const std::function<Status(const Line&)>& on_line) {
  Sha256 hash;
  Buffer bytes;  // not handed over yet
  Line line;
  std::uint64_t read = 0;
  while (true) {
    Result<std::size_t> size = file.read_at(read, bytes.reserve(kBlockBytes), kBlockBytes);
    if (!size) return size.error();
    hash.update({bytes.end(), *size});
    bytes.commit(*size);
    read += *size;
    const bool last = *size == 0;
    std::string_view rest = bytes.view();
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      if (end == std::string_view::npos && !last) break;
      line.text = rest.substr(0, end);
      ++line.number;
      if (Status status = on_line(line); !status.ok()) return status.error();
      const std::size_t taken = end == std::string_view::npos ? rest.size() : end + 1;
      line.offset += taken;
      rest.remove_prefix(taken);
    }
    if (last) return hash.finish();
    if (rest.size() > kMaxLineBytes)
      return validation_error("line " + std::to_string(line.number + 1) + ": longer than " +
                              std::to_string(kMaxLineBytes) + " bytes");
    bytes.consume(bytes.size() - rest.size());
  }
}

}  // namespace karma::tools
