#include "tools/import_plan.h"

#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "core/crc32c.h"
#include "support/engine_fixture.h"
#include "tools/line_source.h"
#include "tools/overflow.h"

namespace karma::tools {
namespace {

// A file in memory. The blocks of the first pass may be as small as one likes.
class TextFile : public File {
 public:
  explicit TextFile(std::string content, std::size_t at_once = SIZE_MAX)
      : text(std::move(content)), at_once_(at_once) {}

  Result<std::size_t> read_at(std::uint64_t offset, char* into, std::size_t length) const override {
    if (offset >= text.size()) return std::size_t{0};
    std::size_t size = std::min(length, text.size() - offset);
    if (length >= kBlockBytes) size = std::min(size, at_once_);
    std::memcpy(into, text.data() + offset, size);
    return size;
  }
  Result<std::uint64_t> size() const override { return std::uint64_t{text.size()}; }
  Status write_at(std::uint64_t, std::string_view) override { return internal_error("read only"); }
  Status sync() override { return internal_error("read only"); }
  Status truncate(std::uint64_t) override { return internal_error("read only"); }

  std::string text;

 private:
  static constexpr std::size_t kBlockBytes = 1 << 20;
  const std::size_t at_once_;
};

constexpr Cut kLoose{10000, 1 << 20};

struct Planned {
  Result<ImportPlan> plan;
  std::vector<std::string> faults;    // "line: message"
  std::vector<std::string> requests;  // the items of each chunk
};

Planned plan_of(const File& file, const Cut& cut = kLoose, bool zero_allowed = false) {
  PointsReader reader({.zero_allowed = zero_allowed}, "links");
  std::vector<std::string> faults;
  Result<ImportPlan> plan = plan_import(
      file, reader, cut, false,
      [&](const WrongLine& line) { faults.push_back(std::to_string(line.number) + ": " + line.error.message); },
      [](std::uint64_t) {});
  std::vector<std::string> requests;
  for (std::size_t i = 0; plan && i < plan->chunks.size(); ++i) {
    Buffer scratch;
    Buffer items;
    if (!append_chunk(file, *plan, i, reader, scratch, items).ok()) items.append("changed");
    requests.emplace_back(items.view());
  }
  return {std::move(plan), faults, requests};
}

Planned plan_of(const std::string& text, const Cut& cut = kLoose, bool zero_allowed = false) {
  return plan_of(TextFile(text), cut, zero_allowed);
}

using Requests = std::vector<std::string>;

TEST(ImportPlan, CutsByNumberBytesAndSum) {
  const std::string text = "1,20260505,1\n2,20260505,2\n3,20260505,3\n";
  EXPECT_EQ(plan_of(text).requests, Requests({"[[1,20260505,1],[2,20260505,2],[3,20260505,3]]"}));
  EXPECT_EQ(plan_of(text, {2, 1000}).requests, Requests({"[[1,20260505,1],[2,20260505,2]]", "[[3,20260505,3]]"}));
  // Two items and their commas are 30 bytes.
  EXPECT_EQ(plan_of(text, {9, 30}).requests, Requests({"[[1,20260505,1],[2,20260505,2]]", "[[3,20260505,3]]"}));
  EXPECT_EQ(plan_of(text, {9, 29}).requests.size(), 3u);
  EXPECT_EQ(plan_of("1,20260505,18446744073709551615\n1,20260506,1\n1,20260507,1\n").requests.size(), 2u);
}

TEST(ImportPlan, HeadersEmptyLinesAndAMissingLastLineEndDoNotMatter) {
  for (const char* text : {"key,bucket,value\n\n1,20260505,1\n\n\n2,20260505,2", "1,20260505,1\r\n2,20260505,2\r\n\r\n",
                           "\n1,20260505,1\n2,20260505,2\n\n\n"}) {
    EXPECT_EQ(plan_of(text).requests, Requests({"[[1,20260505,1],[2,20260505,2]]"})) << text;
    EXPECT_EQ(plan_of(text, {1, 1000}).requests, Requests({"[[1,20260505,1]]", "[[2,20260505,2]]"})) << text;
  }
  EXPECT_EQ(plan_of("").plan->points, 0u);
  EXPECT_EQ(plan_of("key,bucket,value\n").plan->points, 0u);
}

TEST(ImportPlan, AByteOrderMarkIsPassedOver) {
  const Planned planned = plan_of(
      "\xEF\xBB\xBF"
      "1,20260505,1\n2,20260505,2\n");
  EXPECT_EQ(planned.requests, Requests({"[[1,20260505,1],[2,20260505,2]]"}));
  EXPECT_TRUE(planned.plan->plain);
  EXPECT_EQ(plan_of("\xEF\xBB\xBF[1,20260505,1]").requests, Requests({"[[1,20260505,1]]"}));
  EXPECT_EQ(plan_of("\xEF\xBB\xBF").plan->points, 0u);
}

TEST(ImportPlan, RecordsGoOverLinesBlocksAndChunks) {
  std::string text = "note,key,bucket,value\n";
  Requests expected;
  for (int key = 0; key < 50; ++key) {
    text += "\"" + std::string(static_cast<std::size_t>(key), 'x') + "\n7,7,20260503,3\n\"\"\"," + std::to_string(key) +
            ",20260505,1\n";
    expected.push_back("[[" + std::to_string(key) + ",20260505,1]]");
  }
  for (const std::size_t at_once : {1, 7, 64, 1 << 20})
    EXPECT_EQ(plan_of(TextFile(text, at_once), {1, 1000}).requests, expected) << at_once;
  const Planned wrong = plan_of(text + "x,50,20260505,x\n");
  EXPECT_EQ(wrong.faults.at(0).substr(0, 5), "152: ");
  const Planned open = plan_of(text + "\"x,50,20260505,1\n1,1,20260505,1\n");
  EXPECT_EQ(open.faults.at(0).substr(0, 5), "152: ");
  EXPECT_FALSE(open.plan.ok());
}

TEST(ImportPlan, WrongLinesAreNamedAndPreventIt) {
  const Planned planned = plan_of("1,20260505,1\nnonsense\n1,20260505,0\n1,20260532,1\n");
  EXPECT_FALSE(planned.plan.ok());
  ASSERT_EQ(planned.faults.size(), 3u);
  EXPECT_TRUE(planned.faults[0].starts_with("2: ")) << planned.faults[0];
  EXPECT_TRUE(planned.faults[1].starts_with("3: the value must be greater than 0")) << planned.faults[1];
  EXPECT_TRUE(planned.faults[2].starts_with("4: the bucket")) << planned.faults[2];
  EXPECT_TRUE(plan_of("1,20260505,0\n", kLoose, true).plan.ok()) << "mode set deletes by 0";
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "x\n";
  EXPECT_EQ(plan_of("1,20260505,1\n" + many).faults.size(), 1000u);
  many = "1,20260505,x\n";
  for (int i = 0; i < 1000; ++i) many += "x\n";
  EXPECT_EQ(plan_of(many).faults.size(), 1000u) << "not all of a file that is something else";
  EXPECT_EQ(plan_of("x\nx\n").faults.size(), 1u) << "the others follow from its header";
}

TEST(ImportPlan, WrongLinesMayBeLeftOut) {
  const std::string text = "key,bucket,value\n1,20260505,0\n1,20260505,1\nx,20260505,1\n2,20260505,2\n3,20260505\n";
  for (const std::size_t items : {1, 10}) {
    const TextFile file(text);
    PointsReader reader({.zero_allowed = false}, "links");
    std::string wrong;
    const Result<ImportPlan> plan = plan_import(
        file, reader, {items, 1000}, true, [&](const WrongLine& line) { wrong += line.text; }, [](std::uint64_t) {});
    ASSERT_TRUE(plan.ok());
    EXPECT_EQ(wrong, "1,20260505,0\nx,20260505,1\n3,20260505\n");
    EXPECT_EQ(plan->skipped, 3u);
    EXPECT_EQ(plan->points, 2u);
    EXPECT_EQ(reader.header(), "key,bucket,value\n");
    std::string sent;
    for (std::size_t i = 0; i < plan->chunks.size(); ++i) {
      Buffer scratch;
      Buffer out;
      ASSERT_TRUE(append_chunk(file, *plan, i, reader, scratch, out).ok());
      sent += out.view();
    }
    EXPECT_EQ(sent, items == 1 ? "[[1,20260505,1]][[2,20260505,2]]" : "[[1,20260505,1],[2,20260505,2]]");
  }
  // Behind a quote that is not closed nothing is certain.
  PointsReader reader({}, "links");
  EXPECT_FALSE(plan_import(
                   TextFile("1,20260505,1\n\"2,20260505,1\n"), reader, kLoose, true, [](const WrongLine&) {},
                   [](std::uint64_t) {})
                   .ok());
}

TEST(ImportPlan, ALineIsFoundAgain) {
  const TextFile file("key,bucket,value\n\n1,20260505,1\n\n2,20260505,2\n3,20260505,3\n");
  PointsReader reader({}, "links");
  const Result<ImportPlan> plan = plan_import(
      file, reader, {2, 1000}, false, [](const WrongLine&) {}, [](std::uint64_t) {});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(*line_of(file, *plan, 0, reader, {}), 3u);
  EXPECT_EQ(*line_of(file, *plan, 0, reader, Item{{2}, Bucket::of_number(20260505), 0}), 5u);
  EXPECT_EQ(*line_of(file, *plan, 1, reader, {}), 6u);
}

TEST(ImportPlan, WhatAddsUpToMoreThan64BitsIsFound) {
  const auto line = [](const std::string& text, bool replaces) {
    PointsReader reader({}, "links");
    const Result<std::optional<OverflowPlace>> found = find_overflow(TextFile(text), reader, replaces);
    return found.ok() && *found ? (*found)->line : 0;
  };
  const std::string most = "1,20260505,18446744073709551615\n";
  EXPECT_EQ(line(most + "2,20260505,1\n1,20260506,1\n", false), 3u);
  EXPECT_EQ(line(most + "2,20260505,1\n1,20260506,1\n", true), 3u);
  EXPECT_EQ(line(most + most, false), 2u);
  EXPECT_EQ(line(most + most, true), 0u) << "it replaces itself";
  EXPECT_EQ(line("1,20260506,1\n1,20260506,0\n" + most, true), 0u);
}

TEST(ImportPlan, AFileThatChangesIsNoticed) {
  TextFile file("1,20260505,1\n2,20260505,2\n3,20260505,3\n");
  PointsReader reader({.zero_allowed = false}, "links");
  const Result<ImportPlan> plan = plan_import(
      file, reader, {2, 1000}, false, [](const WrongLine&) {}, [](std::uint64_t) {});
  ASSERT_TRUE(plan.ok());
  const std::string before = file.text;
  const auto chunk_ok = [&](std::size_t chunk) {
    Buffer scratch;
    Buffer items;
    return append_chunk(file, *plan, chunk, reader, scratch, items).ok();
  };
  for (std::size_t at = 0; at < before.size(); ++at) {
    file.text = before;
    file.text[at] = file.text[at] == '7' ? '8' : '7';
    const std::size_t chunk = at < 26 ? 0 : 1;
    // Only the very last line end may be missing.
    EXPECT_FALSE(chunk_ok(chunk)) << at;
    EXPECT_TRUE(chunk_ok(1 - chunk)) << at;
  }
  file.text = before.substr(0, before.size() - 2);
  EXPECT_FALSE(chunk_ok(1));
}

TEST(ImportPlan, TheStreamIsNamedByContentSeriesAndMode) {
  const ImportPlan plan = *plan_of("1,20260505,1\n").plan;
  const std::string id = stream_id_of(plan, "links", "add");
  EXPECT_EQ(id, stream_id_of(*plan_of(TextFile("1,20260505,1\n", 1), {1, 100}).plan, "links", "add"))
      << "however it is read and cut";
  EXPECT_EQ(id.size(), std::string("import-").size() + 40);
  EXPECT_NE(id, stream_id_of(*plan_of("1,20260505,2\n").plan, "links", "add"));
  EXPECT_NE(id, stream_id_of(plan, "link", "add"));
  EXPECT_NE(id, stream_id_of(plan, "links", "set"));
  // Read otherwise, it is another content.
  const auto content_of = [](PointsOptions options) {
    PointsReader reader(std::move(options), "links");
    return plan_import(
               TextFile("key,bucket,value,more\n1,20260505,1,2\n"), reader, kLoose, false, [](const WrongLine&) {},
               [](std::uint64_t) {})
        ->content;
  };
  EXPECT_NE(content_of({}), content_of(PointsOptions{.value_column = "more"}));
  EXPECT_NE(content_of({}), content_of(PointsOptions{.value_column = "4"}));
  // What the server compares.
  EXPECT_NE(granularity_of(plan, {10, 100}), granularity_of(plan, {10, 101}));
  EXPECT_NE(granularity_of(plan, {10, 100}), granularity_of(plan, {11, 100}));
  EXPECT_NE(granularity_of(plan, kLoose), granularity_of(*plan_of("1,20260505,2\n").plan, kLoose));
}

TEST(ImportPlan, TheCutLeavesRoomForTheRestOfTheRequest) {
  EXPECT_EQ(Cut::of(100, 4096, 300).max_bytes, 3584u);
  EXPECT_EQ(Cut::of(100, 4096, 512).max_bytes, 3584u) << "a token of another length cuts alike";
  EXPECT_EQ(Cut::of(100, 4096, 513).max_bytes, 3072u);
  EXPECT_EQ(Cut::of(100, 512, 300).max_bytes, 0u);
  EXPECT_EQ(Cut::of(100, 565, 300).max_bytes, 53u) << "the longest item with its comma";
}

constexpr std::string_view kMark = "\xEF\xBB\xBF";

// The first pass as simply as it can be done: what it must find out, however it is hurried.
struct SimplePlan {
  std::vector<ChunkPlace> chunks;
  std::vector<std::string> faults;
  std::uint64_t points = 0;
  std::uint64_t end = 0;
  bool plain = true;
};

SimplePlan simple_plan_of(std::string text, const Cut& cut, bool zero_allowed) {
  SimplePlan plan;
  PointsReader reader({.zero_allowed = zero_allowed}, "links");
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  std::uint64_t bytes = 0;
  std::uint64_t sum = 0;
  std::uint64_t number = 0;
  for (std::size_t at = text.starts_with(kMark) ? kMark.size() : 0; at < text.size();) {
    const std::string line = text.substr(at, text.find('\n', at) - at);
    const char* in_line = line.data();
    const Result<std::optional<Item>> item = reader.read(in_line, in_line + line.size(), true);
    const std::string where = std::to_string(++number) + ": ";
    if (!item) {
      plan.faults.push_back(where + item.error().message);
      if (reader.lost()) break;
    } else if (*item) {
      const std::size_t size = item_bytes(**item) + 1;
      if (plan.chunks.empty() || plan.chunks.back().items == cut.max_items || bytes + size > cut.max_bytes ||
          (*item)->value > UINT64_MAX - sum) {
        plan.chunks.push_back({.offset = at});
        bytes = sum = 0;
      }
      ++plan.chunks.back().items;
      ++plan.points;
      bytes += size;
      sum += (*item)->value;
    }
    if (!plan.chunks.empty()) plan.chunks.back().checksum = crc32c(line + "\n", plan.chunks.back().checksum);
    at += line.size() + 1;
  }
  plan.end = text.size();
  plan.plain = reader.all_plain();
  return plan;
}

// Lines of every kind: plain ones for the most part, or nothing else.
std::string some_text(std::mt19937_64& random) {
  const std::string_view kinds[] = {"",
                                    "\r",
                                    " \t",
                                    "\"7\",\"20260505\",\"7\"",
                                    " 7 , 2026-05-05 ,7\r",
                                    "007,20260505,7",
                                    "7,20260505,0",
                                    "7,10000101,7",
                                    "18446744073709551615,20260505,18446744073709551615"};
  const std::string_view bad_kinds[] = {
      "7,20260230,7", "7,20260505,18446744073709551616", "7,20260505", "x", "7,20260505,7,7", "[7,20260505,7]"};
  const std::string_view starts[] = {"", "key,bucket,value\n", "\xEF\xBB\xBFkey,date,value\r\n", "\n\n",
                                     "bucket,key,value\n"};
  std::string text(starts[random() % 4 == 0 ? random() % 5 : random() % 2]);
  const bool plain = random() % 3 == 0;
  const bool bad = random() % 4 == 0;
  for (std::size_t lines = random() % 80; lines > 0; --lines) {
    if (!plain && random() % 8 == 0) {
      text += kinds[random() % std::size(kinds)];
    } else if (bad && random() % 16 == 0) {
      text += bad_kinds[random() % std::size(bad_kinds)];
    } else if (random() % 16 != 0) {
      text += std::to_string(random() >> random() % 64 >> 1) + "," + std::to_string(20260501 + random() % 31) + "," +
              std::to_string((random() >> random() % 64 >> 1) | 1);
    }
    text += random() % 50 == 0 && !plain ? "\r\n" : "\n";
  }
  if (random() % 3 == 0 && !text.empty()) text.pop_back();
  return text;
}

TEST(ImportPlan, IsWhatReadingLineByLineFinds) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  std::mt19937_64 random(seed);
  std::size_t plain_ones = 0;
  std::size_t bad_ones = 0;
  for (int round = 0; round < 600; ++round) {
    const std::string text = some_text(random);
    SCOPED_TRACE(text);
    const Cut cut{1 + random() % 20, 53 + random() % 400};
    const bool zero_allowed = random() % 2;
    const SimplePlan expected = simple_plan_of(text, cut, zero_allowed);
    const TextFile file(text, random() % 4 == 0 ? SIZE_MAX : 1 + random() % 90);
    const Planned found = plan_of(file, cut, zero_allowed);
    ASSERT_EQ(found.faults, expected.faults);
    ASSERT_EQ(found.plan.ok(), expected.faults.empty());
    if (!found.plan) {
      ++bad_ones;
      continue;
    }
    ASSERT_EQ(found.plan->points, expected.points);
    ASSERT_EQ(found.plan->end, expected.end);
    ASSERT_EQ(found.plan->content, sha256(text));
    ASSERT_EQ(found.plan->plain, expected.plain);
    ASSERT_EQ(found.plan->chunks.size(), expected.chunks.size());
    for (std::size_t i = 0; i < expected.chunks.size(); ++i) {
      ASSERT_EQ(found.plan->chunks[i].offset, expected.chunks[i].offset);
      ASSERT_EQ(found.plan->chunks[i].items, expected.chunks[i].items);
      ASSERT_EQ(found.plan->chunks[i].checksum, expected.chunks[i].checksum);
    }
    plain_ones += expected.plain;
  }
  EXPECT_GT(plain_ones, 100u);
  EXPECT_GT(bad_ones, 20u);
}

TEST(ImportPlan, LinesOverManyBlocksAreReadAndTooLongOnesRefused) {
  const std::string good = "1,20260505,1\n";
  const std::string blanks(kMaxLineBytes, ' ');
  EXPECT_EQ(plan_of(good + blanks.substr(20) + good).requests, Requests({"[[1,20260505,1],[1,20260505,1]]"}));
  EXPECT_EQ(plan_of(TextFile(good + blanks.substr(kMaxLineBytes / 2) + good, kMaxLineBytes / 9)).requests,
            Requests({"[[1,20260505,1],[1,20260505,1]]"}));
  const Planned refused = plan_of(good + "\n" + blanks + blanks + "x");
  ASSERT_FALSE(refused.plan.ok());
  EXPECT_TRUE(refused.plan.error().message.starts_with("line 3: longer than")) << refused.plan.error().message;
}

// Whatever the text looks like, the chunks together are its points, and each keeps to its bounds.
TEST(ImportPlan, ChunksTogetherAreTheFile) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::string text = random() % 2 ? "" : "key,bucket,value\n";
    std::string expected;
    const std::size_t lines = 1 + random() % 60;
    for (std::size_t i = 0; i < lines; ++i) {
      if (random() % 5 == 0) text += "\n";
      const std::string key = std::to_string(random() >> random() % 64);
      const std::string value = std::to_string((random() >> random() % 64) | 1);
      text += key + ",20260505," + value + (random() % 3 == 0 ? "\r\n" : "\n");
      expected += "[" + key + ",20260505," + value + "],";
    }
    if (random() % 2 && !text.ends_with("\r\n")) text.pop_back();
    const Cut cut{1 + random() % 9, 53 + random() % 300};
    const Planned planned = plan_of(TextFile(text, 1 + random() % 50), cut);
    ASSERT_TRUE(planned.plan.ok());
    std::string sent;
    for (std::size_t i = 0; i < planned.requests.size(); ++i) {
      const std::string& items = planned.requests[i];
      EXPECT_LE(items.size() - 1, cut.max_bytes);
      EXPECT_LE(planned.plan->chunks[i].items, cut.max_items);
      sent += items.substr(1, items.size() - 2) + ",";
    }
    ASSERT_EQ(sent, expected);
  }
}

}  // namespace
}  // namespace karma::tools
