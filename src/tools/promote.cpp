// karma promote: makes a running slave the master.
#include <ostream>

#include <nlohmann/json.hpp>

#include "tools/ask.h"
#include "tools/commands.h"

namespace karma::tools {
namespace {

// A repeat does no harm: it is answered that the node is master already.
Status promote(const ConnectionOptions& options, const Streams& streams) {
  try {
    const Result<nlohmann::ordered_json> response = ask(options, "replication.promote", streams);
    if (!response) return response.error();
    const bool promoted = response->at("promoted");
    const std::uint64_t lsn = response->at("wal_current_lsn");
    streams.out << (promoted ? "promoted: it is master now, at LSN " : "it was master already, at LSN ") << lsn
                << std::endl;
  } catch (const nlohmann::json::exception& failure) {
    return internal_error(std::string("the server's reply cannot be read: ") + failure.what());
  }
  return {};
}

}  // namespace

int run_promote(const ConnectionOptions& options, const Streams& streams) {
  return exit_code(promote(options, streams), streams);
}

}  // namespace karma::tools
