// Unpacks gzip and zstd, of one or several members one after the other, as it comes.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include <karma/error.h>

namespace karma::tools {

class Decoder {
 public:
  using Sink = std::function<Status(std::string_view bytes)>;

  virtual ~Decoder() = default;
  virtual std::string_view name() const = 0;
  // At most 1 GiB at a time.
  virtual Status take(std::string_view packed, const Sink& sink) = 0;
  // Nothing follows: fails if it should.
  virtual Status finish() = 0;
};

// By the first bytes, at least four of them if there are that many. Nothing if they are not packed so.
std::unique_ptr<Decoder> decoder_for(std::string_view first_bytes);

}  // namespace karma::tools
