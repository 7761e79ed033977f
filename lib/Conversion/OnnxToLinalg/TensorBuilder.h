//===- TensorBuilder.h - Short forms for linalg code on tensors -----------===//
//
// A builder at one location with the few forms that contractions, windows,
// reductions and normalisations are made of: sizes that fold when static,
// parallel and reducing generics, reshapes. All handle dynamic dimensions.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_LIB_CONVERSION_ONNXTOLINALG_TENSORBUILDER_H
#define ONNXC_LIB_CONVERSION_ONNXTOLINALG_TENSORBUILDER_H

#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/TypeUtilities.h"

namespace onnxc {

/// Sizes, offsets or pads: index attributes where known, index values else.
using Sizes = llvm::SmallVector<mlir::OpFoldResult>;

/// An input of a generic and where each iteration reads it.
struct Access {
  mlir::Value tensor;
  mlir::AffineMap map;
};

class TensorBuilder : public mlir::ImplicitLocOpBuilder {
public:
  TensorBuilder(mlir::Location loc, mlir::OpBuilder &builder)
      : ImplicitLocOpBuilder(loc, builder) {}

  /// The scalar results of one iteration, from the elements read and, in reductions, the
  /// accumulators that follow them.
  using BodyFn = llvm::function_ref<llvm::SmallVector<mlir::Value>(TensorBuilder &,
                                                                   mlir::ValueRange)>;
  using ScalarFn = llvm::function_ref<mlir::Value(TensorBuilder &, mlir::ValueRange)>;

  // Sizes.
  mlir::OpFoldResult dim(mlir::Value tensor, int64_t i);
  Sizes dims(mlir::Value tensor);
  mlir::OpFoldResult add(mlir::OpFoldResult a, mlir::OpFoldResult b);
  mlir::OpFoldResult sub(mlir::OpFoldResult a, mlir::OpFoldResult b);
  mlir::OpFoldResult mul(mlir::OpFoldResult a, mlir::OpFoldResult b);
  mlir::OpFoldResult floorDiv(mlir::OpFoldResult a, mlir::OpFoldResult b);
  mlir::OpFoldResult ceilDiv(mlir::OpFoldResult a, mlir::OpFoldResult b);
  mlir::OpFoldResult max(mlir::OpFoldResult a, mlir::OpFoldResult b);
  mlir::OpFoldResult min(mlir::OpFoldResult a, mlir::OpFoldResult b);
  mlir::OpFoldResult product(llvm::ArrayRef<mlir::OpFoldResult> sizes);
  mlir::OpFoldResult fixed(int64_t v) { return getIndexAttr(v); }
  mlir::Value index(mlir::OpFoldResult v);
  mlir::Value index(int64_t v) { return index(fixed(v)); }
  /// `sizes` with the static sizes of `type` where it has them.
  Sizes refine(Sizes sizes, mlir::Type type);

  /// Ends the run where two sizes differ; what is static has been checked by shape inference.
  void requireEqual(mlir::OpFoldResult x, mlir::OpFoldResult y);

  // Scalars.
  mlir::Value constant(mlir::Type type, double v);
  mlir::Value intConstant(mlir::Type type, int64_t v);
  /// The smallest (or largest) value of a type, infinities for floats.
  mlir::Value lowest(mlir::Type type, bool isUnsigned);
  mlir::Value highest(mlir::Type type, bool isUnsigned);
  /// Between float types, between integer types, or from one to the other.
  mlir::Value convert(mlir::Value v, mlir::Type type, bool isUnsigned = false);
  mlir::Value addScalar(mlir::Value a, mlir::Value b);
  mlir::Value subScalar(mlir::Value a, mlir::Value b);
  mlir::Value mulScalar(mlir::Value a, mlir::Value b);
  mlir::Value divScalar(mlir::Value a, mlir::Value b, bool isUnsigned = false);
  /// Maximum (minimum), NaN if either is.
  mlir::Value maxScalar(mlir::Value a, mlir::Value b, bool isUnsigned = false);
  mlir::Value minScalar(mlir::Value a, mlir::Value b, bool isUnsigned = false);

