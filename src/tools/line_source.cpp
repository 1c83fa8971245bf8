#include "tools/line_source.h"

#include <algorithm>
#include <future>
#include <memory>

namespace karma::tools {
namespace {

constexpr std::size_t kBlockBytes = 1 << 20;

// With room in front for the line that the block before it breaks off in.
class Block {
 public:
  char* data() { return bytes_.get() + kMaxLineBytes; }

 private:
  std::unique_ptr<char[]> bytes_ = std::make_unique_for_overwrite<char[]>(kMaxLineBytes + kBlockBytes);
};

}  // namespace

Result<Sha256Digest> for_each_block(const File& file, const OnLines& on_lines) {
  Sha256 hash;
  Block blocks[2];
  const auto read_block = [&](char* into, std::uint64_t offset) {
    Result<std::size_t> size = file.read_at(offset, into, kBlockBytes);
    if (size) hash.update({into, *size});
    return size;
  };
  // Reading and hashing take as long as what is done with the lines, so they are done beside it, one block ahead.
  const auto begin_read = [&](Block& into, std::uint64_t offset) {
    return std::async(std::launch::async, read_block, into.data(), offset);
  };
  std::string_view rest;  // of the block before
  std::uint64_t read = 0;
  std::uint64_t lines = 0;
  std::future<Result<std::size_t>> ahead = begin_read(blocks[0], read);
  for (std::size_t now = 0;; now ^= 1) {
    Result<std::size_t> size = ahead.get();
    if (!size) return size.error();
    if (*size == 0) break;
    const std::uint64_t offset = read - rest.size();
    char* const begin = blocks[now].data() - rest.size();
    std::copy(rest.begin(), rest.end(), begin);
    const std::string_view bytes(begin, rest.size() + *size);
    read += *size;
    ahead = begin_read(blocks[now ^ 1], read);
    const std::size_t whole = bytes.rfind('\n') + 1;  // 0 if there is none
    if (whole > 0) {
      const Result<std::uint64_t> taken = on_lines(bytes.substr(0, whole), offset);
      if (!taken) return taken.error();
      lines += *taken;
    }
    rest = bytes.substr(whole);
    if (rest.size() > kMaxLineBytes)
      return validation_error("line " + std::to_string(lines + 1) + ": longer than " + std::to_string(kMaxLineBytes) +
                              " bytes");
  }
  if (!rest.empty()) {
    if (const Result<std::uint64_t> taken = on_lines(rest, read - rest.size()); !taken) return taken.error();
  }
  return hash.finish();
}

Result<Sha256Digest> for_each_line(const File& file, const std::function<Status(const Line&)>& on_line) {
  Line line;
  return for_each_block(file, [&](std::string_view lines, std::uint64_t offset) -> Result<std::uint64_t> {
    const std::uint64_t before = line.number;
    line.offset = offset;
    while (!lines.empty()) {
      const std::size_t end = lines.find('\n');
      line.text = lines.substr(0, end);
      ++line.number;
      if (Status status = on_line(line); !status.ok()) return status.error();
      const std::size_t taken = end == std::string_view::npos ? lines.size() : end + 1;
      line.offset += taken;
      lines.remove_prefix(taken);
    }
    return line.number - before;
  });
}

}  // namespace karma::tools
