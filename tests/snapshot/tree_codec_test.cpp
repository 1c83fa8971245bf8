#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "core/crc32c.h"
#include "snapshot/tree_decoder.h"
#include "snapshot/tree_encoder.h"
#include "store/series.h"
#include "support/crashable_file_system.h"

namespace karma::snapshot {
namespace {

using Counters = std::map<std::uint64_t, std::map<std::uint64_t, std::uint64_t>>;

store::Series series_of(const Counters& counters) {
  store::Series series(1);
  for (const auto& [key, days] : counters) {
    std::vector<store::Point> points;
    for (const auto& [bucket, value] : days) points.push_back({Bucket::of_number(bucket), value});
    EXPECT_TRUE(series.load(Key{key}, points));
  }
  return series;
}

std::string encode(const Counters& counters) {
  std::string bytes;
  const store::Series series = series_of(counters);
  EXPECT_TRUE(encode_tree(series.view(), [&](std::string_view piece) {
                bytes += piece;
                return Status();
              }).ok());
  return bytes;
}

Result<TreeFacts> decode(const std::string& bytes, Counters* counters = nullptr) {
  test::CrashableFileSystem files;
  files.edit("/t/x", bytes);
  const auto file = files.open("/t/x", FileSystem::Open::read);
  store::Series series(2);
  Result<TreeFacts> facts = decode_tree(**file, [&](Key key, std::span<const store::Point> points) {
    EXPECT_TRUE(std::is_sorted(points.begin(), points.end(),
                               [](const store::Point& a, const store::Point& b) { return a.bucket < b.bucket; }));
    return series.load(key, points);
  });
  series.check_invariants();
  if (counters) {
    series.for_each([&](Key key, std::uint64_t, std::span<const store::Point> points) {
      for (const store::Point& point : points) (*counters)[key.value][point.bucket.number()] = point.value;
    });
  }
  return facts;
}

std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size();) {
    if (hex[i] == ' ') {
      ++i;
      continue;
    }
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    i += 2;
  }
  return bytes;
}

const std::string kHead = bytes_of("82ac 6272616e636865735f6e756d 09 a8 6272616e63686573 99");
const std::string kTable = "\xa5table";
const std::string kTotal = "\xa5total";

// A tree whose branch 6 holds `counter` under key 42, or branch 0 other things.
std::string tree_with(const std::string& key_and_counter) {
  return kHead + std::string(6, '\x80') + '\x81' + key_and_counter + std::string(2, '\x80');
}

TEST(TreeEncoder, WritesTheBytesOfKarma10) {
  EXPECT_EQ(encode({{42, {{20260505, 10}, {20260504, 300}}}}),
            kHead + bytes_of("80 80 80 80 80 80 81 2a82 a5 7461626c65 82 ce01352698cd012c ce013526990a"
                             "a5 746f74616c cd0136 80 80"));
}

// MessagePack by its book: the smallest form of an unsigned integer.
std::string integer(std::uint64_t number) {
  const int bytes = number < 0x80 ? 0 : number <= 0xff ? 1 : number <= 0xffff ? 2 : number <= 0xffffffff ? 4 : 8;
  if (bytes == 0) return std::string(1, static_cast<char>(number));
  std::string text(1, static_cast<char>(bytes == 1 ? 0xcc : bytes == 2 ? 0xcd : bytes == 4 ? 0xce : 0xcf));
  for (int byte = bytes; byte-- > 0;) text += static_cast<char>(number >> (8 * byte));
  return text;
}

TEST(TreeCodec, EveryKindOfBucketWithEveryKindOfValueHasItsBytes) {
  const std::vector<std::uint64_t> edges = {1,          0x7f,       0x80,       0x81,        0xcc,        0xce,
                                            0xff,       0x100,      0xffff,     0x10000,     0x10001,     20260131,
                                            0x7fffffff, 0xce000000, 0xffffffff, 0x100000000, 0x100000001, 1ull << 63};
  for (const std::uint64_t value : edges) {
    std::map<std::uint64_t, std::uint64_t> days;
    std::string table;
    std::uint64_t total = 0;
    for (const std::uint64_t bucket : edges) {
      if (total > ~std::uint64_t{0} - value) break;
      days[bucket] = value;
      table += integer(bucket) + integer(value);
      total += value;
    }
    std::string map = days.size() < 16 ? std::string(1, static_cast<char>(0x80 | days.size()))
                                       : std::string("\xde\0", 2) + static_cast<char>(days.size());
    const std::string bytes = tree_with(std::string("\x2a\x82") + kTable + map + table + kTotal + integer(total));
    EXPECT_EQ(encode({{42, days}}), bytes) << value;
    Counters found;
    const auto facts = decode(bytes, &found);
    ASSERT_TRUE(facts.ok()) << value;
    EXPECT_EQ(facts->oddities(), "");
    EXPECT_EQ(found, (Counters{{42, days}})) << value;
  }
}

