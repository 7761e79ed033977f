// The run's memory pool. Size classes are geometric with four steps per power of
// two, so a block wastes at most a fifth; free lists make both directions O(1).
#include <stdlib.h>
#include <string.h>

#include "context.h"

using namespace onnxc_rt;

namespace {

constexpr int64_t kChunk = 64 * 1024 - static_cast<int64_t>(sizeof(Block));
// Beyond this no machine has memory; it keeps the arithmetic below from overflow.
constexpr int64_t kMaxBytes = int64_t(1) << 46;
// How many threads take scratch differs from run to run: a block is kept for this many runs.
constexpr uint64_t kIdleRuns = 16;

// Classes 0-3: 64..256 in steps of 64; then four steps for each power of two.
int sizeClassOf(int64_t bytes) {
  int64_t units = (bytes + 63) / 64;
  if (units <= 4)
    return units <= 1 ? 0 : static_cast<int>(units) - 1;
  int log = 63 - __builtin_clzll(static_cast<uint64_t>(units - 1)); // >= 2
  int64_t step = int64_t(1) << (log - 2);
  int64_t quarter = (units - (int64_t(1) << log) + step - 1) / step; // 1..4
  return 4 + (log - 2) * 4 + static_cast<int>(quarter) - 1;
}

int64_t bytesOfClass(int sizeClass) {
  if (sizeClass < 4)
    return (sizeClass + 1) * int64_t(64);
  int log = (sizeClass - 4) / 4 + 2;
  int64_t quarter = (sizeClass - 4) % 4 + 1;
  return ((int64_t(1) << log) + quarter * (int64_t(1) << (log - 2))) * 64;
}

} // namespace

extern "C" void *onnxc_alloc(onnxc_ctx *ctx, int64_t bytes) {
  if (bytes < 0 || bytes > kMaxBytes)
    failWith(ctx, ONNXC_OUT_OF_MEMORY, "out of memory: a buffer of %lld bytes is asked for",
             static_cast<long long>(bytes));
  int sizeClass = sizeClassOf(bytes);
  Pool &pool = ctx->pool;
  lock(&pool.lock);
  Block *block = pool.freeBySize[sizeClass];
  if (block)
    pool.freeBySize[sizeClass] = block->nextFree;
  unlock(&pool.lock);
  if (!block) {
    void *memory = nullptr;
    if (posix_memalign(&memory, kAlign, sizeof(Block) + static_cast<size_t>(bytesOfClass(sizeClass))))
      failWith(ctx, ONNXC_OUT_OF_MEMORY, "out of memory: a buffer of %lld bytes is asked for",
               static_cast<long long>(bytes));
    block = static_cast<Block *>(memory);
    block->sizeClass = sizeClass;
    block->kept = false;
    lock(&pool.lock);
    block->nextAll = pool.all;
    pool.all = block;
    unlock(&pool.lock);
  }
  block->lastRun = ctx->run;
  return block + 1;
}

extern "C" void onnxc_free(onnxc_ctx *ctx, void *data) {
  if (!data)
    return;
  Block *block = static_cast<Block *>(data) - 1;
  Pool &pool = ctx->pool;
  lock(&pool.lock);
  block->nextFree = pool.freeBySize[block->sizeClass];
  pool.freeBySize[block->sizeClass] = block;
  unlock(&pool.lock);
}

extern "C" void *onnxc_kept(onnxc_ctx *ctx, const void *key) {
  for (Kept *kept = ctx->kept; kept; kept = kept->next)
    if (kept->key == key)
      return kept->data;
  return nullptr;
}

extern "C" void onnxc_keep(onnxc_ctx *ctx, const void *key, void *data) {
  (static_cast<Block *>(data) - 1)->kept = true;
  if (!key)
    return;
  auto *kept = static_cast<Kept *>(onnxc_alloc(ctx, sizeof(Kept)));
  onnxc_keep(ctx, nullptr, kept);
  *kept = {key, data, ctx->kept};
  ctx->kept = kept;
}

void *onnxc_rt::poolAllocSmall(onnxc_ctx *ctx, int64_t bytes) {
  if (bytes < 0 || bytes > kChunk / 4)
    return onnxc_alloc(ctx, bytes);
  bytes = (bytes + 15) / 16 * 16;
  Pool &pool = ctx->pool;
  lock(&pool.lock);
  char *result = nullptr;
  if (bytes <= pool.bumpLeft) {
    result = pool.bump;
    pool.bump += bytes;
    pool.bumpLeft -= bytes;
  }
  unlock(&pool.lock);
  if (result)
    return result;
  char *chunk = static_cast<char *>(onnxc_alloc(ctx, kChunk));
  lock(&pool.lock);
  pool.bump = chunk + bytes;
  pool.bumpLeft = kChunk - bytes;
  unlock(&pool.lock);
  return chunk;
}

// Between runs: everything is free again; blocks that the last runs left alone are released.
void onnxc_rt::poolReset(onnxc_ctx *ctx) {
  Pool &pool = ctx->pool;
  memset(pool.freeBySize, 0, sizeof(pool.freeBySize));
  pool.bumpLeft = 0;
  Block **link = &pool.all;
  while (Block *block = *link) {
    if (block->kept) {
      link = &block->nextAll;
      continue;
    }
    if (block->lastRun + kIdleRuns <= ctx->run) {
      *link = block->nextAll;
      free(block);
      continue;
    }
      block->nextFree = pool.freeBySize[block->sizeClass];
    pool.freeBySize[block->sizeClass] = block;
    link = &block->nextAll;
  }
}

void onnxc_rt::poolDestroy(onnxc_ctx *ctx) {
  while (Block *block = ctx->pool.all) {
    ctx->pool.all = block->nextAll;
    free(block);
  }
}
