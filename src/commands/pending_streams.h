// Ingest streams that a batch changes and that are not applied yet: what the next request has to reckon with.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "store/ingest.h"

namespace karma::commands {

// Texts belong to the requests, which live until the batch is applied.
class PendingStreams {
 public:
  struct Stream {
    std::string_view id;
    std::string_view series;   // of its chunks
    std::uint64_t chunks = 0;  // 0: a begin, a commit or an abort is pending
  };

  const Stream* find(std::string_view id) const {
    for (const Stream& stream : streams_)
      if (stream.id == id) return &stream;
    return nullptr;
  }
  void clear() {
    if (streams_.empty()) return;
    streams_.clear();
    ahead_ = {};
  }
  const store::IngestStreams::Ahead& ahead() const { return ahead_; }

  void begin(std::string_view id) {
    streams_.push_back({.id = id, .series = {}});
    ++ahead_.streams;
  }
  void end(std::string_view id) { streams_.push_back({.id = id, .series = {}}); }
  void add_chunk(std::string_view id, std::string_view series, std::uint64_t staged_points) {
    ++ahead_.chunks;
    ahead_.points += staged_points;
    for (Stream& stream : streams_)
      if (stream.id == id) return static_cast<void>(++stream.chunks);
    streams_.push_back({.id = id, .series = series, .chunks = 1});
  }

 private:
  std::vector<Stream> streams_;
  store::IngestStreams::Ahead ahead_;
};

}  // namespace karma::commands
