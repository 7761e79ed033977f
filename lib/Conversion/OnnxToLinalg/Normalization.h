//===- Normalization.h - Row-wise forms shared by several families --------===//
//
// Softmax, statistics and their application, as attention, losses and the
// normalisations use them. `acc` is the type of sums (accumulatorType of the input).
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_LIB_CONVERSION_ONNXTOLINALG_NORMALIZATION_H
#define ONNXC_LIB_CONVERSION_ONNXTOLINALG_NORMALIZATION_H

#include "TensorBuilder.h"
#include "onnxc/Conversion/OnnxToLinalg/TypeConverter.h"

namespace onnxc {

/// Reductions along one axis, which disappears.
mlir::Value rowMax(TensorBuilder &b, mlir::Value x, int64_t axis, mlir::Type acc);
mlir::Value rowSum(TensorBuilder &b, mlir::Value x, int64_t axis, mlir::Type acc);

mlir::Value buildSoftmax(TensorBuilder &b, mlir::Value x, int64_t axis, mlir::Type acc,
                         mlir::Type elem);
mlir::Value buildLogSoftmax(TensorBuilder &b, mlir::Value x, int64_t axis, mlir::Type acc,
                            mlir::Type elem);

/// Mean and population variance over `axes`, which disappear; two passes.
struct Moments {
  mlir::Value mean, variance;
};
Moments buildMoments(TensorBuilder &b, mlir::Value x, llvm::ArrayRef<int64_t> axes,
                     mlir::Type acc);

void populateSoftmaxPatterns(mlir::RewritePatternSet &patterns, OnnxTypeConverter &types);

} // namespace onnxc

#endif
