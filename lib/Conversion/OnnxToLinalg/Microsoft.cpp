//===- Microsoft.cpp - Operators of ONNX Runtime's own domain -------------===//
//
// Finds the lowering of a com.microsoft operator by its name.
//
//===----------------------------------------------------------------------===//
#include "Microsoft.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "onnxc/Schema/CustomOperators.h"

using namespace mlir;

namespace onnxc {

int64_t MicrosoftNode::integer(StringRef name, int64_t fallback) const {
  auto value = dyn_cast_or_null<IntegerAttr>(attr(name));
  return value ? value.getInt() : fallback;
}

double MicrosoftNode::real(StringRef name, double fallback) const {
  auto value = dyn_cast_or_null<FloatAttr>(attr(name));
  return value ? value.getValueAsDouble() : fallback;
}

StringRef MicrosoftNode::string(StringRef name, StringRef fallback) const {
  auto value = dyn_cast_or_null<StringAttr>(attr(name));
  return value ? value.getValue() : fallback;
}

namespace {

struct MicrosoftPattern : OnnxPattern<onnx::CustomOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::CustomOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    if (op->hasAttr(kCustomVersionAttr)) // a library's
      return failure();
    if (op.getDomainName() != "com.microsoft")
      return refuse(op, "operator " + op.getOpType() + " of domain " + op.getDomainName() +
                            " is not supported: a library can implement it (--custom-ops), or an ONNX function "
                            "(--function)");
    MicrosoftLowering lowering = microsoftQuantizedLowering(op.getOpType());
    if (!lowering)
      lowering = microsoftRecurrentLowering(op.getOpType());
    if (!lowering)
      lowering = microsoftKernelLowering(op.getOpType());
    if (!lowering)
      return refuse(op, "com.microsoft operator " + op.getOpType() + " is not supported");
    TensorBuilder b(op.getLoc(), rewriter);
    auto results = lowering(b, MicrosoftNode{op, adaptor.getInputs(), types()});
    if (failed(results))
      return failure();
    replaceOp(rewriter, types(), op, *results);
    return success();
  }
};

} // namespace

void populateMicrosoftPatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<MicrosoftPattern>(patterns, types);
}

} // namespace onnxc
