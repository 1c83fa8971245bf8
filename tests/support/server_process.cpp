#include "support/server_process.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

namespace karma::test {
namespace {

constexpr int kPatienceMs = 20'000;

int exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status); }

}  // namespace

int free_port() {
  int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

ServerProcess::ServerProcess(std::vector<std::string> arguments, rlim_t descriptors, int pipe_bytes) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  if (pipe_bytes > 0) {
    EXPECT_GE(::fcntl(ends[1], F_SETPIPE_SZ, pipe_bytes), pipe_bytes);
  }
  std::vector<char*> argv;
  arguments.insert(arguments.begin(), KARMA_SERVER_BINARY);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(ends[1], 1);
    ::dup2(ends[1], 2);
    rlimit limit{descriptors, descriptors};
    if (descriptors > 0) ::setrlimit(RLIMIT_NOFILE, &limit);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  output_ = ends[0];
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(output_);
}

void ServerProcess::signal(int number) { ::kill(pid_, number); }

void ServerProcess::limit_descriptors(rlim_t count) {
  const rlimit limit{count, count};
  EXPECT_EQ(::prlimit(pid_, RLIMIT_NOFILE, &limit, nullptr), 0);
}

void ServerProcess::limit_files(rlim_t bytes) {
  const rlimit limit{bytes, RLIM_INFINITY};
  EXPECT_EQ(::prlimit(pid_, RLIMIT_FSIZE, &limit, nullptr), 0);
}

bool ServerProcess::wait_for(const std::string& text) {
  while (output().find(text) == std::string::npos) {
    if (!read_some()) return false;
  }
  return true;
}

int ServerProcess::wait() {
  while (read_some()) continue;
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return exit_code(status);
}

int ServerProcess::wait_without_reading(int milliseconds) {
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  EXPECT_GE(handle, 0);
  pollfd watched{handle, POLLIN, 0};
  const bool ended = ::poll(&watched, 1, milliseconds) > 0;
  ::close(handle);
  if (!ended) return kRunning;
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return exit_code(status);
}

bool ServerProcess::running() { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }

bool ServerProcess::read_some() {
  pollfd watched{output_, POLLIN, 0};
  char bytes[4096];
  ssize_t size = ::poll(&watched, 1, kPatienceMs) > 0 ? ::read(output_, bytes, sizeof bytes) : 0;
  if (size > 0) text_.append(bytes, static_cast<std::size_t>(size));
  return size > 0;
}

void ServerProcessTest::SetUp() {
  directory_ = ::testing::TempDir() + "karma_process_XXXXXX";
  ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
  port_ = free_port();
}

void ServerProcessTest::TearDown() { std::filesystem::remove_all(directory_); }

std::vector<std::string> ServerProcessTest::arguments(std::vector<std::string> more) const {
  more.insert(more.end(), {"--bind=127.0.0.1", "--port=" + std::to_string(port_), "--directory=" + directory_});
  return more;
}

}  // namespace karma::test
