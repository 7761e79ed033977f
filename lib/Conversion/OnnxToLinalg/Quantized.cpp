//===- Quantized.cpp - Integer products and requantization ----------------===//
//
// sum (a - za)(b - zb) = sum ab - zb sum a - za sum b + K za zb; the first sum is a
// plain product of 8-bit values, the others are reductions of one operand.
//
//===----------------------------------------------------------------------===//
#include "Quantized.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace onnxc {

QuantizedOperand quantizedOperand(Value original, Value converted, Value originalZero,
                                  Value convertedZero) {
  QuantizedOperand q;
  q.tensor = converted;
  q.isUnsigned = onnxElem(original).isUnsignedInteger();
  ElementsAttr values = getConstantElements(original);
  if (values && values.getElementType() == onnxElem(original))
    q.values = values;
  if (!originalZero || onnx::isNone(originalZero)) {
    q.zeroValues = {0};
    return q;
  }
  q.zeroValues = getConstantInts(originalZero);
  if (q.zeroValues && llvm::all_of(*q.zeroValues, [](int64_t v) { return v == 0; }))
    return q;
  q.zero = convertedZero;
  q.zeroUnsigned = onnxElem(originalZero).isUnsignedInteger();
  return q;
}

Access parameterAccess(TensorBuilder &b, Value parameter, ArrayRef<OpFoldResult> sizes,
                       unsigned axis) {
  if (rankOf(parameter) <= 1)
    return perAxisAccess(b, parameter, sizes, axis);
  return broadcastAccess(b, parameter, sizes);
}

/// The sum of `operand` along its dimension that the last loop runs over, and how the other loops
/// read it.
static Access sumOverLast(TensorBuilder &b, const QuantizedOperand &operand, AffineMap map) {
  unsigned loops = map.getNumDims();
  SmallVector<AffineExpr> kept;
  SmallVector<int64_t> axes;
  for (auto [i, e] : llvm::enumerate(map.getResults())) {
    if (e == b.getAffineDimExpr(loops - 1))
      axes.push_back(i);
    else
      kept.push_back(e);
  }
  Type i32 = b.getI32Type();
  Value sum = b.reduceAxes(
      operand.tensor, axes, b.intConstant(i32, 0), [&](TensorBuilder &t, ValueRange args) {
        return t.addScalar(args[1], t.convert(args[0], i32, operand.isUnsigned));
      });
  return {sum, b.map(loops - 1, kept)};
}

/// What zero points add to a product.
struct Correction {
  Access za, zb, rowSum, colSum;
  Value count;           // summands of an element of the product
  Access constant = {};  // replaces za, colSum and count
};

/// dot - zb * rowSum - za * colSum + count * za * zb, where the zero points exist.
static Value applyZeroPoints(TensorBuilder &b, Value dot, const QuantizedOperand &lhs,
                             const QuantizedOperand &rhs, const Correction &given) {
  if (!lhs.zero && !rhs.zero)
    return dot;
  Type i32 = b.getI32Type();
  Sizes sizes = b.dims(dot);
  SmallVector<Access> ins{{dot, b.identity(sizes.size())}};
  bool isConstant = given.constant.tensor != nullptr;
  if (isConstant)
    ins.push_back(given.constant);
  else if (lhs.zero)
    ins.append({given.za, given.colSum});
  if (rhs.zero)
    ins.append({given.zb, given.rowSum});
  return b.parallel(sizes, i32, ins, [&](TensorBuilder &t, ValueRange args) {
    Value v = args[0], a, c;
    unsigned next = 1;
    auto term = [&](bool isUnsigned) {
      Value zero = t.convert(args[next], i32, isUnsigned);
      v = t.subScalar(v, t.mulScalar(zero, args[next + 1]));
      next += 2;
      return zero;
    };
    if (isConstant)
      v = t.addScalar(v, args[next++]);
    else if (lhs.zero)
      a = term(lhs.zeroUnsigned);
    if (rhs.zero)
      c = term(rhs.zeroUnsigned);
    if (a && c)
      v = t.addScalar(v, t.mulScalar(t.convert(given.count, i32), t.mulScalar(a, c)));
    return v;
  });
}

static Value intTensor(TensorBuilder &b, ArrayRef<int32_t> values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())}, b.getI32Type());
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, values));
}

