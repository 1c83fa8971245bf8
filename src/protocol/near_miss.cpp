#include "protocol/near_miss.h"

#include <string>

#include "core/edit_distance.h"

namespace karma::protocol {
namespace {

constexpr std::size_t kMaxSlips = 2;
constexpr std::size_t kLongest = 32;  // no field is longer, with slips

// "Idempotency-Key" is "idempotencykey".
std::string letters_of(std::string_view name) {
  std::string letters;
  for (const char byte : name) {
    if (byte == '_' || byte == '-' || byte == '.' || byte == ' ') continue;
    letters += byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
  }
  return letters;
}

std::size_t slips_allowed(std::size_t letters) { return letters >= 5 ? kMaxSlips : letters >= 3 ? 1 : 0; }

}  // namespace

std::optional<Field> near_miss(std::string_view name, FieldSet fields) {
  if (name.size() > kLongest) return {};
  const std::string typed = letters_of(name);
  std::optional<Field> nearest;
  std::size_t least = kMaxSlips + 1;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    const Field field = static_cast<Field>(i);
    if ((fields & set_of(field)) == 0) continue;
    const std::string known = letters_of(name_of(field));
    const std::size_t allowed = slips_allowed(known.size());
    if (typed.size() > known.size() + allowed || known.size() > typed.size() + allowed) continue;
    const std::size_t slips = edit_distance(typed, known);
    if (slips <= allowed && slips < least) least = slips, nearest = field;
  }
  return nearest;
}

}  // namespace karma::protocol