  // Affine maps over `loops` loops.
  mlir::AffineMap map(unsigned loops, llvm::ArrayRef<mlir::AffineExpr> results);
  mlir::AffineMap mapDims(unsigned loops, llvm::ArrayRef<unsigned> results);
  mlir::AffineMap identity(unsigned loops) { return getMultiDimIdentityMap(loops); }
  /// The identity without the dimensions in `axes`.
  mlir::AffineMap dropAxes(unsigned loops, llvm::ArrayRef<int64_t> axes);

  // Tensors.
  mlir::Value empty(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type elem);
  mlir::Value filled(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Value scalar);
  mlir::Value zeros(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type elem);
  /// One element for each point of `sizes`; the body sees the elements of `ins`.
  mlir::Value parallel(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type elem,
                       llvm::ArrayRef<Access> ins, ScalarFn body);
  /// The same on the shape of `tensor`, whose element comes first.
  mlir::Value unary(mlir::Value tensor, mlir::Type elem, ScalarFn body);
  /// Loops that do not appear in `outMap` reduce; the body sees the elements, then the
  /// accumulator, which starts as `init`.
  mlir::Value reduce(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::AffineMap outMap,
                     mlir::Value init, llvm::ArrayRef<Access> ins, ScalarFn body);
  /// The same with several accumulators.
  llvm::SmallVector<mlir::Value> reduceMany(llvm::ArrayRef<mlir::OpFoldResult> sizes,
                                            mlir::AffineMap outMap, mlir::ValueRange inits,
                                            llvm::ArrayRef<Access> ins, BodyFn body);
  /// Reduces `tensor` over `axes`, which disappear.
  mlir::Value reduceAxes(mlir::Value tensor, llvm::ArrayRef<int64_t> axes, mlir::Value init,
                         ScalarFn body);
  /// Sum of products in `acc`, converted to `elem` afterwards. Loops that do not appear in
  /// `outMap` reduce.
  mlir::Value contract(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::AffineMap outMap,
                       Access a, Access b, mlir::Type acc, mlir::Type elem,
                       bool aUnsigned = false, bool bUnsigned = false);
  /// All elements converted, the tensor itself if nothing is to be done.
  mlir::Value convertElements(mlir::Value tensor, mlir::Type elem, bool isUnsigned = false);

  mlir::Value collapse(mlir::Value tensor,
                       llvm::ArrayRef<mlir::ReassociationIndices> groups);
  mlir::Value expand(mlir::Value tensor, llvm::ArrayRef<mlir::ReassociationIndices> groups,
                     llvm::ArrayRef<mlir::OpFoldResult> sizes);
  /// Inserts dimensions of size one so that they stand at `axes` in the result.
  mlir::Value unsqueeze(mlir::Value tensor, llvm::ArrayRef<int64_t> axes);
  mlir::Value pad(mlir::Value tensor, llvm::ArrayRef<mlir::OpFoldResult> low,
                  llvm::ArrayRef<mlir::OpFoldResult> high, mlir::Value value);
  mlir::Value transpose(mlir::Value tensor, llvm::ArrayRef<int64_t> perm);
  /// The same as an operation that later passes move and cancel.
  mlir::Value transposed(mlir::Value tensor, llvm::ArrayRef<int64_t> perm);
  /// Element at constant or computed positions; 0-d and one-element tensors need none.
  mlir::Value extract(mlir::Value tensor, llvm::ArrayRef<mlir::OpFoldResult> at = {});
  mlir::Value slice(mlir::Value tensor, llvm::ArrayRef<mlir::OpFoldResult> offsets,
                    llvm::ArrayRef<mlir::OpFoldResult> sizes);
  mlir::Value castTo(mlir::Value tensor, mlir::Type type);
};

/// f32 for the types narrower than it, the type itself else.
mlir::Type accumulatorType(mlir::Type elem);

} // namespace onnxc

#endif
