// Operators computed at compile time on constants.
#ifndef ONNXC_DIALECT_ONNX_TRANSFORMS_EVALUATE_H
#define ONNXC_DIALECT_ONNX_TRANSFORMS_EVALUATE_H

#include "onnxc/Dialect/Onnx/Transforms/HostTensor.h"
#include "mlir/IR/Operation.h"

namespace onnxc::onnx {

/// Operands of an operator under evaluation; nullopt: absent.
using HostOperands = llvm::ArrayRef<std::optional<HostTensor>>;
using HostResults = llvm::SmallVector<HostTensor>;

struct EvaluateLimits {
  /// A result may have at most this many bytes, or as many as all operands together.
  int64_t growthBytes = 1 << 20;
};

/// True if `evaluate` knows the operator (it may still decline).
bool canEvaluate(mlir::Operation *op);

/// Computes all results of `op` from constant operands. Fails if the operator is
/// not known here, if a result would be too large, or if the operands are not valid
/// (which then is an error that appears at run time, or in shape inference). Of a result that is absent the value
/// means nothing.
mlir::LogicalResult evaluate(mlir::Operation *op, HostOperands operands,
                             const EvaluateLimits &limits, HostResults &results);

namespace detail {
using EvaluateFn = mlir::LogicalResult (*)(mlir::Operation *, HostOperands,
                                           const EvaluateLimits &, HostResults &);
/// By operation name; null if not known.
EvaluateFn lookupMovement(llvm::StringRef name);
EvaluateFn lookupArithmetic(llvm::StringRef name);
EvaluateFn lookupNetwork(llvm::StringRef name);
inline bool isPresent(HostOperands operands, size_t i) { return i < operands.size() && operands[i]; }
/// Floats of 16 bits or more: the rounding of narrower ones has rules of its own.
bool isWideFloat(const HostTensor &x);
/// Whether a result of this many elements may be made.
bool fits(const EvaluateLimits &limits, HostOperands operands, llvm::ArrayRef<int64_t> shape,
          int64_t elementBytes);
std::optional<llvm::SmallVector<int64_t>> broadcastShapes(llvm::ArrayRef<int64_t> a,
                                                          llvm::ArrayRef<int64_t> b);
/// Strides in elements to read a tensor of `shape` as one of `result`; 0 where broadcast.
llvm::SmallVector<int64_t> broadcastStrides(llvm::ArrayRef<int64_t> shape,
                                            llvm::ArrayRef<int64_t> result);
/// Calls fn(outIndex, offsets) for the start of each innermost row of `shape`; offsets[k] is the position in
/// operand k, given its strides.
void forEachRow(llvm::ArrayRef<int64_t> shape,
                llvm::ArrayRef<llvm::SmallVector<int64_t>> strides,
                llvm::function_ref<void(int64_t, llvm::ArrayRef<int64_t>)> fn);
/// An axis in [0, rank), or nullopt.
std::optional<int64_t> wrapAxis(int64_t axis, int64_t rank);
} // namespace detail

} // namespace onnxc::onnx

#endif
