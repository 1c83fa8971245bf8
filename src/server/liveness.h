// Do the loops of the node turn? Each is asked to do a little something, and has so long for it.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "server/asio.h"

namespace karma::server {

// A thread that takes up one piece of work after the other.
struct Loop {
  // Says whether the loop has turned since it was asked. Any thread may call it.
  using HasTurned = std::function<bool()>;

  std::string name;
  std::function<HasTurned()> ask;
};

// A loop that runs what is posted to it.
Loop posted_loop(std::string name, std::function<void(std::function<void()>)> post);

// Belongs to the thread of its context.
class Liveness {
 public:
  // Gets the names of the loops that have not turned.
  using Told = std::function<void(std::vector<std::string>)>;

  Liveness(asio::io_context& context, std::chrono::milliseconds patience) : timer_(context), patience_(patience) {}

  void watch(std::vector<Loop> loops);
  // Those who ask while others wait get the same answer.
  void ask(Told told);

 private:
  struct Watched {
    Loop loop;
    Loop::HasTurned asked;  // empty: nothing is under way
  };

  void look();
  void wait();
  void tell();

  Timer timer_;
  const std::chrono::milliseconds patience_;
  std::vector<Watched> loops_;
  std::vector<Told> waiting_;
  std::chrono::steady_clock::time_point deadline_{};
};

}  // namespace karma::server
