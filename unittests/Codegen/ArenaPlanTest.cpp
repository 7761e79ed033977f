// The arena plan: buffers that live at the same time never overlap, and the arena stays near
// the most that is alive at one step.
#include "onnxc/Codegen/CPU/ArenaPlan.h"

#include "llvm/ADT/SmallVector.h"
#include <gtest/gtest.h>
#include <random>

using onnxc::ArenaBuffer;
using onnxc::boundArena;
using onnxc::planArena;

namespace {

constexpr int64_t kAlignment = 64;

void expectDisjoint(llvm::ArrayRef<ArenaBuffer> buffers, int64_t total) {
  for (size_t i = 0; i < buffers.size(); ++i) {
    const ArenaBuffer &a = buffers[i];
    EXPECT_EQ(a.offset % kAlignment, 0);
    EXPECT_LE(a.offset + a.bytes, total);
    for (size_t j = 0; j < i; ++j) {
      const ArenaBuffer &b = buffers[j];
      bool together = a.first <= b.last && b.first <= a.last;
      bool overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
      EXPECT_FALSE(together && overlap) << "buffers " << i << " and " << j;
    }
  }
}

TEST(ArenaPlan, NothingNeedsNothing) { EXPECT_EQ(planArena({}, kAlignment), 0); }

TEST(ArenaPlan, BoundIsTheMostAlive) {
  EXPECT_EQ(boundArena({}, kAlignment), 0);
  // The first dies before the third is born; sizes are rounded up.
  llvm::SmallVector<ArenaBuffer> buffers = {{1000, 0, 3, -1}, {10, 2, 9, -1}, {500, 4, 5, -1}};
  EXPECT_EQ(boundArena(buffers, kAlignment), 1024 + 64);
}

TEST(ArenaPlan, ChainUsesTwoPlaces) {
  // Each buffer is read by the next step only.
  llvm::SmallVector<ArenaBuffer> buffers;
  for (int64_t i = 0; i < 10; ++i)
    buffers.push_back({1024, i, i + 1, -1});
  int64_t total = planArena(buffers, kAlignment);
  EXPECT_EQ(total, 2048);
  expectDisjoint(buffers, total);
}

TEST(ArenaPlan, AllAliveAreSideBySide) {
  llvm::SmallVector<ArenaBuffer> buffers = {{100, 0, 9, -1}, {200, 0, 9, -1}, {300, 0, 9, -1}};
  int64_t total = planArena(buffers, kAlignment);
  EXPECT_EQ(total, 128 + 256 + 320);
  expectDisjoint(buffers, total);
}

TEST(ArenaPlan, GapIsReused) {
  // The small one fits where the middle one was.
  llvm::SmallVector<ArenaBuffer> buffers = {
      {4096, 0, 9, -1}, {2048, 0, 3, -1}, {1024, 0, 9, -1}, {2048, 4, 9, -1}};
  int64_t total = planArena(buffers, kAlignment);
  EXPECT_EQ(total, 4096 + 2048 + 1024);
  expectDisjoint(buffers, total);
}

TEST(ArenaPlan, RandomPlansAreValidAndTight) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    llvm::SmallVector<ArenaBuffer> buffers;
    for (int64_t i = 0; i < 80; ++i) {
      int64_t length = 1 + random() % 6;
      buffers.push_back({static_cast<int64_t>(64 * (1 + random() % 64)), i, i + length, -1});
    }
    int64_t total = planArena(buffers, kAlignment);
    expectDisjoint(buffers, total);
    EXPECT_GE(total, boundArena(buffers, kAlignment));
    EXPECT_LE(total, boundArena(buffers, kAlignment) * 6 / 5);
  }
}

} // namespace
