// The server binary as a process of its own, for tests of what the operating system sees.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace karma::test {

inline constexpr const char* kPing = "{\"v\":2,\"op\":\"system.ping\"}\n";
inline constexpr const char* kPong = R"({"protocol_version":2,"success":true,"response":"pong","error_code":null})";

// One that nobody listens on at the moment.
int free_port();

// Its output, both streams in one pipe, is read only while a function waits for it.
class ServerProcess {
 public:
  // `descriptors`: the limit it starts with; 0: as the test has it. `pipe_bytes`: how much output nobody needs to read.
  explicit ServerProcess(std::vector<std::string> arguments, rlim_t descriptors = 0, int pipe_bytes = 0);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  void signal(int number);
  void limit_descriptors(rlim_t count);
  void limit_files(rlim_t bytes);  // the size of each
  // Reads output until it holds `text`; false if it ends before.
  bool wait_for(const std::string& text);
  // Reads the rest; the exit code, or minus the signal that ended it.
  int wait();
  // The same without reading anything; kRunning if it has not ended within so many milliseconds.
  static constexpr int kRunning = 1000;
  int wait_without_reading(int milliseconds);
  bool running();
  const std::string& output() const { return text_; }

 private:
  bool read_some();

  pid_t pid_ = -1;
  int output_ = -1;
  std::string text_;
};

// A directory and a port for such a process.
class ServerProcessTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  std::vector<std::string> arguments(std::vector<std::string> more = {}) const;

  std::string directory_;
  int port_ = 0;
};

}  // namespace karma::test
