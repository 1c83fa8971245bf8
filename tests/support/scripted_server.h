// A server that answers line by line what a function says, for replies that no Karma of this version would give.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace karma::test {

class ScriptedServer {
 public:
  // Called by one thread at a time.
  using Answer = std::function<std::string(const std::string& line)>;

  // On a free port of 127.0.0.1.
  explicit ScriptedServer(Answer answer);
  ~ScriptedServer();

  int port() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace karma::test
