#include "store/operation.h"

namespace karma::store {

void Reply::append_counts(Buffer& out, std::uint64_t a, std::uint64_t b) const {
  const auto append = [&out](std::string_view before, std::string_view name, std::uint64_t number) {
    out.append(before);
    out.append(name);
    out.append(R"(":)");
    json::append_number(out, number);
  };
  append(R"({")", first, a);
  if (!second.empty()) append(R"(,")", second, b);
  out.append('}');
}

bool Reply::read(const json::Value& reply, std::uint64_t& a, std::uint64_t& b) const {
  a = b = 0;
  switch (form) {
    case Form::ok:
      return reply.type == json::Type::string && reply.text == "OK";
    case Form::truth:
      return reply.type == json::Type::boolean && reply.truth;
    case Form::number:
      a = reply.number;
      return reply.type == json::Type::unsigned_integer;
    case Form::counts:
      break;
  }
  if (reply.type != json::Type::object) return false;
  bool fits = true;
  bool has_first = false;
  bool has_second = second.empty();
  json::Reader reader(reply.text);
  const bool read = reader.read_object([&](const json::Value& name, const json::Value& value) {
    fits = fits && value.type == json::Type::unsigned_integer;
    if (name.text == first) {
      has_first = true;
      a = value.number;
    } else if (!second.empty() && name.text == second) {
      has_second = true;
      b = value.number;
    } else {
      fits = false;
    }
  });
  return read && fits && has_first && has_second;
}

}  // namespace karma::store
