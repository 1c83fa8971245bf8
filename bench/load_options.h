// What the load program is asked to do.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace karma::load {

inline constexpr std::string_view kUsage = R"(Usage: karma_load [option...] [-- option of the server...]

Plays many clients of a Karma node from one thread and measures round trips.

  --host=ADDRESS        IPv4 address of the node (127.0.0.1)
  --port=PORT           its port (8080)
  --spawn=PATH          start this karma binary on a free port with a new, temporary data directory; the options
                        behind -- are passed on
  --token=TOKEN         sent with every request
  --op=NAME             increment, sum, batch_add, batch_sum, or mix: 50 % increments, 40 % sums, 5 % of each batch
                        (increment)
  --connections=N       clients at a time (64)
  --pipeline=N          requests that a client has under way (1)
  --keys=N              counters, chosen at random (100000)
  --days=N              days that have data and that are written to (30)
  --batch=N             items or keys of a batch (1000)
  --range-days=N        days that a read sums; 0: the whole total (0)
  --seconds=N           how long to measure (5)
  --requests=N          measure so many requests instead
  --fill=BOOL           write every key and day once before (true for reads, else false)
  --verify=BOOL         compare all totals with what was acknowledged, afterwards (false)
  --server-pid=PID      whose CPU time to measure (that of --spawn)
  --seed=N              of the random choice (1)
  --json=BOOL           print one JSON object instead of a text (false)
)";

struct Options {
  std::string host = "127.0.0.1";
  int port = 8080;
  std::string spawn;
  std::vector<std::string> server_options;
  std::string token;
  std::string op = "increment";
  std::uint64_t connections = 64;
  std::uint64_t pipeline = 1;
  std::uint64_t keys = 100000;
  std::uint64_t days = 30;
  std::uint64_t batch = 1000;
  std::uint64_t range_days = 0;
  std::uint64_t seconds = 5;
  std::uint64_t requests = 0;
  bool fill = false;
  bool verify = false;
  std::uint64_t server_pid = 0;
  std::uint64_t seed = 1;
  bool json = false;

  bool reads() const { return op != "increment" && op != "batch_add"; }
};

[[noreturn]] inline void fail(const std::string& message) {
  std::fprintf(stderr, "karma_load: %s\n", message.c_str());
  std::exit(1);
}

[[noreturn]] inline void misuse(const std::string& message) {
  std::fprintf(stderr, "karma_load: %s; --help lists the options\n", message.c_str());
  std::exit(2);
}

inline std::uint64_t parse_number(std::string_view name, std::string_view text, std::uint64_t least) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size() || number < least)
    misuse(std::string(name) + " must be a number of at least " + std::to_string(least));
  return number;
}

inline bool parse_truth(std::string_view name, std::string_view text) {
  if (text != "true" && text != "false") misuse(std::string(name) + " must be true or false");
  return text == "true";
}

inline Options parse_options(int argc, char** argv) {
  Options options;
  bool fill_given = false;
  for (int at = 1; at < argc; ++at) {
    const std::string_view argument = argv[at];
    if (argument == "--") {
      options.server_options.assign(argv + at + 1, argv + argc);
      break;
    }
    if (argument == "--help") {
      std::fwrite(kUsage.data(), 1, kUsage.size(), stdout);
      std::exit(0);
    }
    const std::size_t equals = argument.find('=');
    if (equals == std::string_view::npos) misuse(std::string(argument) + " is not of the form --option=value");
    const std::string_view name = argument.substr(0, equals);
    const std::string_view value = argument.substr(equals + 1);
    struct Number {
      std::string_view name;
      std::uint64_t* into;
      std::uint64_t least;
    };
    std::uint64_t port = 0;
    const Number numbers[] = {
        {"--port", &port, 1},
        {"--connections", &options.connections, 1},
        {"--pipeline", &options.pipeline, 1},
        {"--keys", &options.keys, 1},
        {"--days", &options.days, 1},
        {"--batch", &options.batch, 1},
        {"--range-days", &options.range_days, 0},
        {"--seconds", &options.seconds, 1},
        {"--requests", &options.requests, 1},
        {"--server-pid", &options.server_pid, 1},
        {"--seed", &options.seed, 0},
    };
    bool known = false;
    for (const Number& number : numbers) {
      if (number.name != name) continue;
      *number.into = parse_number(name, value, number.least);
      known = true;
    }
    if (port != 0) options.port = static_cast<int>(port);
    if (known) continue;
    if (name == "--host") {
      options.host = value;
    } else if (name == "--spawn") {
      options.spawn = value;
    } else if (name == "--token") {
      options.token = value;
    } else if (name == "--op") {
      options.op = value;
    } else if (name == "--fill") {
      options.fill = parse_truth(name, value);
      fill_given = true;
    } else if (name == "--verify") {
      options.verify = parse_truth(name, value);
    } else if (name == "--json") {
      options.json = parse_truth(name, value);
    } else {
      misuse(std::string(name) + " is not an option");
    }
  }
  constexpr std::string_view kOps[] = {"increment", "sum", "batch_add", "batch_sum", "mix"};
  bool known = false;
  for (const std::string_view op : kOps) known |= op == options.op;
  if (!known) misuse("--op=" + options.op + " is not an op");
  if (options.days > 3650) misuse("--days must not be more than 3650");
  if (options.range_days > 366) misuse("--range-days must not be more than 366");
  if (!fill_given) options.fill = options.reads();
  return options;
}

}  // namespace karma::load