TEST(TreeDecoder, TakesValuesInLongerFormsThanTheyNeed) {
  const std::string bucket = integer(20260505);
  for (const char* const hex : {"05", "cc05", "cd0005", "ce00000005", "cf0000000000000005", "d005", "d10005",
                                "d200000005", "d30000000000000005"}) {
    Counters found;
    const auto facts =
        decode(tree_with(std::string("\x2a\x82") + kTable + "\x81" + bucket + bytes_of(hex) + kTotal + "\x05"), &found);
    ASSERT_TRUE(facts.ok()) << hex;
    EXPECT_EQ(found, (Counters{{42, {{20260505, 5}}}})) << hex;
  }
  for (const char* const hex :
       {"d0ff", "d1ffff", "d2ffffffff", "e0", "ff", "c0", "c2", "ca00000000", "a0", "80", "90"}) {
    const auto facts =
        decode(tree_with(std::string("\x2a\x82") + kTable + "\x81" + bucket + bytes_of(hex) + kTotal + "\x05"));
    EXPECT_FALSE(facts.ok()) << hex;
  }
}

TEST(TreeEncoder, WritesAnEmptySeriesInThirtyFourBytes) {
  EXPECT_EQ(encode({}), kHead + std::string(9, '\x80'));
  EXPECT_EQ(encode({}).size(), 34u);
}

TEST(TreeDecoder, ReadsTheBytesOfKarma10) {
  Counters counters;
  const auto facts = decode(bytes_of("82ac 6272616e636865735f6e756d 09 a8 6272616e63686573 99 80 80 80 80 80 80 81"
                                     "2a82 a5 7461626c65 82 ce013526990a ce01352698cd012c a5 746f74616c cd0136 80 80"),
                            &counters);
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(counters, (Counters{{42, {{20260505, 10}, {20260504, 300}}}}));
  EXPECT_EQ(facts->oddities(), "");
  EXPECT_EQ(facts->bytes, 66u);
}

TEST(TreeCodec, BringsBackExtremes) {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  Counters counters;
  for (const std::uint64_t edge :
       {0x7full, 0x80ull, 0xffull, 0x100ull, 0xffffull, 0x10000ull, 0xffffffffull, 0x100000000ull}) {
    counters[edge] = {{20260101, edge}, {edge, 1}};
  }
  counters[0] = {{0, kMax}};
  counters[kMax] = {{kMax, kMax - 1}, {99999999, 1}};
  counters[kMax - 1] = {{0, 1}, {1, 1}, {20260231, 5}, {20260301, 5}, {20260302, 6}};
  for (const std::size_t count : {15, 16, 65535, 65536}) {
    for (std::size_t i = 0; i < count; ++i) counters[1000 + count][i + 3] = i + 1;
  }
  Counters found;
  const std::string bytes = encode(counters);
  const auto facts = decode(bytes, &found);
  ASSERT_TRUE(facts.ok());
  EXPECT_TRUE(found == counters);
  EXPECT_EQ(facts->key_count, counters.size());
  EXPECT_EQ(facts->crc, crc32c(bytes));
  EXPECT_EQ(facts->oddities(), "");
}

TEST(TreeCodec, BringsBackAnySeries) {
  const char* const given = std::getenv("KARMA_TEST_SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("KARMA_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20; ++round) {
    Counters counters;
    const std::size_t keys = random() % 2000;
    for (std::size_t i = 0; i < keys; ++i) {
      auto& days = counters[random() % 4 ? random() % 10000 : random()];
      const std::size_t count = 1 + random() % 40;
      for (std::size_t day = 0; day < count; ++day) {
        const auto bucket = Bucket::of_day(static_cast<std::int32_t>(20000 + random() % 400)).number();
        days[random() % 9 ? bucket : random()] = 1 + (random() >> (16 + random() % 48));
      }
    }
    Counters found;
    const std::string bytes = encode(counters);
    const auto facts = decode(bytes, &found);
    ASSERT_TRUE(facts.ok());
    ASSERT_TRUE(found == counters);
    ASSERT_EQ(encode(found), bytes);
  }
}

