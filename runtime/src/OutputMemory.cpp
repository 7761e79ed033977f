// See OutputMemory.h.
#include "OutputMemory.h"

#include "Types.h"

#include <algorithm>
#include <new>

using namespace onnxc;

namespace {

/// Smaller blocks come from malloc's own lists at no cost.
constexpr size_t kLeast = 64 * 1024;

struct Block {
  std::shared_ptr<void> memory;
  size_t bytes = 0;
};

/// With a little more room, in steps of an eighth, so that an output that grows by a little each run (a cache of
/// keys and values) finds the last one's memory large enough.
size_t withRoom(size_t bytes) {
  bytes += bytes / 32;
  size_t step = kLeast / 8;
  while (step < bytes / 16)
    step *= 2;
  return (bytes + step - 1) / step * step;
}

} // namespace

struct OutputMemory::Shelf {
  std::mutex mutex;
  // Guarded by mutex; the smallest block first.
  std::vector<Block> blocks;
  size_t kept = 0, most = 0;
  bool closed = false;

  void putBack(Block block) noexcept {
    std::lock_guard<std::mutex> lock(mutex);
    if (closed || block.bytes > most)
      return;
    size_t bytes = block.bytes;
    try {
      auto at = std::upper_bound(blocks.begin(), blocks.end(), bytes,
                                 [](size_t least, const Block &other) { return least < other.bytes; });
      blocks.insert(at, std::move(block));
    } catch (const std::bad_alloc &) { // no room to note it: it is freed
      return;
    }
    kept += bytes;
    while (kept > most && !blocks.empty()) {
      kept -= blocks.front().bytes;
      blocks.erase(blocks.begin());
    }
  }
};

OutputMemory::OutputMemory() : shelf(std::make_shared<Shelf>()) {}

OutputMemory::~OutputMemory() {
  std::lock_guard<std::mutex> lock(shelf->mutex);
  shelf->closed = true;
  shelf->blocks.clear();
}

std::shared_ptr<void> OutputMemory::allocate(size_t bytes) {
  if (bytes < kLeast)
    return allocateAligned(bytes);
  Block block;
  {
    std::lock_guard<std::mutex> lock(shelf->mutex);
    auto at = std::lower_bound(shelf->blocks.begin(), shelf->blocks.end(), bytes,
                               [](const Block &other, size_t least) { return other.bytes < least; });
    // Not one that is far too large: another output may need that.
    if (at != shelf->blocks.end() && at->bytes / 2 <= bytes) {
      block = std::move(*at);
      shelf->blocks.erase(at);
      shelf->kept -= block.bytes;
    }
  }
  if (!block.memory) {
    block.bytes = withRoom(bytes);
    block.memory = allocateAligned(block.bytes);
  }
  void *data = block.memory.get();
  return std::shared_ptr<void>(data, [shelf = shelf, block = std::move(block)](void *) mutable {
    shelf->putBack(std::move(block));
  });
}

void OutputMemory::noteRun(size_t bytes) {
  std::lock_guard<std::mutex> lock(shelf->mutex);
  // The room that blocks have, too.
  shelf->most = std::max(shelf->most, bytes + bytes / 4);
}
