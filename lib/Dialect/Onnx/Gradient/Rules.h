//===- Rules.h - Derivatives of operators ---------------------------------===//
//
// A rule gives the gradients of an operator's inputs from those of its results. What has
// no rule is taken apart: by a decomposition below, or by its ONNX function body.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_LIB_DIALECT_ONNX_GRADIENT_RULES_H
#define ONNXC_LIB_DIALECT_ONNX_GRADIENT_RULES_H

#include "GradientWriter.h"

#include "onnxc/Dialect/Onnx/Transforms/Attributes.h"
#include "llvm/ADT/StringMap.h"

namespace onnxc::onnx {

/// One operator that is differentiated.
struct Adjoint {
  GradientWriter &w;
  mlir::Operation *op;
  /// Of each result, null where nothing depends on it.
  llvm::ArrayRef<mlir::Value> grads;
  /// Which inputs' gradients are asked for.
  llvm::ArrayRef<bool> needed;
  /// What the rule finds: one for each input, null where it has none.
  llvm::SmallVector<mlir::Value> found;

  mlir::Value g() const { return grads[0]; }
  mlir::Value x(unsigned i = 0) const { return op->getOperand(i); }
  mlir::Value y(unsigned i = 0) const { return op->getResult(i); }
  bool needs(unsigned i) const { return i < needed.size() && needed[i]; }
  void set(unsigned i, mlir::Value gradient) { found[i] = gradient; }
  /// For an input that was broadcast.
  mlir::LogicalResult setSummed(unsigned i, mlir::Value gradient);

  int64_t integer(llvm::StringRef name, int64_t fallback) const { return intAttr(op, name, fallback); }
  double real(llvm::StringRef name, double fallback) const { return floatAttr(op, name, fallback); }
  std::optional<Ints> ints(llvm::StringRef name) const { return intsAttr(op, name); }
  mlir::LogicalResult refuse(const llvm::Twine &why) const;
};

using Rule = mlir::LogicalResult (*)(Adjoint &);
/// Writes operators that compute the same results; empty where it cannot.
using Decomposition = llvm::SmallVector<mlir::Value> (*)(GradientWriter &, mlir::Operation *);

using RuleMap = llvm::StringMap<Rule>;

void addElementwiseRules(RuleMap &rules);
void addMovementRules(RuleMap &rules);
void addReductionRules(RuleMap &rules);
void addProductRules(RuleMap &rules);
void addWindowRules(RuleMap &rules);

/// Null if there is none.
Rule findRule(llvm::StringRef onnxName);
Decomposition findDecomposition(llvm::StringRef onnxName);

} // namespace onnxc::onnx

#endif
