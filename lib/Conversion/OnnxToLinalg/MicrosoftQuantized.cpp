//===- MicrosoftQuantized.cpp - QLinear* of com.microsoft -----------------===//
//
// Elementwise operators dequantize, compute in f32 and quantize in one loop nest;
// products and means sum in i32 first.
//
//===----------------------------------------------------------------------===//
#include "Microsoft.h"
#include "Quantized.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace onnxc {
namespace {

using Results = FailureOr<SmallVector<Value>>;

/// Scalars of a quantized value, read ahead of the loops; `zero` is null where absent.
struct Scale {
  Value scale, zero;
  bool isUnsigned;
};
Scale readScale(TensorBuilder &b, const MicrosoftNode &node, unsigned scaleAt, unsigned zeroAt,
                Type elem) {
  Value zero = node.input(zeroAt);
  return {b.extract(node.input(scaleAt)), zero ? b.extract(zero) : Value(),
          elem.isUnsignedInteger()};
}

bool isScalar(Value v) {
  auto type = dyn_cast<RankedTensorType>(v.getType());
  return type && (type.getRank() == 0 || (type.getRank() == 1 && type.getDimSize(0) == 1));
}

/// `scales` are the positions of parameters that must be single values.
LogicalResult checkScalars(const MicrosoftNode &node, ArrayRef<unsigned> scales) {
  for (unsigned i : scales)
    if (node.has(i) && !isScalar(node.input(i)))
      return node.refuse("input " + Twine(i) + " must be a scalar");
  return success();
}

/// A, A_scale, A_zero, B, B_scale, B_zero, C_scale, C_zero. The scales are combined ahead of the loops,
/// as ONNX Runtime does: no element is divided.
Results binary(TensorBuilder &b, const MicrosoftNode &node, bool isSum) {
  if (failed(checkScalars(node, {1, 2, 4, 5, 6, 7})))
    return failure();
  Type elem = node.resultElem(), f32 = b.getF32Type(), i32 = b.getI32Type();
  Broadcast in = broadcastOperands(
      b, b.getLoc(), node.types,
      {Operand(node.original(0), node.input(0)), Operand(node.original(3), node.input(3))},
      node.resultType());
  Scale x = readScale(b, node, 1, 2, node.inputElem(0));
  Scale y = readScale(b, node, 4, 5, node.inputElem(3));
  Scale z = readScale(b, node, 6, 7, elem);
  Value forX = isSum ? b.divScalar(x.scale, z.scale)
                     : b.divScalar(b.mulScalar(x.scale, y.scale), z.scale);
  Value forY = isSum ? b.divScalar(y.scale, z.scale) : Value();
  auto shifted = [&](TensorBuilder &t, Value v, const Scale &scale) {
    v = t.convert(v, i32, scale.isUnsigned);
    if (scale.zero)
      v = t.subScalar(v, t.convert(scale.zero, i32, scale.isUnsigned));
    return t.convert(v, f32);
  };
  Value result =
      b.parallel(in.sizes, ScalarCodec(elem).storageType(),
                 {{in.values[0], in.maps[0]}, {in.values[1], in.maps[1]}},
                 [&](TensorBuilder &t, ValueRange args) {
                   Value v = shifted(t, args[0], x), w = shifted(t, args[1], y);
                   v = isSum ? t.addScalar(t.mulScalar(v, forX), t.mulScalar(w, forY))
                             : t.mulScalar(t.mulScalar(v, w), forX);
                   return quantizeScalar(t, v, {}, z.zero, elem);
                 });
  return SmallVector<Value>{result};
}

Results add(TensorBuilder &b, const MicrosoftNode &node) { return binary(b, node, true); }
Results multiply(TensorBuilder &b, const MicrosoftNode &node) { return binary(b, node, false); }

/// X, X_scale, X_zero, Y_scale, Y_zero.
Results unary(TensorBuilder &b, const MicrosoftNode &node,
              function_ref<Value(TensorBuilder &, Value)> function) {
  if (failed(checkScalars(node, {1, 2, 3, 4})))
    return failure();
  Type elem = node.resultElem();
  Scale x = readScale(b, node, 1, 2, node.inputElem(0)), y = readScale(b, node, 3, 4, elem);
  Value result = b.unary(node.input(0), ScalarCodec(elem).storageType(),
                         [&](TensorBuilder &t, ValueRange args) {
                           Value v = dequantizeScalar(t, args[0], x.scale, x.zero, x.isUnsigned);
                           return quantizeScalar(t, function(t, v), y.scale, y.zero, elem);
                         });
  return SmallVector<Value>{result};
}

Results sigmoid(TensorBuilder &b, const MicrosoftNode &node) {
  return unary(b, node, [](TensorBuilder &t, Value v) {
    Value one = t.constant(v.getType(), 1);
    Value e = math::ExpOp::create(t, arith::NegFOp::create(t, v));
    return t.divScalar(one, t.addScalar(one, e));
  });
}

Results leakyRelu(TensorBuilder &b, const MicrosoftNode &node) {
  double alpha = node.real("alpha", 0.01);
  return unary(b, node, [&](TensorBuilder &t, Value v) -> Value {
    Value positive =
        arith::CmpFOp::create(t, arith::CmpFPredicate::OGE, v, t.constant(v.getType(), 0));
    return arith::SelectOp::create(t, positive, v, t.mulScalar(v, t.constant(v.getType(), alpha)));
  });
}

Results globalAveragePool(TensorBuilder &b, const MicrosoftNode &node) {
  if (failed(checkScalars(node, {1, 2, 3, 4})))
    return failure();
  Value x = node.input(0);
  int64_t rank = rankOf(x);
  if (rank < 3)
    return node.refuse("needs an input with spatial dimensions");
  bool last = node.integer("channels_last", 0) != 0;
  Type elem = node.resultElem(), i32 = b.getI32Type(), f32 = b.getF32Type();
  SmallVector<int64_t> axes;
  for (int64_t i = last ? 1 : 2; i < (last ? rank - 1 : rank); ++i)
    axes.push_back(i);
  Scale in = readScale(b, node, 1, 2, node.inputElem(0)), out = readScale(b, node, 3, 4, elem);
  Value sums = b.reduceAxes(x, axes, b.intConstant(i32, 0), [&](TensorBuilder &t, ValueRange args) {
    return t.addScalar(args[1], t.convert(args[0], i32, in.isUnsigned));
  });
  Sizes reduced;
  for (int64_t a : axes)
    reduced.push_back(b.dim(x, a));
  Value count = b.convert(b.index(b.product(reduced)), i32);
  Value y = b.unary(sums, ScalarCodec(elem).storageType(), [&](TensorBuilder &t, ValueRange args) {
    Value v = args[0];
    if (in.zero)
      v = t.subScalar(v, t.mulScalar(count, t.convert(in.zero, i32, in.isUnsigned)));
    Value scale = t.divScalar(in.scale, t.convert(count, f32));
    v = t.mulScalar(t.convert(v, f32), scale);
    return quantizeScalar(t, v, out.scale, out.zero, elem);
  });
  return SmallVector<Value>{b.unsqueeze(y, axes)};
}

/// A, a_scale, a_zero, B, b_scale, b_zero, C, y_scale, y_zero; f32 without the last two. The
/// parameters of B may be per column.
Results gemm(TensorBuilder &b, const MicrosoftNode &node) {
  if (failed(checkScalars(node, {1, 2, 7, 8})))
    return failure();
  Type elem = node.resultElem(), f32 = b.getF32Type();
  auto lhs = quantizedOperand(node.original(0), node.input(0), node.original(2), node.input(2));
  auto rhs = quantizedOperand(node.original(3), node.input(3), node.original(5), node.input(5));
  Value dot =
      buildIntegerGemm(b, lhs, node.integer("transA", 0) != 0, rhs, node.integer("transB", 0) != 0);
  Sizes sizes = b.refine(b.dims(dot), node.resultType());
  SmallVector<Access> ins{{dot, b.identity(2)}};
  bool biased = node.has(6), quantizes = node.has(7);
  double alpha = node.real("alpha", 1);
  Value factor = quantizes && alpha == 1
                     ? requantScale(b, node.original(1), node.original(4), node.original(7))
                     : Value();
  if (factor)
    ins.push_back(perAxisAccess(b, factor, sizes, 1));
  else
    ins.append({parameterAccess(b, node.input(1), sizes, 1),
                parameterAccess(b, node.input(4), sizes, 1)});
  unsigned biasAt = ins.size();
  if (biased)
    ins.push_back(broadcastAccess(b, node.input(6), sizes));
  Scale out{};
  if (quantizes)
    out = readScale(b, node, 7, 8, elem);
  Value y = b.parallel(sizes, ScalarCodec(elem).storageType(), ins,
                       [&](TensorBuilder &t, ValueRange args) {
                         Value v = biased ? t.addScalar(args[0], args[biasAt]) : args[0];
                         Value scale = args[1];
                         if (!factor)
                           scale = t.mulScalar(scale, args[2]);
                         if (alpha != 1)
                           scale = t.mulScalar(scale, t.constant(f32, alpha));
                         v = t.mulScalar(t.convert(v, f32), scale);
                         if (!quantizes)
                           return v;
                         return quantizeScalar(t, v, factor ? Value() : out.scale, out.zero, elem);
                       });
  return SmallVector<Value>{y};
}

} // namespace

MicrosoftLowering microsoftQuantizedLowering(StringRef opType) {
  return llvm::StringSwitch<MicrosoftLowering>(opType)
      .Case("QLinearAdd", add)
      .Case("QLinearMul", multiply)
      .Case("QLinearSigmoid", sigmoid)
      .Case("QLinearLeakyRelu", leakyRelu)
      .Case("QLinearGlobalAveragePool", globalAveragePool)
      .Case("QGemm", gemm)
      .Default(nullptr);
}

} // namespace onnxc
