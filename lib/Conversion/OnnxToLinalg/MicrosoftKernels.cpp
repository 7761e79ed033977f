//===- MicrosoftKernels.cpp - Operators of com.microsoft by kernels -------===//
//
// Inverse, NGramRepeatBlock, and MatMulNBits in the form that onnx-expand-microsoft gives it.
//
//===----------------------------------------------------------------------===//
#include "Microsoft.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace onnxc {
namespace {

using Results = FailureOr<SmallVector<Value>>;

/// The kernel of the operator's name with its first `count` inputs.
Results callWith(TensorBuilder &b, const MicrosoftNode &node, unsigned count) {
  if (!isa<RankedTensorType>(node.op->getResult(0).getType()))
    return node.refuse("has a result whose rank is not known");
  SmallVector<Operand> operands;
  for (unsigned i = 0; i < count; ++i)
    operands.push_back(node.has(i) ? Operand(node.original(i), node.input(i))
                                   : Operand(Value(), Type()));
  SmallVector<NamedAttribute> attrs;
  for (NamedAttribute attr : node.op.getAttrs())
    if (!isa<UnitAttr>(attr.getValue()))
      attrs.push_back(attr);
  return callKernel(b, b.getLoc(), node.types, node.op.getOpType(), operands,
                    node.op->getResultTypes(), attrs, /*planned=*/true);
}

Results inverse(TensorBuilder &b, const MicrosoftNode &node) { return callWith(b, node, 1); }
Results repeatBlock(TensorBuilder &b, const MicrosoftNode &node) { return callWith(b, node, 2); }

Results matMulOfBits(TensorBuilder &b, const MicrosoftNode &node) {
  if (!node.attr("onnxc.prepared"))
    return node.refuse("MatMulNBits was not prepared by onnx-expand-microsoft");
  return callWith(b, node, 5);
}

} // namespace

MicrosoftLowering microsoftKernelLowering(StringRef opType) {
  return llvm::StringSwitch<MicrosoftLowering>(opType)
      .Case("Inverse", inverse)
      .Case("NGramRepeatBlock", repeatBlock)
      .Case("MatMulNBits", matMulOfBits)
      .Default(nullptr);
}

} // namespace onnxc
