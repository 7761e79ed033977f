//===- GraphWriter.h - Writes onnx operators with inferred types ----------===//
//
// What the rules of differentiation build their graphs with: operators by name,
// whose result types ONNX's own inference gives.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_LIB_DIALECT_ONNX_GRADIENT_GRAPHWRITER_H
#define ONNXC_LIB_DIALECT_ONNX_GRADIENT_GRAPHWRITER_H

#include "onnxc/Dialect/Onnx/IR/Onnx.h"
#include "onnxc/Dialect/Onnx/Transforms/ShapeState.h"
#include "mlir/IR/Builders.h"

namespace onnxc::onnx {

class GraphWriter {
public:
  /// Writes before `anchor`, with its location. `state` knows the values that stand before it.
  GraphWriter(mlir::Operation *anchor, ShapeState &state);

  mlir::OpBuilder &builder() { return b; }
  mlir::NamedAttribute attr(llvm::StringRef name, int64_t value);
  mlir::NamedAttribute attr(llvm::StringRef name, llvm::ArrayRef<int64_t> values);
  mlir::NamedAttribute attr(llvm::StringRef name, llvm::StringRef value);
  mlir::NamedAttribute attr(llvm::StringRef name, float value);

  /// An operator with one result, whose element type is `element` or else that of the first input.
  /// Missing trailing inputs and outputs become none; so does a null input.
  mlir::Value op(llvm::StringRef name, llvm::ArrayRef<mlir::Value> inputs,
                 llvm::ArrayRef<mlir::NamedAttribute> attrs = {}, mlir::Type element = {});
  /// An operator with as many results as there are element types (null: none).
  llvm::SmallVector<mlir::Value> ops(llvm::StringRef name, llvm::ArrayRef<mlir::Value> inputs,
                                     llvm::ArrayRef<mlir::NamedAttribute> attrs,
                                     llvm::ArrayRef<mlir::Type> elements);
  /// A copy of `op` with other operands; its results have element types `elements`.
  mlir::Operation *again(mlir::Operation *op, llvm::ArrayRef<mlir::Value> operands,
                         llvm::ArrayRef<mlir::Type> elements);
  /// Infers the types of the results of an operator that was built in another way.
  void infer(mlir::Operation *op);

  mlir::Value ints(llvm::ArrayRef<int64_t> values);      // tensor<nxi64>
  mlir::Value scalar(int64_t value);                     // tensor<i64>
  mlir::Value number(double value, mlir::Value like);    // a scalar of the element type of `like`

  mlir::Value add(mlir::Value x, mlir::Value y) { return op("Add", {x, y}); }
  mlir::Value sub(mlir::Value x, mlir::Value y) { return op("Sub", {x, y}); }
  mlir::Value mul(mlir::Value x, mlir::Value y) { return op("Mul", {x, y}); }
  mlir::Value div(mlir::Value x, mlir::Value y) { return op("Div", {x, y}); }
  mlir::Value neg(mlir::Value x) { return op("Neg", {x}); }
  mlir::Value scaled(mlir::Value x, double factor) { return mul(x, number(factor, x)); }
  mlir::Value where(mlir::Value condition, mlir::Value x, mlir::Value y);
  /// "Greater", "Equal", ...
  mlir::Value compare(llvm::StringRef name, mlir::Value x, mlir::Value y);
  mlir::Value shape(mlir::Value x);                       // tensor<rank x i64>
  mlir::Value size(mlir::Value x);                        // tensor<i64>
  /// Dimensions [begin, end) of `x`; end -1: to the last.
  mlir::Value shape(mlir::Value x, int64_t begin, int64_t end);
  mlir::Value concat(llvm::ArrayRef<mlir::Value> vectors);
  mlir::Value reshape(mlir::Value x, mlir::Value shape);
  mlir::Value reshapeLike(mlir::Value x, mlir::Value like) { return reshape(x, shape(like)); }
  mlir::Value flat(mlir::Value x) { return reshape(x, ints({-1})); }
  mlir::Value expandLike(mlir::Value x, mlir::Value like);
  mlir::Value fill(double value, mlir::Value like);       // of the shape and type of `like`
  mlir::Value transpose(mlir::Value x, llvm::ArrayRef<int64_t> perm);
  /// Exchanges the last two axes.
  mlir::Value matrixTranspose(mlir::Value x);
  mlir::Value reduceSum(mlir::Value x, llvm::ArrayRef<int64_t> axes, bool keepDims);
  /// The number of elements of `x` for each one of `y`, in the type of `x`.
  mlir::Value ratioOfSizes(mlir::Value x, mlir::Value y);
  /// Sums what broadcasting `like` to the shape of `x` repeated; null if a rank is not known.
  mlir::Value sumTo(mlir::Value x, mlir::Value like);
  /// Pads with zeros or cuts at the end of each axis from `first` on, to the size of `like`.
  mlir::Value fitTo(mlir::Value x, mlir::Value like, int64_t first);

  std::optional<int64_t> rank(mlir::Value x);
  static mlir::Type elementOf(mlir::Value x);
  static bool isFloat(mlir::Value x);

private:
  mlir::OpBuilder b;
  mlir::Location loc;
  ShapeState &state;
  mlir::Value noneValue;

  mlir::Value none();
};

} // namespace onnxc::onnx

#endif
