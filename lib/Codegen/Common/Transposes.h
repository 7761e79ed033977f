//===- Transposes.h - Moving transpositions through linalg on tensors -----===//
//
// What the parts of onnxc-propagate-transposes share. Throughout, a value is seen through
// its transposition: value = transpose(source, perm), so that dimension i of the value is dimension
// perm[i] of the source.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_LIB_CODEGEN_COMMON_TRANSPOSES_H
#define ONNXC_LIB_CODEGEN_COMMON_TRANSPOSES_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace onnxc {

using Perm = llvm::SmallVector<int64_t>;

struct Transposed {
  mlir::Value source;
  Perm perm;
};

inline mlir::RankedTensorType rankedType(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType());
}

/// The number of elements, unknown sizes taken for some middling number.
int64_t assumedElements(mlir::Type type);

Perm invertPerm(llvm::ArrayRef<int64_t> perm);
bool isIdentityPerm(llvm::ArrayRef<int64_t> perm);

/// The list whose element i is list[perm[i]].
template <typename List> auto permuted(const List &list, llvm::ArrayRef<int64_t> perm) {
  llvm::SmallVector<std::decay_t<decltype(list[0])>> result;
  for (int64_t p : perm)
    result.push_back(list[p]);
  return result;
}

/// The type of transpose(value of `type`, perm).
mlir::RankedTensorType permutedType(mlir::RankedTensorType type, llvm::ArrayRef<int64_t> perm);

/// Whether the transposition of `source` leaves all dimensions other than those of size 1 in
/// their order, so that no element moves.
bool movesOnlyUnits(mlir::RankedTensorType source, llvm::ArrayRef<int64_t> perm);

/// Whether bringing the value (whose transposition by perm is `value`) into the order of perm's
/// result is wanted by some use not far from it: a transposition that undoes this one.
bool isUndoneBelow(mlir::Value value, llvm::ArrayRef<int64_t> perm);

/// Makes and finds transpositions. Constants are transposed right away.
class Transposer {
public:
  explicit Transposer(mlir::IRRewriter &rewriter) : b(rewriter) {}

  /// The value as a transposition, if it is one.
  std::optional<Transposed> match(mlir::Value value) const;

  /// transpose(source, perm), which is simplified where the source is itself a
  /// transposition, a constant or without contents.
  mlir::Value transpose(mlir::Location loc, mlir::Value source, llvm::ArrayRef<int64_t> perm);

  /// A value `v` with transpose(v, perm) = value.
  mlir::Value undo(mlir::Location loc, mlir::Value value, llvm::ArrayRef<int64_t> perm) {
    return transpose(loc, value, invertPerm(perm));
  }

  /// Replaces the result by transpose(source, perm).
  void replace(mlir::OpResult result, mlir::Value source, llvm::ArrayRef<int64_t> perm);

  /// Gives back the memory of constants that only exist transposed now.
  void releaseConstants(mlir::Operation *root);

  mlir::IRRewriter &b;

private:
  mlir::Value transposeConstant(mlir::arith::ConstantOp constant, llvm::ArrayRef<int64_t> perm);

  llvm::DenseMap<mlir::Attribute, llvm::SmallVector<std::pair<Perm, mlir::TypedAttr>>> constants;
};

/// Reads the operands' sources directly and puts the loops and the results into the order that most of
/// them have. Returns whether something changed; the operation is gone then.
bool sinkThroughGeneric(Transposer &t, mlir::linalg::GenericOp op);

/// The same for operations that move or reshape tensors.
bool sinkThroughShapeOp(Transposer &t, mlir::Operation *op);

/// Computes contractions in the order of what their image is the transposition of, where their result is transposed back
/// by all who read it. The results are transpositions then, which sink as any others; the operations that were made.
llvm::SmallPtrSet<mlir::Operation *, 8> keepOuterLayouts(Transposer &t, mlir::Operation *root);

/// Elementwise work behind the operations takes the loops as these have them (positions as one, groups apart), not as
/// their reshaped results have them.
mlir::LogicalResult joinBehind(mlir::Operation *root, const llvm::SmallPtrSet<mlir::Operation *, 8> &made);

} // namespace onnxc

#endif
