#include "onnxc/Codegen/CPU/ArenaPlan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"

namespace onnxc {

int64_t planArena(llvm::MutableArrayRef<ArenaBuffer> buffers, int64_t alignment) {
  llvm::SmallVector<ArenaBuffer *> bySize, placed;
  for (ArenaBuffer &buffer : buffers)
    bySize.push_back(&buffer);
  llvm::stable_sort(bySize, [](const ArenaBuffer *a, const ArenaBuffer *b) {
    return a->bytes > b->bytes;
  });
  int64_t total = 0;
  for (ArenaBuffer *buffer : bySize) {
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

} // namespace onnxc
