// Products of panels that hold a word of each column's sum beside the next column's (see
// onnxc-pack-integer-weights), as operations on memrefs.
#ifndef ONNXC_LIB_CODEGEN_CPU_PACKEDDOT_H
#define ONNXC_LIB_CODEGEN_CPU_PACKEDDOT_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace onnxc {

/// The operands of a packed product and its special loops.
struct PackedDot {
  mlir::OpOperand *x = nullptr, *weights = nullptr;
  unsigned column, inner; // loops of the weights' last two dimensions
  int64_t depth;          // of the innermost one

  /// i8 (unsigned in x, signed weights) or bf16.
  mlir::Type elementType() const { return mlir::getElementTypeOrSelf(x->get().getType()); }
};

std::optional<PackedDot> matchPackedDot(mlir::linalg::LinalgOp op);

} // namespace onnxc

#endif
