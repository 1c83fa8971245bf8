// The karma program: what the command line asks for.
#include <karma/config.h>
#include <karma/server.h>
#include <karma/tools.h>

#include <malloc.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>

namespace {

constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

int serve(const karma::Config& config, karma::Server::ReadSettings read_settings) {
  // Without it malloc keeps small blocks that were freed in lists of their own, and now and then merges all of them
  // with their neighbours in one go, in the middle of an allocation: after a million freed counters that is half a
  // second.
  ::mallopt(M_MXFAST, 0);
  karma::Server::block_signals();
  karma::Result<std::unique_ptr<karma::Server>> server = karma::Server::start(config);
  if (!server) {
    std::cerr << "ERROR: " << server.error().message << std::endl;
    return kFailed;
  }
  return (*server)->run_until_signalled(std::move(read_settings));
}

int run(const karma::CommandLine& line, karma::Server::ReadSettings read_settings) {
  switch (line.action) {
    case karma::CommandLine::Action::print:
      std::cout << line.argument << std::flush;
      return 0;
    case karma::CommandLine::Action::check:
      return karma::check_directory(line.argument, std::cout, std::cerr);
    case karma::CommandLine::Action::repair:
      return karma::repair_directory(line.argument, std::cout, std::cerr);
    case karma::CommandLine::Action::dump:
      return karma::dump_directory(line.argument, std::cout, std::cerr);
    case karma::CommandLine::Action::serve:
      break;
  }
  return serve(line.config, std::move(read_settings));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    auto environment = [](const char* name) -> const char* { return std::getenv(name); };
    if (std::optional<int> code = karma::run_client_command(argc, argv, environment, std::cout, std::cerr))
      return *code;
    karma::Result<karma::CommandLine> line = karma::parse_command_line(argc, argv, environment);
    if (!line) {
      karma::print_misuse(line.error(), "karma", std::cerr);
      return kWrongUsage;
    }
    return run(*line, [=]() -> karma::Result<karma::Config> {
      karma::Result<karma::CommandLine> again = karma::parse_command_line(argc, argv, environment);
      return again ? karma::Result<karma::Config>(std::move(again->config)) : again.error();
    });
  } catch (const std::exception& failure) {
    // What nobody foresaw: no memory, no threads.
    std::cerr << "ERROR: " << failure.what() << std::endl;
    return kFailed;
  }
}
