//===- GradientWriter.h - What rules of differentiation write with --------===//
//
// The graph writer with the forms that gradients are made of.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_LIB_DIALECT_ONNX_GRADIENT_GRADIENTWRITER_H
#define ONNXC_LIB_DIALECT_ONNX_GRADIENT_GRADIENTWRITER_H

#include "onnxc/Dialect/Onnx/Transforms/GraphWriter.h"

namespace onnxc::onnx {

class GradientWriter : public GraphWriter {
public:
  using GraphWriter::concat;
  using GraphWriter::GraphWriter;
  using GraphWriter::reshape;

  static bool isFloat(mlir::Value x) {
    auto tensor = llvm::dyn_cast<mlir::TensorType>(x.getType());
    return tensor && llvm::isa<mlir::FloatType>(tensor.getElementType());
  }

  /// A scalar of the element type of `like`.
  mlir::Value number(double value, mlir::Value like) { return scalar(elem(like), value); }
  mlir::Value castLike(mlir::Value x, mlir::Value like) { return op("CastLike", {x, like}); }
  mlir::Value where(mlir::Value condition, mlir::Value x, mlir::Value y) {
    return op("Where", {condition, x, y});
  }
  mlir::Value shape(mlir::Value x) { return op("Shape", {x}); }
  /// The sizes of the axes from `first` on.
  mlir::Value shapeFrom(mlir::Value x, int64_t first) {
    return op("Shape", {x}, {integerAttr("start", first)});
  }
  /// The number of elements.
  mlir::Value count(mlir::Value x) { return op("Size", {x}); }
  mlir::Value concat(llvm::ArrayRef<mlir::Value> vectors) {
    return vectors.size() == 1 ? vectors.front() : concat(vectors, 0);
  }
  mlir::Value reshape(mlir::Value x, mlir::Value shape) {
    return op("Reshape", {x, shape}, {integerAttr("allowzero", 1)});
  }
  mlir::Value reshapeLike(mlir::Value x, mlir::Value like) { return reshape(x, shape(like)); }
  mlir::Value flat(mlir::Value x) { return reshape(x, Ints{-1}); }
  mlir::Value expandLike(mlir::Value x, mlir::Value like) { return op("Expand", {x, shape(like)}); }
  /// Of the shape and type of `like`.
  mlir::Value fill(double value, mlir::Value like) { return expandLike(number(value, like), like); }
  /// Exchanges two axes; negative ones count from the end.
  mlir::Value swapAxes(mlir::Value x, int64_t a, int64_t b);
  mlir::Value reduceSum(mlir::Value x, Ints axes, bool keepDims);
  /// The number of elements of `x` for each one of `y`, in the type of `x`.
  mlir::Value ratioOfCounts(mlir::Value x, mlir::Value y);
  /// Sums what broadcasting `like` to the shape of `x` repeated; null if a rank is not known.
  mlir::Value sumTo(mlir::Value x, mlir::Value like);
  /// Pads with zeros or cuts at the end of each axis from `first` on, to the size of `like`.
  mlir::Value fitTo(mlir::Value x, mlir::Value like, int64_t first);
};

} // namespace onnxc::onnx

#endif
