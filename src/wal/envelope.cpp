#include "wal/envelope.h"

#include <cstddef>
#include <string>

namespace karma::wal {
namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  std::size_t position() const { return at_; }
  std::string_view since(std::size_t begin) const { return text_.substr(begin, at_ - begin); }

  void skip_white_space() {
    while (!at_end() && is_white_space(text_[at_])) ++at_;
  }

  bool accept(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  // A string with its quotes.
  bool skip_string() {
    if (!accept('"')) return false;
    while (!at_end()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c == '\\') {
        if (at_end()) return false;
        ++at_;
      }
    }
    return false;
  }

  bool skip_value() {
    if (at_end()) return false;
    const char c = text_[at_];
    if (c == '"') return skip_string();
    if (c == '{' || c == '[') return skip_nested();
    return skip_scalar();
  }

 private:
  static bool is_white_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

  static bool is_scalar(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' || c == 'E';
  }

  bool skip_scalar() {
    const std::size_t begin = at_;
    while (!at_end() && is_scalar(text_[at_])) ++at_;
    return at_ > begin;
  }

  // Not recursive: a damaged line must not exhaust the stack.
  bool skip_nested() {
    std::string open;
    do {
      const char c = text_[at_];
      if (c == '"') {
        if (!skip_string()) return false;
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') {
        open += c;
      } else if (c == '}' || c == ']') {
        if (open.back() != (c == '}' ? '{' : '[')) return false;
        open.pop_back();
        if (open.empty()) return true;
      } else if (c != ',' && c != ':' && !is_scalar(c) && !is_white_space(c)) {
        return false;
      }
    } while (!at_end());
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// One `"key": value`.
bool read_member(Scanner& in, Envelope& envelope) {
  in.skip_white_space();
  std::size_t begin = in.position();
  if (!in.skip_string()) return false;
  const std::string_view key = in.since(begin);
  in.skip_white_space();
  if (!in.accept(':')) return false;
  in.skip_white_space();
  begin = in.position();
  if (!in.skip_value()) return false;
  const std::string_view value = in.since(begin);
  if (key == R"("lsn")") {
    envelope.lsn = value;
    ++envelope.lsn_count;
  } else if (key == R"("entry")") {
    envelope.entry = value;
    ++envelope.entry_count;
  } else if (key == R"("v")") {
    envelope.version = value;
    ++envelope.version_count;
  } else if (key == R"("crc32c")") {
    envelope.has_checksum = true;
  } else {
    envelope.has_other = true;
  }
  return true;
}

}  // namespace

Envelope read_envelope(std::string_view text) {
  Envelope envelope;
  Scanner in(text);
  in.skip_white_space();
  if (!in.accept('{')) return envelope;
  in.skip_white_space();
  bool closed = in.accept('}');
  while (!closed) {
    if (!read_member(in, envelope)) return envelope;
    in.skip_white_space();
    closed = in.accept('}');
    if (!closed && !in.accept(',')) return envelope;
  }
  in.skip_white_space();
  envelope.is_object = in.at_end();
  return envelope;
}

}  // namespace karma::wal
