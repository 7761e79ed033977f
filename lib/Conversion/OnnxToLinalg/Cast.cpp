// Cast, CastLike and BitCast.
#include "ElementwiseTable.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

using namespace mlir;

namespace onnxc {
namespace {

LogicalResult castTo(const OnnxTypeConverter &types, Operation *op, Value converted,
                     ConversionPatternRewriter &rewriter) {
  Value input = op->getOperand(0);
  Type from = onnxElem(input), resultType = op->getResult(0).getType(), to = onnxElem(resultType);
  if (isa<ComplexType>(from) || isa<ComplexType>(to))
    return types.refuse(op, "does not convert complex numbers");
  Location loc = op->getLoc();
  if (from == to) {
    replaceOp(rewriter, types, op, converted);
    return success();
  }
  if (isStringElem(from) || isStringElem(to)) {
    StringRef kernel = isStringElem(to) ? "CastToString" : "CastFromString";
    replaceOp(rewriter, types, op,
              callKernel(rewriter, loc, types, kernel, Operand(input, converted), resultType));
    return success();
  }
  EncodeOptions options;
  if (auto saturate = op->getAttrOfType<IntegerAttr>("saturate"))
    options.saturate = saturate.getInt() != 0;
  if (auto mode = op->getAttrOfType<StringAttr>("round_mode"))
    options.roundMode = mode.getValue();
  ScalarCodec source(from), target(to);
  Value result = createElementwise(
      rewriter, loc, types, Operand(input, converted), resultType,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        return convertScalar(b, loc, args[0], source, target);
      },
      options);
  replaceOp(rewriter, types, op, result);
  return success();
}

template <typename Op>
struct CastPattern : OnnxPattern<Op> {
  using OnnxPattern<Op>::OnnxPattern;
  LogicalResult matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    return castTo(this->types(), op, adaptor.getOperands()[0], rewriter);
  }
};

// The bits are kept, so both types have the same width.
struct BitCastPattern : OnnxPattern<onnx::BitCastOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::BitCastOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Value value = adaptor.getOperands()[0];
    Type from = onnxElem(op->getOperand(0)), to = onnxElem(op->getResult(0));
    auto width = [](Type t) { return isBoolElem(t) ? 8 : onnxBitWidth(t); }; // a bool is a byte
    if (!from.isIntOrFloat() || !to.isIntOrFloat() || width(from) != width(to))
      return refuse(op, "needs two types of the same width");
    if (width(from) < 8 && from != to)
      return refuse(op, "does not support types below a byte");
    ScalarCodec target(to);
    if (onnxElem(value) != target.storageType()) {
      Broadcast same = broadcastOperands(rewriter, op.getLoc(), types(),
                                         Operand(op->getOperand(0), value));
      Value init = emptyTensor(rewriter, op.getLoc(), same.sizes, target.storageType());
      SmallVector<AffineMap> maps(2, rewriter.getMultiDimIdentityMap(same.sizes.size()));
      SmallVector<utils::IteratorType> loops(same.sizes.size(), utils::IteratorType::parallel);
      value = linalg::GenericOp::create(
                  rewriter, op.getLoc(), init.getType(), value, init, maps, loops,
                  [&](OpBuilder &b, Location loc, ValueRange args) {
                    Value bits = arith::BitcastOp::create(b, loc, target.storageType(), args[0]);
                    linalg::YieldOp::create(b, loc, bits);
                  })
                  .getResult(0);
    }
    replaceOp(rewriter, types(), op, value);
    return success();
  }
};

} // namespace

void populateCastPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<CastPattern<onnx::CastOp>, CastPattern<onnx::CastLikeOp>, BitCastPattern>(patterns,
                                                                                         converter);
}

} // namespace onnxc
