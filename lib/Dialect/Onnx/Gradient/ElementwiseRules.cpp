// Derivatives of operators that compute each element alone.
#include "Rules.h"
#include <cmath>

using namespace mlir;

namespace onnxc::onnx {
namespace {

/// The gradient is that of the result times what `factor` gives.
template <Value (*factor)(GradientWriter &w, Value x, Value y)>
LogicalResult unary(Adjoint &a) {
  a.set(0, a.w.mul(a.g(), factor(a.w, a.x(), a.y())));
  return success();
}

Value square(GradientWriter &w, Value x) { return w.mul(x, x); }
Value oneMinus(GradientWriter &w, Value x) { return w.sub(w.number(1, x), x); }
Value onePlus(GradientWriter &w, Value x) { return w.add(w.number(1, x), x); }
Value inverse(GradientWriter &w, Value x) { return w.op("Reciprocal", {x}); }
Value root(GradientWriter &w, Value x) { return w.op("Sqrt", {x}); }

Value ofAbs(GradientWriter &w, Value x, Value) { return w.op("Sign", {x}); }
Value ofExp(GradientWriter &, Value, Value y) { return y; }
Value ofLog(GradientWriter &w, Value x, Value) { return inverse(w, x); }
Value ofSqrt(GradientWriter &w, Value, Value y) { return w.div(w.number(0.5, y), y); }
Value ofReciprocal(GradientWriter &w, Value, Value y) { return w.neg(square(w, y)); }
Value ofSin(GradientWriter &w, Value x, Value) { return w.op("Cos", {x}); }
Value ofCos(GradientWriter &w, Value x, Value) { return w.neg(w.op("Sin", {x})); }
Value ofTan(GradientWriter &w, Value, Value y) { return onePlus(w, square(w, y)); }
Value ofAsin(GradientWriter &w, Value x, Value) { return inverse(w, root(w, oneMinus(w, square(w, x)))); }
Value ofAcos(GradientWriter &w, Value x, Value y) { return w.neg(ofAsin(w, x, y)); }
Value ofAtan(GradientWriter &w, Value x, Value) { return inverse(w, onePlus(w, square(w, x))); }
Value ofSinh(GradientWriter &w, Value x, Value) { return w.op("Cosh", {x}); }
Value ofCosh(GradientWriter &w, Value x, Value) { return w.op("Sinh", {x}); }
Value ofTanh(GradientWriter &w, Value, Value y) { return oneMinus(w, square(w, y)); }
Value ofAsinh(GradientWriter &w, Value x, Value) { return inverse(w, root(w, onePlus(w, square(w, x)))); }
Value ofAcosh(GradientWriter &w, Value x, Value) {
  return inverse(w, root(w, w.sub(square(w, x), w.number(1, x))));
}
Value ofAtanh(GradientWriter &w, Value x, Value) { return inverse(w, oneMinus(w, square(w, x))); }
Value ofSigmoid(GradientWriter &w, Value, Value y) { return w.mul(y, oneMinus(w, y)); }
Value ofSoftplus(GradientWriter &w, Value x, Value) { return w.op("Sigmoid", {x}); }
Value ofErf(GradientWriter &w, Value x, Value) {
  return w.scaled(w.op("Exp", {w.neg(square(w, x))}), 2 / std::sqrt(M_PI));
}
Value ofSoftsign(GradientWriter &w, Value x, Value) {
  return inverse(w, square(w, onePlus(w, w.op("Abs", {x}))));
}

LogicalResult negative(Adjoint &a) {
  a.set(0, a.w.neg(a.g()));
  return success();
}

LogicalResult same(Adjoint &a) {
  a.set(0, a.g());
  return success();
}

/// Piecewise constant: nothing flows back.
LogicalResult flat(Adjoint &) { return success(); }

LogicalResult cast(Adjoint &a) {
  a.set(0, a.w.castLike(a.g(), a.x()));
  return success();
}

/// g times `inner` where x is greater than (or equal to) `bound`, times `outer` elsewhere; null means 0.
void piecewise(Adjoint &a, StringRef comparison, double bound, Value inner, Value outer) {
  GradientWriter &w = a.w;
  Value inside = w.op(comparison, {a.x(), w.number(bound, a.x())}), zero = w.number(0, a.x());
  auto times = [&](Value factor) { return factor ? w.mul(a.g(), factor) : zero; };
  a.set(0, w.where(inside, times(inner), times(outer)));
}

LogicalResult relu(Adjoint &a) {
  piecewise(a, "Greater", 0, a.w.number(1, a.x()), {});
  return success();
}
LogicalResult leakyRelu(Adjoint &a) {
  piecewise(a, "GreaterOrEqual", 0, a.w.number(1, a.x()), a.w.number(a.real("alpha", 0.01), a.x()));
  return success();
}
LogicalResult thresholdedRelu(Adjoint &a) {
  piecewise(a, "Greater", a.real("alpha", 1), a.w.number(1, a.x()), {});
  return success();
}
// alpha * exp(x) is y + alpha left of 0, and exp of a clipped x never overflows.
LogicalResult elu(Adjoint &a) {
  GradientWriter &w = a.w;
  piecewise(a, "GreaterOrEqual", 0, w.number(1, a.x()), w.add(a.y(), w.number(a.real("alpha", 1), a.x())));
  return success();
}
LogicalResult selu(Adjoint &a) {
  GradientWriter &w = a.w;
  double alpha = a.real("alpha", 1.67326319217681884765625), gamma = a.real("gamma", 1.05070102214813232421875);
  piecewise(a, "Greater", 0, w.number(gamma, a.x()), w.add(a.y(), w.number(alpha * gamma, a.x())));
  return success();
}
LogicalResult celu(Adjoint &a) {
  GradientWriter &w = a.w;
  piecewise(a, "GreaterOrEqual", 0, w.number(1, a.x()),
            onePlus(w, w.div(a.y(), w.number(a.real("alpha", 1), a.x()))));
  return success();
}

/// The gradient where low < x < high.
void between(Adjoint &a, Value low, Value high, Value gradient) {
  GradientWriter &w = a.w;
  Value zero = w.number(0, a.x());
  if (low)
    gradient = w.where(w.op("GreaterOrEqual", {a.x(), low}), gradient, zero);
  if (high)
    gradient = w.where(w.op("LessOrEqual", {a.x(), high}), gradient, zero);
  a.set(0, gradient);
}

LogicalResult clip(Adjoint &a) {
  if (a.needs(1) || a.needs(2))
    return a.refuse("has bounds that depend on the inputs");
  between(a, isNone(a.x(1)) ? Value() : a.x(1), isNone(a.x(2)) ? Value() : a.x(2), a.g());
  return success();
}

LogicalResult hardSigmoid(Adjoint &a) {
  double alpha = a.real("alpha", 0.2), beta = a.real("beta", 0.5);
  between(a, a.w.number(-beta / alpha, a.x()), a.w.number((1 - beta) / alpha, a.x()), a.w.scaled(a.g(), alpha));
  return success();
}

//===----------------------------------------------------------------------===//
// Several operands
//===----------------------------------------------------------------------===//

LogicalResult setNeeded(Adjoint &a, unsigned i, llvm::function_ref<Value()> gradient) {
  return a.needs(i) ? a.setSummed(i, gradient()) : success();
}

LogicalResult add(Adjoint &a) {
  return success(succeeded(setNeeded(a, 0, [&] { return a.g(); })) &&
                 succeeded(setNeeded(a, 1, [&] { return a.g(); })));
}
LogicalResult sub(Adjoint &a) {
  return success(succeeded(setNeeded(a, 0, [&] { return a.g(); })) &&
                 succeeded(setNeeded(a, 1, [&] { return a.w.neg(a.g()); })));
}
LogicalResult mul(Adjoint &a) {
  return success(succeeded(setNeeded(a, 0, [&] { return a.w.mul(a.g(), a.x(1)); })) &&
                 succeeded(setNeeded(a, 1, [&] { return a.w.mul(a.g(), a.x(0)); })));
}
LogicalResult div(Adjoint &a) {
  return success(succeeded(setNeeded(a, 0, [&] { return a.w.div(a.g(), a.x(1)); })) &&
                 succeeded(setNeeded(a, 1, [&] { return a.w.neg(a.w.div(a.w.mul(a.g(), a.y()), a.x(1))); })));
}

LogicalResult pow(Adjoint &a) {
  GradientWriter &w = a.w;
  Value base = a.x(0), exponent = a.x(1);
  if (w.elem(exponent) != w.elem(base)) {
    if (a.needs(1))
      return a.refuse("has an exponent of another type than its base");
    exponent = w.castLike(exponent, base);
  }
  // x^0 is constant, whatever the factor 0 * x^-1 would be.
  Value isZero = w.op("Equal", {exponent, w.number(0, exponent)});
  auto forBase = [&] {
    Value slope = w.mul(exponent, w.op("Pow", {base, w.sub(exponent, w.number(1, exponent))}));
    return w.mul(a.g(), w.where(isZero, w.number(0, base), slope));
  };
  auto forExponent = [&] {
    Value positive = w.op("Greater", {base, w.number(0, base)});
    Value log = w.op("Log", {w.where(positive, base, w.number(1, base))});
    return w.mul(a.g(), w.mul(a.y(), log));
  };
  return success(succeeded(setNeeded(a, 0, forBase)) && succeeded(setNeeded(a, 1, forExponent)));
}

/// fmod and floor division leave a piece of slope 1, and minus the quotient for the divisor.
LogicalResult mod(Adjoint &a) {
  auto quotient = [&] {
    Value q = a.w.div(a.w.sub(a.x(0), a.y()), a.x(1));
    return a.w.neg(a.w.mul(a.g(), a.w.op("Round", {q})));
  };
  return success(succeeded(setNeeded(a, 0, [&] { return a.g(); })) && succeeded(setNeeded(a, 1, quotient)));
}

/// Max and Min: operands that are equally large share the gradient.
LogicalResult extreme(Adjoint &a) {
  GradientWriter &w = a.w;
  Value count;
  SmallVector<Value> chosen;
  for (Value x : a.op->getOperands()) {
    Value here = w.op("Equal", {x, a.y()});
    chosen.push_back(w.castLike(here, a.y()));
    count = count ? w.add(count, chosen.back()) : chosen.back();
  }
  Value share = w.div(a.g(), count);
  for (unsigned i = 0; i < chosen.size(); ++i)
    if (failed(setNeeded(a, i, [&] { return w.mul(share, chosen[i]); })))
      return failure();
  return success();
}

LogicalResult sum(Adjoint &a) {
  for (unsigned i = 0; i < a.op->getNumOperands(); ++i)
    if (failed(setNeeded(a, i, [&] { return a.g(); })))
      return failure();
  return success();
}
LogicalResult mean(Adjoint &a) {
  Value share = a.w.scaled(a.g(), 1.0 / a.op->getNumOperands());
  for (unsigned i = 0; i < a.op->getNumOperands(); ++i)
    if (failed(setNeeded(a, i, [&] { return share; })))
      return failure();
  return success();
}

LogicalResult select(Adjoint &a) {
  Value zero = a.w.number(0, a.g());
  return success(succeeded(setNeeded(a, 1, [&] { return a.w.where(a.x(0), a.g(), zero); })) &&
                 succeeded(setNeeded(a, 2, [&] { return a.w.where(a.x(0), zero, a.g()); })));
}

LogicalResult prelu(Adjoint &a) {
  GradientWriter &w = a.w;
  Value negative = w.op("Less", {a.x(0), w.number(0, a.x(0))});
  Value zero = w.number(0, a.x(0));
  auto forSlope = [&] { return w.where(negative, w.mul(a.g(), a.x(0)), zero); };
  auto forInput = [&] { return w.where(negative, w.mul(a.g(), a.x(1)), a.g()); };
  return success(succeeded(setNeeded(a, 0, forInput)) && succeeded(setNeeded(a, 1, forSlope)));
}

/// y = x * mask / (1 - ratio); without training it is x.
LogicalResult dropout(Adjoint &a) {
  GradientWriter &w = a.w;
  auto dropout = llvm::cast<DropoutOp>(a.op);
  if (isNone(dropout.getTrainingMode())) {
    a.set(0, a.g());
    return success();
  }
  if (isNone(dropout.getMask()))
    return a.refuse("has no output 'mask', which says what training dropped");
  Value x = a.x();
  auto like = [&](Value v) { return w.castLike(v, x); };
  Value ratio = isNone(dropout.getRatio()) ? w.number(0.5, x) : like(dropout.getRatio());
  Value scale = w.where(dropout.getTrainingMode(), inverse(w, oneMinus(w, ratio)), w.number(1, x));
  a.set(0, w.mul(a.g(), w.mul(like(dropout.getMask()), scale)));
  return success();
}

} // namespace

void addElementwiseRules(RuleMap &rules) {
  for (auto [name, rule] : std::initializer_list<std::pair<StringRef, Rule>>{
           {"Abs", unary<ofAbs>},           {"Acos", unary<ofAcos>},
           {"Acosh", unary<ofAcosh>},       {"Add", add},
           {"Asin", unary<ofAsin>},         {"Asinh", unary<ofAsinh>},
           {"Atan", unary<ofAtan>},         {"Atanh", unary<ofAtanh>},
           {"Cast", cast},                  {"CastLike", cast},
           {"Ceil", flat},                  {"Celu", celu},
           {"Clip", clip},                  {"Cos", unary<ofCos>},
           {"Cosh", unary<ofCosh>},         {"Div", div},
           {"Dropout", dropout},            {"Elu", elu},
           {"Erf", unary<ofErf>},           {"Exp", unary<ofExp>},
           {"Floor", flat},                 {"HardSigmoid", hardSigmoid},
           {"Hardmax", flat},               {"Identity", same},
           {"LeakyRelu", leakyRelu},        {"Log", unary<ofLog>},
           {"Max", extreme},                {"Mean", mean},
           {"Min", extreme},                {"Mod", mod},
           {"Mul", mul},                    {"Neg", negative},
           {"PRelu", prelu},                {"Pow", pow},
           {"Reciprocal", unary<ofReciprocal>}, {"Relu", relu},
           {"Round", flat},                 {"Selu", selu},
           {"Sigmoid", unary<ofSigmoid>},   {"Sign", flat},
           {"Sin", unary<ofSin>},           {"Sinh", unary<ofSinh>},
           {"Softplus", unary<ofSoftplus>}, {"Softsign", unary<ofSoftsign>},
           {"Sqrt", unary<ofSqrt>},         {"Sub", sub},
           {"Sum", sum},                    {"Tan", unary<ofTan>},
           {"Tanh", unary<ofTanh>},         {"ThresholdedRelu", thresholdedRelu},
           {"Where", select}})
    rules[name] = rule;
}

} // namespace onnxc::onnx
