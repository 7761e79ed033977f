//===- Expansion.h - Standard operators in place of com.microsoft's -------===//
//
// An expander reads one onnx.Custom node of domain com.microsoft and writes operators of ai.onnx
// that compute the same. Types are inferred as operators are made, so that an expander can ask
// for the shape of what it has just built.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_LIB_DIALECT_ONNX_TRANSFORMS_MICROSOFT_EXPANSION_H
#define ONNXC_LIB_DIALECT_ONNX_TRANSFORMS_MICROSOFT_EXPANSION_H

#include "onnxc/Dialect/Onnx/IR/Onnx.h"
#include "onnxc/Dialect/Onnx/Transforms/TypeInference.h"
#include "mlir/IR/Builders.h"

namespace onnxc::onnx {

using Attrs = llvm::SmallVector<mlir::NamedAttribute>;
using Values = llvm::SmallVector<mlir::Value>;
using Ints = llvm::ArrayRef<int64_t>;

class Expansion {
public:
  Expansion(CustomOp node, ShapeState &state)
      : node(node), b(node), state(state), inference(state), loc(node.getLoc()) {}

  //===-- The node ---------------------------------------------------------===//

  CustomOp node;
  mlir::OpBuilder b;

  bool has(unsigned i) const {
    return i < node->getNumOperands() && !isNone(node->getOperand(i));
  }
  /// Null where it is absent.
  mlir::Value in(unsigned i) const { return has(i) ? node->getOperand(i) : mlir::Value(); }
  unsigned numInputs() const { return node->getNumOperands(); }
  bool wants(unsigned i) const {
    return i < node->getNumResults() && !isNone(node->getResult(i));
  }
  mlir::Attribute attr(llvm::StringRef name) { return node.getAttrs().get(name); }
  int64_t integer(llvm::StringRef name, int64_t fallback);
  double real(llvm::StringRef name, double fallback);
  llvm::StringRef text(llvm::StringRef name, llvm::StringRef fallback);
  std::optional<Ints> ints(llvm::StringRef name);
  llvm::SmallVector<double> reals(llvm::StringRef name);
  /// The node's attributes of these names, as they are.
  Attrs keep(llvm::ArrayRef<llvm::StringRef> names);
  /// Says why the node cannot be expanded.
  mlir::LogicalResult refuse(const llvm::Twine &reason);

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
  /// How often a size (a vector of one int64) goes into the first dimension of `v`; 0 if it is not known.
  int64_t partsOf(mlir::Value v, mlir::Value size);
  /// Refuses the node if the rank of an input that it has is none of `ranks`.
  mlir::LogicalResult needRank(unsigned input, Ints ranks);

  //===-- Operators --------------------------------------------------------===//

  /// An operator of ai.onnx with its first result. Operands may be null.
  mlir::Value op(llvm::StringRef name, llvm::ArrayRef<mlir::Value> operands,
                 llvm::ArrayRef<mlir::NamedAttribute> attrs = {});
  /// The same with those of the results for which `wanted` is set; the others are null.
  Values ops(llvm::StringRef name, llvm::ArrayRef<mlir::Value> operands,
             llvm::ArrayRef<mlir::NamedAttribute> attrs, llvm::ArrayRef<bool> wanted);
  /// A node of com.microsoft again. Operands may be null.
  mlir::Value custom(llvm::StringRef name, mlir::Type type, llvm::ArrayRef<mlir::Value> operands,
                     llvm::ArrayRef<mlir::NamedAttribute> attrs);
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

private:
  ShapeState &state;
  TypeInference inference;
  mlir::Location loc;
  mlir::Value absent;
};

/// Values for the node's results, null for one that is not wanted.
using Expander = mlir::FailureOr<Values> (*)(Expansion &);

/// Marks a node that stays com.microsoft's, but in one form: its lowering wants it so.
inline constexpr llvm::StringLiteral kPrepared = "onnxc.prepared";

/// The expander of an operator, null if this family has none.
Expander elementwiseExpander(llvm::StringRef name);
Expander matMulExpander(llvm::StringRef name);
Expander normalizationExpander(llvm::StringRef name);
Expander attentionExpander(llvm::StringRef name);
Expander groupQueryExpander(llvm::StringRef name);
Expander convolutionExpander(llvm::StringRef name);
Expander quantizedExpander(llvm::StringRef name);
Expander weightsExpander(llvm::StringRef name);
Expander tensorExpander(llvm::StringRef name);

/// Parts that several families share.
struct HeadsAttention {
  mlir::Value q, k, v; // [batch, sequence, heads * size], or with heads as the second dimension
  mlir::Value pastKey, pastValue;
  mlir::Value bias; // added to the scores, or null
  int64_t heads = 0, keyHeads = 0;
  double scale = 0, softcap = 0; // 0: the default, none
  bool causal = false;
  bool wantsKey = false, wantsValue = false, wantsScores = false;
};
/// Output, present key, present value, weights.
Values buildAttention(Expansion &e, const HeadsAttention &a);
/// From the projected q, k and v on: what Attention and QAttention share. `mask`, `past` and `attentionBias` are
/// operands or null.
mlir::FailureOr<Values> attendProjected(Expansion &e, mlir::Value projected, Ints sizes,
                                        mlir::Value mask, mlir::Value past,
                                        mlir::Value attentionBias);
/// Codes of `bits` in bytes, the first in the lowest bits, to one code a byte along the last dimension.
mlir::Value unpackCodes(Expansion &e, mlir::Value packed, int64_t bits);
/// MatMulInteger with its factor: (a - aZero) * (b - bZero) * aScale * bScale + bias.
mlir::Value integerMatMul(Expansion &e, mlir::Value a, mlir::Value b, mlir::Value aScale,
                          mlir::Value bScale, mlir::Value aZero, mlir::Value bZero,
                          mlir::Value bias);

} // namespace onnxc::onnx

#endif
