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

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// How many bytes of the text it takes.
std::size_t mark_of(std::string_view text, std::uint64_t offset) {
  return offset == 0 && text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
}

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
    std::string_view bytes(begin, rest.size() + *size);
    read += *size;
    ahead = begin_read(blocks[now ^ 1], read);
    std::size_t used = bytes.rfind('\n') + 1;  // 0 if there is none
    if (used > 0) {
      const std::size_t mark = mark_of(bytes, offset);
      const Result<Used> taken = on_lines({bytes.substr(mark, used - mark), offset + mark, false});
      if (!taken) return taken.error();
      used = mark + taken->bytes;
      lines += taken->lines;
    }
    rest = bytes.substr(used);
    if (rest.size() > kMaxLineBytes)
      return validation_error("line " + std::to_string(lines + 1) + ": longer than " + std::to_string(kMaxLineBytes) +
                              " bytes, or a quote that opens in it is not closed");
  }
  if (!rest.empty()) {
    const std::uint64_t offset = read - rest.size();
    const std::size_t mark = mark_of(rest, offset);
    if (const Result<Used> taken = on_lines({rest.substr(mark), offset + mark, true}); !taken) return taken.error();
  }
  return hash.finish();
}

Result<Sha256Digest> for_each_line(const File& file, const std::function<Status(const Line&)>& on_line) {
  Line line;
  return for_each_block(file, [&](const Lines& lines) -> Result<Used> {
    const std::uint64_t before = line.number;
    for (std::string_view left = lines.text; !left.empty();) {
      const std::size_t end = left.find('\n');
      line.text = left.substr(0, end);
      ++line.number;
      if (Status status = on_line(line); !status.ok()) return status.error();
      left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
    }
    return Used{lines.text.size(), line.number - before};
  });
}

}  // namespace karma::tools
