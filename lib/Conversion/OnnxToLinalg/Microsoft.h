//===- Microsoft.h - Operators of ONNX Runtime's own domain ---------------===//
//
// com.microsoft operators come as onnx.Custom; this is how their lowerings read them.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_LIB_CONVERSION_ONNXTOLINALG_MICROSOFT_H
#define ONNXC_LIB_CONVERSION_ONNXTOLINALG_MICROSOFT_H

#include "TensorBuilder.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"

namespace onnxc {

/// One node: its operands and attributes by position and name.
struct MicrosoftNode {
  mutable onnx::CustomOp op; // its accessors are not const
  mlir::ValueRange converted;
  const OnnxTypeConverter &types;

  bool has(unsigned i) const {
    return i < op.getInputs().size() && !onnx::isNone(op.getInputs()[i]);
  }
  mlir::Value original(unsigned i) const { return has(i) ? op.getInputs()[i] : mlir::Value(); }
  /// The converted operand, null where it is absent.
  mlir::Value input(unsigned i) const { return has(i) ? converted[i] : mlir::Value(); }
  mlir::Type inputElem(unsigned i) const { return onnxElem(op.getInputs()[i]); }
  mlir::Type resultElem(unsigned i = 0) const { return onnxElem(op->getResult(i).getType()); }
  mlir::RankedTensorType resultType(unsigned i = 0) const {
    return types.convertTensor(op->getResult(i).getType());
  }
  bool wants(unsigned i) const {
    return i < op->getNumResults() && !mlir::isa<mlir::NoneType>(op->getResult(i).getType());
  }
  int64_t integer(llvm::StringRef name, int64_t fallback) const;
  double real(llvm::StringRef name, double fallback) const;
  llvm::StringRef string(llvm::StringRef name, llvm::StringRef fallback) const;
  mlir::Attribute attr(llvm::StringRef name) const { return op.getAttrs().get(name); }
  mlir::LogicalResult refuse(const llvm::Twine &reason) const { return types.refuse(op, reason); }
};

/// Gives one value for each result (null for one that is not wanted).
using MicrosoftLowering =
    mlir::FailureOr<llvm::SmallVector<mlir::Value>> (*)(TensorBuilder &, const MicrosoftNode &);

/// The lowering of an operator, null if this file's family has none.
MicrosoftLowering microsoftQuantizedLowering(llvm::StringRef opType);
MicrosoftLowering microsoftRecurrentLowering(llvm::StringRef opType);
MicrosoftLowering microsoftKernelLowering(llvm::StringRef opType);

void populateMicrosoftPatterns(mlir::RewritePatternSet &patterns, OnnxTypeConverter &types);

} // namespace onnxc

#endif
