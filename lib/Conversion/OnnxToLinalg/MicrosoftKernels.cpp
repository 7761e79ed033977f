//===- MicrosoftKernels.cpp - Operators of com.microsoft by kernels -------===//
//
// Inverse, NGramRepeatBlock, Tokenizer, and MatMulNBits in the form that onnx-expand-microsoft gives it.
//
//===----------------------------------------------------------------------===//
#include "Microsoft.h"

#include "onnxc/Dialect/Rt/IR/Rt.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace onnxc {
namespace {

using Results = FailureOr<SmallVector<Value>>;

/// The kernel of the operator's name with its first `count` inputs. Where the size of the result is known its
/// memory is planned, else the kernel allocates.
Results callWith(TensorBuilder &b, const MicrosoftNode &node, unsigned count) {
  auto type = dyn_cast_or_null<RankedTensorType>(node.types.convertType(node.op->getResult(0).getType()));
  if (!type)
    return node.refuse("has a result whose rank is not known");
  SmallVector<Value> inputs, inits;
  SmallVector<int64_t> elemTypes;
  for (unsigned i = 0; i < count; ++i) {
    bool has = node.has(i);
    inputs.push_back(has ? node.input(i) : b.empty({b.fixed(0)}, b.getI8Type()));
    elemTypes.push_back(has ? onnxElemType(node.original(i).getType()) : 0);
  }
  elemTypes.push_back(onnxElemType(node.op->getResult(0).getType()));
  if (type.hasStaticShape())
    inits.push_back(tensor::EmptyOp::create(b, type, ValueRange{}));
  SmallVector<NamedAttribute> attrs;
  for (NamedAttribute attr : node.op.getAttrs())
    if (!isa<UnitAttr>(attr.getValue()))
      attrs.push_back(attr);
  auto call = rt::KernelOp::create(b, type, b.getStringAttr(node.op.getOpType()), inputs, inits,
                                   b.getDenseI64ArrayAttr(elemTypes), b.getDictionaryAttr(attrs),
                                   /*has_effects=*/false);
  return SmallVector<Value>(call.getResults());
}

Results inverse(TensorBuilder &b, const MicrosoftNode &node) { return callWith(b, node, 1); }
Results repeatBlock(TensorBuilder &b, const MicrosoftNode &node) { return callWith(b, node, 2); }
Results tokenizer(TensorBuilder &b, const MicrosoftNode &node) { return callWith(b, node, 1); }

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
      .Case("Tokenizer", tokenizer)
      .Default(nullptr);
}

} // namespace onnxc
