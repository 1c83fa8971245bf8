// Start here. Karma inside a program, without a network: the same requests, the same answers, the same files.
//
//   karma::Config config;
//   config.directory = "./karma-data";
//   auto engine = karma::Engine::open(config);
//   std::string reply = (*engine)->execute(R"({"v":2,"op":"counter.increment","series":"links","key":42})");
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <karma/clock.h>
#include <karma/config.h>
#include <karma/error.h>
#include <karma/file_system.h>

namespace karma {

class Engine {
 public:
  // Locks and restores config.directory. Settings that concern the network are ignored; events go to stdout and stderr
  // unless config.log is false.
  static Result<std::unique_ptr<Engine>> open(const Config& config, FileSystem& files = posix_file_system(),
                                              Clock& clock = system_clock());
  ~Engine();  // close(false), if it is open still

  // One request without its line end, answered by one reply without its line end, when it is durable and visible.
  // Thread-safe; calls wait for each other.
  std::string execute(std::string_view request);

  // Several requests as one connection would pipeline them: what waits for the disk waits once.
  std::vector<std::string> execute(const std::vector<std::string>& requests);

  // Finishes what is under way, writes snapshots of everything if told to, and lets go of the directory.
  Status close(bool snapshot);

 private:
  class Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace karma
