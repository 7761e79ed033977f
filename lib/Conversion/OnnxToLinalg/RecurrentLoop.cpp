//===- RecurrentLoop.cpp - The time loop of LSTM, GRU and RNN -------------===//
//
// The input's product with its weights is one product for all steps, ahead of the
// loop. Steps beyond a sequence's length leave the state and give zeros.
//
//===----------------------------------------------------------------------===//
#include "Recurrent.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace onnxc {

FailureOr<SmallVector<CellActivation>>
resolveActivations(const OnnxTypeConverter &types, Operation *op, CellKind kind,
                   int64_t directions, std::optional<ArrayAttr> names,
                   std::optional<ArrayRef<float>> alphas, std::optional<ArrayRef<float>> betas) {
  using A = CellActivation;
  size_t each = kind == CellKind::LSTM ? 3 : kind == CellKind::GRU ? 2 : 1;
  size_t expected = each * directions;
  SmallVector<StringRef> wanted;
  if (names && !names->empty()) {
    for (Attribute name : *names)
      wanted.push_back(cast<StringAttr>(name).getValue());
    // RNN's default in the schema names two functions also where there is one direction.
    if (kind == CellKind::RNN && wanted.size() > expected)
      wanted.resize(expected);
    if (wanted.size() != expected)
      return types.refuse(op, "attribute activations has " + Twine(wanted.size()) +
                                  " values, expected " + Twine(expected));
  } else {
    for (int64_t d = 0; d < directions; ++d) {
      if (kind != CellKind::RNN)
        wanted.push_back("Sigmoid");
      wanted.append(kind == CellKind::LSTM ? 2 : 1, "Tanh");
    }
  }
  SmallVector<A> result;
  size_t nextAlpha = 0, nextBeta = 0;
  auto next = [](std::optional<ArrayRef<float>> values, size_t &at, float fallback) {
    return values && at < values->size() ? (*values)[at++] : fallback;
  };
  for (StringRef name : wanted) {
    std::optional<A::Function> function = llvm::StringSwitch<std::optional<A::Function>>(name)
                                              .CaseLower("affine", A::Affine)
                                              .CaseLower("elu", A::Elu)
                                              .CaseLower("hardsigmoid", A::HardSigmoid)
                                              .CaseLower("leakyrelu", A::LeakyRelu)
                                              .CaseLower("relu", A::Relu)
                                              .CaseLower("scaledtanh", A::ScaledTanh)
                                              .CaseLower("sigmoid", A::Sigmoid)
                                              .CaseLower("softplus", A::Softplus)
                                              .CaseLower("softsign", A::Softsign)
                                              .CaseLower("tanh", A::Tanh)
                                              .CaseLower("thresholdedrelu", A::ThresholdedRelu)
                                              .Default(std::nullopt);
    if (!function)
      return types.refuse(op, "activation function '" + name + "' is not known");
    A a{*function};
    switch (*function) {
    case A::Affine:
    case A::ScaledTanh:
      a.alpha = next(alphas, nextAlpha, 1.0f);
      a.beta = next(betas, nextBeta, *function == A::Affine ? 0.0f : 1.0f);
      break;
    case A::HardSigmoid:
      a.alpha = next(alphas, nextAlpha, 0.2f);
      a.beta = next(betas, nextBeta, 0.5f);
      break;
    case A::LeakyRelu:
      a.alpha = next(alphas, nextAlpha, 0.01f);
      break;
    case A::Elu:
    case A::ThresholdedRelu:
      a.alpha = next(alphas, nextAlpha, 1.0f);
      break;
    default:
      break;
    }
    result.push_back(a);
  }
  return result;
}

Value takeFirst(TensorBuilder &b, Value tensor, OpFoldResult i) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Sizes sizes = b.dims(tensor), offsets(sizes.size(), b.fixed(0)), strides(sizes.size(), b.fixed(1));
  sizes[0] = b.fixed(1);
  offsets[0] = i;
  auto result = RankedTensorType::get(type.getShape().drop_front(), type.getElementType());
  return tensor::ExtractSliceOp::create(b, result, tensor, offsets, sizes, strides);
}

