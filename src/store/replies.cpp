#include "store/replies.h"

#include "core/json_text.h"

namespace karma::store {
namespace {

enum class Form : std::uint8_t { number, ok, truth, counts };

// Names of counts: the second is empty where there is one only.
struct Shape {
  Form form;
  std::string_view first;
  std::string_view second;
};

Shape shape_of(Operation operation) {
  switch (operation) {
    case Operation::increment:
    case Operation::decrement:
      return {Form::number, {}, {}};
    case Operation::reset:
      return {Form::ok, {}, {}};
    case Operation::delete_range:
      return {Form::truth, {}, {}};
    case Operation::batch_add:
      return {Form::counts, "applied", "total"};
    case Operation::batch_set:
      return {Form::counts, "applied", {}};
    case Operation::batch_reset:
      return {Form::counts, "reset", "missing"};
    case Operation::batch_delete_range:
      break;
  }
  return {Form::counts, "deleted", "missing"};
}

bool read_counts(const json::Value& reply, const Shape& shape, std::uint64_t& first, std::uint64_t& second) {
  if (reply.type != json::Type::object) return false;
  bool fits = true;
  bool has_first = false;
  bool has_second = shape.second.empty();
  json::Reader reader(reply.text);
  const bool read = reader.read_object([&](const json::Value& name, const json::Value& value) {
    fits = fits && value.type == json::Type::unsigned_integer;
    if (name.text == shape.first) {
      has_first = true;
      first = value.number;
    } else if (!shape.second.empty() && name.text == shape.second) {
      has_second = true;
      second = value.number;
    } else {
      fits = false;
    }
  });
  return read && fits && has_first && has_second;
}

}  // namespace

void append_reply(Buffer& out, Operation operation, std::uint64_t first, std::uint64_t second) {
  const Shape shape = shape_of(operation);
  switch (shape.form) {
    case Form::number:
      return json::append_number(out, first);
    case Form::ok:
      return out.append(R"("OK")");
    case Form::truth:
      return out.append("true");
    case Form::counts:
      break;
  }
  out.append(R"({")");
  out.append(shape.first);
  out.append(R"(":)");
  json::append_number(out, first);
  if (!shape.second.empty()) {
    out.append(R"(,")");
    out.append(shape.second);
    out.append(R"(":)");
    json::append_number(out, second);
  }
  out.append('}');
}

bool read_reply(const json::Value& reply, Operation operation, std::uint64_t& first, std::uint64_t& second) {
  first = second = 0;
  const Shape shape = shape_of(operation);
  switch (shape.form) {
    case Form::number:
      first = reply.number;
      return reply.type == json::Type::unsigned_integer;
    case Form::ok:
      return reply.type == json::Type::string && reply.text == "OK";
    case Form::truth:
      return reply.type == json::Type::boolean && reply.truth;
    case Form::counts:
      break;
  }
  return read_counts(reply, shape, first, second);
}

}  // namespace karma::store
