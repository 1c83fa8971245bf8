#include "protocol/envelope.h"

#include "core/json_text.h"

namespace karma::protocol {

Status check_version(const Fields& fields) {
  const json::Value* version = fields.find(Field::v);
  if (version != nullptr && version->type == json::Type::unsigned_integer && version->number == 2) return {};
  return Error{ErrorCode::unsupported_protocol, "Karma accepts only protocol v2 requests with field v=2"};
}

bool has_token(const Fields& fields, const std::optional<std::string>& token) {
  if (!token || token->empty()) return false;  // an empty one is no secret
  const json::Value* given = fields.find(Field::token);
  if (given == nullptr || given->type != json::Type::string) return false;
  Arena arena;
  const std::string_view text = json::decode_string(*given, arena);
  // Walks over the whole given text, whatever the secret's length.
  unsigned difference = text.size() == token->size() ? 0 : 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char secret = (*token)[i % token->size()];
    difference |= static_cast<unsigned char>(text[i]) ^ static_cast<unsigned char>(secret);
  }
  return difference == 0;
}

Status find_id(const Fields& fields, std::string_view& id) {
  const json::Value* given = fields.find(Field::id);
  if (given == nullptr) return {};
  if (given->type == json::Type::unsigned_integer) {
    id = given->text;
    return {};
  }
  if (given->type == json::Type::string) {
    Arena arena;
    if (json::decode_string(*given, arena).size() <= kMaxIdBytes) {
      id = {given->text.data() - 1, given->text.size() + 2};
      return {};
    }
  }
  return validation_error("Field id must be a string of up to " + std::to_string(kMaxIdBytes) +
                          " bytes or an unsigned integer");
}

void append_id(Buffer& out, std::string_view id) {
  out.truncate(out.size() - kLineEnd.size() - 1);
  out.append(R"(,"id":)");
  out.append(id);
  out.append('}');
  out.append(kLineEnd);
}

void append_error(Buffer& out, const Error& error) {
  out.append(R"({"protocol_version":2,"success":false,"response":)");
  json::append_string(out, error.message);
  out.append(R"(,"error_code":")");
  out.append(to_string(error.code));
  out.append(R"("})");
  out.append(kLineEnd);
}

}  // namespace karma::protocol