/// The part of the correction that follows from constants: sums of constant weights along `axis`,
/// which the product has as loop `loop`, and with constant zero points all that they add up to.
static void foldCorrection(TensorBuilder &b, Correction &c, const QuantizedOperand &x,
                           const QuantizedOperand &weights, ArrayRef<int32_t> sums,
                           AffineMap columns) {
  std::optional<int64_t> count = getConstantIntValue(c.count);
  const auto &za = x.zeroValues, &zb = weights.zeroValues;
  if (!za || za->size() != 1 || !zb || !count ||
      (zb->size() != 1 && zb->size() != sums.size())) {
    c.colSum = {intTensor(b, sums), columns};
    return;
  }
  SmallVector<int32_t> values;
  for (auto [i, sum] : llvm::enumerate(sums)) {
    int64_t zero = (*zb)[zb->size() == 1 ? 0 : i];
    values.push_back(static_cast<int32_t>(*count * (*za)[0] * zero - (*za)[0] * sum));
  }
  c.constant = {intTensor(b, values), columns};
}

/// The product over loops whose last one sums; `rows` and `columns` are the loops that the
/// per-row and per-column zero points follow.
static Value integerProduct(TensorBuilder &b, QuantizedOperand lhs, AffineMap aMap,
                            QuantizedOperand rhs, AffineMap bMap, AffineMap outMap,
                            ArrayRef<OpFoldResult> sizes, unsigned rows, unsigned columns,
                            OpFoldResult count) {
  Type i32 = b.getI32Type();
  normalizeSigns(b, lhs, rhs);
  Value dot = b.contract(sizes, outMap, {lhs.tensor, aMap}, {rhs.tensor, bMap}, i32, i32,
                         lhs.isUnsigned, rhs.isUnsigned);
  Correction c;
  c.count = b.index(count);
  if (lhs.zero) {
    c.za = parameterAccess(b, lhs.zero, sizes, rows);
    SmallVector<int32_t> sums;
    if (rankOf(rhs.tensor) == 2 && bMap.isFunctionOfDim(columns))
      sums = sumWeights(rhs, bMap.getResult(0) == b.getAffineDimExpr(columns) ? 0 : 1);
    if (!sums.empty())
      foldCorrection(b, c, lhs, rhs, sums, b.mapDims(sizes.size(), {columns}));
    else
      c.colSum = sumOverLast(b, rhs, bMap);
  }
  if (rhs.zero) {
    c.zb = parameterAccess(b, rhs.zero, sizes, columns);
    c.rowSum = sumOverLast(b, lhs, aMap);
  }
  return applyZeroPoints(b, dot, lhs, rhs, c);
}

static bool isScalarLike(Value v) {
  return !v || cast<RankedTensorType>(v.getType()).getRank() == 0 ||
         (cast<RankedTensorType>(v.getType()).hasStaticShape() &&
          cast<RankedTensorType>(v.getType()).getNumElements() == 1);
}

Value buildIntegerMatMul(TensorBuilder &b, QuantizedOperand lhs, QuantizedOperand rhs,
                         Type resultType) {
  int64_t ra = rankOf(lhs.tensor), rb = rankOf(rhs.tensor);
  if (ra > 2 && rb == 2 && isScalarLike(lhs.zero)) {
    // As in buildMatMul: one plain product.
    ReassociationIndices rows;
    for (int64_t i = 0; i + 1 < ra; ++i)
      rows.push_back(i);
    SmallVector<ReassociationIndices> groups{rows, {ra - 1}};
    Sizes sizes = b.dims(lhs.tensor);
    sizes.back() = b.dim(rhs.tensor, 1);
    sizes = b.refine(sizes, resultType);
    lhs.tensor = b.collapse(lhs.tensor, groups);
    lhs.values = {}; // they have the shape from before
    return b.expand(buildIntegerMatMul(b, lhs, rhs, Type()), groups, sizes);
  }
  MatMulLoops l = matMulLoops(b, lhs.tensor, rhs.tensor, resultType);
  // Without rows or columns their zero point is a scalar and its loop is not used.
  unsigned last = l.sizes.empty() ? 0 : l.sizes.size() - 1;
  unsigned rows = rb > 1 && last > 0 ? last - 1 : last;
  return integerProduct(b, lhs, l.a, rhs, l.b, l.out, l.sizes, rows, last,
                        b.dim(lhs.tensor, ra - 1));
}

