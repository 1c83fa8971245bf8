// Clients of an engine that act at the same time, each on a thread of its own.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "engine/dispatcher.h"
#include "engine/engine.h"

namespace karma::test {

// An I/O thread of a server, played by the test.
class Client {
 public:
  Client(engine::Engine& engine, const Config& config) : dispatcher_(engine, config, [this] { wake(); }) {}

  // The reply of a read, which is there at once.
  std::string read(const std::string& line) {
    Buffer out;
    EXPECT_EQ(dispatcher_.handle(line, &reader_, 0, out), engine::Handled::replied);
    return std::string(out.view());
  }
  void write(const std::string& line) { send({line}); }
  // A pipeline, all of which is answered later.
  void send(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      Buffer out;
      EXPECT_EQ(dispatcher_.handle(line, &writer_, pending_, out), engine::Handled::pending) << line;
      ++pending_;
    }
    dispatcher_.flush();
  }
  // What has arrived, without waiting.
  std::vector<std::string> replies() {
    std::deque<Buffer> found;
    const auto place = [&](void*, std::size_t) -> Buffer& {
      --pending_;
      return found.emplace_back();
    };
    dispatcher_.collect(place, [](void*) { ADD_FAILURE() << "a reply was lost"; });
    std::vector<std::string> texts;
    for (const Buffer& reply : found) texts.emplace_back(reply.view());
    return texts;
  }
  std::string wait_for_reply() { return wait_for_replies(1).front(); }
  // At least so many.
  std::vector<std::string> wait_for_replies(std::size_t count) {
    for (std::vector<std::string> found = replies();;) {
      if (found.size() >= count) return found;
      std::unique_lock lock(mutex_);
      woken_.wait(lock, [this] { return awake_; });
      awake_ = false;
      lock.unlock();
      for (std::string& reply : replies()) found.push_back(std::move(reply));
    }
  }
  // Whatever it is, once it is answered; without the line end.
  std::string ask(const std::string& line) {
    Buffer out;
    if (dispatcher_.handle(line, &writer_, pending_, out) != engine::Handled::replied) {
      ++pending_;
      dispatcher_.flush();
      out = Buffer();
      out.append(wait_for_reply());
    }
    std::string reply(out.view());
    reply.resize(reply.find_last_not_of("\r\n") + 1);
    return reply;
  }
  bool is_answered_within(std::chrono::seconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (replies().empty()) {
      std::unique_lock lock(mutex_);
      if (!woken_.wait_until(lock, end, [this] { return awake_; })) return false;
      awake_ = false;
    }
    return true;
  }
  engine::Handled ask_behind_pending(const std::string& line) {
    Buffer out;
    return dispatcher_.handle(line, &writer_, pending_, out);
  }

 private:
  void wake() {
    std::lock_guard lock(mutex_);
    awake_ = true;
    woken_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable woken_;
  bool awake_ = false;  // guarded by mutex_
  int reader_ = 0;      // connections, by their addresses
  int writer_ = 0;
  std::size_t pending_ = 0;
  engine::Dispatcher dispatcher_;
};

}  // namespace karma::test
