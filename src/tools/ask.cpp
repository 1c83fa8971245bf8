#include "tools/ask.h"

#include <ostream>

namespace karma::tools {

Result<nlohmann::ordered_json> ask(const ConnectionOptions& options, std::string_view op, const Streams& streams,
                                   const Client::Fields& fields) {
  Client client(options.endpoint);
  Retry retry(client, options.retry_seconds, streams.err);
  return ask(client, retry, op, fields);
}

Result<nlohmann::ordered_json> ask(Client& client, Retry& retry, std::string_view op, const Client::Fields& fields) {
  nlohmann::ordered_json response;
  const Status asked = retry.run([&]() -> Status {
    client.send(op, fields);
    const Result<protocol::Reply> reply = client.receive();
    if (!reply) return reply.error();
    if (!reply->success) return reply->error();
    response = nlohmann::ordered_json::parse(reply->response);
    return {};
  });
  if (!asked) return asked.error();
  return response;
}

Status understood(const std::function<Status()>& command) try {
  return command();
} catch (const nlohmann::ordered_json::exception& failure) {
  return internal_error(std::string("the server's reply is not what it should be: ") + failure.what());
}

void print_error(const Error& error, const Streams& streams) {
  streams.err << "ERROR: " << error.message;
  if (error.code == ErrorCode::not_found) streams.err << "; karma call tree.list lists the series";
  streams.err << std::endl;
}

int exit_code(const Status& end, const Streams& streams) {
  if (end) return 0;
  print_error(end.error(), streams);
  return 1;
}

}  // namespace karma::tools
