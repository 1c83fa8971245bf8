#include "core/sha256.h"

#include <gtest/gtest.h>

#include <string>

namespace karma {
namespace {

struct KnownAnswer {
  std::string text;
  std::string_view digest;
};

const KnownAnswer kKnownAnswers[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {std::string(1000000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

TEST(Sha256, GivesTheKnownAnswers) {
  for (const KnownAnswer& known : kKnownAnswers) EXPECT_EQ(to_hex(sha256(known.text)), known.digest);
}

TEST(Sha256, DoesNotDependOnThePieces) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  for (std::size_t length = 0; length <= text.size(); ++length) {
    const std::string_view all = std::string_view(text).substr(0, length);
    const Sha256Digest whole = sha256(all);
    for (const std::size_t piece : {1, 3, 63, 64, 65}) {
      Sha256 sha;
      for (std::size_t at = 0; at < length; at += piece) sha.update(all.substr(at, piece));
      ASSERT_EQ(sha.finish(), whole) << length << " bytes by " << piece;
    }
  }
}

TEST(Sha256, ReadsItsOwnHexAndNothingElse) {
  const Sha256Digest digest = sha256("karma");
  const std::string hex = to_hex(digest);
  Sha256Digest read;
  ASSERT_TRUE(parse_hex(hex, read));
  EXPECT_EQ(read, digest);
  EXPECT_FALSE(parse_hex(hex.substr(1), read));
  EXPECT_FALSE(parse_hex(hex + "0", read));
  std::string other = hex;
  other[10] = 'G';
  EXPECT_FALSE(parse_hex(other, read));
  other[10] = 'A';
  EXPECT_FALSE(parse_hex(other, read));
}

}  // namespace
}  // namespace karma
