#include "core/log.h"

#include <cstdio>
#include <string>

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

  static std::string text_of(std::FILE* file) {
    std::rewind(file);
    char bytes[4096];
    return std::string(bytes, std::fread(bytes, 1, sizeof bytes, file));
  }

  FixedClock clock_;
  std::FILE* out_;
  std::FILE* err_;
};

TEST_F(EventLogTest, AnEventIsOneJsonLine) {
  EventLog log(clock_, true, out_, err_);
  log.info("server.start", "version=2 port=1");
  log.info("server.idle");
  EXPECT_EQ(text_of(out_),
            R"({"timestamp":"2026-11-22T07:12:06Z","level":"info","event":"server.start","message":"version=2 port=1"})"
            "\n"
            R"({"timestamp":"2026-11-22T07:12:06Z","level":"info","event":"server.idle"})"
            "\n");
  EXPECT_EQ(text_of(err_), "");
}

TEST_F(EventLogTest, WarningsAndErrorsGoToTheErrorStream) {
  EventLog log(clock_, true, out_, err_);
  log.warn("a", "x");
  log.error("b", "y");
  std::string text = text_of(err_);
  EXPECT_NE(text.find(R"("level":"warn","event":"a","message":"x")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("level":"error","event":"b","message":"y")"), std::string::npos) << text;
  EXPECT_EQ(text_of(out_), "");
}

TEST_F(EventLogTest, LinesStayLinesAndUtf8WhateverTheMessageHolds) {
  EventLog log(clock_, true, out_, err_);
  log.info("e", "quote \" back \\ line\nfeed \x01 bad \xff end");
  std::string text = text_of(out_);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  EXPECT_NE(text.find(R"(quote \" back \\ line\nfeed \u0001 bad )"), std::string::npos) << text;
  EXPECT_EQ(text.find('\xff'), std::string::npos);
}

TEST_F(EventLogTest, SwitchedOffItIsSilent) {
  EventLog log(clock_, false, out_, err_);
  log.info("a", "x");
  log.error("b", "y");
  EXPECT_EQ(text_of(out_) + text_of(err_), "");
}

}  // namespace
}  // namespace karma
