//===- QuantizedContraction.cpp - Integer and quantized products ----------===//
//
// MatMulInteger, QLinearMatMul, ConvInteger and QLinearConv: an i32 product and, for
// the QLinear operators, one elementwise requantization.
//
//===----------------------------------------------------------------------===//
#include "Quantized.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

using namespace mlir;

namespace onnxc {
namespace {

struct MatMulIntegerLowering : OnnxPattern<onnx::MatMulIntegerOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::MatMulIntegerOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    auto lhs =
        quantizedOperand(op.getA(), adaptor.getA(), op.getAZeroPoint(), adaptor.getAZeroPoint());
    auto rhs =
        quantizedOperand(op.getB(), adaptor.getB(), op.getBZeroPoint(), adaptor.getBZeroPoint());
    Value y = buildIntegerMatMul(b, lhs, rhs, types().convertTensor(op.getType()));
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

struct QLinearMatMulLowering : OnnxPattern<onnx::QLinearMatMulOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::QLinearMatMulOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Type type = types().convertTensor(op.getType()), f32 = b.getF32Type();
    Type yElem = onnxElem(op.getType());
    if (!isIntElem(onnxElem(op.getA())) || !isIntElem(onnxElem(op.getB())) || !isIntElem(yElem))
      return rewriteFloat8(op, adaptor, rewriter, b, type);
    auto lhs =
        quantizedOperand(op.getA(), adaptor.getA(), op.getAZeroPoint(), adaptor.getAZeroPoint());
    auto rhs =
        quantizedOperand(op.getB(), adaptor.getB(), op.getBZeroPoint(), adaptor.getBZeroPoint());
    Value dot = buildIntegerMatMul(b, lhs, rhs, type);
    Sizes sizes = b.dims(dot);
    unsigned rank = sizes.size(), last = rank ? rank - 1 : 0;
    unsigned rows = rankOf(rhs.tensor) > 1 && last > 0 ? last - 1 : last;
    SmallVector<Access> ins{{dot, b.identity(rank)},
                            parameterAccess(b, adaptor.getYZeroPoint(), sizes, last)};
    Value factor = rank ? requantScale(b, op.getAScale(), op.getBScale(), op.getYScale()) : Value();
    if (factor)
      ins.push_back(perAxisAccess(b, factor, sizes, last));
    else
      ins.append({parameterAccess(b, adaptor.getAScale(), sizes, rows),
                  parameterAccess(b, adaptor.getBScale(), sizes, last),
                  parameterAccess(b, adaptor.getYScale(), sizes, last)});
    Value y = b.parallel(sizes, getElementTypeOrSelf(type), ins,
                         [&](TensorBuilder &t, ValueRange args) {
                           Value s = args[2];
                           if (!factor) {
                             s = t.mulScalar(t.convert(s, f32), t.convert(args[3], f32));
                             s = t.divScalar(s, t.convert(args[4], f32));
                           }
                           Value v = t.mulScalar(t.convert(args[0], f32), s);
                           return quantizeScalar(t, v, {}, args[1], yElem);
                         });
    replaceOp(rewriter, types(), op, {y});
    return success();
  }

