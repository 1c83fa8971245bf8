#include "tools/input_file.h"

#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

#include "support/engine_fixture.h"
#include "tools/decoder.h"

namespace karma::tools {
namespace {

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(::deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(::deflateBound(&stream, text.size()) + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  ::deflateEnd(&stream);
  return packed;
}

std::string zstd(const std::string& text) {
  std::string packed(::ZSTD_compressBound(text.size()), '\0');
  packed.resize(::ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}

// "!" before the message if it fails.
std::string unpacked(const std::string& packed, std::size_t at_once) {
  const std::unique_ptr<Decoder> decoder = decoder_for(packed);
  if (!decoder) return "!no decoder";
  std::string text;
  const auto sink = [&](std::string_view bytes) { return text += bytes, Status(); };
  for (std::size_t at = 0; at < packed.size(); at += at_once) {
    if (Status status = decoder->take(std::string_view(packed).substr(at, at_once), sink); !status.ok())
      return "!" + status.error().message;
  }
  const Status status = decoder->finish();
  return status.ok() ? text : "!" + status.error().message;
}

TEST(Decoder, UnpacksGzipAndZstdInPiecesAndSeveralMembers) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  std::mt19937_64 random(seed);
  for (const std::size_t size : {0, 1, 1000, 1000000}) {
    std::string text(size, 'x');
    for (std::size_t i = 0; i < size; ++i) {
      if (random() % 4 == 0) text[i] = static_cast<char>(random());
    }
    for (const std::size_t at_once : {1, 7, 100000, 1 << 20}) {
      if (at_once < 100 && size > 1000) continue;
      ASSERT_EQ(unpacked(gzip(text), at_once), text);
      ASSERT_EQ(unpacked(zstd(text), at_once), text);
      ASSERT_EQ(unpacked(gzip(text) + gzip("more"), at_once), text + "more");
      ASSERT_EQ(unpacked(zstd(text) + zstd("more"), at_once), text + "more");
      ASSERT_EQ(unpacked(gzip(text) + std::string(600, '\0'), at_once), text) << "filled up";
    }
  }
  EXPECT_EQ(unpacked(gzip(std::string(10000000, 'x')), 1 << 20).size(), 10000000u);
  EXPECT_EQ(unpacked(zstd(std::string(10000000, 'x')), 1 << 20).size(), 10000000u);
}

TEST(Decoder, NoticesWhatIsCutOffOrDamaged) {
  for (const std::string& packed : {gzip("1,20260505,1\n"), zstd("1,20260505,1\n")}) {
    for (std::size_t size = 4; size < packed.size(); ++size)
      EXPECT_NE(unpacked(packed.substr(0, size), 100).find("cut off"), std::string::npos) << size;
  }
  std::string packed = gzip("1,20260505,1\n");
  packed[packed.size() - 6] ^= 1;  // of the checksum
  EXPECT_NE(unpacked(packed, 100).find("the gzip data is damaged"), std::string::npos);
  EXPECT_EQ(unpacked(gzip("x") + "y", 100)[0], '!') << "something follows";
  EXPECT_EQ(unpacked(zstd("x") + "yyyy", 100)[0], '!');
}

TEST(InputFile, ReadsPlainAndPackedFilesAndNamesWhatItCannotRead) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("karma-input-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  std::vector<std::string> notices;
  const auto content = [&](const std::string& bytes) -> std::string {
    std::ofstream(folder / "input", std::ios::binary) << bytes;
    const Result<std::unique_ptr<File>> file =
        open_input(folder / "input", [&](const std::string& text) { notices.push_back(text); });
    if (!file) return file.error().message;
    std::string text(100, '\0');
    const Result<std::size_t> size = (*file)->read_at(0, text.data(), text.size());
    return size ? text.substr(0, *size) : size.error().message;
  };
  const auto left = [&] { return std::distance(std::filesystem::directory_iterator(folder), {}); };
  EXPECT_EQ(content("1,20260505,1\n"), "1,20260505,1\n");
  EXPECT_EQ(content(""), "");
  EXPECT_TRUE(notices.empty());
  EXPECT_EQ(content(gzip("1,20260505,1\n")), "1,20260505,1\n");
  EXPECT_EQ(content(zstd("1,20260505,1\n")), "1,20260505,1\n");
  ASSERT_EQ(notices.size(), 2u);
  EXPECT_NE(notices[0].find("input is packed (gzip): unpacked into a temporary file in"), std::string::npos)
      << notices[0];
  EXPECT_EQ(left(), 1) << "the copy has no name";

  const auto tells = [&](const std::string& bytes, const std::string& part) {
    const std::string found = content(bytes);
    EXPECT_TRUE(found.starts_with((folder / "input").string() + ": ")) << found;
    EXPECT_NE(found.find(part), std::string::npos) << found;
  };
  using namespace std::string_literals;
  tells("\xff\xfe"s + "1\0,\0"s, "iconv -f UTF-16");
  tells("1\0,\0"s, "UTF-16");
  tells(gzip("\xff\xfe"s + "1\0"s), "UTF-16");
  tells(gzip(gzip("x")), "packed twice");
  tells("PK\x03\x04...", "ZIP archive or a spreadsheet");
  tells(
      "\xfd"
      "7zXZ",
      "xz -dc");
  tells("BZh91AY", "bzip2 -dc");
  tells("PAR1....", "CSV or NDJSON");
  tells(gzip("1,20260505,1\n").substr(0, 20), "cut off");
  std::filesystem::remove_all(folder);
  const Result<std::unique_ptr<File>> missing = open_input("no/such.csv", [](const std::string&) {});
  ASSERT_FALSE(missing.ok());
  EXPECT_TRUE(missing.error().message.starts_with("no/such.csv (/")) << missing.error().message;
  EXPECT_NE(missing.error().message.find("there is no such file"), std::string::npos);
  EXPECT_FALSE(open_input("/", [](const std::string&) {}).ok());
}

}  // namespace
}  // namespace karma::tools