Value buildIntegerGemm(TensorBuilder &b, QuantizedOperand lhs, bool transA, QuantizedOperand rhs,
                       bool transB) {
  Sizes sizes{b.dim(lhs.tensor, transA ? 1 : 0), b.dim(rhs.tensor, transB ? 0 : 1)};
  AffineMap aMap = transA ? b.mapDims(3, {2, 0}) : b.mapDims(3, {0, 2});
  AffineMap bMap = transB ? b.mapDims(3, {1, 2}) : b.mapDims(3, {2, 1});
  return integerProduct(b, lhs, aMap, rhs, bMap, b.mapDims(3, {0, 1}), sizes, 0, 1,
                        b.dim(lhs.tensor, transA ? 0 : 1));
}

/// The sum of each window of x over all channels, and how a loop nest over the result reads it.
static Access windowSums(TensorBuilder &b, const QuantizedOperand &x, const Window &window) {
  Type i32 = b.getI32Type();
  Value zero = b.intConstant(i32, 0);
  Value sums = b.reduceAxes(x.tensor, {1}, zero, [&](TensorBuilder &t, ValueRange args) {
    return t.addScalar(args[1], t.convert(args[0], i32, x.isUnsigned));
  });
  unsigned spatial = window.rank();
  bool points = true;
  Sizes low{b.fixed(0)}, high{b.fixed(0)};
  for (unsigned i = 0; i < spatial; ++i) {
    points &= isConstantIntValue(window.kernel[i], 1) && window.strides[i] == 1 &&
              isConstantIntValue(window.low[i], 0) && isConstantIntValue(window.high[i], 0);
    low.push_back(window.low[i]);
    high.push_back(window.high[i]);
  }
  SmallVector<unsigned> kept{0};
  for (unsigned i = 0; i < spatial; ++i)
    kept.push_back(2 + i);
  AffineMap read = b.mapDims(2 + spatial, kept);
  if (points)
    return {sums, read};
  // In the padding each channel has the zero point.
  Value outside = zero;
  if (x.zero)
    outside = b.mulScalar(b.convert(b.index(b.dim(x.tensor, 1)), i32),
                          b.convert(b.extract(x.zero), i32, x.zeroUnsigned));
  sums = b.pad(sums, low, high, outside);
  Sizes sizes{b.dim(x.tensor, 0)};
  sizes.append(window.out);
  unsigned loops = 1 + 2 * spatial;
  SmallVector<AffineExpr> at{b.getAffineDimExpr(0)};
  for (unsigned i = 0; i < spatial; ++i)
    at.push_back(b.getAffineDimExpr(1 + i) * window.strides[i] +
                 b.getAffineDimExpr(1 + spatial + i) * window.dilations[i]);
  SmallVector<unsigned> positions = llvm::to_vector(llvm::seq<unsigned>(0, 1 + spatial)),
                        taps = llvm::to_vector(llvm::seq<unsigned>(1 + spatial, loops));
  Value extent = b.empty(window.kernel, i32); // only its sizes count
  return {b.reduce(sizes, b.mapDims(loops, positions), zero,
                   {{sums, b.map(loops, at)}, {extent, b.mapDims(loops, taps)}},
                   [](TensorBuilder &t, ValueRange args) { return t.addScalar(args[2], args[0]); }),
          read};
}

/// The same for convolutions in groups: a convolution with ones.
static Access groupSums(TensorBuilder &b, const QuantizedOperand &x, const QuantizedOperand &w,
                        int64_t group, const Window &window, Value pad) {
  Type i32 = b.getI32Type();
  Value ones = b.filled(b.dims(w.tensor), b.intConstant(b.getI8Type(), 1));
  Value sum = buildConvolution(b, x.tensor, ones, group, window, pad,
                               {i32, i32, /*aUnsigned=*/false, x.isUnsigned});
  return {sum, b.identity(2 + window.rank())};
}

