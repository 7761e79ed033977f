// Evaluation of operators that compute: floats in double (which, rounded once, equals f32, f16 and
// bf16 arithmetic for + - * / sqrt), integers in 64 bits that wrap on store.
#include "onnxc/Dialect/Onnx/Transforms/Attributes.h"
#include "onnxc/Dialect/Onnx/Transforms/Evaluate.h"
#include "llvm/ADT/StringSwitch.h"
#include <cmath>

using namespace mlir;

namespace onnxc::onnx {

using namespace detail;

namespace {

// Complex numbers and narrow floats are left to run time.
bool isComputable(const HostTensor &t) { return isWideFloat(t) || t.isInteger(); }

Type resultElement(Operation *op, unsigned index = 0) {
  return cast<ShapedType>(op->getResult(index).getType()).getElementType();
}

//===-- Unary ---------------------------------------------------------------===//

using FloatUnary = double (*)(double);
using IntUnary = int64_t (*)(int64_t);

struct UnaryRule {
  FloatUnary onFloat = nullptr;
  IntUnary onInt = nullptr;
};

UnaryRule unaryRule(StringRef name) {
  return llvm::StringSwitch<UnaryRule>(name)
      .Case("onnx.Neg", {[](double x) { return -x; },
                         [](int64_t x) { return static_cast<int64_t>(0 - static_cast<uint64_t>(x)); }})
      .Case("onnx.Abs", {[](double x) { return std::fabs(x); },
                         [](int64_t x) { return x < 0 ? static_cast<int64_t>(0 - static_cast<uint64_t>(x)) : x; }})
      .Case("onnx.Sign", {[](double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : x; },
                          [](int64_t x) { return static_cast<int64_t>((x > 0) - (x < 0)); }})
      .Case("onnx.Not", {nullptr, [](int64_t x) { return static_cast<int64_t>(x == 0); }})
      .Case("onnx.Sqrt", {[](double x) { return std::sqrt(x); }})
      .Case("onnx.Reciprocal", {[](double x) { return 1.0 / x; }})
      .Case("onnx.Exp", {[](double x) { return std::exp(x); }})
      .Case("onnx.Log", {[](double x) { return std::log(x); }})
      .Case("onnx.Floor", {[](double x) { return std::floor(x); }})
      .Case("onnx.Ceil", {[](double x) { return std::ceil(x); }})
      .Case("onnx.Round", {[](double x) { return std::nearbyint(x); }})
      .Case("onnx.Sin", {[](double x) { return std::sin(x); }})
      .Case("onnx.Cos", {[](double x) { return std::cos(x); }})
      .Case("onnx.Tanh", {[](double x) { return std::tanh(x); }})
      .Case("onnx.Erf", {[](double x) { return std::erf(x); }})
      .Case("onnx.Sigmoid", {[](double x) { return 1.0 / (1.0 + std::exp(-x)); }})
      .Default({});
}

constexpr int64_t kChunk = 1024;

LogicalResult evalUnary(Operation *op, HostOperands in, const EvaluateLimits &, HostResults &out) {
  UnaryRule rule = unaryRule(op->getName().getStringRef());
  const HostTensor &x = *in[0];
  // Narrow unsigned types wrap on store; uint64 has no rule that reads its sign right.
  if (!isComputable(x) || (x.isFloat() ? !rule.onFloat : !rule.onInt) ||
      x.getElementType().isUnsignedInteger(64))
    return failure();
  HostTensor result = HostTensor::zeros(resultElement(op), x.getShape());
  for (int64_t start = 0; start < x.getNumElements(); start += kChunk) {
    int64_t n = std::min(kChunk, x.getNumElements() - start);
    if (x.isFloat()) {
      double buffer[kChunk];
      x.load(start, n, buffer);
      std::transform(buffer, buffer + n, buffer, rule.onFloat);
      result.store(start, n, buffer);
    } else {
      int64_t buffer[kChunk];
      x.load(start, n, buffer);
      std::transform(buffer, buffer + n, buffer, rule.onInt);
      result.store(start, n, buffer);
    }
  }
  out.push_back(result);
  return success();
}

//===-- Cast ----------------------------------------------------------------===//

LogicalResult evalCast(Operation *op, HostOperands in, const EvaluateLimits &limits,
                       HostResults &out) {
  const HostTensor &x = *in[0];
  Type to = resultElement(op);
  if (to == x.getElementType()) {
    out.push_back(x);
    return success();
  }
  HostTensor result = HostTensor::zeros(to, {});
  int64_t toBytes = HostTensor::elementBytes(to);
  if (toBytes == 0 || !isComputable(x) || !isComputable(result))
    return failure();
  // A cast may double or quadruple a weight: allowed only where the result is small or not larger.
  if (!fits(limits, in.take_front(1), x.getShape(), toBytes))
    return failure();
  result = HostTensor::zeros(to, x.getShape());
  bool viaInt = x.isInteger() && result.isInteger();
  bool toBool = to.isInteger(1);
  for (int64_t start = 0; start < x.getNumElements(); start += kChunk) {
    int64_t n = std::min(kChunk, x.getNumElements() - start);
    double floats[kChunk];
    int64_t ints[kChunk];
    if (viaInt) {
      x.load(start, n, ints);
      result.store(start, n, ints);
      continue;
    }
    x.load(start, n, floats);
    if (!result.isFloat()) {
      // Values that the integer type cannot hold are the run time's business.
      unsigned width = to.getIntOrFloatBitWidth();
      double high = std::ldexp(1.0, to.isUnsignedInteger() ? width : width - 1);
      double low = to.isUnsignedInteger() ? 0.0 : -high;
      for (int64_t i = 0; i < n; ++i) {
        double truncated = std::trunc(floats[i]);
        if (toBool)
          ints[i] = floats[i] != 0;
        else if (!(truncated >= low && truncated < high))
          return failure();
        else
          ints[i] = truncated >= 9223372036854775808.0
                        ? static_cast<int64_t>(static_cast<uint64_t>(truncated))
                        : static_cast<int64_t>(truncated);
      }
      result.store(start, n, ints);
      continue;
    }
    result.store(start, n, floats);
  }
  out.push_back(result);
  return success();
}

//===-- Binary --------------------------------------------------------------===//

enum class Binary { Add, Sub, Mul, Div, Pow, Mod, Min, Max, And, Or, Xor, Eq, Lt, Le, Gt, Ge };

std::optional<Binary> binaryKind(StringRef name) {
  return llvm::StringSwitch<std::optional<Binary>>(name)
      .Case("onnx.Add", Binary::Add)
      .Case("onnx.Sub", Binary::Sub)
      .Case("onnx.Mul", Binary::Mul)
      .Case("onnx.Div", Binary::Div)
      .Case("onnx.Pow", Binary::Pow)
      .Case("onnx.Mod", Binary::Mod)
      .Case("onnx.Min", Binary::Min)
      .Case("onnx.Max", Binary::Max)
      .Case("onnx.And", Binary::And)
      .Case("onnx.Or", Binary::Or)
      .Case("onnx.Xor", Binary::Xor)
      .Case("onnx.Equal", Binary::Eq)
      .Case("onnx.Less", Binary::Lt)
      .Case("onnx.LessOrEqual", Binary::Le)
      .Case("onnx.Greater", Binary::Gt)
      .Case("onnx.GreaterOrEqual", Binary::Ge)
      .Default(std::nullopt);
}

std::optional<double> apply(Binary kind, double a, double b, bool fmod) {
  switch (kind) {
  case Binary::Add: return a + b;
  case Binary::Sub: return a - b;
  case Binary::Mul: return a * b;
  case Binary::Div: return a / b;
  case Binary::Pow: return std::pow(a, b);
  case Binary::Mod: return fmod ? std::optional<double>(std::fmod(a, b)) : std::nullopt;
  case Binary::Min: return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b);
  case Binary::Max: return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b);
  case Binary::Eq: return a == b;
  case Binary::Lt: return a < b;
  case Binary::Le: return a <= b;
  case Binary::Gt: return a > b;
  case Binary::Ge: return a >= b;
  default: return std::nullopt;
  }
}

