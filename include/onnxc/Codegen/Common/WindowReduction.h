// A sliding window's maximum, sum, ... (pooling) as a linalg.generic, taken apart.
#ifndef ONNXC_CODEGEN_COMMON_WINDOWREDUCTION_H
#define ONNXC_CODEGEN_COMMON_WINDOWREDUCTION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace onnxc {

/// The window along one dimension of the input and of the result.
struct WindowDim {
  unsigned dim;
  int64_t stride, dilation, kernel;
  int64_t in, out;         ///< sizes; of the input without padding
  int64_t low, paddedSize; ///< elements of padding in front, size with all padding
};

struct WindowReduction {
  mlir::linalg::GenericOp op;
  mlir::Value source;  ///< the input without padding
  mlir::Value neutral; ///< what padding has, and what the reduction begins with
  llvm::SmallVector<int64_t> inShape; ///< of the source
  llvm::SmallVector<WindowDim> windows;
  unsigned channels; ///< the last dimension without a window
  /// Elementwise work on the result, all that uses it; null: none.
  mlir::linalg::GenericOp consumer;

  mlir::Type elementType() const { return neutral.getType(); }
  bool isWindow(unsigned dim) const {
    return llvm::any_of(windows, [&](const WindowDim &w) { return w.dim == dim; });
  }
  bool isPadded() const {
    return llvm::any_of(windows, [](const WindowDim &w) { return w.paddedSize != w.in; });
  }
  /// An element joins an accumulator. The elements are those of the source, or what others of them made.
  mlir::Value combine(mlir::OpBuilder &b, mlir::Value element, mlir::Value accumulator, bool ofSource) const;
};

/// Of an operation on tensors with windows along two dimensions or more; nothing if it is none, or its sizes are unknown.
std::optional<WindowReduction> matchWindowReduction(mlir::linalg::GenericOp op);

} // namespace onnxc

#endif
