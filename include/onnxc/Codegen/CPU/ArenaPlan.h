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

/// The most bytes (each buffer rounded up to the alignment) that are alive at one step: no plan needs less.
int64_t boundArena(llvm::ArrayRef<ArenaBuffer> buffers, int64_t alignment);

/// Places the buffers so that those alive at the same step do not overlap; returns the arena's
/// size in bytes. Greedy, each at the lowest offset that fits, in the best of several orders: by
/// size (Pisarchyk and Lee, 2020: within a few percent of the bound on networks), by size times lifetime, and
/// by time.
int64_t planArena(llvm::MutableArrayRef<ArenaBuffer> buffers, int64_t alignment);

} // namespace onnxc

#endif
