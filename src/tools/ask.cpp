#include "tools/ask.h"

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

}  // namespace karma::tools
