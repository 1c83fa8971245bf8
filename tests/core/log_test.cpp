#include "core/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace karma {
namespace {

class FixedClock final : public Clock {
 public:
  std::int64_t unix_seconds() const override { return 1795331526; }
  std::chrono::steady_clock::time_point steady() const override { return {}; }
};

class EventLogTest : public ::testing::Test {
 protected:
  EventLogTest() : out_(std::tmpfile()), err_(std::tmpfile()) {}
  ~EventLogTest() override {
    std::fclose(out_);
    std::fclose(err_);
  }

  static std::string text_of(EventLog& log, std::FILE* file) {
    log.flush();
    std::rewind(file);
    char bytes[8192];
    return std::string(bytes, std::fread(bytes, 1, sizeof bytes, file));
  }

  FixedClock clock_;
  std::FILE* out_;
  std::FILE* err_;
};

TEST_F(EventLogTest, AnEventIsOneJsonLine) {
  EventLog log(clock_, true, ::fileno(out_), ::fileno(err_));
  log.info("server.start", "version=2 port=1");
  log.info("server.idle");
  EXPECT_EQ(text_of(log, out_),
            R"({"timestamp":"2026-11-22T07:12:06Z","level":"info","event":"server.start","message":"version=2 port=1"})"
            "\n"
            R"({"timestamp":"2026-11-22T07:12:06Z","level":"info","event":"server.idle"})"
            "\n");
  EXPECT_EQ(text_of(log, err_), "");
}

TEST_F(EventLogTest, WarningsAndErrorsGoToTheErrorStream) {
  EventLog log(clock_, true, ::fileno(out_), ::fileno(err_));
  log.warn("a", "x");
  log.error("b", "y");
  std::string text = text_of(log, err_);
  EXPECT_NE(text.find(R"("level":"warn","event":"a","message":"x")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("level":"error","event":"b","message":"y")"), std::string::npos) << text;
  EXPECT_EQ(text_of(log, out_), "");
}

TEST_F(EventLogTest, LinesStayLinesAndUtf8WhateverTheMessageHolds) {
  EventLog log(clock_, true, ::fileno(out_), ::fileno(err_));
  log.info("e", "quote \" back \\ line\nfeed \x01 bad \xff end");
  std::string text = text_of(log, out_);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  EXPECT_NE(text.find(R"(quote \" back \\ line\nfeed \u0001 bad )"), std::string::npos) << text;
  EXPECT_EQ(text.find('\xff'), std::string::npos);
}

TEST_F(EventLogTest, ALongMessageIsCutOff) {
  EventLog log(clock_, true, ::fileno(out_), ::fileno(err_));
  log.info("e", std::string(EventLog::kMaxMessageBytes, 'x') + "cut");
  const std::string text = text_of(log, out_);
  EXPECT_NE(text.find("xx\"}\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("cut"), std::string::npos);
}

TEST_F(EventLogTest, SwitchedOffItIsSilent) {
  EventLog log(clock_, false, ::fileno(out_), ::fileno(err_));
  log.info("a", "x");
  log.error("b", "y");
  EXPECT_EQ(text_of(log, out_) + text_of(log, err_), "");
}

TEST_F(EventLogTest, WhatIsBelowTheLevelIsNotTold) {
  EventLog log(clock_, {.level = LogLevel::warn, .out = ::fileno(out_), .err = ::fileno(err_)});
  log.debug("a", "x");
  log.info("b", "x");
  log.warn("c", "x");
  EXPECT_FALSE(log.tells(LogLevel::info));
  log.set_level(LogLevel::debug);
  EXPECT_TRUE(log.tells(LogLevel::debug));
  log.debug("d", "x");
  log.set_level(LogLevel::error);
  log.warn("e", "x");
  log.error("f", "x");
  EXPECT_EQ(text_of(log, out_), R"({"timestamp":"2026-11-22T07:12:06Z","level":"debug","event":"d","message":"x"})"
                                "\n");
  const std::string text = text_of(log, err_);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_FALSE(EventLog(clock_, false).tells(LogLevel::error));
}

TEST_F(EventLogTest, AsTextALineStaysALine) {
  EventLog log(clock_,
               {.level = LogLevel::debug, .format = LogFormat::text, .out = ::fileno(out_), .err = ::fileno(err_)});
  log.debug("d", "x");
  log.info("server.start", "version=2 \"port\"=1");
  log.info("server.idle");
  EXPECT_EQ(text_of(log, out_),
            "2026-11-22T07:12:06Z DEBUG d x\n"
            "2026-11-22T07:12:06Z INFO  server.start version=2 \"port\"=1\n"
            "2026-11-22T07:12:06Z INFO  server.idle\n");
  log.warn("w", "one\ntwo\x1b[31m");
  log.error("e", "\xd0\xb6");
  EXPECT_EQ(text_of(log, err_),
            "2026-11-22T07:12:06Z WARN  w one\\x0atwo\\x1b[31m\n"
            "2026-11-22T07:12:06Z ERROR e \xd0\xb6\n");
}

class LogFileTest : public EventLogTest {
 protected:
  LogFileTest() {
    char name[] = "/tmp/karma-log-XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  ~LogFileTest() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name = "karma.log") const { return directory_ + "/" + name; }
  EventLog open(const std::string& name = "karma.log") const {
    return EventLog(clock_, {.format = LogFormat::text, .file = path(name), .out = -1, .err = -1});
  }
  static std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string directory_;
};

constexpr const char* kTime = "2026-11-22T07:12:06Z ";

TEST_F(LogFileTest, TakesAllLinesInOrderAndKeepsWhatIsThere) {
  for (int life = 0; life < 2; ++life) {
    EventLog log = open();
    ASSERT_TRUE(log.opened().ok());
    log.info("a");
    log.error("b", "x");
  }
  const std::string lines = kTime + std::string("INFO  a\n") + kTime + "ERROR b x\n";
  EXPECT_EQ(content(path()), lines + lines);
}

TEST_F(LogFileTest, IsOpenedAnewAfterARename) {
  EventLog log = open();
  log.info("a");
  log.flush();
  std::filesystem::rename(path(), path("old"));
  log.info("b");
  log.flush();
  ASSERT_TRUE(log.reopen().ok());
  log.info("c");
  log.flush();
  EXPECT_EQ(content(path("old")), kTime + std::string("INFO  a\n") + kTime + "INFO  b\n");
  EXPECT_EQ(content(path()), kTime + std::string("INFO  c\n"));
}

TEST_F(LogFileTest, ThatCannotBeOpenedIsNamed) {
  EventLog log = open("none/karma.log");
  EXPECT_EQ(log.opened().error().message,
            "Cannot open the log file " + path("none/karma.log") + ": No such file or directory");
  log.error("a", "x");  // of no consequence
  EXPECT_TRUE(log.reopen().ok());

  std::filesystem::create_directory(path("there"));
  EventLog moved = open("there/karma.log");
  std::filesystem::rename(path("there"), path("gone"));
  EXPECT_FALSE(moved.reopen().ok());
  moved.info("b");
  moved.flush();
  EXPECT_EQ(content(path("gone/karma.log")), kTime + std::string("INFO  b\n")) << "it goes on where it was";
}

// A pipe that holds a page, with nobody who reads it until the test does.
class StalledPipe {
 public:
  StalledPipe() {
    EXPECT_EQ(::pipe2(ends_, O_CLOEXEC), 0);
    EXPECT_GE(::fcntl(ends_[1], F_SETPIPE_SZ, 4096), 4096);
  }
  ~StalledPipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  int writing_end() const { return ends_[1]; }
  // Up to and with the first line that holds `text`.
  std::vector<std::string> read_until(std::string_view text) {
    std::vector<std::string> lines;
    std::string line;
    for (char byte; ::read(ends_[0], &byte, 1) == 1;) {
      if (byte != '\n') {
        line += byte;
        continue;
      }
      lines.push_back(std::exchange(line, {}));
      if (lines.back().find(text) != std::string::npos) break;
    }
    return lines;
  }

 private:
  int ends_[2];
};

TEST_F(EventLogTest, WhatNobodyReadsIsLostAndCountedAndSaidSo) {
  StalledPipe pipe;
  EventLog log(clock_, true, pipe.writing_end(), ::fileno(err_));
  constexpr std::uint64_t kLines = 20'000;  // more than the queue and the pipe hold
  for (std::uint64_t i = 0; i < kLines; ++i) log.info("e", "number " + std::to_string(i) + " and so on");
  log.error("other", "the other stream goes on");
  EXPECT_NE(text_of(log, err_).find("the other stream goes on"), std::string::npos);
  const std::uint64_t lost = log.lost_lines();
  ASSERT_GT(lost, 0U);
  // Before the next line that is written stands how many are missing; the newest are all there, in order.
  std::uint64_t told = 0;
  std::uint64_t written = 0;
  for (std::uint64_t next = 0; next < kLines;) {
    const std::string line = pipe.read_until("").front();
    constexpr std::string_view kLost = R"("level":"warn","event":"log.lost","message":"lines=)";
    if (const std::size_t at = line.find(kLost); at != std::string::npos) {
      told += std::stoull(line.substr(at + kLost.size()));
      continue;
    }
    constexpr std::string_view kNumber = "number ";
    const std::size_t at = line.find(kNumber);
    ASSERT_NE(at, std::string::npos) << line;
    const std::uint64_t number = std::stoull(line.substr(at + kNumber.size()));
    ASSERT_GE(number, next) << line;
    if (number + EventLog::kMaxQueuedLines > kLines && next + EventLog::kMaxQueuedLines > kLines) {
      ASSERT_EQ(number, next) << line;
    }
    next = number + 1;
    ++written;
  }
  EXPECT_EQ(told + written, kLines);
  EXPECT_EQ(told, lost);
  log.info("last");
  EXPECT_EQ(pipe.read_until("last").size(), 1U);
  EXPECT_EQ(log.lost_lines(), lost);
}

TEST_F(EventLogTest, AnEndDoesNotWaitForAReader) {
  StalledPipe pipe;
  {
    EventLog log(clock_, true, pipe.writing_end(), pipe.writing_end());
    for (int i = 0; i < 200; ++i) log.error("e", "a line");
  }
  // The thread that hung in a write ends when the write does.
  pipe.read_until("a line");
}

TEST_F(EventLogTest, BothStreamsInOneFileKeepTheirOrder) {
  StalledPipe pipe;
  EventLog log(clock_, true, pipe.writing_end(), pipe.writing_end());
  for (int i = 0; i < 500; ++i) {
    log.info("out", std::to_string(2 * i) + " in order");
    log.warn("err", std::to_string(2 * i + 1) + " in order");
  }
  log.info("last");
  const std::vector<std::string> lines = pipe.read_until("last");
  ASSERT_EQ(lines.size(), 1001U);
  for (std::size_t i = 0; i < 1000; ++i)
    EXPECT_NE(lines[i].find("\"" + std::to_string(i) + " in order"), std::string::npos) << lines[i];
}

TEST_F(EventLogTest, LinesThatCouldNotBeWrittenAreToldOfWhenTheyCan) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ::close(ends[0]);  // a pipe that nobody will ever read
  EventLog log(clock_, true, ends[1], ends[1]);
  log.info("gone");
  log.info("gone");
  log.flush();
  EXPECT_EQ(log.lost_lines(), 2U);
  ASSERT_EQ(::dup2(::fileno(out_), ends[1]), ends[1]);
  log.info("there");
  const std::string text = text_of(log, out_);
  EXPECT_NE(text.find(R"("event":"there")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("event":"log.lost","message":"lines=2:)"), std::string::npos) << text;
  ::close(ends[1]);
}

TEST_F(EventLogTest, ANonBlockingStreamIsWrittenWholeAndLeftNonBlocking) {
  StalledPipe pipe;
  ASSERT_EQ(::fcntl(pipe.writing_end(), F_SETFL, O_NONBLOCK), 0);
  EventLog log(clock_, true, pipe.writing_end(), pipe.writing_end());
  const std::string message(EventLog::kMaxMessageBytes, '"');  // two bytes each: more than the pipe holds
  log.info("long", message);
  log.info("last");
  const std::vector<std::string> lines = pipe.read_until("last");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_GT(lines.front().size(), 2 * message.size());
  EXPECT_NE(::fcntl(pipe.writing_end(), F_GETFL) & O_NONBLOCK, 0);
}

}  // namespace
}  // namespace karma