namespace {

Value activate(TensorBuilder &t, const CellActivation &a, Value v) {
  using A = CellActivation;
  Type type = v.getType();
  auto num = [&](double x) { return t.constant(type, x); };
  Value zero = num(0);
  auto positive = [&] {
    return arith::CmpFOp::create(t, arith::CmpFPredicate::OGE, v, zero).getResult();
  };
  switch (a.function) {
  case A::Affine:
    return t.addScalar(t.mulScalar(num(a.alpha), v), num(a.beta));
  case A::Elu: {
    Value e = t.subScalar(math::ExpOp::create(t, v), num(1));
    return arith::SelectOp::create(t, positive(), v, t.mulScalar(num(a.alpha), e));
  }
  case A::HardSigmoid: {
    Value line = t.addScalar(t.mulScalar(num(a.alpha), v), num(a.beta));
    return t.maxScalar(t.minScalar(line, num(1)), zero);
  }
  case A::LeakyRelu:
    return arith::SelectOp::create(t, positive(), v, t.mulScalar(num(a.alpha), v));
  case A::Relu:
    return t.maxScalar(v, zero);
  case A::ScaledTanh:
    return t.mulScalar(num(a.alpha), math::TanhOp::create(t, t.mulScalar(num(a.beta), v)));
  case A::Sigmoid: {
    Value e = math::ExpOp::create(t, arith::NegFOp::create(t, v));
    return t.divScalar(num(1), t.addScalar(num(1), e));
  }
  case A::Softplus: {
    // max(v, 0) + log1p(exp(-|v|)) does not overflow.
    Value e = math::ExpOp::create(t, arith::NegFOp::create(t, math::AbsFOp::create(t, v)));
    return t.addScalar(t.maxScalar(v, zero), math::Log1pOp::create(t, e));
  }
  case A::Softsign:
    return t.divScalar(v, t.addScalar(num(1), math::AbsFOp::create(t, v)));
  case A::Tanh:
    return math::TanhOp::create(t, v);
  case A::ThresholdedRelu: {
    Value above = arith::CmpFOp::create(t, arith::CmpFPredicate::OGT, v, num(a.alpha));
    return arith::SelectOp::create(t, above, v, zero);
  }
  }
  return v;
}

/// One direction's loop.
class Direction {
public:
  Direction(const Recurrence &r, int64_t d, OpFoldResult steps, OpFoldResult batch)
      : r(r), d(d), steps(steps), batch(batch), state{batch, r.hidden} {
    size_t each = r.activations.size() / r.directions();
    activations = ArrayRef(r.activations).slice(d * each, each);
  }

  /// The last h and c and the sequence with this direction's part filled in.
  SmallVector<Value> run(TensorBuilder &b, Value flatX, Value sequence) {
    Value projected = r.project(b, flatX, d);
    OpFoldResult width = b.dim(projected, 1);
    projected = b.expand(projected, {{0, 1}, {2}}, {steps, batch, width});
    if (r.bias)
      bias = b.convertElements(takeFirst(b, r.bias, b.fixed(d)), r.acc);
    if (r.peepholes)
      peepholes = b.convertElements(takeFirst(b, r.peepholes, b.fixed(d)), r.acc);

    SmallVector<Value> inits{initial(b, r.initialH)};
    if (r.kind == CellKind::LSTM)
      inits.push_back(initial(b, r.initialC));
    if (sequence)
      inits.push_back(sequence);
    bool backwards = r.direction == "reverse" || d == 1;
    Value count = b.index(steps), zero = b.index(0), one = b.index(1);
    auto loop = scf::ForOp::create(
        b, zero, count, one, inits,
        [&](OpBuilder &nested, Location loc, Value i, ValueRange carried) {
          TensorBuilder t(loc, nested);
          Value at = i;
          if (backwards)
            at = arith::SubIOp::create(t, arith::SubIOp::create(t, count, t.index(1)), i);
          scf::YieldOp::create(t, step(t, projected, at, carried, sequence != nullptr));
        });
    return llvm::to_vector_of<Value>(loop.getResults());
  }

private:
  Value initial(TensorBuilder &b, Value given) {
    if (!given)
      return b.zeros(state, r.acc);
    Value v = b.convertElements(takeFirst(b, given, b.fixed(d)), r.acc);
    return b.castTo(v, b.empty(state, r.acc).getType());
  }

