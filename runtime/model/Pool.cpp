// The run's memory pool. Small blocks have size classes, geometric with four steps per power of two, so a block
// wastes at most a fifth; free lists make both directions O(1). Large blocks are cut from regions, the best
// fit first, and joined with their free neighbours again: a run has tens of them at a time.
#include <stdlib.h>
#include <string.h>

#include "context.h"

using namespace onnxc_rt;

namespace {

// From this size on a block is a large one.
constexpr int64_t kLarge = 32 * 1024;
// The least that is mapped for large blocks. What is not touched costs nothing, and blocks in one region share
// its huge pages.
constexpr int64_t kRegion = int64_t(32) << 20;
// Memory that this many runs did not use goes back to the system: threads that meet in another way, or
// inputs of two sizes in turn, must not make it come and go.
constexpr uint64_t kIdleRuns = 16;
constexpr int64_t kChunk = 64 * 1024 - static_cast<int64_t>(sizeof(Block));
// Beyond this no machine has memory; it keeps the arithmetic below from overflow.
constexpr int64_t kMaxBytes = int64_t(1) << 46;

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

namespace {

[[noreturn]] void outOfMemory(onnxc_ctx *ctx, int64_t bytes) {
  failWith(ctx, ONNXC_OUT_OF_MEMORY, "out of memory: a buffer of %lld bytes is asked for",
           static_cast<long long>(bytes));
}

void *allocSmall(onnxc_ctx *ctx, int64_t bytes) {
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
      outOfMemory(ctx, bytes);
    block = static_cast<Block *>(memory);
    block->sizeClass = sizeClass;
    block->kept = false;
    block->region = nullptr;
    lock(&pool.lock);
    block->nextAll = pool.all;
    pool.all = block;
    unlock(&pool.lock);
  }
  block->lastRun = ctx->run;
  return block + 1;
}

// ---- Large blocks; the pool is locked in what follows.

Block *firstOf(Region *region) { return reinterpret_cast<Block *>(region + 1); }

Block *after(Block *block) {
  char *next = reinterpret_cast<char *>(block) + block->bytes;
  char *end = reinterpret_cast<char *>(firstOf(block->region)) + block->region->bytes;
  return next < end ? reinterpret_cast<Block *>(next) : nullptr;
}

void pushFree(Pool &pool, Block *block) {
  block->isFree = true;
  block->nextFree = pool.freeLarge;
  pool.freeLarge = block;
}

// There are few free blocks at a time: neighbours are joined.
void dropFree(Pool &pool, Block *block) {
  Block **link = &pool.freeLarge;
  while (*link != block)
    link = &(*link)->nextFree;
  *link = block->nextFree;
  block->isFree = false;
}

// The rest behind `bytes` becomes a free block.
void split(Pool &pool, Block *block, int64_t bytes) {
  if (block->bytes - bytes < kLarge)
    return;
  auto *rest = reinterpret_cast<Block *>(reinterpret_cast<char *>(block) + bytes);
  rest->before = block;
  rest->region = block->region;
  rest->bytes = block->bytes - bytes;
  rest->kept = false;
  block->bytes = bytes;
  if (Block *next = after(rest))
    next->before = rest;
  pushFree(pool, rest);
}

void join(Block *block, Block *next) {
  block->bytes += next->bytes;
  if (Block *further = after(block))
    further->before = block;
}

void giveBack(Pool &pool, Block *block) {
  if (Block *next = after(block); next && next->isFree) {
    dropFree(pool, next);
    join(block, next);
  }
  if (Block *before = block->before; before && before->isFree)
    join(before, block);
  else
    pushFree(pool, block);
}

// The smallest free block that is large enough; of equal ones that at the lowest address. The end of a region comes
// last: it may never have been touched, and what is cut from it would be memory that the process does not have yet.
Block *findFree(Pool &pool, int64_t bytes) {
  Block *best = nullptr;
  auto isBetter = [&](Block *block) {
    bool isEnd = !after(block), bestIsEnd = !after(best);
    if (isEnd != bestIsEnd)
      return bestIsEnd;
    return block->bytes < best->bytes || (block->bytes == best->bytes && block < best);
  };
  for (Block *block = pool.freeLarge; block; block = block->nextFree)
    if (block->bytes >= bytes && (!best || isBetter(block)))
      best = block;
  return best;
}

bool addRegion(Pool &pool, int64_t bytes) {
  int64_t mapped = bytes + static_cast<int64_t>(sizeof(Region));
  if (mapped < kRegion)
    mapped = kRegion;
  void *base;
  void *memory = mapMemory(&mapped, &base);
  if (!memory)
    return false;
  auto *region = static_cast<Region *>(memory);
  region->next = pool.regions;
  region->mapping = base;
  region->mappingBytes = mapped;
  region->bytes = static_cast<char *>(base) + mapped - reinterpret_cast<char *>(firstOf(region));
  region->bytes = region->bytes / kAlign * kAlign;
  pool.regions = region;
  Block *block = firstOf(region);
  block->before = nullptr;
  block->region = region;
  block->bytes = region->bytes;
  block->kept = false;
  pushFree(pool, block);
  return true;
}

void *allocLarge(onnxc_ctx *ctx, int64_t bytes) {
  Pool &pool = ctx->pool;
  int64_t needed = (bytes + kAlign - 1) / kAlign * kAlign + static_cast<int64_t>(sizeof(Block));
  lock(&pool.lock);
  Block *block = findFree(pool, needed);
  if (!block && addRegion(pool, needed))
    block = findFree(pool, needed);
  if (!block) {
    unlock(&pool.lock);
    outOfMemory(ctx, bytes);
  }
  dropFree(pool, block);
  split(pool, block, needed);
  block->region->lastRun = ctx->run;
  unlock(&pool.lock);
  return block + 1;
}

// Frees all blocks of a region that are not kept; true if nothing is left in it.
bool clear(Pool &pool, Region *region) {
  for (Block *block = firstOf(region); block;) {
    Block *next = after(block);
    if (!block->isFree && !block->kept) {
      // `next` may be joined to this block.
      next = next && next->isFree ? after(next) : next;
      giveBack(pool, block);
    }
    block = next;
  }
  return firstOf(region)->isFree && !after(firstOf(region));
}

} // namespace

