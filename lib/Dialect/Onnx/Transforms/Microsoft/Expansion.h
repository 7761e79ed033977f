//===- Expansion.h - Standard operators in place of com.microsoft's -------===//
//
// An expander reads one onnx.Custom node of domain com.microsoft and writes operators of ai.onnx
// that compute the same. Types are inferred as operators are made, so that an expander can ask
// for the shape of what it has just built.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_LIB_DIALECT_ONNX_TRANSFORMS_MICROSOFT_EXPANSION_H
#define ONNXC_LIB_DIALECT_ONNX_TRANSFORMS_MICROSOFT_EXPANSION_H

#include "onnxc/Dialect/Onnx/Transforms/GraphWriter.h"

namespace onnxc::onnx {

class Expansion : public GraphWriter {
public:
  Expansion(CustomOp node, ShapeState &state) : GraphWriter(node, state), node(node) {}

  CustomOp node;

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

  /// How often a size (a vector of one int64) goes into the first dimension of `v`; 0 if it is not known.
  int64_t partsOf(mlir::Value v, mlir::Value size);
  /// Refuses the node if the rank of an input that it has is none of `ranks`.
  mlir::LogicalResult needRank(unsigned input, Ints ranks);
  /// A node of com.microsoft again. Operands may be null.
  mlir::Value custom(llvm::StringRef name, mlir::Type type, llvm::ArrayRef<mlir::Value> operands,
                     llvm::ArrayRef<mlir::NamedAttribute> attrs);
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
