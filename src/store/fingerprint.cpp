#include "store/fingerprint.h"

#include <charconv>
#include <cstring>

namespace karma::store {
namespace {

constexpr std::size_t kNumberBytes = 20;

char* append(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

}  // namespace

// Field names are short, so that a line without its text always fits into an empty buffer.
char* FingerprintBuilder::begin_line(std::string_view name, char type) {
  if (used_ + name.size() + kNumberBytes + 8 > sizeof(pending_)) spill();
  char* to = append(pending_ + used_, name);
  *to++ = ':';
  *to++ = type;
  return to;
}

void FingerprintBuilder::end_line(char* to) {
  *to++ = '\n';
  used_ = static_cast<std::size_t>(to - pending_);
}

void FingerprintBuilder::decimal_line(std::string_view name, char type, std::uint64_t value) {
  char* to = begin_line(name, type);
  *to++ = ':';
  end_line(std::to_chars(to, to + kNumberBytes, value).ptr);
}

void FingerprintBuilder::text(std::string_view name, std::string_view value) {
  char* to = begin_line(name, 's');
  *to++ = ':';
  to = std::to_chars(to, to + kNumberBytes, value.size()).ptr;
  *to++ = ':';
  used_ = static_cast<std::size_t>(to - pending_);
  if (used_ + value.size() + 1 > sizeof(pending_)) spill();
  if (value.size() + 1 > sizeof(pending_)) {
    sha_.update(value);
    value = {};
  }
  end_line(append(pending_ + used_, value));
}

void FingerprintBuilder::optional_text(std::string_view name, const std::optional<std::string_view>& value) {
  value ? text(name, *value) : absent(name);
}

void FingerprintBuilder::number(std::string_view name, std::uint64_t value) { decimal_line(name, 'u', value); }

void FingerprintBuilder::count(std::string_view name, std::size_t value) { decimal_line(name, 'i', value); }

void FingerprintBuilder::absent(std::string_view name) { end_line(begin_line(name, 'n')); }

void FingerprintBuilder::spill() {
  sha_.update({pending_, used_});
  used_ = 0;
}

Fingerprint FingerprintBuilder::finish() {
  spill();
  return sha_.finish();
}

}  // namespace karma::store
