//===- CausalConv.cpp - Depthwise convolution over past and present -------===//
//
// CausalConvWithState as a sum over the kernel's positions, for sizes that its function body, which
// wants to know the number of channels, cannot take.
//
//===----------------------------------------------------------------------===//
#include "TensorBuilder.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace onnxc {
namespace {

struct CausalConvPattern : OnnxPattern<onnx::CausalConvWithStateOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::CausalConvWithStateOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Value input = adaptor.getOperands()[0], weight = adaptor.getOperands()[1];
    bool hasBias = !onnx::isNone(op->getOperand(2)), hasPast = !onnx::isNone(op->getOperand(3));
    StringRef activation = op.getActivation();
    if (activation != "none" && activation != "silu" && activation != "swish")
      return refuse(op, "has the unknown activation '" + activation + "'");
    Type elem = onnxElem(input), acc = accumulatorType(elem);

    // [batch, channels, kernel - 1 + length]: the past, or zeros, then the input.
    Sizes sizes = b.dims(input);
    OpFoldResult kernel = b.dim(weight, 2), zero = b.fixed(0);
    OpFoldResult past = b.sub(kernel, b.fixed(1));
    Value all = b.pad(input, {zero, zero, past}, {zero, zero, zero}, b.constant(elem, 0));
    if (hasPast) {
      Value state = adaptor.getOperands()[3];
      b.requireEqual(b.dim(state, 2), past);
      SmallVector<OpFoldResult> ones(3, b.fixed(1));
      all = tensor::InsertSliceOp::create(b, state, all, SmallVector<OpFoldResult>(3, zero),
                                          SmallVector<OpFoldResult>{sizes[0], sizes[1], past}, ones);
    }

    AffineExpr n, c, l, k;
    bindDims(b.getContext(), n, c, l, k);
    Value sums = b.contract(sizes, b.mapDims(4, {0, 1, 2}), {all, b.map(4, {n, c, l + k})},
                            {weight, b.map(4, {c, b.getAffineConstantExpr(0), k})}, acc, acc);
    SmallVector<Access> ins = {{sums, b.identity(3)}};
    if (hasBias)
      ins.push_back({adaptor.getOperands()[2], b.mapDims(3, {1})});
    Value output = b.parallel(sizes, elem, ins, [&](TensorBuilder &t, ValueRange args) {
      Value v = args[0];
      if (hasBias)
        v = t.addScalar(v, t.convert(args[1], acc));
      if (activation != "none") {
        Value one = t.constant(acc, 1);
        Value decay = math::ExpOp::create(t, arith::NegFOp::create(t, v));
        v = t.divScalar(v, t.addScalar(one, decay));
      }
      return t.convert(v, elem);
    });
    Value present;
    if (!onnx::isNone(op->getResult(1)))
      present = b.slice(all, {zero, zero, sizes[2]}, {sizes[0], sizes[1], past});
    replaceOp(rewriter, types(), op, {output, present});
    return success();
  }
};

} // namespace

void populateCausalConvPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<CausalConvPattern>(patterns, converter);
}

} // namespace onnxc
