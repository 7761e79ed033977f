// Cast, CastLike and BitCast.
#include "ElementwiseTable.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "mlir/Dialect/Complex/IR/Complex.h"

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

  static unsigned widthOf(Type type) {
    if (auto complex = dyn_cast<ComplexType>(type))
      return 2 * complex.getElementType().getIntOrFloatBitWidth();
    return isBoolElem(type) ? 8 : onnxBitWidth(type); // a bool is a byte
  }

  /// A stored element as an integer; complex64 with the real part in the low half, as in memory.
  static Value toBits(OpBuilder &b, Location loc, Value stored) {
    if (isa<ComplexType>(stored.getType())) {
      auto half = [&](Value part) -> Value {
        return arith::ExtUIOp::create(b, loc, b.getI64Type(), arith::BitcastOp::create(b, loc, b.getI32Type(), part));
      };
      Value low = half(complex::ReOp::create(b, loc, stored)), high = half(complex::ImOp::create(b, loc, stored));
      Value shift = arith::ConstantIntOp::create(b, loc, 32, 64);
      return arith::OrIOp::create(b, loc, low, arith::ShLIOp::create(b, loc, high, shift));
    }
    Type integer = b.getIntegerType(stored.getType().getIntOrFloatBitWidth());
    return stored.getType() == integer ? stored : arith::BitcastOp::create(b, loc, integer, stored);
  }

  /// `width`: of the ONNX type, below a byte perhaps.
  static Value fromBits(OpBuilder &b, Location loc, Value bits, Type to, Type storage, unsigned width) {
    if (width < 8) { // stored in a byte, extended by its own sign
      Value narrow = arith::TruncIOp::create(b, loc, b.getIntegerType(width), bits);
      if (auto integer = dyn_cast<IntegerType>(to); integer && !integer.isUnsigned())
        return arith::ExtSIOp::create(b, loc, storage, narrow);
      return arith::ExtUIOp::create(b, loc, storage, narrow);
    }
    if (auto complex = dyn_cast<ComplexType>(storage)) {
      auto part = [&](Value half) -> Value {
        return arith::BitcastOp::create(b, loc, complex.getElementType(),
                                        arith::TruncIOp::create(b, loc, b.getI32Type(), half));
      };
      Value shift = arith::ConstantIntOp::create(b, loc, 32, 64);
      Value high = arith::ShRUIOp::create(b, loc, bits, shift);
      return complex::CreateOp::create(b, loc, complex, part(bits), part(high));
    }
    return bits.getType() == storage ? bits : arith::BitcastOp::create(b, loc, storage, bits);
  }

  LogicalResult matchAndRewrite(onnx::BitCastOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Value value = adaptor.getOperands()[0];
    Type from = onnxElem(op->getOperand(0)), to = onnxElem(op->getResult(0));
    auto hasBits = [](Type t) { return t.isIntOrFloat() || isa<ComplexType>(t); };
    if (!hasBits(from) || !hasBits(to) || widthOf(from) != widthOf(to))
      return refuse(op, "needs two types of the same width");
    unsigned width = widthOf(from);
    Type storage = ScalarCodec(to).storageType();
    if (from != to && (onnxElem(value) != storage || width < 8)) {
      Broadcast same = broadcastOperands(rewriter, op.getLoc(), types(),
                                         Operand(op->getOperand(0), value));
      Value init = emptyTensor(rewriter, op.getLoc(), same.sizes, storage);
      SmallVector<AffineMap> maps(2, rewriter.getMultiDimIdentityMap(same.sizes.size()));
      SmallVector<utils::IteratorType> loops(same.sizes.size(), utils::IteratorType::parallel);
      value = linalg::GenericOp::create(
                  rewriter, op.getLoc(), init.getType(), value, init, maps, loops,
                  [&](OpBuilder &b, Location loc, ValueRange args) {
                    Value bits = toBits(b, loc, args[0]);
                    linalg::YieldOp::create(b, loc, fromBits(b, loc, bits, to, storage, width));
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
