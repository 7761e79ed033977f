//===- Contraction.h - Matrix products and convolutions on tensors --------===//
//
// What MatMul, Conv and their quantized, recurrent and attention relatives share.
// The choice of a convolution's form (direct, im2col, plain product) is made in
// Convolution::build only.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_LIB_CONVERSION_ONNXTOLINALG_CONTRACTION_H
#define ONNXC_LIB_CONVERSION_ONNXTOLINALG_CONTRACTION_H

#include "TensorBuilder.h"

#include "onnxc/Conversion/OnnxToLinalg/TypeConverter.h"

#include <optional>

namespace onnxc {

/// How a matrix product's elements are read and summed.
struct ProductTypes {
  mlir::Type acc;  // sums are in this type
  mlir::Type elem; // of the result
  bool aUnsigned = false, bUnsigned = false;
};

/// The loops of numpy's matmul: batch dimensions, then m, n, k where they exist; k is last.
struct MatMulLoops {
  Sizes sizes; // of the result
  mlir::AffineMap a, b, out;
};
MatMulLoops matMulLoops(TensorBuilder &b, mlir::Value lhs, mlir::Value rhs, mlir::Type resultType);

/// numpy.matmul. `resultType` gives static sizes where `lhs` and `rhs` do not.
mlir::Value buildMatMul(TensorBuilder &b, mlir::Value lhs, mlir::Value rhs, ProductTypes types,
                        mlir::Type resultType);

/// `lhs` [M, K] times `rhs` [K, N], each possibly stored transposed.
mlir::Value buildGemm(TensorBuilder &b, mlir::Value lhs, bool transA, mlir::Value rhs, bool transB,
                      ProductTypes types);

/// A sliding window over the trailing (spatial) dimensions of [N, C, spatial...].
struct Window {
  llvm::SmallVector<int64_t> strides, dilations;
  Sizes kernel, low, high, out;
  Sizes declaredHigh; // without what ceil_mode adds to `high`
  int64_t rank() const { return strides.size(); }
};

/// The attributes of a windowed operator, as ONNX gives them.
struct WindowAttrs {
  llvm::StringRef autoPad;
  std::optional<llvm::ArrayRef<int64_t>> strides, dilations, pads;
  bool ceilMode = false;
};

/// Resolves defaults, auto_pad and output sizes; refuses the operator where they do not fit.
mlir::FailureOr<Window> resolveWindow(TensorBuilder &b, const OnnxTypeConverter &types,
                                      mlir::Operation *op, mlir::Value input, Sizes kernel,
                                      const WindowAttrs &attrs, mlir::Type resultType);

/// X [N, C, spatial...], W [F, C/group, kernel...]; X is padded with `padValue`.
/// The result is [N, F, out...] of `types.elem`; in `types`, a is W and b is X.
mlir::Value buildConvolution(TensorBuilder &b, mlir::Value x, mlir::Value w, int64_t group,
                             const Window &window, mlir::Value padValue, ProductTypes types);

/// The same with X [N, spatial..., C], not padded, and the result [N, out..., F].
mlir::Value buildChannelsLast(TensorBuilder &b, mlir::Value x, mlir::Value w, int64_t group,
                              const Window &window, mlir::Value padValue, ProductTypes types);
/// Of one group, by a matrix product for each tap; null where more than `mostKept` of all reads of the taps are not in
/// a padding of zeros.
mlir::Value buildByTaps(TensorBuilder &b, mlir::Value x, mlir::Value w, const Window &window,
                        mlir::Value padValue, ProductTypes types, double mostKept);
/// Of one group, dilated: every d-th row and column make an image of their own, whose convolution is not dilated, so that
/// Winograd's method fits. Null where that gains nothing.
mlir::Value buildByPhases(TensorBuilder &b, mlir::Value x, mlir::Value w, const Window &window,
                          mlir::Value padValue, ProductTypes types);

/// X padded so that all windows lie inside.
mlir::Value padForWindow(TensorBuilder &b, mlir::Value x, const Window &window,
                         mlir::Value padValue);

/// `tensor` with the sizes `wanted` in the dimensions that only the run knows to be those or one.
mlir::Value resolveBroadcast(TensorBuilder &b, mlir::Value tensor,
                             llvm::ArrayRef<mlir::OpFoldResult> wanted);
/// Reads `tensor` (aligned at the last dimension) in a parallel loop nest of `sizes`.
Access broadcastAccess(TensorBuilder &b, mlir::Value tensor,
                       llvm::ArrayRef<mlir::OpFoldResult> sizes);
/// Reads `tensor` along loop `axis` with its last dimension, the others being one; a single element
/// serves all.
Access perAxisAccess(TensorBuilder &b, mlir::Value tensor, llvm::ArrayRef<mlir::OpFoldResult> sizes,
                     unsigned axis);

void populateConvTransposePatterns(mlir::RewritePatternSet &patterns, OnnxTypeConverter &types);
void populateEinsumPatterns(mlir::RewritePatternSet &patterns, OnnxTypeConverter &types);

} // namespace onnxc

#endif
