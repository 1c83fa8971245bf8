#include "tools/wrong_lines.h"

#include <algorithm>
#include <cerrno>
#include <ostream>
#include <system_error>

#include "core/absolute_path.h"
#include "tools/progress.h"

namespace karma::tools {
namespace {

constexpr std::size_t kShown = 3;  // of each kind

}  // namespace

void WrongLines::add(const WrongLine& line, const std::string& header) {
  auto kind = std::ranges::find(kinds_, line.kind, &Kind::name);
  if (kind == kinds_.end()) kind = kinds_.insert(kind, Kind{line.kind, 0, {}});
  if (++kind->count <= kShown)
    kind->first.push_back(name_ + ":" + std::to_string(line.number) + ": " + line.error.message);
  if (count_++ == 0 && !rejects_.empty()) {
    out_.open(rejects_, std::ios::binary | std::ios::trunc);
    out_ << header;
  }
  if (rejects_.empty()) return;
  out_ << line.text;
  if (!line.text.ends_with('\n')) out_ << '\n';
}

void WrongLines::tell(std::ostream& out) const {
  for (const Kind& kind : kinds_) {
    out << grouped(kind.count) << (kind.count == 1 ? " line with " : " lines with ") << kind.name
        << (kind.count > kShown ? ", the first of them:\n" : ":\n");
    for (const std::string& line : kind.first) out << "  " << line << "\n";
  }
}

Status WrongLines::finish() {
  if (count_ == 0 || rejects_.empty()) return {};
  out_.close();
  if (out_.good()) return {};
  return internal_error("the rejected lines cannot be written to " + absolute_path(rejects_) + ": " +
                        std::generic_category().message(errno) + "; --rejects names another file");
}

}  // namespace karma::tools
