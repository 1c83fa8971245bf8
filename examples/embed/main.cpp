// Counts the words of its standard input, by day, without a server:
//
//   embed DIRECTORY < text
//
// The counters are in DIRECTORY and go on counting at the next run. A word is counted under its hash, since keys are
// numbers; it prints how often each has been met so far, in the order in which they came.
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <karma/engine.h>

namespace {

// FNV-1a.
std::uint64_t key_of(const std::string& word) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char letter : word) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3;
  return hash;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "Usage: embed DIRECTORY < text\n";
    return 2;
  }
  karma::Config config;
  config.directory = argv[1];
  config.log = false;  // nothing on standard output but the result
  auto engine = karma::Engine::open(config);
  if (!engine) {
    std::cerr << engine.error().message << '\n';
    return 1;
  }

  std::vector<std::string> words;
  std::vector<std::string> requests;
  for (std::string word; std::cin >> word;) {
    requests.push_back(R"({"v":2,"op":"counter.increment","series":"words","key":)" + std::to_string(key_of(word)) +
                       "}");
    words.push_back(std::move(word));
  }
  // Together: the log is synced once for all of them, not once for each.
  const std::vector<std::string> replies = (*engine)->execute(requests);

  std::map<std::string, bool> printed;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (replies[i].find(R"("success":true)") == std::string::npos) {
      std::cerr << replies[i] << '\n';
      return 1;
    }
    if (std::exchange(printed[words[i]], true)) continue;
    const std::string sum = (*engine)->execute(R"({"v":2,"op":"counter.sum","series":"words","key":)" +
                                               std::to_string(key_of(words[i])) + "}");
    std::cout << words[i] << ": " << sum << '\n';
  }
  const karma::Status closed = (*engine)->close(true);
  if (!closed) std::cerr << closed.error().message << '\n';
  return closed ? 0 : 1;
}
