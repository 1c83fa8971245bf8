#include "engine/decode.h"

#include "commands/catalog.h"

namespace karma::engine {

using commands::DecodeContext;
using commands::Op;
using protocol::Fields;

Result<const Op*> find_op(const Fields& fields) {
  const json::Value* name = fields.find(protocol::Field::op);
  if (name == nullptr || name->type != json::Type::string) return validation_error("Field op is required");
  Arena arena;
  const std::string_view text = json::decode_string(*name, arena);
  if (const Op* op = commands::find_op(text)) return op;
  return Error{ErrorCode::unknown_command, "Unknown op " + std::string(text)};
}

Result<Decoded> decode(const Op& op, const Fields& fields, const store::Registry& registry, DecodeContext& context) {
  Result<void*> command = op.decode(fields, context);
  if (!command) return command.error();
  if (context.slave && op.access == commands::Access::write)
    return Error{ErrorCode::forbidden, "Slave role cannot execute command " + std::string(op.command)};
  Decoded decoded{.op = &op, .command = *command};
  if (op.idempotent) {
    Status status = commands::decode_key(fields, op, *command, registry, context, decoded.keyed);
    if (!status) return status.error();
  }
  return decoded;
}

Result<Decoded> decode_entry(std::string_view entry, const store::Registry& registry, std::int64_t now, Fields& fields,
                             Arena& arena) {
  if (Status status = fields.parse(entry); !status) return status.error();
  Result<const Op*> op = find_op(fields);
  if (!op || (*op)->kind != commands::Kind::mutation) return validation_error("not an operation that is logged");
  DecodeContext context{.arena = arena, .source = DecodeContext::Source::log, .now = now};
  return decode(**op, fields, registry, context);
}

}  // namespace karma::engine