TEST(TreeCodec, PassesWindowsOfTheFile) {
  Counters counters;
  for (std::uint64_t key = 0; key < 700; ++key) {
    for (std::uint64_t day = 0; day < 365; ++day) {
      counters[key * 7919][Bucket::of_day(static_cast<std::int32_t>(20000 + day)).number()] = key * day + 1;
    }
  }
  Counters found;
  const std::string bytes = encode(counters);
  ASSERT_GT(bytes.size(), std::size_t{1} << 20);
  ASSERT_TRUE(decode(bytes, &found).ok());
  EXPECT_TRUE(found == counters);
  // A field of two MiB that is not ours, in front and inside of the counters.
  const std::string blob = "\xdb" + bytes_of("00200000") + std::string(2 << 20, 'x');
  std::string with_blob = "\x83\xa1z" + blob + bytes.substr(1);
  found.clear();
  const auto facts = decode(with_blob, &found);
  ASSERT_TRUE(facts.ok());
  EXPECT_TRUE(found == counters);
  EXPECT_EQ(facts->crc, crc32c(with_blob));
}

TEST(TreeDecoder, TakesWhatKarma10Takes) {
  const Counters wanted = {{42, {{5, 7}}}};
  const std::string counter = "\x2a\x82" + kTable + "\x81\x05\x07" + kTotal + "\x07";
  const std::string branches = std::string(6, '\x80') + '\x81' + counter + "\x80\x80";
  const auto expect = [&](const std::string& bytes, const std::string& oddities, const char* what) {
    Counters found;
    const auto facts = decode(bytes, &found);
    ASSERT_TRUE(facts.ok()) << what;
    EXPECT_EQ(found, wanted) << what;
    EXPECT_EQ(facts->oddities(), oddities) << what;
    EXPECT_EQ(facts->bytes, bytes.size()) << what;
    EXPECT_EQ(facts->crc, crc32c(bytes)) << what;
  };
  expect(tree_with(counter), "", "as it is");
  expect(
      "\x82\xa8"
      "branches\x99" +
          branches +
          "\xac"
          "branches_num\x09",
      "", "fields in another order");
  expect(tree_with("\x2a\x82" + kTotal + "\x07" + kTable + "\x81\x05\x07"), "", "fields of a counter likewise");
  expect(
      "\x83\xa5"
      "extra\x92\x81\xa1k\xcb" +
          std::string(8, 'd') + "\xc0" + tree_with(counter).substr(1),
      "", "a further field");
  expect(tree_with("\x2a\x83\xd9\x04more\xc3" + kTable + "\x81\x05\x07" + kTotal + "\x07"), "",
         "a further field of a counter");
  expect(tree_with(counter) + "anything at all", "", "bytes after the end");
  expect(tree_with("\xd3" + bytes_of("000000000000002a") + "\x82" + kTable +
                   bytes_of("df00000001 cf0000000000000005 d007") + kTotal + bytes_of("cd0007")),
         "", "integers and headers in longer forms");
  expect(
      "\x82\xac"
      "branches_num\x03\xa8"
      "branches\x93\x81" +
          counter + "\x80\x80",
      "", "three branches");
  expect(
      "\x82\xac"
      "branches_num\x04\xa8"
      "branches\x93\x81" +
          counter + "\x80\x80",
      "a wrong number of branches", "a number of branches that is not theirs");
  expect(
      "\x81\xa8"
      "branches\x93\x81" +
          counter + "\x80\x80",
      "a wrong number of branches", "no number of branches");
  expect(kHead + "\x81" + counter + std::string(8, '\x80'), "1 keys in a wrong branch", "a key in a wrong branch");
  expect(tree_with("\x2a\x82" + kTable + "\x81\x05\x07" + kTotal + "\x08"), "1 counters with a wrong total",
         "a wrong total");
  expect(tree_with("\x2a\x81" + kTable + "\x81\x05\x07"), "1 counters with a wrong total", "no total");
  std::string zero("\x2a\x82" + kTable + "\x82\x05\x07\x06");
  zero.push_back('\0');
  expect(tree_with(zero + kTotal + "\x07"), "1 buckets with the value 0", "a value of 0");
  std::string empty("\x33\x82" + kTable + "\x80" + kTotal);
  empty.push_back('\0');
  expect(kHead + std::string(6, '\x80') + '\x82' + counter + empty + "\x80\x80", "", "an empty counter");
}

TEST(TreeDecoder, SortsBuckets) {
  Counters found;
  ASSERT_TRUE(decode(tree_with("\x2a\x82" + kTable + "\x83\x09\x01\x05\x02\x07\x03" + kTotal + "\x06"), &found).ok());
  EXPECT_EQ(found, (Counters{{42, {{5, 2}, {7, 3}, {9, 1}}}}));
}

