#include "tools/decoder.h"

#include <zlib.h>
#include <zstd.h>

#include <new>
#include <string>

namespace karma::tools {
namespace {

constexpr std::size_t kOutBytes = 256 * 1024;

Error damaged(std::string_view name, std::string_view why) {
  return validation_error("the " + std::string(name) + " data is damaged: " + std::string(why));
}
Error cut_off(std::string_view name) {
  return validation_error("the " + std::string(name) + " data is cut off: its end is missing");
}

class Gzip : public Decoder {
 public:
  Gzip() {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    if (::inflateInit2(&stream_, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~Gzip() override { ::inflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;

  std::string_view name() const override { return "gzip"; }

  Status take(std::string_view packed, const Sink& sink) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(packed.size());
    bool full = false;
    while (stream_.avail_in > 0 || full) {
      if (ended_) {
        // Zeros are what some writers fill the last block with.
        while (stream_.avail_in > 0 && *stream_.next_in == 0) ++stream_.next_in, --stream_.avail_in;
        if (stream_.avail_in == 0) return {};
        ::inflateReset(&stream_);
      }
      stream_.next_out = reinterpret_cast<Bytef*>(out_.get());
      stream_.avail_out = kOutBytes;
      const int found = ::inflate(&stream_, Z_NO_FLUSH);
      if (found == Z_MEM_ERROR) throw std::bad_alloc();
      if (found != Z_OK && found != Z_STREAM_END && found != Z_BUF_ERROR)
        return damaged(name(), stream_.msg == nullptr ? "it needs a dictionary" : stream_.msg);
      ended_ = found == Z_STREAM_END;
      full = stream_.avail_out == 0 && !ended_;
      if (Status status = sink({out_.get(), kOutBytes - stream_.avail_out}); !status.ok()) return status;
    }
    return {};
  }
  Status finish() override { return ended_ ? Status() : cut_off(name()); }

 private:
  z_stream stream_{};
  std::unique_ptr<char[]> out_ = std::make_unique<char[]>(kOutBytes);
  bool ended_ = false;  // a member, and no other has begun
};

class Zstd : public Decoder {
 public:
  Zstd() : stream_(::ZSTD_createDStream()) {
    if (stream_ == nullptr) throw std::bad_alloc();
    // What zstd --long=31 writes, too.
    constexpr int kLargestWindow = sizeof(std::size_t) > 4 ? 31 : 30;
    (void)::ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kLargestWindow);
  }

  std::string_view name() const override { return "zstd"; }

  Status take(std::string_view packed, const Sink& sink) override {
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    bool full = false;
    while (in.pos < in.size || full) {
      ZSTD_outBuffer out{out_.get(), kOutBytes, 0};
      wanted_ = ::ZSTD_decompressStream(stream_.get(), &out, &in);
      if (::ZSTD_isError(wanted_) != 0) return damaged(name(), ::ZSTD_getErrorName(wanted_));
      if (Status status = sink({out_.get(), out.pos}); !status.ok()) return status;
      full = out.pos == out.size && wanted_ != 0;
    }
    return {};
  }
  Status finish() override { return wanted_ == 0 ? Status() : cut_off(name()); }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ::ZSTD_freeDStream(stream); }
  };
  std::unique_ptr<ZSTD_DStream, Free> stream_;
  std::unique_ptr<char[]> out_ = std::make_unique<char[]>(kOutBytes);
  std::size_t wanted_ = 1;  // bytes of the frame that are missing; 0 at its end
};

}  // namespace

std::unique_ptr<Decoder> decoder_for(std::string_view first_bytes) {
  if (first_bytes.starts_with("\x1f\x8b")) return std::make_unique<Gzip>();
  if (first_bytes.starts_with("\x28\xb5\x2f\xfd")) return std::make_unique<Zstd>();
  return nullptr;
}

}  // namespace karma::tools