std::optional<int64_t> apply(Binary kind, int64_t a, int64_t b, bool fmod) {
  auto wrap = [](uint64_t x) { return static_cast<int64_t>(x); };
  uint64_t ua = a, ub = b;
  switch (kind) {
  case Binary::Add: return wrap(ua + ub);
  case Binary::Sub: return wrap(ua - ub);
  case Binary::Mul: return wrap(ua * ub);
  case Binary::Div:
    if (b == 0 || (b == -1 && a == INT64_MIN))
      return std::nullopt;
    return a / b;
  case Binary::Pow: {
    if (b < 0)
      return std::nullopt;
    uint64_t result = 1;
    for (; ub; ub >>= 1, ua *= ua)
      if (ub & 1)
        result *= ua;
    return wrap(result);
  }
  case Binary::Mod: {
    if (b == 0 || b == -1)
      return b == 0 ? std::nullopt : std::optional<int64_t>(0);
    int64_t rest = a % b;
    return !fmod && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
  case Binary::Min: return std::min(a, b);
  case Binary::Max: return std::max(a, b);
  case Binary::And: return a && b;
  case Binary::Or: return a || b;
  case Binary::Xor: return (a != 0) != (b != 0);
  case Binary::Eq: return a == b;
  case Binary::Lt: return a < b;
  case Binary::Le: return a <= b;
  case Binary::Gt: return a > b;
  case Binary::Ge: return a >= b;
  }
  return std::nullopt;
}

template <typename T>
LogicalResult applyRows(Binary kind, const HostTensor &a, const HostTensor &b, bool fmod,
                        HostTensor &result) {
  SmallVector<SmallVector<int64_t>> strides = {broadcastStrides(a.getShape(), result.getShape()),
                                               broadcastStrides(b.getShape(), result.getShape())};
  int64_t n = result.getRank() == 0 ? 1 : result.getShape().back();
  auto loadRow = [&](const HostTensor &t, int64_t offset, ArrayRef<int64_t> s, SmallVector<T> &row) {
    row.resize(n);
    if (s.empty() || s.back() == 0) {
      t.load(offset, 1, row.data());
      std::fill(row.begin() + 1, row.end(), row[0]);
    } else {
      t.load(offset, n, row.data());
    }
  };
  SmallVector<T> x, y;
  bool ok = true;
  forEachRow(result.getShape(), strides, [&](int64_t index, ArrayRef<int64_t> offsets) {
    loadRow(a, offsets[0], strides[0], x);
    loadRow(b, offsets[1], strides[1], y);
    for (int64_t i = 0; i < n; ++i) {
      std::optional<T> value = apply(kind, x[i], y[i], fmod);
      ok &= value.has_value();
      x[i] = value.value_or(0);
    }
    result.store(index, n, x.data());
  });
  return success(ok);
}

std::optional<HostTensor> applyBinary(Operation *op, Binary kind, const HostTensor &a,
                                      const HostTensor &b, const EvaluateLimits &limits) {
  auto shape = broadcastShapes(a.getShape(), b.getShape());
  Type element = resultElement(op);
  std::optional<HostTensor> both[] = {a, b};
  if (!shape || !fits(limits, both, *shape, HostTensor::elementBytes(element)))
    return std::nullopt;
  if (!isComputable(a) || !isComputable(b) || a.getElementType().isUnsignedInteger(64) ||
      (a.isFloat() != b.isFloat() && kind != Binary::Pow))
    return std::nullopt;
  HostTensor result = HostTensor::zeros(element, *shape);
  bool fmod = intAttr(op, "fmod", 0) != 0;
  bool floats = a.isFloat() || b.isFloat();
  LogicalResult done = floats ? applyRows<double>(kind, a, b, fmod, result)
                              : applyRows<int64_t>(kind, a, b, fmod, result);
  return succeeded(done) ? std::optional(result) : std::nullopt;
}

LogicalResult evalBinary(Operation *op, HostOperands in, const EvaluateLimits &limits,
                         HostResults &out) {
  Binary kind = *binaryKind(op->getName().getStringRef());
  std::optional<HostTensor> result = in[0];
  for (const std::optional<HostTensor> &operand : in.drop_front()) {
    if (!operand || !(result = applyBinary(op, kind, *result, *operand, limits)))
      return failure();
  }
  out.push_back(*result);
  return success();
}

//===-- Generators and reductions -------------------------------------------===//

LogicalResult evalRange(Operation *op, HostOperands in, const EvaluateLimits &limits,
                        HostResults &out) {
  for (int i = 0; i < 3; ++i)
    if (!in[i] || in[i]->getNumElements() != 1 || !isComputable(*in[i]))
      return failure();
  Type element = in[0]->getElementType();
  auto make = [&](auto start, auto limit, auto delta) -> LogicalResult {
    using T = decltype(start);
    if (delta == 0)
      return failure();
    double count = std::ceil((static_cast<double>(limit) - static_cast<double>(start)) /
                             static_cast<double>(delta));
    if (!(count < 1e9))
      return failure();
    int64_t n = std::max<int64_t>(static_cast<int64_t>(count), 0);
    if (!fits(limits, in, {n}, HostTensor::elementBytes(element)))
      return failure();
    HostTensor result = HostTensor::zeros(element, {n});
    for (int64_t i = 0; i < n; ++i) {
      T value = start + static_cast<T>(i) * delta;
      result.store(i, 1, &value);
    }
    out.push_back(result);
    return success();
  };
  if (in[0]->isInteger())
    return make(in[0]->ints()[0], in[1]->ints()[0], in[2]->ints()[0]);
  // Repeated rounding of f32 sums differs from the exact product only for long ranges.
  return make(in[0]->floats()[0], in[1]->floats()[0], in[2]->floats()[0]);
}

/// Bytes whose sums are worth the compiler's time: norms of weights.
constexpr int64_t kMostReduced = 64 << 20;

LogicalResult evalReduce(Operation *op, HostOperands in, const EvaluateLimits &, HostResults &out) {
  const HostTensor &x = *in[0];
  if (!isComputable(x) || x.getNumBytes() > kMostReduced || x.getElementType().isUnsignedInteger(64))
    return failure();
  int64_t rank = x.getRank();
  SmallVector<bool> reduced(rank, false);
  SmallVector<int64_t> axes;
  if (in.size() > 1 && in[1])
    axes = in[1]->ints();
  for (int64_t axis : axes) {
    auto wrapped = wrapAxis(axis, rank);
    if (!wrapped)
      return failure();
    reduced[*wrapped] = true;
  }
  if (axes.empty() && intAttr(op, "noop_with_empty_axes", 0)) {
    out.push_back(x);
    return success();
  }
  if (axes.empty())
    reduced.assign(rank, true);
  SmallVector<int64_t> keptShape, shape;
  int64_t count = 1;
  for (int64_t d = 0; d < rank; ++d) {
    keptShape.push_back(reduced[d] ? 1 : x.getShape()[d]);
    if (reduced[d])
      count *= x.getShape()[d];
    if (!reduced[d] || intAttr(op, "keepdims", 1))
      shape.push_back(keptShape.back());
  }
  StringRef name = op->getName().getStringRef();
  bool isSum = name == "onnx.ReduceSum" || name == "onnx.ReduceMean";
  bool isMean = name == "onnx.ReduceMean", isProd = name == "onnx.ReduceProd";
  bool isMax = name == "onnx.ReduceMax", isNorm = name == "onnx.ReduceL2";
  bool isSquares = isNorm || name == "onnx.ReduceSumSquare";
  if ((count == 0 && !(name == "onnx.ReduceSum" || isProd)) || (isSquares && !x.isFloat()))
    return failure();
  HostTensor result = HostTensor::zeros(x.getElementType(), keptShape);
  SmallVector<int64_t> target = broadcastStrides(keptShape, x.getShape());
  SmallVector<int64_t> own = rowMajorStrides(x.getShape());
  auto run = [&](auto zero) {
    using T = decltype(zero);
    SmallVector<T> acc(result.getNumElements(), isProd ? T(1) : T(0));
    SmallVector<bool> seen(acc.size(), false);
    for (int64_t i = 0; i < x.getNumElements(); ++i) {
      int64_t to = 0;
      for (int64_t d = 0; d < rank; ++d)
        to += i / own[d] % x.getShape()[d] * target[d];
      T value;
      x.load(i, 1, &value);
      if (isSum)
        acc[to] = acc[to] + value;
      else if (isSquares)
        acc[to] = acc[to] + value * value;
      else if (isProd)
        acc[to] = acc[to] * value;
      else
        acc[to] = !seen[to] ? value : isMax ? std::max(acc[to], value) : std::min(acc[to], value);
      seen[to] = true;
    }
    if (isMean)
      for (T &value : acc)
        value = value / static_cast<T>(count);
    if (isNorm)
      for (T &value : acc)
        value = static_cast<T>(std::sqrt(value));
    result.store(0, acc.size(), acc.data());
  };
  if (x.isFloat())
    run(double(0));
  else
    run(int64_t(0));
  out.push_back(result.reshaped(shape));
  return success();
}

} // namespace

