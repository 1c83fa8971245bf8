// The options of karma cli, and its --help.
#include "tools/invocation.h"
#include "tools/terminal.h"

namespace karma::tools {
namespace {

constexpr std::string_view kHead = R"(Usage: karma cli [options]

A prompt for requests to a running server. Type an op and its fields as NAME=VALUE, or a request in JSON. Tab completes
ops and fields, the arrows bring earlier lines back, Ctrl-R searches them. "help" lists the ops, "help OP" explains the
fields of one, "quit" or Ctrl-D ends. A connection that the server has closed is made anew; a request is sent once,
whatever happens to it.

If standard input or output is no terminal: a request a line, and for each the reply as it came, on one line.

Lines are kept in ~/.karma_history, for its owner only, unless the word token is in them.

)";
constexpr std::string_view kTail = R"(
Examples
  karma cli --host=10.0.0.5 --token-file=/etc/karma/token
  127.0.0.1:8080> counter.increment series=links key=42
  127.0.0.1:8080> counter.sum series=links key=42 range={"from":20260501,"to":20260531}
  printf 'counter.sum series=links key=%d\n' 42 43 | karma cli | jq .response

Exit codes   0  ended     1  not a prompt, and a request failed     2  wrong usage
)";

}  // namespace

int cli_command(Invocation& invocation, const Streams& streams) {
  CliOptions target;
  target.connection.retry_seconds = 0;
  bool history = true;
  Options options("karma cli", kHead, kTail);
  options.truth("history", "keep lines in ~/.karma_history; --history=false keeps none", history);
  options.truth("json", "replies as they come, on a terminal, too", target.json);
  Connection connection(options, target.connection);
  if (std::optional<int> code =
          invocation.parse_alone(options, connection, "karma cli takes options only: --host, --port"))
    return *code;
  const char* const home = invocation.lookup()("HOME");
  if (history && home != nullptr && *home != '\0') target.history = std::string(home) + "/.karma_history";
  target.canvas = canvas_of(streams, invocation.lookup(), 0, false);
  return run_cli(target, streams);
}

}  // namespace karma::tools
