//===- GraphWriter.h - Writes onnx operators with inferred types ----------===//
//
// What passes build graphs with that put operators in the place of others. Types are inferred as
// operators are made, so that one can ask for the shape of what has just been built.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_DIALECT_ONNX_TRANSFORMS_GRAPHWRITER_H
#define ONNXC_DIALECT_ONNX_TRANSFORMS_GRAPHWRITER_H

#include "onnxc/Dialect/Onnx/IR/Onnx.h"
#include "onnxc/Dialect/Onnx/Transforms/TypeInference.h"
#include "mlir/IR/Builders.h"

namespace onnxc::onnx {

using Attrs = llvm::SmallVector<mlir::NamedAttribute>;
using Values = llvm::SmallVector<mlir::Value>;
using Ints = llvm::ArrayRef<int64_t>;

class GraphWriter {
public:
  /// Writes before `anchor`, with its location. `state` knows the values that stand before it.
  GraphWriter(mlir::Operation *anchor, ShapeState &state)
      : b(anchor), state(state), inference(state), loc(anchor->getLoc()) {}

  mlir::OpBuilder b;

  //===-- Types ------------------------------------------------------------===//

  /// Null while the rank is not known.
  mlir::RankedTensorType type(mlir::Value v) const {
    return llvm::dyn_cast<mlir::RankedTensorType>(v.getType());
  }
  mlir::Type elem(mlir::Value v) const {
    return llvm::cast<mlir::TensorType>(v.getType()).getElementType();
  }
  int64_t rank(mlir::Value v) const { return type(v) ? type(v).getRank() : -1; }
  /// A size, ShapedType::kDynamic if it is not known. Negative axes count from the end.
  int64_t dim(mlir::Value v, int64_t axis) const;

  //===-- Operators --------------------------------------------------------===//

  /// An operator of ai.onnx with its first result. Operands may be null.
  mlir::Value op(llvm::StringRef name, llvm::ArrayRef<mlir::Value> operands,
                 llvm::ArrayRef<mlir::NamedAttribute> attrs = {});
  /// The same with those of the results for which `wanted` is set; the others are null.
  Values ops(llvm::StringRef name, llvm::ArrayRef<mlir::Value> operands,
             llvm::ArrayRef<mlir::NamedAttribute> attrs, llvm::ArrayRef<bool> wanted);
  /// A copy of `op` with other operands and those results for which `wanted` is set; types are inferred anew.
  mlir::Operation *again(mlir::Operation *op, llvm::ArrayRef<mlir::Value> operands,
                         llvm::ArrayRef<bool> wanted);
  /// Infers the types of the results of an operator that was built in another way.
  void infer(mlir::Operation *op);
  mlir::NamedAttribute integerAttr(llvm::StringRef name, int64_t value);
  mlir::NamedAttribute realAttr(llvm::StringRef name, double value);
  mlir::NamedAttribute textAttr(llvm::StringRef name, llvm::StringRef value);
  mlir::NamedAttribute intsAttr(llvm::StringRef name, Ints values);

  mlir::Value none();
  /// A vector of int64.
  mlir::Value vector(Ints values);
  mlir::Value scalar(mlir::Type elem, double value);
  /// The elements are rounded to the type.
  mlir::Value constant(mlir::Type elem, Ints shape, llvm::ArrayRef<double> values);

  mlir::Value neg(mlir::Value x) { return op("Neg", {x}); }
  mlir::Value add(mlir::Value x, mlir::Value y) { return op("Add", {x, y}); }
  mlir::Value sub(mlir::Value x, mlir::Value y) { return op("Sub", {x, y}); }
  mlir::Value mul(mlir::Value x, mlir::Value y) { return op("Mul", {x, y}); }
  mlir::Value div(mlir::Value x, mlir::Value y) { return op("Div", {x, y}); }
  /// x + y, where either may be null.
  mlir::Value addIf(mlir::Value x, mlir::Value y) { return !x ? y : !y ? x : add(x, y); }
  mlir::Value scaled(mlir::Value x, double factor) {
    return factor == 1 ? x : mul(x, scalar(elem(x), factor));
  }
  mlir::Value cast(mlir::Value x, mlir::Type to);
  /// As Reshape: 0 keeps a size, -1 stands for the rest.
  mlir::Value reshape(mlir::Value x, Ints shape) { return op("Reshape", {x, vector(shape)}); }
  mlir::Value transpose(mlir::Value x, Ints permutation) {
    return op("Transpose", {x}, {intsAttr("perm", permutation)});
  }
  mlir::Value unsqueeze(mlir::Value x, Ints axes) { return op("Unsqueeze", {x, vector(axes)}); }
  mlir::Value squeeze(mlir::Value x, Ints axes) { return op("Squeeze", {x, vector(axes)}); }
  mlir::Value concat(llvm::ArrayRef<mlir::Value> parts, int64_t axis) {
    return op("Concat", parts, {integerAttr("axis", axis)});
  }
  /// The elements `start` to `end` of an axis; bounds are vectors of one int64.
  mlir::Value slice(mlir::Value x, mlir::Value start, mlir::Value end, int64_t axis) {
    return op("Slice", {x, start, end, vector({axis})});
  }
  mlir::Value slice(mlir::Value x, int64_t start, int64_t end, int64_t axis) {
    return slice(x, vector({start}), vector({end}), axis);
  }
  /// A size as a vector of one int64.
  mlir::Value size(mlir::Value x, int64_t axis);
  /// Parts of these sizes along an axis.
  Values split(mlir::Value x, Ints sizes, int64_t axis);
  /// 0, 1, ... below a count, which is a vector of one int64.
  mlir::Value iota(mlir::Value count);

protected:
  ShapeState &state;
  TypeInference inference;
  mlir::Location loc;

private:
  void inferNew(mlir::Operation *made, llvm::ArrayRef<bool> wanted);

  mlir::Value absent;
};

} // namespace onnxc::onnx

#endif
