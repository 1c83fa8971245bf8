// karma promote: makes a running slave the master.
#include <ostream>

#include <nlohmann/json.hpp>

#include "protocol/client.h"
#include "tools/commands.h"
#include "tools/retry.h"

namespace karma::tools {

int run_promote(const PromoteOptions& options, const Streams& streams) {
  Client client(options.connection.endpoint);
  Retry retry(client, options.connection.retry_seconds, streams.err);
  bool promoted = false;
  std::uint64_t lsn = 0;
  // A repeat does no harm: it is answered that the node is master already.
  const Status done = retry.run([&]() -> Status {
    client.send("replication.promote", Client::Fields::object());
    const Result<protocol::Reply> reply = client.receive();
    if (!reply) return reply.error();
    if (!reply->success) return reply->error();
    try {
      const nlohmann::json response = reply->json();
      promoted = response.at("promoted");
      lsn = response.at("wal_current_lsn");
    } catch (const nlohmann::json::exception& failure) {
      return internal_error(std::string("the server's reply cannot be read: ") + failure.what());
    }
    return {};
  });
  if (!done) {
    streams.err << "ERROR: " << done.error().message << std::endl;
    return 1;
  }
  streams.out << (promoted ? "promoted: it is master now, at LSN " : "it was master already, at LSN ") << lsn
              << std::endl;
  return 0;
}

}  // namespace karma::tools
