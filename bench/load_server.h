// The server under load: started for the occasion, and its CPU time as the kernel counts it.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "load_clients.h"
#include "load_options.h"

namespace karma::load {

// Seconds of CPU that all threads of a process have used, to 10 ms.
inline double cpu_seconds(std::uint64_t pid) {
  std::FILE* file = std::fopen(("/proc/" + std::to_string(pid) + "/stat").c_str(), "re");
  if (file == nullptr) return 0;
  char text[1024] = {};
  const std::size_t size = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  // The name, in parentheses, may hold anything; the fields behind it are numbered from 3.
  const std::string_view stat(text, size);
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return 0;
  unsigned long long user = 0;
  unsigned long long kernel = 0;
  constexpr const char* kForm = " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu";
  if (std::sscanf(text + name_end + 1, kForm, &user, &kernel) != 2) return 0;
  return static_cast<double>(user + kernel) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

class SpawnedServer {
 public:
  // Sets options.port and options.server_pid.
  explicit SpawnedServer(Options& options) {
    if (options.spawn.empty()) return;
    std::string pattern = (std::filesystem::temp_directory_path() / "karma-load-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) fail("cannot create " + pattern);
    directory_ = pattern;
    options.host = "127.0.0.1";
    options.port = free_port();
    // Later options win, so the caller's do.
    std::vector<std::string> arguments = {
        options.spawn,      "--bind=127.0.0.1", "--directory=" + directory_.string(), "--max-request-bytes=1048576",
        "--read-timeout=0", "--log=false"};
    arguments.insert(arguments.end(), options.server_options.begin(), options.server_options.end());
    arguments.push_back("--port=" + std::to_string(options.port));
    start(arguments);
    options.server_pid = static_cast<std::uint64_t>(pid_);
    wait_until_it_answers(options);
  }
  ~SpawnedServer() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    std::error_code ignored;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
  }
  SpawnedServer(const SpawnedServer&) = delete;
  SpawnedServer& operator=(const SpawnedServer&) = delete;

 private:
  static int free_port() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    if (socket < 0 || ::bind(socket, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      fail("no free port");
    ::close(socket);
    return ntohs(address.sin_port);
  }

  void start(const std::vector<std::string>& arguments) {
    std::vector<char*> argv;
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    if (pid_ < 0) fail("cannot start the server");
  }

  void wait_until_it_answers(const Options& options) {
    for (int tries = 0; tries < 200; ++tries) {
      if (::waitpid(pid_, nullptr, WNOHANG) != 0) {
        pid_ = -1;
        fail("the server did not start: " + options.spawn);
      }
      const int socket = connect_to(options.host, options.port);
      if (socket >= 0) {
        ::close(socket);
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
    fail("the server does not listen");
  }

  std::filesystem::path directory_;
  pid_t pid_ = -1;
};

}  // namespace karma::load
