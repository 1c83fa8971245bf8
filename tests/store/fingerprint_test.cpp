#include "store/fingerprint.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/engine_fixture.h"

namespace karma::store {
namespace {

TEST(Fingerprint, OfAnIncrementIsWhatKarmaOneComputes) {
  FingerprintBuilder builder("increment");
  builder.text("series", "links");
  builder.number("key", 42);
  builder.number("bucket", 20260505);
  builder.number("value", 1);
  EXPECT_EQ(to_hex(builder.finish()), "273e5537ec80bce468f869cf8e92185b5b6118d36c6e515502bcc5ac4dbe24eb");
}

TEST(Fingerprint, CountsBytesOfTextsAndListsItems) {
  FingerprintBuilder builder("batch_add");
  builder.text("series", "Ünï");
  builder.count("items_count", 2);
  for (const auto& [key, value] : {std::pair{42, 10}, {43, 3}}) {
    builder.number("item_key", static_cast<std::uint64_t>(key));
    builder.number("item_bucket", 20260505);
    builder.number("item_value", static_cast<std::uint64_t>(value));
  }
  EXPECT_EQ(to_hex(builder.finish()), "8c26bcbd0aa3d0062c9aa2e10a445079b24645a8eb559af2885534b673c591c1");
}

TEST(Fingerprint, SaysWhatIsAbsent) {
  FingerprintBuilder builder("delete");
  builder.text("series", "links");
  builder.absent("key");
  builder.number("range_from", 20260501);
  builder.number("range_to", 20260505);
  EXPECT_EQ(to_hex(builder.finish()), "d8baf4a132ba33f7de10fbb7e7408fe14699e45090aeccf049e1cbcd5f07e6f3");
}

// However long they are, and however they come to lie in the builder's memory.
TEST(Fingerprint, IsTheSameForLongLists) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  std::mt19937_64 random(seed);
  for (const std::size_t count : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 30, 34, 35, 100, 1000}) {
    const std::string name(random() % 70, 'x');
    std::string lines = "command:s:9:batch_add\nseries:s:" + std::to_string(name.size()) + ":" + name +
                        "\nitems_count:i:" + std::to_string(count) + "\n";
    std::vector<Item> items;
    for (std::size_t i = 0; i < count; ++i) {
      const Item& item = items.emplace_back(Item{{random() >> random() % 64},
                                                 Bucket::of_number(random() >> random() % 64),
                                                 random() % 3 == 0 ? UINT64_MAX : random() >> random() % 64});
      lines += "item_key:u:" + std::to_string(item.key.value) +
               "\nitem_bucket:u:" + std::to_string(item.bucket.number()) +
               "\nitem_value:u:" + std::to_string(item.value) + "\n";
    }
    FingerprintBuilder builder("batch_add");
    builder.text("series", name);
    builder.items(items);
    const std::string last(random() % 3000, 'y');
    builder.text("last", last);
    builder.absent("key");
    lines += "last:s:" + std::to_string(last.size()) + ":" + last + "\nkey:n\n";
    ASSERT_EQ(builder.finish(), sha256(lines)) << count;
  }
}

TEST(Fingerprint, IsTheSameForLongTexts) {
  for (std::size_t length = 0; length < 4400; length += 7) {
    const std::string name(length, 'x');
    FingerprintBuilder builder("reset");
    builder.text("series", name);
    builder.number("key", UINT64_MAX);
    const std::string lines =
        "command:s:5:reset\nseries:s:" + std::to_string(length) + ":" + name + "\nkey:u:18446744073709551615\n";
    ASSERT_EQ(builder.finish(), sha256(lines)) << length;
  }
}

}  // namespace
}  // namespace karma::store
