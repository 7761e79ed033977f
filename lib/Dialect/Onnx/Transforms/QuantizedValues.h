// Values between DequantizeLinear and QuantizeLinear, for onnx-recognize-quantized.
#ifndef ONNXC_LIB_DIALECT_ONNX_TRANSFORMS_QUANTIZEDVALUES_H
#define ONNXC_LIB_DIALECT_ONNX_TRANSFORMS_QUANTIZEDVALUES_H

#include "onnxc/Dialect/Onnx/Transforms/Constants.h"
#include "mlir/IR/PatternMatch.h"

namespace onnxc::onnx {

/// One number for the whole tensor.
bool isSingle(mlir::Value value);

/// The same shape with another element type.
inline mlir::Type withElement(mlir::Type type, mlir::Type element) {
  return llvm::cast<mlir::TensorType>(type).clone(element);
}

/// What a DequantizeLinear reads, or a QuantizeLinear writes.
struct Parameters {
  mlir::Value scale, zero; ///< `zero` may be none
  int64_t axis = 0;
  mlir::Type element;

  bool single() const { return isSingle(scale) && (isNone(zero) || isSingle(zero)); }
  std::optional<double> knownScale() const { return constantScalar(scale); }
  std::optional<double> knownZero() const {
    return isNone(zero) ? std::optional(0.0) : constantScalar(zero);
  }
  bool operator==(const Parameters &other) const;
};

struct Dequantized {
  mlir::Value tensor;
  Parameters parameters;
};

std::optional<Dequantized> dequantized(mlir::Value value);
std::optional<Parameters> quantized(QuantizeLinearOp op);

/// An activation: bytes with one scale.
std::optional<Dequantized> activation(mlir::Value value);

/// Weights: bytes with one scale, or one for each index of `axis`.
std::optional<Dequantized> weights(mlir::Value value, int64_t axis);

/// The zero point as an operand that must be there.
mlir::Value zeroPoint(mlir::PatternRewriter &b, mlir::Location loc, const Parameters &p);

/// Appends scale and zero point, as the operands of QLinear operators come.
void append(llvm::SmallVectorImpl<mlir::Value> &operands, mlir::PatternRewriter &b, mlir::Location loc,
            const Parameters &p);
/// Appends tensor, scale and zero point.
void append(llvm::SmallVectorImpl<mlir::Value> &operands, mlir::PatternRewriter &b, mlir::Location loc,
            const Dequantized &x);

/// The integers of a bias whose scale is the product's own; null if it is another one.
mlir::Value integerBias(mlir::Value bias, const Parameters &x, const Parameters &w);

mlir::Operation *createMicrosoft(mlir::PatternRewriter &b, mlir::Location loc, llvm::StringRef name,
                                 mlir::Type type, mlir::ValueRange operands,
                                 llvm::ArrayRef<mlir::NamedAttribute> attrs);

/// Products of integers whose result is a float, or whose bias is. First those that are quantized again.
void populateScaledProductPatterns(mlir::RewritePatternSet &quantized, mlir::RewritePatternSet &floats);

} // namespace onnxc::onnx

#endif