bool detail::isWideFloat(const HostTensor &x) {
  auto type = dyn_cast<FloatType>(x.getElementType());
  return type && type.getWidth() >= 16;
}

EvaluateFn detail::lookupArithmetic(StringRef name) {
  UnaryRule unary = unaryRule(name);
  if (unary.onFloat || unary.onInt)
    return evalUnary;
  if (binaryKind(name))
    return evalBinary;
  return llvm::StringSwitch<EvaluateFn>(name)
      .Cases({"onnx.Cast", "onnx.CastLike"}, evalCast)
      .Case("onnx.Range", evalRange)
      .Cases({"onnx.ReduceSum", "onnx.ReduceMean", "onnx.ReduceProd", "onnx.ReduceMax",
              "onnx.ReduceMin", "onnx.ReduceL2", "onnx.ReduceSumSquare"},
             evalReduce)
      .Default(nullptr);
}

bool canEvaluate(Operation *op) {
  StringRef name = op->getName().getStringRef();
  return detail::lookupMovement(name) || detail::lookupArithmetic(name) || detail::lookupNetwork(name);
}

LogicalResult evaluate(Operation *op, HostOperands operands, const EvaluateLimits &limits,
                       HostResults &results) {
  StringRef name = op->getName().getStringRef();
  EvaluateFn fn = detail::lookupMovement(name);
  if (!fn)
    fn = detail::lookupArithmetic(name);
  if (!fn)
    fn = detail::lookupNetwork(name);
  if (!fn || operands.empty() || !operands[0])
    return failure();
  return fn(op, operands, limits, results);
}

} // namespace onnxc::onnx