  /// float8 values are exact in f32, and so are their products.
  LogicalResult rewriteFloat8(onnx::QLinearMatMulOp op, OpAdaptor adaptor,
                              ConversionPatternRewriter &rewriter, TensorBuilder &b,
                              Type type) const {
    Type f32 = b.getF32Type(), yElem = onnxElem(op.getType());
    auto value = [&](Value original, Value converted, Value originalZero, Value zero, Value scale,
                     unsigned fromEnd) {
      ScalarCodec codec(onnxElem(original)), zeroCodec(onnxElem(originalZero));
      bool isUnsigned = isUnsignedElem(onnxElem(original));
      Sizes sizes = b.dims(converted);
      unsigned rank = sizes.size(), axis = rank >= fromEnd ? rank - fromEnd : 0;
      return b.parallel(sizes, f32,
                        {{converted, b.identity(rank)},
                         parameterAccess(b, zero, sizes, axis),
                         parameterAccess(b, scale, sizes, axis)},
                        [&](TensorBuilder &t, ValueRange args) {
                          Location loc = t.getLoc();
                          Value v = t.convert(codec.decode(t, loc, args[0]), f32, isUnsigned);
                          Value z = t.convert(zeroCodec.decode(t, loc, args[1]), f32, isUnsigned);
                          return t.mulScalar(t.subScalar(v, z), t.convert(args[2], f32));
                        });
    };
    Value lhs = value(op.getA(), adaptor.getA(), op.getAZeroPoint(), adaptor.getAZeroPoint(),
                      adaptor.getAScale(), 2);
    Value rhs = value(op.getB(), adaptor.getB(), op.getBZeroPoint(), adaptor.getBZeroPoint(),
                      adaptor.getBScale(), 1);
    Value dot = buildMatMul(b, lhs, rhs, {f32, f32}, type);
    ScalarCodec codec(yElem);
    Sizes sizes = b.dims(dot);
    unsigned rank = sizes.size(), last = rank ? rank - 1 : 0;
    Value y = b.parallel(sizes, codec.storageType(),
                         {{dot, b.identity(rank)},
                          parameterAccess(b, adaptor.getYScale(), sizes, last),
                          parameterAccess(b, adaptor.getYZeroPoint(), sizes, last)},
                         [&](TensorBuilder &t, ValueRange args) {
                           if (isIntElem(yElem))
                             return quantizeScalar(t, args[0], args[1], args[2], yElem);
                           Value v = t.divScalar(args[0], t.convert(args[1], f32));
                           Value z = t.convert(codec.decode(t, t.getLoc(), args[2]), f32);
                           return codec.encode(t, t.getLoc(), t.addScalar(v, z));
                         });
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

template <typename OpT>
FailureOr<Window> integerWindow(TensorBuilder &b, const OnnxTypeConverter &types, OpT op, Value x,
                                Value w) {
  if (rankOf(w) < 3)
    return types.refuse(op, "needs filters with spatial dimensions");
  Sizes kernel = b.dims(w);
  kernel.erase(kernel.begin(), kernel.begin() + 2);
  return resolveWindow(b, types, op, x, kernel,
                       {op.getAutoPad(), op.getStrides(), op.getDilations(), op.getPads()},
                       types.convertTensor(op.getType()));
}

struct ConvIntegerLowering : OnnxPattern<onnx::ConvIntegerOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::ConvIntegerOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    auto x =
        quantizedOperand(op.getX(), adaptor.getX(), op.getXZeroPoint(), adaptor.getXZeroPoint());
    auto w =
        quantizedOperand(op.getW(), adaptor.getW(), op.getWZeroPoint(), adaptor.getWZeroPoint());
    auto window = integerWindow(b, types(), op, x.tensor, w.tensor);
    if (failed(window))
      return failure();
    replaceOp(rewriter, types(), op, {buildIntegerConvolution(b, x, w, op.getGroup(), *window)});
    return success();
  }
};

struct QLinearConvLowering : OnnxPattern<onnx::QLinearConvOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::QLinearConvOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    Type f32 = b.getF32Type();
    Type yElem = onnxElem(op.getType());
    auto x =
        quantizedOperand(op.getX(), adaptor.getX(), op.getXZeroPoint(), adaptor.getXZeroPoint());
    auto w =
        quantizedOperand(op.getW(), adaptor.getW(), op.getWZeroPoint(), adaptor.getWZeroPoint());
    auto window = integerWindow(b, types(), op, x.tensor, w.tensor);
    if (failed(window))
      return failure();
    Value dot = buildIntegerConvolution(b, x, w, op.getGroup(), *window);
    bool biased = !onnx::isNone(op.getB());
    Sizes sizes = b.dims(dot);
    unsigned rank = sizes.size();
    SmallVector<Access> ins{{dot, b.identity(rank)},
                            perAxisAccess(b, adaptor.getYZeroPoint(), sizes, 1)};
    if (biased)
      ins.push_back({adaptor.getB(), b.mapDims(rank, {1})});
    unsigned scaleAt = ins.size();
    Value factor = requantScale(b, op.getXScale(), op.getWScale(), op.getYScale());
    if (factor)
      ins.push_back(perAxisAccess(b, factor, sizes, 1));
    else
      ins.append({perAxisAccess(b, adaptor.getXScale(), sizes, 1),
                  perAxisAccess(b, adaptor.getWScale(), sizes, 1),
                  perAxisAccess(b, adaptor.getYScale(), sizes, 1)});
    Value y = b.parallel(sizes, ScalarCodec(yElem).storageType(), ins,
                         [&](TensorBuilder &t, ValueRange args) {
                           Value v = biased ? t.addScalar(args[0], args[2]) : args[0];
                           Value s = args[scaleAt];
                           if (!factor)
                             s = t.divScalar(t.mulScalar(s, args[scaleAt + 1]), args[scaleAt + 2]);
                           v = t.mulScalar(t.convert(v, f32), s);
                           return quantizeScalar(t, v, {}, args[1], yElem);
                         });
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

} // namespace

void populateQuantizedContractionPatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<MatMulIntegerLowering, QLinearMatMulLowering, ConvIntegerLowering,
              QLinearConvLowering>(patterns, types);
}

} // namespace onnxc