extern "C" void *onnxc_alloc(onnxc_ctx *ctx, int64_t bytes) {
  if (bytes < 0 || bytes > kMaxBytes)
    outOfMemory(ctx, bytes);
  return bytes < kLarge ? allocSmall(ctx, bytes) : allocLarge(ctx, bytes);
}

extern "C" void onnxc_free(onnxc_ctx *ctx, void *data) {
  if (!data)
    return;
  Block *block = static_cast<Block *>(data) - 1;
  Pool &pool = ctx->pool;
  lock(&pool.lock);
  if (block->region) {
    giveBack(pool, block);
  } else {
    block->nextFree = pool.freeBySize[block->sizeClass];
    pool.freeBySize[block->sizeClass] = block;
  }
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

// Between runs: everything is free again; what the last runs left alone is released.
void onnxc_rt::poolReset(onnxc_ctx *ctx) {
  Pool &pool = ctx->pool;
  memset(pool.freeBySize, 0, sizeof(pool.freeBySize));
  pool.bumpLeft = 0;
  Block **link = &pool.all;
  while (Block *block = *link) {
    if (!block->kept && block->lastRun + kIdleRuns < ctx->run) {
      *link = block->nextAll;
      free(block);
      continue;
    }
    link = &block->nextAll;
    if (block->kept)
      continue;
    block->nextFree = pool.freeBySize[block->sizeClass];
    pool.freeBySize[block->sizeClass] = block;
  }
  Region **regions = &pool.regions;
  while (Region *region = *regions) {
    bool isEmpty = clear(pool, region);
    if (isEmpty && region->lastRun + kIdleRuns < ctx->run) {
      dropFree(pool, firstOf(region));
      *regions = region->next;
      unmapMemory(region->mapping, region->mappingBytes);
      continue;
    }
    regions = &region->next;
  }
}

void onnxc_rt::poolDestroy(onnxc_ctx *ctx) {
  while (Block *block = ctx->pool.all) {
    ctx->pool.all = block->nextAll;
    free(block);
  }
  while (Region *region = ctx->pool.regions) {
    ctx->pool.regions = region->next;
    unmapMemory(region->mapping, region->mappingBytes);
  }
}
