//===- MicrosoftRecurrent.cpp - DynamicQuantizeLSTM of com.microsoft ------===//
//
// An LSTM whose weights are 8-bit; each product quantizes its other operand by its
// range, as ONNX Runtime does.
//
//===----------------------------------------------------------------------===//
#include "Microsoft.h"
#include "Quantized.h"
#include "Recurrent.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace onnxc {
namespace {

/// `x` [rows, columns] in f32 as ui8, its scale and its zero point (0-d).
struct DynamicallyQuantized {
  Value tensor, scale, zero;
};
DynamicallyQuantized quantizeByRange(TensorBuilder &b, Value x) {
  Type f32 = b.getF32Type(), i8 = b.getI8Type(), i32 = b.getI32Type();
  auto range = [&](bool isMax) {
    Value v = b.reduceAxes(x, {0, 1}, b.constant(f32, 0), [&](TensorBuilder &t, ValueRange args) {
      return isMax ? t.maxScalar(args[1], args[0]) : t.minScalar(args[1], args[0]);
    });
    return b.extract(v);
  };
  Value low = range(false), high = range(true), zero = b.constant(f32, 0);
  Value step = b.divScalar(b.subScalar(high, low), b.constant(f32, 255));
  Value flat = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, step, zero);
  Value scale = arith::SelectOp::create(b, flat, b.constant(f32, 1), step);
  auto clamp = [&](TensorBuilder &t, Value v) {
    v = t.maxScalar(v, t.constant(f32, 0));
    return t.minScalar(v, t.constant(f32, 255));
  };
  Value origin = b.divScalar(b.subScalar(zero, low), scale);
  origin = math::RoundEvenOp::create(b, clamp(b, origin));
  Value quantized = b.unary(x, i8, [&](TensorBuilder &t, ValueRange args) {
    Value v = math::RoundEvenOp::create(t, t.divScalar(args[0], scale));
    v = clamp(t, t.addScalar(v, origin));
    return t.convert(t.convert(v, i32), i8);
  });
  Value zeroPoint = b.convert(b.convert(origin, i32), i8);
  return {quantized, scale,
          tensor::FromElementsOp::create(b, RankedTensorType::get({}, i8), zeroPoint)};
}

/// Weights [directions, K, gates * hidden] with scales and zero points [directions] or
/// [directions, gates * hidden].
struct QuantizedWeights {
  QuantizedOperand all;
  Value scale;

  Value multiply(TensorBuilder &b, Value x, int64_t d, OpFoldResult from,
                 OpFoldResult width) const {
    Type f32 = b.getF32Type();
    DynamicallyQuantized q = quantizeByRange(b, x);
    auto parameter = [&](Value v) {
      v = takeFirst(b, v, b.fixed(d));
      return rankOf(v) == 1 ? b.slice(v, {from}, {width}) : v;
    };
    QuantizedOperand lhs{q.tensor, true, q.zero, true};
    QuantizedOperand rhs{Value(), all.isUnsigned, all.zero ? parameter(all.zero) : Value(),
                         all.zeroUnsigned};
    auto first = getConstantIntValue(from), count = getConstantIntValue(width);
    if (all.values && first && count)
      rhs.values = sliceWeights(all.values, d, *first, *count);
    if (rhs.values) {
      rhs.tensor = arith::ConstantOp::create(b, cast<TypedAttr>(rhs.values));
      if (!all.zero)
        rhs.zeroValues = {0};
    } else {
      Value w = takeFirst(b, all.tensor, b.fixed(d));
      rhs.tensor = b.slice(w, {b.fixed(0), from}, {b.dim(w, 0), width});
    }
    Value dot = buildIntegerGemm(b, lhs, false, rhs, false);
    Sizes sizes = b.dims(dot);
    return b.parallel(sizes, f32,
                      {{dot, b.identity(2)}, parameterAccess(b, parameter(scale), sizes, 1)},
                      [&](TensorBuilder &t, ValueRange args) {
                        Value s = t.mulScalar(q.scale, args[1]);
                        return t.mulScalar(t.convert(args[0], f32), s);
                      });
  }
};

/// X, W, R, B, sequence_lens, initial_h, initial_c, P, W_scale, W_zero, R_scale, R_zero.
FailureOr<SmallVector<Value>> dynamicQuantizeLSTM(TensorBuilder &b, const MicrosoftNode &node) {
  for (unsigned i : {0, 1, 2, 8, 9, 10, 11})
    if (!node.has(i))
      return node.refuse("input " + Twine(i) + " is missing");
  Recurrence r;
  r.kind = CellKind::LSTM;
  r.direction = node.string("direction", "forward");
  if (r.direction != "forward" && r.direction != "reverse" && r.direction != "bidirectional")
    return node.refuse("direction '" + r.direction + "' is not known");
  r.x = node.input(0);
  r.bias = node.input(3);
  r.sequenceLens = node.input(4);
  r.initialH = node.input(5);
  r.initialC = node.input(6);
  r.peepholes = node.input(7);
  r.hidden = b.dim(node.input(2), 1);
  r.acc = r.elem = b.getF32Type();
  r.inputForget = node.integer("input_forget", 0) != 0;
  if (node.attr("clip"))
    r.clip = static_cast<float>(node.real("clip", 0));
  r.wantsSequence = node.wants(0);
  auto names = dyn_cast_or_null<ArrayAttr>(node.attr("activations"));
  auto floats = [&](StringRef name) -> std::optional<ArrayRef<float>> {
    auto values = dyn_cast_or_null<DenseF32ArrayAttr>(node.attr(name));
    return values ? std::optional<ArrayRef<float>>(values.asArrayRef()) : std::nullopt;
  };
  auto activations = resolveActivations(node.types, node.op, r.kind, r.directions(),
                                        names ? std::optional<ArrayAttr>(names) : std::nullopt,
                                        floats("activation_alpha"), floats("activation_beta"));
  if (failed(activations))
    return failure();
  r.activations = *activations;

  auto weights = [&](unsigned tensor, unsigned scale, unsigned zero) {
    auto q = quantizedOperand(node.original(tensor), node.input(tensor), node.original(zero),
                              node.input(zero));
    return QuantizedWeights{q, node.input(scale)};
  };
  QuantizedWeights w = weights(1, 8, 9), recurrent = weights(2, 10, 11);
  r.project = [&](TensorBuilder &t, Value x, int64_t d) {
    return w.multiply(t, x, d, t.fixed(0), t.mul(r.hidden, t.fixed(4)));
  };
  r.recur = [&](TensorBuilder &t, Value h, int64_t d, int64_t first, int64_t count) {
    return recurrent.multiply(t, h, d, t.mul(r.hidden, t.fixed(first)),
                              t.mul(r.hidden, t.fixed(count)));
  };
  RecurrentResults results = buildRecurrence(b, r);
  SmallVector<Value> values{results.sequence, results.lastH, results.lastC};
  values.resize(node.op->getNumResults());
  for (auto [i, v] : llvm::enumerate(values))
    if (!node.wants(i))
      v = {};
  return values;
}

} // namespace

MicrosoftLowering microsoftRecurrentLowering(StringRef opType) {
  return opType == "DynamicQuantizeLSTM" ? dynamicQuantizeLSTM : nullptr;
}

} // namespace onnxc
