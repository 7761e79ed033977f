// See WinogradTransforms.h. Points that differ in sign share the even and odd parts of their sums.
#include "WinogradTransforms.h"
#include "onnxc/Codegen/Common/Winograd.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace onnxc {
namespace {

class Arithmetic {
public:
  Arithmetic(ImplicitLocOpBuilder &b, Type type) : b(b), type(cast<VectorType>(type)) {}

  Value constant(double value) {
    auto element = cast<FloatType>(type.getElementType());
    return arith::ConstantOp::create(
        b, DenseElementsAttr::get(type, cast<Attribute>(b.getFloatAttr(element, value))));
  }
  Value add(Value x, Value y) {
    return arith::AddFOp::create(b, x, y, arith::FastMathFlags::contract);
  }
  Value sub(Value x, Value y) {
    return arith::SubFOp::create(b, x, y, arith::FastMathFlags::contract);
  }
  Value times(double c, Value x) {
    if (c == 1.0)
      return x;
    return arith::MulFOp::create(b, constant(c), x, arith::FastMathFlags::contract);
  }

private:
  ImplicitLocOpBuilder &b;
  VectorType type;
};

constexpr double a = kWinogradNear, a2 = kWinogradNearSquare;
constexpr double c = kWinogradFar, c2 = kWinogradFarSquare;

} // namespace

Value multiplyAdd(ImplicitLocOpBuilder &b, Value x, Value y, Value z) {
  Arithmetic op(b, z.getType());
  return op.add(arith::MulFOp::create(b, x, y, arith::FastMathFlags::contract), z);
}

SmallVector<Value> transformInput(ImplicitLocOpBuilder &b, ArrayRef<Value> d) {
  Arithmetic op(b, d[0].getType());
  if (d.size() == 4)
    return {op.sub(d[0], d[2]), op.add(d[1], d[2]), op.sub(d[2], d[1]), op.sub(d[3], d[1])};
  Value nearEven = op.sub(d[4], op.times(c2, d[2])), nearOdd = op.sub(d[3], op.times(c2, d[1]));
  Value farEven = op.sub(d[4], op.times(a2, d[2])), farOdd = op.sub(d[3], op.times(a2, d[1]));
  Value nearScaled = op.times(a, nearOdd), farScaled = op.times(c, farOdd);
  auto outer = [&](Value x0, Value x2, Value x4) {
    return op.add(op.times(a2 * c2, x0), op.sub(x4, op.times(a2 + c2, x2)));
  };
  return {outer(d[0], d[2], d[4]),         op.add(nearEven, nearScaled), op.sub(nearEven, nearScaled),
          op.add(farEven, farScaled),      op.sub(farEven, farScaled),   outer(d[1], d[3], d[5])};
}

SmallVector<Value> transformFilter(ImplicitLocOpBuilder &b, ArrayRef<Value> g, int64_t alpha) {
  Arithmetic op(b, g[0].getType());
  SmallVector<Value> values = {g[0]};
  // Filters at the points +-x, over the denominator that Lagrange's method gives them.
  auto points = [&](double x, double scale) {
    Value even = op.times(scale, op.add(g[0], op.times(x * x, g[2])));
    Value odd = op.times(scale * x, g[1]);
    values.append({op.add(even, odd), op.sub(even, odd)});
  };
  if (alpha == 4) {
    points(1, 0.5);
  } else {
    points(a, 1 / (2 * a2 * (a2 - c2)));
    points(c, 1 / (2 * c2 * (c2 - a2)));
  }
  values.push_back(g[2]);
  return values;
}

SmallVector<Value> transformOutput(ImplicitLocOpBuilder &b, ArrayRef<Value> m) {
  Arithmetic op(b, m[0].getType());
  Value nearSum = op.add(m[1], m[2]), nearDifference = op.sub(m[1], m[2]);
  if (m.size() == 4)
    return {op.add(m[0], nearSum), op.add(nearDifference, m[3])};
  Value farSum = op.add(m[3], m[4]), farDifference = op.sub(m[3], m[4]);
  auto both = [&](double nearFactor, Value x, double farFactor, Value y) {
    return op.add(op.times(nearFactor, x), op.times(farFactor, y));
  };
  return {op.add(op.add(m[0], nearSum), farSum), both(a, nearDifference, c, farDifference),
          both(a2, nearSum, c2, farSum),
          op.add(both(a * a2, nearDifference, c * c2, farDifference), m[5])};
}

} // namespace onnxc