Value buildIntegerConvolution(TensorBuilder &b, QuantizedOperand x, QuantizedOperand w,
                              int64_t group, const Window &window) {
  normalizeSigns(b, x, w);
  Type i32 = b.getI32Type(), i8 = getElementTypeOrSelf(x.tensor.getType());
  Value pad = x.zero ? b.extract(x.zero) : b.constant(i8, 0);
  unsigned rank = 2 + window.rank();
  Sizes wSizes = b.dims(w.tensor), sizes{b.dim(x.tensor, 0), wSizes[0]};
  sizes.append(window.out);
  Correction c;
  c.count = b.index(b.product(ArrayRef(wSizes).drop_front()));
  if (x.zero) {
    c.za = perAxisAccess(b, x.zero, sizes, 1);
    SmallVector<int32_t> sums = sumWeights(w, 0);
    if (!sums.empty()) {
      foldCorrection(b, c, x, w, sums, b.mapDims(rank, {1}));
    } else {
      SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(1, rank));
      Value sum = b.reduceAxes(
          w.tensor, axes, b.intConstant(i32, 0), [&](TensorBuilder &t, ValueRange args) {
            return t.addScalar(args[1], t.convert(args[0], i32, w.isUnsigned));
          });
      c.colSum = {sum, b.mapDims(rank, {1})};
    }
  }
  // Depthwise products are not made by instructions for bytes: their weights can be wider.
  bool depthwise = group > 1 && isConstantIntValue(wSizes[1], 1);
  if (w.zero && depthwise && (!x.zero || c.constant.tensor))
    subtractZero(b, w);
  if (w.zero) {
    c.zb = perAxisAccess(b, w.zero, sizes, 1);
    c.rowSum = group == 1 ? windowSums(b, x, window) : groupSums(b, x, w, group, window, pad);
  }
  Value dot = buildConvolution(b, x.tensor, w.tensor, group, window, pad,
                               {i32, i32, w.isUnsigned, x.isUnsigned});
  return applyZeroPoints(b, dot, x, w, c);
}

Value roundToInt(OpBuilder &b, Location loc, Value v, Value zero, Type onnxInt) {
  Type f = v.getType(), i32 = b.getI32Type();
  auto [low, high] = intRange(onnxInt);
  // The range is moved by the zero point, so that nothing is lost before it is added in integers.
  auto bound = [&](int64_t value) -> Value {
    if (!zero)
      return arith::ConstantOp::create(b, loc, b.getFloatAttr(f, double(value)));
    Value limit = arith::ConstantOp::create(b, loc, b.getIntegerAttr(i32, value));
    return arith::SIToFPOp::create(b, loc, f, arith::SubIOp::create(b, loc, limit, zero));
  };
  // The order of a comparison's operands makes a NaN the lowest value.
  auto clamp = [&](arith::CmpFPredicate inside, Value limit) {
    Value keep = arith::CmpFOp::create(b, loc, inside, v, limit);
    v = arith::SelectOp::create(b, loc, keep, v, limit);
  };
  clamp(arith::CmpFPredicate::OGT, bound(low));
  clamp(arith::CmpFPredicate::OLT, bound(high));
  v = arith::FPToSIOp::create(b, loc, i32, math::RoundEvenOp::create(b, loc, v));
  if (zero)
    v = arith::AddIOp::create(b, loc, v, zero);
  return arith::TruncIOp::create(b, loc, ScalarCodec(onnxInt).storageType(), v);
}

Value quantizeScalar(TensorBuilder &t, Value v, Value scale, Value zero, Type onnxElem) {
  Type f32 = t.getF32Type();
  v = t.convert(v, f32);
  if (scale)
    v = t.divScalar(v, t.convert(scale, f32));
  if (zero)
    zero = t.convert(zero, t.getI32Type(), onnxElem.isUnsignedInteger());
  return roundToInt(t, t.getLoc(), v, zero, onnxElem);
}

Value dequantizeScalar(TensorBuilder &t, Value v, Value scale, Value zero, bool isUnsigned) {
  Type f32 = t.getF32Type(), i32 = t.getI32Type();
  v = t.convert(v, i32, isUnsigned);
  if (zero)
    v = t.subScalar(v, t.convert(zero, i32, isUnsigned));
  return t.mulScalar(t.convert(v, f32), t.convert(scale, f32));
}

} // namespace onnxc
