// Offsets of buffers in one arena from their lifetimes.
#ifndef ONNXC_CODEGEN_CPU_ARENAPLAN_H
#define ONNXC_CODEGEN_CPU_ARENAPLAN_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace onnxc {

struct ArenaBuffer {
  int64_t bytes;
  int64_t first, last; ///< the steps at which it is alive, both included
  int64_t offset;      ///< the result, bytes
};

/// Places the buffers so that those alive at the same step do not overlap; returns the arena's
/// size in bytes. Greedy by size, each at the lowest offset that fits (Pisarchyk and Lee, 2020:
/// within a few percent of the liveness bound on networks).
int64_t planArena(llvm::MutableArrayRef<ArenaBuffer> buffers, int64_t alignment);

} // namespace onnxc

#endif
