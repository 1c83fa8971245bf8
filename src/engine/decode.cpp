#include "engine/decode.h"

#include "commands/catalog.h"

namespace karma::engine {

using commands::DecodeContext;
using commands::Op;
using protocol::Fields;

const Op* find_op(const Fields& fields, const Op* likely) {
  const json::Value* name = fields.find(protocol::Field::op);
  if (name == nullptr || name->type != json::Type::string) return nullptr;
  if (likely != nullptr && name->text == likely->name) return likely;  // no name of an op has to be escaped
  if (!name->escaped) return commands::find_op(name->text);
  Arena arena;
  return commands::find_op(json::decode_string(*name, arena));
}

Error no_op(const Fields& fields) {
  const json::Value* name = fields.find(protocol::Field::op);
  if (name == nullptr || name->type != json::Type::string) return validation_error("Field op is required");
  Arena arena;
  return {ErrorCode::unknown_command, "Unknown op " + std::string(json::decode_string(*name, arena))};
}

Status decode(const Op& op, const Fields& fields, const store::ExactlyOnceState& exactly_once, DecodeContext& context,
              Decoded& decoded) {
  decoded.op = &op;
  Result<void*> command = op.decode(fields, context);
  if (!command) return std::move(command.error());
  decoded.command = *command;
  if (context.no_writes && op.access == commands::Access::write && !op.on_slave)
    return Error{ErrorCode::forbidden, "Slave role cannot execute command " + std::string(op.command)};
  if (!op.idempotent) return {};
  return commands::decode_key(fields, op, *command, exactly_once, context, decoded.keyed);
}

Status decode_entry(std::string_view entry, const store::ExactlyOnceState& exactly_once, std::int64_t now,
                    Fields& fields, Arena& arena, Decoded& decoded) {
  if (Status status = fields.parse(entry); !status) return status;
  const Op* op = find_op(fields);
  if (op == nullptr || op->kind != commands::Kind::mutation) return validation_error("not an operation that is logged");
  DecodeContext context{.arena = arena, .source = DecodeContext::Source::log, .now = now};
  return decode(*op, fields, exactly_once, context, decoded);
}

}  // namespace karma::engine