  /// Columns [gate * hidden, (gate + 1) * hidden).
  Value gate(TensorBuilder &t, Value gates, int64_t index) {
    OpFoldResult offset = t.mul(r.hidden, t.fixed(index));
    return t.slice(gates, {t.fixed(0), offset}, state);
  }
  Access biasAccess(TensorBuilder &t, int64_t index) {
    OpFoldResult offset = t.mul(r.hidden, t.fixed(index));
    return {t.slice(bias, {offset}, {r.hidden}), t.mapDims(2, {1})};
  }
  Access peephole(TensorBuilder &t, int64_t index) {
    OpFoldResult offset = t.mul(r.hidden, t.fixed(index));
    return {t.slice(peepholes, {offset}, {r.hidden}), t.mapDims(2, {1})};
  }
  Value clip(TensorBuilder &t, Value v) {
    if (!r.clip)
      return v;
    Value limit = t.constant(r.acc, *r.clip), low = t.constant(r.acc, -*r.clip);
    return t.maxScalar(t.minScalar(v, limit), low);
  }
  Value act(TensorBuilder &t, unsigned i, Value v) { return activate(t, activations[i], v); }

  /// Collects what the body reads; sums are taken of named groups.
  struct Inputs {
    SmallVector<Access> list;
    unsigned add(Access a) {
      list.push_back(a);
      return list.size() - 1;
    }
  };

  /// The accesses whose sum is a gate's argument: input, state and both biases.
  SmallVector<unsigned> gateTerms(TensorBuilder &t, Inputs &ins, Value x, Value h, int64_t index) {
    AffineMap id = t.identity(2);
    SmallVector<unsigned> terms{ins.add({gate(t, x, index), id})};
    if (h)
      terms.push_back(ins.add({gate(t, h, index), id}));
    if (bias) {
      terms.push_back(ins.add(biasAccess(t, index)));
      terms.push_back(ins.add(biasAccess(t, r.gates() + index)));
    }
    return terms;
  }
  static Value sum(TensorBuilder &t, ValueRange args, ArrayRef<unsigned> terms) {
    Value v = args[terms.front()];
    for (unsigned i : terms.drop_front())
      v = t.addScalar(v, args[i]);
    return v;
  }

  SmallVector<Value> step(TensorBuilder &t, Value projected, Value at, ValueRange carried,
                          bool withSequence) {
    Value x = takeFirst(t, projected, at), h = carried[0];
    Value nextH, nextC;
    switch (r.kind) {
    case CellKind::LSTM:
      std::tie(nextH, nextC) = lstm(t, x, h, carried[1]);
      break;
    case CellKind::GRU:
      nextH = gru(t, x, h);
      break;
    case CellKind::RNN:
      nextH = rnn(t, x, h);
      break;
    }
    Value y = nextH;
    if (r.sequenceLens) {
      y = select(t, at, nextH, Value());
      nextH = select(t, at, nextH, h);
      if (nextC)
        nextC = select(t, at, nextC, carried[1]);
    }
    SmallVector<Value> results{nextH};
    if (nextC)
      results.push_back(nextC);
    if (withSequence) {
      Sizes offsets{at, t.fixed(d), t.fixed(0), t.fixed(0)}, strides(4, t.fixed(1));
      Sizes sizes{t.fixed(1), t.fixed(1), batch, r.hidden};
      results.push_back(tensor::InsertSliceOp::create(t, t.convertElements(y, r.elem),
                                                      carried.back(), offsets, sizes, strides));
    }
    return results;
  }

