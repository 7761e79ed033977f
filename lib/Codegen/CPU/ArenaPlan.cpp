#include "onnxc/Codegen/CPU/ArenaPlan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"

namespace onnxc {
namespace {

/// Places the buffers in the order given; returns the end of the last.
int64_t place(llvm::ArrayRef<ArenaBuffer *> order, int64_t alignment) {
  llvm::SmallVector<ArenaBuffer *> placed;
  int64_t total = 0;
  for (ArenaBuffer *buffer : order) {
    // `placed` is ordered by offset: take the first gap that is wide enough.
    int64_t offset = 0;
    for (const ArenaBuffer *other : placed) {
      if (other->last < buffer->first || buffer->last < other->first)
        continue;
      if (offset + buffer->bytes <= other->offset)
        break;
      offset = std::max<int64_t>(offset, llvm::alignTo(other->offset + other->bytes, alignment));
    }
    buffer->offset = offset;
    total = std::max(total, offset + buffer->bytes);
    auto at = llvm::upper_bound(placed, buffer, [](const ArenaBuffer *a, const ArenaBuffer *b) {
      return a->offset < b->offset;
    });
    placed.insert(at, buffer);
  }
  return llvm::alignTo(total, alignment);
}

} // namespace

int64_t boundArena(llvm::ArrayRef<ArenaBuffer> buffers, int64_t alignment) {
  // What comes alive or dies at a step, in the steps' order.
  llvm::SmallVector<std::pair<int64_t, int64_t>> changes;
  for (const ArenaBuffer &buffer : buffers) {
    auto bytes = static_cast<int64_t>(llvm::alignTo(buffer.bytes, alignment));
    changes.push_back({buffer.first, bytes});
    changes.push_back({buffer.last + 1, -bytes});
  }
  llvm::sort(changes); // deaths of a step come before its births
  int64_t alive = 0, most = 0;
  for (auto [step, bytes] : changes) {
    alive += bytes;
    most = std::max(most, alive);
  }
  return most;
}

int64_t planArena(llvm::MutableArrayRef<ArenaBuffer> buffers, int64_t alignment) {
  using Less = llvm::function_ref<bool(const ArenaBuffer *, const ArenaBuffer *)>;
  auto bySize = [](const ArenaBuffer *a, const ArenaBuffer *b) { return a->bytes > b->bytes; };
  auto byArea = [](const ArenaBuffer *a, const ArenaBuffer *b) {
    return double(a->bytes) * (a->last - a->first + 1) > double(b->bytes) * (b->last - b->first + 1);
  };
  auto byTime = [](const ArenaBuffer *a, const ArenaBuffer *b) { return a->first < b->first; };

  int64_t bound = boundArena(buffers, alignment), best = INT64_MAX;
  llvm::SmallVector<int64_t> offsets;
  for (Less less : {Less(bySize), Less(byArea), Less(byTime)}) {
    llvm::SmallVector<ArenaBuffer *> order;
    for (ArenaBuffer &buffer : buffers)
      order.push_back(&buffer);
    llvm::stable_sort(order, less);
    int64_t total = place(order, alignment);
    if (total < best) {
      best = total;
      offsets.clear();
      for (const ArenaBuffer &buffer : buffers)
        offsets.push_back(buffer.offset);
    }
    if (best <= bound)
      break;
  }
  for (auto [buffer, offset] : llvm::zip(buffers, offsets))
    buffer.offset = offset;
  return best;
}

} // namespace onnxc
