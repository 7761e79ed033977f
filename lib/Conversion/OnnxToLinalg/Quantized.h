//===- Quantized.h - Integer products and requantization ------------------===//
//
// Products of 8-bit integers stay products of the stored values, which machines have
// instructions for; zero points enter as sums of rows and columns afterwards.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_LIB_CONVERSION_ONNXTOLINALG_QUANTIZED_H
#define ONNXC_LIB_CONVERSION_ONNXTOLINALG_QUANTIZED_H

#include "Contraction.h"
#include "onnxc/Conversion/OnnxToLinalg/ScalarCodec.h"

namespace onnxc {

/// An 8-bit operand: its storage, signedness and zero point.
struct QuantizedOperand {
  mlir::Value tensor;
  bool isUnsigned = false;
  mlir::Value zero; // 0-d, one element, per row or column; null if it is zero
  bool zeroUnsigned = false;
  mlir::ElementsAttr values = {}; // of `tensor` where it is constant
  std::optional<llvm::SmallVector<int64_t>> zeroValues = {}; // where constant; {0} where absent
};
/// From an operator's operands; a constant zero point of zero counts as none.
QuantizedOperand quantizedOperand(mlir::Value original, mlir::Value converted,
                                  mlir::Value originalZero, mlir::Value convertedZero);

/// Constant weights become signed and the operand they meet unsigned, both by moving values and zero
/// point by 128: machines multiply bytes of these kinds.
void normalizeSigns(TensorBuilder &b, QuantizedOperand &x, QuantizedOperand &weights);
/// Constant weights become their values less constant zero points (one, or one for each index of the first
/// dimension), in 16 bits; others stay as they are.
void subtractZero(TensorBuilder &b, QuantizedOperand &weights);
/// Sums of constant weights, as stored, over all axes but `axis`; empty if they are not constant.
llvm::SmallVector<int32_t> sumWeights(const QuantizedOperand &weights, int64_t axis);
/// Constant weights as bytes; false if their data is not there.
bool readWeights(mlir::ElementsAttr values, llvm::SmallVectorImpl<int8_t> &bytes);
/// Columns [from, from + width) of matrix `index` of constant weights [matrices, K, columns]; null
/// where their data is not there.
mlir::ElementsAttr sliceWeights(mlir::ElementsAttr values, int64_t index, int64_t from,
                                int64_t width);
/// A constant tensor of bytes.
mlir::ElementsAttr makeWeights(llvm::ArrayRef<int64_t> shape, mlir::Type elem,
                               llvm::ArrayRef<int8_t> bytes);

/// numpy.matmul of the values less their zero points, in i32. Zero points of the left side are
/// per row, of the right side per column.
mlir::Value buildIntegerMatMul(TensorBuilder &b, QuantizedOperand lhs, QuantizedOperand rhs,
                               mlir::Type resultType);
/// The same for [M, K] x [K, N], each possibly stored transposed.
mlir::Value buildIntegerGemm(TensorBuilder &b, QuantizedOperand lhs, bool transA,
                             QuantizedOperand rhs, bool transB);
/// Convolution in i32; w's zero points are per filter. Padding has x's zero point.
mlir::Value buildIntegerConvolution(TensorBuilder &b, QuantizedOperand x, QuantizedOperand w,
                                    int64_t group, const Window &window);

/// The factor x * w / y of a requantization in f32, one number or one for each column, where all of
/// them are constants of the program; null otherwise.
mlir::Value requantScale(TensorBuilder &b, mlir::Value x, mlir::Value w, mlir::Value y);

/// Inside a body: round(v) + zero, half to even, saturated to the range of the integer type `onnxInt`, in
/// its storage type; `zero` is an i32 or null. A NaN becomes the lowest value.
mlir::Value roundToInt(mlir::OpBuilder &b, mlir::Location loc, mlir::Value v, mlir::Value zero,
                       mlir::Type onnxInt);
/// Inside a body: round(v / scale) + zero, saturated to the range of the integer type
/// `onnxElem`, in its storage type.
mlir::Value quantizeScalar(TensorBuilder &t, mlir::Value v, mlir::Value scale, mlir::Value zero,
                           mlir::Type onnxElem);
/// Inside a body: (v - zero) * scale in f32; `zero` may be null.
mlir::Value dequantizeScalar(TensorBuilder &t, mlir::Value v, mlir::Value scale, mlir::Value zero,
                             bool isUnsigned);

/// Reads a per-row or per-column parameter of a matrix product's result: a scalar, a vector along
/// loop `axis`, or a tensor that broadcasts.
Access parameterAccess(TensorBuilder &b, mlir::Value parameter,
                       llvm::ArrayRef<mlir::OpFoldResult> sizes, unsigned axis);

void populateQuantizedContractionPatterns(mlir::RewritePatternSet &patterns,
                                          OnnxTypeConverter &types);

} // namespace onnxc

#endif