TEST(TreeDecoder, RefusesWhatNoWriterMakes) {
  const std::string counter = "\x2a\x82" + kTable + "\x81\x05\x07" + kTotal + "\x07";
  const std::string big = "\xcf" + std::string(8, '\xff');
  const auto fault = [](const std::string& bytes) {
    auto facts = decode(bytes);
    return facts.ok() ? std::string("taken") : facts.error().message;
  };
  EXPECT_EQ(fault(""), "it is cut off");
  EXPECT_EQ(fault("\xc0"), "a map is expected");
  EXPECT_EQ(fault("\x80"), "it has no branches");
  EXPECT_EQ(fault(std::string("\x81\x05\x05")), "a field name is expected");
  EXPECT_EQ(fault("\x81\xa8"
                  "branches\x80"),
            "an array is expected");
  EXPECT_EQ(fault("\x81\xa8"
                  "branches\x91\xc0"),
            "a map is expected");
  EXPECT_EQ(fault("\x82\xa8"
                  "branches\x90\xa8"
                  "branches\x90"),
            "it has a field twice");
  EXPECT_EQ(fault(kHead + std::string(6, '\x80') + '\x82' + counter + counter + "\x80\x80"), "it has a key twice");
  EXPECT_EQ(fault(kHead + "\x81" + counter + std::string(5, '\x80') + '\x81' + counter + "\x80\x80"),
            "it has a key twice");
  EXPECT_EQ(fault(tree_with("\x2a\x81" + kTotal + "\x07")), "a counter has no table");
  EXPECT_EQ(fault(tree_with("\x2a\x82" + kTable + "\x80" + kTable + "\x80")), "a counter has a field twice");
  EXPECT_EQ(fault(tree_with("\x2a\x82" + kTable + "\x82\x05\x07\x05\x01" + kTotal + "\x08")),
            "a counter has a bucket twice");
  EXPECT_EQ(fault(tree_with("\x2a\x82" + kTable + "\x82\x05\x01\x06" + big + kTotal + "\x07")),
            "a counter is above 2^64-1");
  EXPECT_EQ(fault(tree_with("\xff\x82" + kTable + "\x80" + kTotal + "\x07")), "a number is expected");
  EXPECT_EQ(fault(tree_with("\x2a\x82" + kTable + "\x81\x05\xff" + kTotal + "\x07")),
            "a bucket or value is not a number");
  EXPECT_EQ(fault("\x81\xa1x\xc1"), "an unknown type");
}

TEST(TreeDecoder, NeverTrustsACount) {
  const std::string many = bytes_of("ffffffff");
  for (const std::string& bytes :
       {"\xdf" + many,
        "\x81\xa8"
        "branches\xdd" +
            many,
        "\x81\xa8"
        "branches\x91\xdf" +
            many,
        kHead + "\x81\x2a\x82" + kTable + "\xdf" + many, "\x81\xdb" + many, "\x81\xa1x\xc6" + many,
        "\x81\xa1x\xc9" + many, "\x81\xa1x\xdf" + many, "\x81\xa1x\xdd" + many}) {
    auto facts = decode(bytes);
    ASSERT_FALSE(facts.ok());
    EXPECT_EQ(facts.error().message, "it is cut off");
  }
  auto nested = decode("\x81\xa1x" + std::string(100000, '\x91'));
  ASSERT_FALSE(nested.ok());
  EXPECT_EQ(nested.error().message, "it is nested too deeply");
}

TEST(TreeDecoder, NoticesEveryTruncation) {
  Counters counters;
  for (std::uint64_t key = 0; key < 30; ++key)
    counters[key * key * 1000] = {{20260101, key + 1}, {20260102, 70000 * key + 1}};
  const std::string bytes = encode(counters);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    ASSERT_FALSE(decode(bytes.substr(0, length)).ok()) << length;
  }
}

TEST(TreeDecoder, SurvivesEveryFlippedBitAndTellsByTheChecksum) {
  Counters counters;
  for (std::uint64_t key = 0; key < 20; ++key) {
    counters[key << (3 * key)] = {{20260101, key + 1}, {20260102, (key << 33) + 1}, {7, 7}};
  }
  const std::string bytes = encode(counters);
  const std::uint32_t crc = crc32c(bytes);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      const auto facts = decode(damaged);
      ASSERT_TRUE(!facts.ok() || facts->crc != crc) << at << "." << bit;
    }
  }
}

}  // namespace
}  // namespace karma::snapshot
