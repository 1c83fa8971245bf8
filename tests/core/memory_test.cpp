// Arena and Buffer.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/arena.h"
#include "core/buffer.h"
#include "support/engine_fixture.h"

namespace karma {
namespace {

TEST(Arena, PiecesDoNotOverlapAndAreAligned) {
  const std::uint64_t seed = test::test_seed();
  SCOPED_TRACE(test::seed_text(seed));
  test::Random random(seed);
  Arena arena;
  for (int round = 0; round < 4; ++round) {
    std::vector<std::pair<char*, std::size_t>> pieces;
    for (int i = 0; i < 300; ++i) {
      const std::size_t size = 1 + random.up_to(random.one_in(20) ? 3 * Arena::kBlockBytes : 400);
      const std::size_t alignment = std::size_t{1} << random.up_to(4);
      char* piece = static_cast<char*>(arena.allocate(size, alignment));
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(piece) % alignment, 0u);
      std::memset(piece, i & 0x7f, size);
      pieces.emplace_back(piece, size);
    }
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      EXPECT_EQ(std::string(pieces[i].first, pieces[i].second),
                std::string(pieces[i].second, static_cast<char>(i & 0x7f)));
    }
    arena.reset();
    EXPECT_LE(arena.footprint(), Arena::kKeptBytes);
  }
}

TEST(Arena, ABusyOneStopsGrowing) {
  Arena arena;
  std::size_t footprint = 0;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 100; ++i) arena.copy(std::string(500, 'x'));
    if (round == 0) footprint = arena.footprint();
    EXPECT_EQ(arena.footprint(), footprint);
    arena.reset();
  }
}

TEST(Buffer, GrowsConsumesAndGivesBack) {
  Buffer buffer;
  std::string model;
  EXPECT_TRUE(buffer.empty());
  for (int i = 0; i < 200; ++i) {
    const std::string piece(static_cast<std::size_t>(i), static_cast<char>('a' + i % 26));
    buffer.append(piece);
    buffer.append('|');
    model += piece + '|';
    if (i % 7 == 6) {
      buffer.consume(model.size() / 2);
      model.erase(0, model.size() / 2);
    }
    if (i % 11 == 10) {
      buffer.truncate(model.size() - 1);
      model.pop_back();
    }
    ASSERT_EQ(buffer.view(), model);
  }
  Buffer moved = std::move(buffer);
  EXPECT_EQ(moved.view(), model);
  moved.release();
  EXPECT_EQ(moved.capacity(), 0u);
  EXPECT_TRUE(moved.empty());
}

}  // namespace
}  // namespace karma