  /// `now` where the step is within the sequence, else `before` (zero if null).
  Value select(TensorBuilder &t, Value at, Value now, Value before) {
    SmallVector<Access> ins{{now, t.identity(2)}, {r.sequenceLens, t.mapDims(2, {0})}};
    if (before)
      ins.push_back({before, t.identity(2)});
    return t.parallel(state, r.acc, ins, [&](TensorBuilder &u, ValueRange args) -> Value {
      Value length = u.convert(args[1], u.getIndexType());
      Value within = arith::CmpIOp::create(u, arith::CmpIPredicate::slt, at, length);
      return arith::SelectOp::create(u, within, args[0], before ? args[2] : u.constant(r.acc, 0));
    });
  }

  /// Gates i, o, f, c.
  std::pair<Value, Value> lstm(TensorBuilder &t, Value x, Value h, Value c) {
    Value hr = r.recur(t, h, d, 0, 4);
    AffineMap id = t.identity(2);
    Inputs ins;
    auto i = gateTerms(t, ins, x, hr, 0), f = gateTerms(t, ins, x, hr, 2);
    auto g = gateTerms(t, ins, x, hr, 3);
    unsigned cAt = ins.add({c, id}), pi = 0, pf = 0;
    if (r.peepholes) {
      pi = ins.add(peephole(t, 0));
      pf = ins.add(peephole(t, 2));
    }
    Value nextC = t.parallel(state, r.acc, ins.list, [&](TensorBuilder &u, ValueRange args) {
      Value iv = sum(u, args, i), fv = sum(u, args, f);
      if (r.peepholes) {
        iv = u.addScalar(iv, u.mulScalar(args[pi], args[cAt]));
        fv = u.addScalar(fv, u.mulScalar(args[pf], args[cAt]));
      }
      iv = act(u, 0, clip(u, iv));
      fv = r.inputForget ? u.subScalar(u.constant(r.acc, 1), iv) : act(u, 0, clip(u, fv));
      Value gv = act(u, 1, clip(u, sum(u, args, g)));
      return u.addScalar(u.mulScalar(fv, args[cAt]), u.mulScalar(iv, gv));
    });
    Inputs outs;
    auto o = gateTerms(t, outs, x, hr, 1);
    unsigned newC = outs.add({nextC, id}), po = 0;
    if (r.peepholes)
      po = outs.add(peephole(t, 1));
    Value nextH = t.parallel(state, r.acc, outs.list, [&](TensorBuilder &u, ValueRange args) {
      Value ov = sum(u, args, o);
      if (r.peepholes)
        ov = u.addScalar(ov, u.mulScalar(args[po], args[newC]));
      return u.mulScalar(act(u, 0, clip(u, ov)), act(u, 2, args[newC]));
    });
    return {nextH, nextC};
  }

