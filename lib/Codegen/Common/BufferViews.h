// Buffers of one block through their views: sizes, who reads and writes which part, and how a buffer gets another type.
#ifndef ONNXC_LIB_CODEGEN_COMMON_BUFFERVIEWS_H
#define ONNXC_LIB_CODEGEN_COMMON_BUFFERVIEWS_H

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/PatternMatch.h"

namespace onnxc {

/// The size of a dimension of an allocation or of a view of one, as a value that was there before; null
/// if it is not known.
mlir::OpFoldResult sizeOfBuffer(mlir::Value value, int64_t dim);

/// A part of a buffer; kDynamic where a bound is not known.
struct Box {
  llvm::SmallVector<int64_t> offsets, sizes;
};
bool areDisjoint(const std::optional<Box> &x, const std::optional<Box> &y);
/// None if the view takes elements that are not neighbours.
std::optional<Box> boxOf(mlir::memref::SubViewOp view);

struct BufferAccess {
  mlir::Operation *user; // what reads or writes
  mlir::Operation *at;   // the operation of the block that contains it
  bool reads, writes;
  std::optional<Box> box; // all of the buffer if there is none
};
/// All accesses to a buffer, through views also; none if some use is not understood.
std::optional<llvm::SmallVector<BufferAccess>> collectAccesses(mlir::memref::AllocOp alloc);

/// Whether all views and users of a value would take it in another type, and the change to it.
bool canRetype(mlir::Value value, mlir::MemRefType type);
void retype(mlir::IRRewriter &rewriter, mlir::Value from, mlir::Value to);
/// Elements that lie next to each other in a buffer that is whole would not in one of this type.
bool tearsVectors(mlir::MemRefType type);

} // namespace onnxc

#endif
