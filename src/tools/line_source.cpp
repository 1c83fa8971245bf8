#include "tools/line_source.h"

#include <cstring>
#include <future>

#include "core/buffer.h"

namespace karma::tools {
namespace {

constexpr std::size_t kBlockBytes = 1 << 20;

}  // namespace

Result<Sha256Digest> for_each_line(const File& file, const std::function<Status(const Line&)>& on_line) {
  Sha256 hash;
  Buffer block;
  const auto read_block = [&](std::uint64_t offset) {
    block.clear();
    Result<std::size_t> size = file.read_at(offset, block.reserve(kBlockBytes), kBlockBytes);
    if (size) block.commit(*size);
    hash.update(block.view());
    return size;
  };
  Buffer bytes;  // not handed over yet
  Line line;
  std::uint64_t read = 0;
  // Reading and hashing take as long as what is done with the lines, so they are done beside it, one block ahead.
  std::future<Result<std::size_t>> ahead = std::async(std::launch::async, read_block, read);
  while (true) {
    Result<std::size_t> size = ahead.get();
    if (!size) return size.error();
    bytes.append(block.view());
    read += *size;
    const bool last = *size == 0;
    if (!last) ahead = std::async(std::launch::async, read_block, read);
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