  /// Gates z, r, h.
  Value gru(TensorBuilder &t, Value x, Value h) {
    AffineMap id = t.identity(2);
    Value hr = r.recur(t, h, d, 0, r.linearBeforeReset ? 3 : 2);
    Inputs resets;
    auto rTerms = gateTerms(t, resets, x, hr, 1);
    Inputs ins;
    auto zTerms = gateTerms(t, ins, x, hr, 0);
    unsigned hAt = ins.add({h, id}), reset = 0, product = 0;
    unsigned candidate = ins.add({gate(t, x, 2), id}), wBias = 0, rBias = 0;
    if (bias) {
      wBias = ins.add(biasAccess(t, 2));
      rBias = ins.add(biasAccess(t, 5));
    }
    if (r.linearBeforeReset) {
      Value rv = t.parallel(state, r.acc, resets.list, [&](TensorBuilder &u, ValueRange args) {
        return act(u, 0, clip(u, sum(u, args, rTerms)));
      });
      reset = ins.add({rv, id});
      product = ins.add({gate(t, hr, 2), id});
    } else {
      unsigned own = resets.add({h, id});
      Value rh = t.parallel(state, r.acc, resets.list, [&](TensorBuilder &u, ValueRange args) {
        return u.mulScalar(act(u, 0, clip(u, sum(u, args, rTerms))), args[own]);
      });
      product = ins.add({r.recur(t, rh, d, 2, 1), id});
    }
    return t.parallel(state, r.acc, ins.list, [&](TensorBuilder &u, ValueRange args) {
      Value z = act(u, 0, clip(u, sum(u, args, zTerms)));
      Value recurrent = args[product];
      if (bias)
        recurrent = u.addScalar(recurrent, args[rBias]);
      if (r.linearBeforeReset)
        recurrent = u.mulScalar(args[reset], recurrent);
      Value v = u.addScalar(args[candidate], recurrent);
      if (bias)
        v = u.addScalar(v, args[wBias]);
      v = act(u, 1, clip(u, v));
      Value kept = u.mulScalar(z, args[hAt]);
      return u.addScalar(u.mulScalar(u.subScalar(u.constant(r.acc, 1), z), v), kept);
    });
  }

  Value rnn(TensorBuilder &t, Value x, Value h) {
    Inputs ins;
    auto terms = gateTerms(t, ins, x, r.recur(t, h, d, 0, 1), 0);
    return t.parallel(state, r.acc, ins.list, [&](TensorBuilder &u, ValueRange args) {
      return act(u, 0, clip(u, sum(u, args, terms)));
    });
  }

  const Recurrence &r;
  int64_t d;
  OpFoldResult steps, batch;
  Sizes state;
  ArrayRef<CellActivation> activations;
  Value bias, peepholes;
};

} // namespace

RecurrentResults buildRecurrence(TensorBuilder &b, const Recurrence &given) {
  Recurrence r = given;
  if (r.batchFirst) {
    r.x = b.transpose(r.x, {1, 0, 2});
    if (r.initialH)
      r.initialH = b.transpose(r.initialH, {1, 0, 2});
    if (r.initialC)
      r.initialC = b.transpose(r.initialC, {1, 0, 2});
  }
  OpFoldResult steps = b.dim(r.x, 0), batch = b.dim(r.x, 1);
  OpFoldResult directions = b.fixed(r.directions());
  Value flatX = b.collapse(r.x, {{0, 1}, {2}});
  Value sequence;
  if (r.wantsSequence)
    sequence = b.empty({steps, directions, batch, r.hidden}, r.elem);
  Sizes lastSizes{directions, batch, r.hidden};
  bool hasC = r.kind == CellKind::LSTM;
  Value lastH = b.empty(lastSizes, r.elem), lastC = hasC ? b.empty(lastSizes, r.elem) : Value();
  for (int64_t d = 0; d < r.directions(); ++d) {
    SmallVector<Value> results = Direction(r, d, steps, batch).run(b, flatX, sequence);
    if (sequence)
      sequence = results.back();
    auto put = [&](Value last, Value v) -> Value {
      Sizes offsets{b.fixed(d), b.fixed(0), b.fixed(0)}, strides(3, b.fixed(1));
      return tensor::InsertSliceOp::create(b, b.convertElements(v, r.elem), last, offsets,
                                           Sizes{b.fixed(1), batch, r.hidden}, strides);
    };
    lastH = put(lastH, results[0]);
    if (hasC)
      lastC = put(lastC, results[1]);
  }
  if (r.batchFirst) {
    if (sequence)
      sequence = b.transpose(sequence, {2, 0, 1, 3});
    lastH = b.transpose(lastH, {1, 0, 2});
    if (hasC)
      lastC = b.transpose(lastC, {1, 0, 2});
  }
  return {sequence, lastH, lastC};
}

} // namespace onnxc
