#include "protocol/fields.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/engine_fixture.h"

namespace karma::protocol {
namespace {

// All that a parse comes to, as text.
std::string seen(Fields& fields, std::string_view line) {
  const Status status = fields.parse(line);
  if (!status) return std::string(to_string(status.error().code)) + ": " + status.error().message;
  std::string text;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    const json::Value* value = fields.find(static_cast<Field>(i));
    if (value == nullptr) continue;
    text += std::string(name_of(static_cast<Field>(i))) + "=" + std::to_string(static_cast<int>(value->type)) + " " +
            std::to_string(value->number) + (value->escaped ? " escaped " : " ") + std::string(value->text) + "\n";
    EXPECT_TRUE(value->text.empty() ||
                (value->text.data() >= line.data() && value->text.data() + value->text.size() <= line.end()))
        << "of this line, not of an earlier one";
  }
  return text;
}

// What a line is taken for must not depend on the lines before it, some of whose work is used again.
void expect_memory_makes_no_difference(Fields& used, const std::string& line) {
  Fields fresh;
  ASSERT_EQ(seen(used, line), seen(fresh, line)) << line;
}

const char* const kLines[] = {
    R"({"v":2,"op":"counter.increment","series":"links","key":1,"bucket":20260505})",
    R"({"v":2,"op":"counter.increment","series":"links","key":23,"idempotency_key":"a"})",
    R"({"v":2,"op":"counter.increment","series":"link","key":1})",
    R"({"v":2,"op":"counter.increment","series":"links2","key":1})",
    R"({"v":2,"op":"counter.sum","series":"links","key":1})",
    R"({"v":2,"op":"counter.sum","series":"links","key":1,"op":"other","v":7})",
    R"({"v":2,"op":"a","op":"b","op":"c","op":"d","series":"e","key":[1]})",
    R"({"op":"system.info","v":2})",
    R"({"v":2,"token":"secret","op":"counter.sum","series":"links","keys":[1,2]})",
    R"({"v":2,"token":"secrets","op":"counter.sum","series":"links","keys":[1,3]})",
    R"({"v": 2,"op":"counter.sum","series":"links"})",
    R"({"v":2 ,"op":"counter.sum"})",
    R"({"v":2,"op":"counter.sum","series":"a\"b","key":1})",
    R"({"v":2,"op":"counter.sum","series":"a\"b","key":2})",
    R"({"v":2,"\u006fp":"counter.sum","series":"links"})",
    R"({"v":2,"op":null,"series":"links"})",
    R"({"v":2,"unknown":1,"op":"counter.sum"})",
    R"({"v":2,"op":"counter.sum",})",
    R"({"v":2,"op":"counter.sum","series":"links",)",
    R"({"v":2,"op":"counter.sum","series":"links","key":1} x)",
    R"({"v":2,"op":"counter.sum","series":"links")",
    R"({})",
    R"([])",
    "",
};

TEST(Fields, EveryLineMeansTheSameBehindEveryOther) {
  for (const std::string before : kLines) {
    for (const std::string line : kLines) {
      Fields used;
      (void)used.parse(before);
      expect_memory_makes_no_difference(used, line);
      expect_memory_makes_no_difference(used, line);
    }
  }
}

TEST(Fields, EveryLineMeansTheSameBehindAPartOfItself) {
  for (const std::string line : kLines) {
    for (std::size_t size = 0; size <= line.size(); ++size) {
      Fields used;
      (void)used.parse(line);
      expect_memory_makes_no_difference(used, line.substr(0, size));
      expect_memory_makes_no_difference(used, line);
      expect_memory_makes_no_difference(used, line.substr(0, size) + "}");
    }
  }
}

TEST(Fields, LongBeginningsAreNotKept) {
  Fields used;
  for (const std::size_t size : {200, 240, 250, 260, 1000}) {
    const std::string line = R"({"v":2,"op":")" + std::string(size, 'x') + R"(","series":"links","key":1})";
    expect_memory_makes_no_difference(used, line);
    expect_memory_makes_no_difference(used, line);
  }
}

TEST(Fields, RandomLines) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  test::Random random(seed);
  Fields used;
  for (int i = 0; i < 20000 && !::testing::Test::HasFailure(); ++i) {
    std::string line = kLines[random.up_to(std::size(kLines) - 1)];
    if (!line.empty() && random.one_in(2)) line[random.up_to(line.size() - 1)] = "{}\",:01 \\x"[random.up_to(9)];
    expect_memory_makes_no_difference(used, line);
  }
}

}  // namespace
}  // namespace karma::protocol
