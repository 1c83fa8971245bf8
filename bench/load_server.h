// The server under load: started for the occasion, pinned to a core, and what it costs as the kernel counts it.
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "load_directory.h"
#include "load_flags.h"
#include "tools/load/clients.h"

namespace karma::tools::load {

// Seconds of CPU that all threads of a process have used.
inline double cpu_seconds(std::uint64_t pid) {
  clockid_t clock{};
  timespec time{};
  if (pid == 0 || ::clock_getcpuclockid(static_cast<pid_t>(pid), &clock) != 0 || ::clock_gettime(clock, &time) != 0)
    return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

inline std::uint64_t resident_bytes(std::uint64_t pid) {
  std::FILE* file = std::fopen(("/proc/" + std::to_string(pid) + "/status").c_str(), "re");
  if (file == nullptr) return 0;
  char line[256];
  unsigned long long kilobytes = 0;
  while (std::fgets(line, sizeof line, file) != nullptr && std::sscanf(line, "VmRSS: %llu kB", &kilobytes) != 1) {
  }
  std::fclose(file);
  return kilobytes * 1024;
}

// The calling thread, and what it starts. -1: it stays as it is.
inline bool try_to_pin(int cpu) {
  if (cpu < 0) return true;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  return ::sched_setaffinity(0, sizeof set, &set) == 0;
}

inline void pin_to(int cpu) {
  if (!try_to_pin(cpu)) fail("there is no core " + std::to_string(cpu));
}

struct ServerOptions {
  std::string path;  // empty: it runs already
  Dialect dialect = Dialect::karma;
  bool wal = true;
  bool wal_fsync = true;
  int cpu = -1;
  std::vector<std::string> more;  // options of the server
};

// A server on a free port with a data directory of its own, which goes when this object goes.
class SpawnedServer {
 public:
  explicit SpawnedServer(ServerOptions options) : options_(std::move(options)) {
    address_.port = free_port();
    start();
  }
  ~SpawnedServer() { kill(); }
  SpawnedServer(const SpawnedServer&) = delete;
  SpawnedServer& operator=(const SpawnedServer&) = delete;

  const Address& address() const { return address_; }
  std::uint64_t pid() const { return static_cast<std::uint64_t>(pid_); }
  const std::filesystem::path& directory() const { return directory_.path(); }

  // On the data that is there; returns when it accepts connections.
  void start() {
    const std::vector<std::string> arguments = command_line();
    std::vector<char*> argv;
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // whatever ends this program
      if (try_to_pin(options_.cpu)) ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    if (pid_ < 0) fail("cannot start the server");
    wait_until_it_listens();
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

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

  // The caller's options come last, or before those that must not be changed: later ones win.
  std::vector<std::string> command_line() const {
    const std::string port = std::to_string(address_.port);
    std::vector<std::string> line = {options_.path};
    const auto add = [&](std::vector<std::string> more) { line.insert(line.end(), more.begin(), more.end()); };
    const auto truth = [](bool value) { return value ? "true" : "false"; };
    switch (options_.dialect) {
      case Dialect::karma:
        add({"--bind=127.0.0.1", "--max-request-bytes=1048576", "--read-timeout=0", "--log=false",
             std::string("--wal=") + truth(options_.wal), std::string("--wal-fsync=") + truth(options_.wal_fsync)});
        add(options_.more);
        add({"--directory=" + directory_.string(), "--port=" + port});
        break;
      case Dialect::redis:  // as lean as it gets: no snapshots of its own, no rewriting of its log
        add({"--bind", "127.0.0.1", "--save", "", "--appendonly", options_.wal ? "yes" : "no", "--appendfsync",
             options_.wal_fsync ? "always" : "no", "--auto-aof-rewrite-percentage", "0", "--logfile", "/dev/null"});
        add(options_.more);
        add({"--dir", directory_.string(), "--port", port});
        break;
      case Dialect::echo:
        add(options_.more);
        add({"--port=" + port});
        break;
    }
    return line;
  }

  void wait_until_it_listens() {
    for (int tries = 0; tries < 60000; ++tries) {
      if (::waitpid(pid_, nullptr, WNOHANG) != 0) {
        pid_ = -1;
        fail("the server did not start: " + options_.path);
      }
      const int socket = connect_to(address_);
      if (socket >= 0) {
        ::close(socket);
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    kill();
    fail("the server does not listen");
  }

  const ServerOptions options_;
  TemporaryDirectory directory_;
  Address address_;
  pid_t pid_ = -1;
};

}  // namespace karma::tools::load
