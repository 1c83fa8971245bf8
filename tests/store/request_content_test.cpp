#include "store/request_content.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>

#include "commands/counter.h"
#include "commands/fingerprint.h"
#include "store/short_number.h"

namespace karma::store {
namespace {

Fingerprint hashed(std::string_view command, const CounterChange& change) {
  FingerprintBuilder builder(command);
  builder.text("series", change.series);
  builder.number("key", change.key.value);
  builder.number("bucket", change.bucket.number());
  builder.number("value", change.value);
  return builder.finish();
}

std::optional<RequestContent> kept(const CounterChange& change) {
  static std::deque<RequestContent::Room> rooms;  // they never move
  return RequestContent::keep(change, rooms.emplace_back());
}

TEST(ShortNumber, IsReadBackFromItsBytes) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 10000; ++i) {
    const std::uint64_t value = i == 0 ? 0 : i == 1 ? UINT64_MAX : random() >> random() % 64;
    char bytes[2 * sizeof(value)];
    const unsigned size = short_number_bytes(value);
    ASSERT_EQ(size, value == 0 ? 0 : 1 + static_cast<unsigned>(std::bit_width(value) - 1) / 8);
    ASSERT_EQ(put_short_number(bytes, value, size), bytes + size);
    bytes[size] = '\xff';  // of what comes after it
    std::uint64_t read;
    ASSERT_EQ(get_short_number(bytes, size, read), bytes + size);
    ASSERT_EQ(read, value);
  }
}

TEST(RequestContent, HasTheFingerprintOfTheRequest) {
  std::mt19937_64 random(1);
  std::size_t kept_whole = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string series(1 + random() % 60, static_cast<char>('a' + random() % 26));
    const CounterChange change{
        series, {random() >> random() % 64}, Bucket::of_number(random() >> random() % 64), random() >> random() % 64};
    const std::string_view command = i % 2 == 0 ? "increment" : "decrement";
    const std::optional<RequestContent> content = kept(change);
    if (!content) continue;
    ++kept_whole;
    EXPECT_FALSE(content->is_fingerprint());
    EXPECT_LE(content->bytes().size(), RequestContent::kMaxBytes);
    EXPECT_EQ(content->fingerprint(command), hashed(command, change));
    EXPECT_EQ(RequestContent::of_bytes(content->bytes(), false).fingerprint(command), hashed(command, change));
  }
  EXPECT_GT(kept_whole, 500u);
  EXPECT_FALSE(kept({std::string(RequestContent::kMaxBytes - 4, 'x'), {1}, {}, 1}));
  EXPECT_TRUE(kept({std::string(RequestContent::kMaxBytes - 5, 'x'), {1}, {}, 1}));
}

// What the ops make of themselves, short and long: the hash that Karma 1.0 computes, either way.
TEST(RequestContent, IsThatOfTheOp) {
  for (const std::size_t length : {5, 128}) {
    const std::string series(length, 's');
    const commands::CounterIncrement up{{series}, {42}, Bucket::of_number(20260505), 7};
    const commands::CounterDecrement down{{series}, {42}, Bucket::of_number(20260505), 7};
    Arena arena;
    const RequestContent content = commands::content_of(up, arena);
    EXPECT_EQ(content.is_fingerprint(), length == 128);
    EXPECT_EQ(content.fingerprint("increment"), commands::fingerprint_of(up));
    EXPECT_EQ(commands::content_of(down, arena).fingerprint("decrement"), commands::fingerprint_of(down));
  }
}

TEST(RequestContent, IsTheSameOnlyForTheSameRequest) {
  const CounterChange change{"links", {42}, Bucket::of_number(20260505), 1};
  const RequestContent content = *kept(change);
  const Fingerprint saved = hashed("increment", change);
  const RequestContent restored = saved;  // from a snapshot
  EXPECT_TRUE(content.same(content, "increment"));
  EXPECT_TRUE(content.same(restored, "increment"));
  EXPECT_TRUE(restored.same(content, "increment"));
  EXPECT_TRUE(restored.same(restored, "increment"));
  EXPECT_FALSE(restored.same(content, "decrement"));
  for (const CounterChange& other : {CounterChange{"link", {42}, change.bucket, 1},
                                     {"links", {43}, change.bucket, 1},
                                     {"links", {42}, Bucket::of_number(20260506), 1},
                                     {"links", {42}, change.bucket, 2},
                                     {"linkt", {42}, change.bucket, 1}}) {
    EXPECT_FALSE(content.same(*kept(other), "increment"));
    EXPECT_FALSE(restored.same(*kept(other), "increment"));
    EXPECT_FALSE(kept(other)->same(restored, "increment"));
  }
}

}  // namespace
}  // namespace karma::store
