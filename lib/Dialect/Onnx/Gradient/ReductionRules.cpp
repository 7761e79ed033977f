// Derivatives of reductions and running sums.
#include "Rules.h"

#include "onnxc/Dialect/Onnx/Transforms/Attributes.h"
#include "onnxc/Dialect/Onnx/Transforms/Constants.h"

using namespace mlir;

namespace onnxc::onnx {
namespace {

/// A result of a reduction, or its gradient, with the reduced axes as ones: it broadcasts to the input.
Value withAxes(Adjoint &a, Value v) {
  GradientWriter &w = a.w;
  if (a.integer("keepdims", 1) != 0)
    return v;
  Value axes = a.op->getNumOperands() > 1 ? a.x(1) : Value();
  if (axes && !isNone(axes) && constantInts(axes).value_or(SmallVector<int64_t>{0}).size() > 0)
    return w.op("Unsqueeze", {v, axes});
  if (a.integer("noop_with_empty_axes", 0) != 0)
    return v;
  // All axes: one element.
  return w.reshape(v, SmallVector<int64_t>(std::max<int64_t>(0, w.rank(a.x())), 1));
}

LogicalResult reduceSum(Adjoint &a) {
  a.set(0, a.w.expandLike(withAxes(a, a.g()), a.x()));
  return success();
}

LogicalResult reduceMean(Adjoint &a) {
  GradientWriter &w = a.w;
  a.set(0, w.expandLike(withAxes(a, w.div(a.g(), w.ratioOfCounts(a.x(), a.y()))), a.x()));
  return success();
}

/// The largest (or smallest) elements share the gradient. `y` and `g` broadcast to x.
Value shared(GradientWriter &w, Value x, Value y, Value g) {
  Value here = w.castLike(w.op("Equal", {x, y}), x);
  Value count = w.sumTo(here, y);
  return count ? w.mul(here, w.div(g, count)) : Value();
}

LogicalResult reduceExtreme(Adjoint &a) {
  Value gradient = shared(a.w, a.x(), withAxes(a, a.y()), withAxes(a, a.g()));
  if (!gradient)
    return a.refuse("has an input of unknown rank");
  a.set(0, gradient);
  return success();
}

/// The product of the other elements along one axis: those before times those behind.
LogicalResult reduceProd(Adjoint &a) {
  GradientWriter &w = a.w;
  auto axes = a.op->getNumOperands() > 1 && !isNone(a.x(1)) ? constantInts(a.x(1)) : std::nullopt;
  Value x = a.x(), axis;
  bool all = isNone(a.x(1)) && a.integer("noop_with_empty_axes", 0) == 0;
  if (axes && axes->size() == 1)
    axis = w.scalar(w.b.getI64Type(), axes->front());
  else if (all)
    x = w.flat(x), axis = w.scalar(w.b.getI64Type(), 0);
  else
    return a.refuse("is differentiated over one axis or all");
  auto others = [&](int64_t reverse) {
    return w.op("CumProd", {x, axis}, {w.integerAttr("exclusive", 1), w.integerAttr("reverse", reverse)});
  };
  Value product = w.mul(others(0), others(1));
  if (all)
    product = w.reshapeLike(product, a.x());
  a.set(0, w.mul(product, withAxes(a, a.g())));
  return success();
}

LogicalResult cumSum(Adjoint &a) {
  GradientWriter &w = a.w;
  a.set(0, w.op("CumSum", {a.g(), a.x(1)},
                {w.integerAttr("exclusive", a.integer("exclusive", 0)),
                 w.integerAttr("reverse", a.integer("reverse", 0) == 0)}));
  return success();
}

/// The axes behind the channels, as ONNX's global pools reduce them.
std::optional<SmallVector<int64_t>> spatialAxes(GradientWriter &w, Value x) {
  int64_t rank = w.rank(x);
  return rank >= 0 ? std::optional(llvm::to_vector(llvm::seq<int64_t>(2, rank))) : std::nullopt;
}

LogicalResult globalAveragePool(Adjoint &a) {
  GradientWriter &w = a.w;
  a.set(0, w.expandLike(w.div(a.g(), w.ratioOfCounts(a.x(), a.y())), a.x()));
  return success();
}

LogicalResult globalMaxPool(Adjoint &a) {
  Value gradient = shared(a.w, a.x(), a.y(), a.g());
  if (!gradient)
    return a.refuse("has an input of unknown rank");
  a.set(0, gradient);
  return success();
}

/// A vector of channels as [C, 1, ...], to broadcast against `x`.
Value perChannel(GradientWriter &w, Value v, Value x) {
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(1, w.rank(x) - 1));
  return axes.empty() ? v : w.unsqueeze(v, axes);
}

Value meanOver(GradientWriter &w, Value x, ArrayRef<int64_t> axes) { return w.op("ReduceMean", {x, w.vector(axes)}); }

Value normalize(GradientWriter &w, Value x, Value mean, Value variance, double epsilon) {
  return w.div(w.sub(x, mean), w.op("Sqrt", {w.add(variance, w.number(epsilon, variance))}));
}

SmallVector<Value> batchNormalization(GradientWriter &w, Operation *op) {
  if (w.rank(op->getOperand(0)) < 2 || intAttr(op, "training_mode", 0) != 0)
    return {};
  Value x = op->getOperand(0);
  auto channel = [&](unsigned i) { return perChannel(w, op->getOperand(i), x); };
  Value normal = normalize(w, x, channel(3), channel(4), floatAttr(op, "epsilon", 1e-5));
  return {w.add(w.mul(normal, channel(1)), channel(2))};
}

SmallVector<Value> instanceNormalization(GradientWriter &w, Operation *op) {
  Value x = op->getOperand(0);
  auto axes = spatialAxes(w, x);
  if (!axes)
    return {};
  Value mean = meanOver(w, x, *axes), centred = w.sub(x, mean);
  Value normal = normalize(w, x, mean, meanOver(w, w.mul(centred, centred), *axes), floatAttr(op, "epsilon", 1e-5));
  return {w.add(w.mul(normal, perChannel(w, op->getOperand(1), x)), perChannel(w, op->getOperand(2), x))};
}

/// The norm over axes that stay as ones.
Value norm(GradientWriter &w, Value x, ArrayRef<int64_t> axes, int64_t p) {
  if (p == 1)
    return w.reduceSum(w.op("Abs", {x}), axes, true);
  if (p == 2)
    return w.op("Sqrt", {w.reduceSum(w.mul(x, x), axes, true)});
  Value powers = w.op("Pow", {w.op("Abs", {x}), w.number(p, x)});
  return w.op("Pow", {w.reduceSum(powers, axes, true), w.number(1.0 / p, x)});
}

SmallVector<Value> lpNormalization(GradientWriter &w, Operation *op) {
  Value x = op->getOperand(0);
  return {w.div(x, norm(w, x, {intAttr(op, "axis", -1)}, intAttr(op, "p", 2)))};
}

} // namespace

void addReductionRules(RuleMap &rules) {
  rules["CumSum"] = cumSum;
  rules["GlobalAveragePool"] = globalAveragePool;
  rules["GlobalMaxPool"] = globalMaxPool;
  rules["ReduceMax"] = reduceExtreme;
  rules["ReduceMean"] = reduceMean;
  rules["ReduceMin"] = reduceExtreme;
  rules["ReduceProd"] = reduceProd;
  rules["ReduceSum"] = reduceSum;
}

Decomposition findDecomposition(StringRef name) {
  static const llvm::StringMap<Decomposition> all = {{"BatchNormalization", batchNormalization},
                                                     {"InstanceNormalization", instanceNormalization},
                                                     {"LpNormalization", lpNormalization}};
  return all.lookup(name);
}

} // namespace onnxc::onnx
