// Resize in all modes. Interpolation is separable: each axis is resampled in turn, with its
// positions and weights in small tables that are computed first. Formulas: ONNX Resize-19.
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace onnxc {
namespace {

// Arithmetic on f64, in which all positions are computed.
struct F64 {
  OpBuilder &b;
  Location loc;
  Value num(double v) const {
    return arith::ConstantOp::create(b, loc, b.getF64FloatAttr(v));
  }
  Value fromIndex(OpFoldResult v) const {
    if (auto c = getConstantIntValue(v))
      return num(static_cast<double>(*c));
    Value i = arith::IndexCastOp::create(b, loc, b.getI64Type(), cast<Value>(v));
    return arith::SIToFPOp::create(b, loc, b.getF64Type(), i);
  }
  Value toIndex(Value v) const { // truncates
    Value i = arith::FPToSIOp::create(b, loc, b.getI64Type(), v);
    return arith::IndexCastOp::create(b, loc, b.getIndexType(), i);
  }
  Value add(Value x, Value y) const { return arith::AddFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) const { return arith::SubFOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) const { return arith::MulFOp::create(b, loc, x, y); }
  Value div(Value x, Value y) const { return arith::DivFOp::create(b, loc, x, y); }
  Value min(Value x, Value y) const { return arith::MinimumFOp::create(b, loc, x, y); }
  Value max(Value x, Value y) const { return arith::MaximumFOp::create(b, loc, x, y); }
  Value compare(arith::CmpFPredicate p, Value x, Value y) const {
    return arith::CmpFOp::create(b, loc, p, x, y);
  }
  Value select(Value c, Value x, Value y) const {
    return arith::SelectOp::create(b, loc, c, x, y);
  }
};
using FP = arith::CmpFPredicate;

struct Axis {
  int64_t dim;
  OpFoldResult in, out;
  Value scale, roiStart, roiEnd; // f64; the roi only for tf_crop_and_resize
};

struct Resizer {
  ConversionPatternRewriter &b;
  Location loc;
  StringRef mode, coordinates, rounding;
  bool antialias, excludeOutside;
  double cubicA;

  // The position in the input that output index i stands for.
  Value source(F64 f, const Axis &a, Value i) const {
    Value y = f.fromIndex(OpFoldResult(i)), one = f.num(1), half = f.num(0.5);
    Value n = f.fromIndex(a.in), width = f.mul(a.scale, n);
    Value single = f.compare(FP::OEQ, width, one);
    Value last = f.sub(n, one);
    Value pixel = f.sub(f.div(f.add(y, half), a.scale), half);
    if (coordinates == "asymmetric")
      return f.div(y, a.scale);
    if (coordinates == "align_corners")
      return f.select(single, f.num(0), f.div(f.mul(y, last), f.sub(width, one)));
    if (coordinates == "pytorch_half_pixel")
      return f.select(single, f.num(-0.5), pixel);
    if (coordinates == "half_pixel_symmetric") {
      Value adjustment = f.div(f.fromIndex(a.out), width);
      return f.add(f.mul(f.mul(n, half), f.sub(one, adjustment)), pixel);
    }
    if (coordinates == "tf_crop_and_resize") {
      Value span = f.sub(a.roiEnd, a.roiStart);
      Value centre = f.mul(f.mul(span, last), half);
      Value along = f.div(f.mul(f.mul(y, span), last), f.sub(width, one));
      return f.add(f.select(single, centre, along), f.mul(a.roiStart, last));
    }
    return pixel;
  }

  // The neighbour before a position (ceil - 1) and the distance to it, in (0, 1].
  std::pair<Value, Value> neighbour(F64 f, Value x) const {
    Value base = f.sub(math::CeilOp::create(f.b, f.loc, x), f.num(1));
    return {base, f.sub(x, base)};
  }

  Value clampIndex(OpBuilder &b, Location loc, Value i, OpFoldResult size) const {
    Value last = toIndex(b, loc, subIndex(b, loc, size, b.getIndexAttr(1)));
    i = arith::MinSIOp::create(b, loc, i, last);
    return arith::MaxSIOp::create(b, loc, i, constIndex(b, loc, 0));
  }

  // i8 table: 1 where the position is outside of the input (tf_crop_and_resize only).
  Value outsideTable(const Axis &a) const {
    if (coordinates != "tf_crop_and_resize")
      return {};
    return createFromIndices(
        b, loc, a.out, b.getI8Type(), [&](OpBuilder &b, Location loc, ValueRange i) -> Value {
          F64 f{b, loc};
          Value x = source(f, a, i[0]);
          Value out = arith::OrIOp::create(
              b, loc, f.compare(FP::OLT, x, f.num(0)),
              f.compare(FP::OGT, x, f.sub(f.fromIndex(a.in), f.num(1))));
          return arith::ExtUIOp::create(b, loc, b.getI8Type(), out);
        });
  }

  Value isOutside(OpBuilder &b, Location loc, Value table, Value i) const {
    Value flag = tensor::ExtractOp::create(b, loc, table, i);
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, flag,
                                 arith::ConstantOp::create(b, loc, b.getI8IntegerAttr(0)));
  }

  // Input position of each output index (i64).
  Value nearestTable(const Axis &a) const {
    return createFromIndices(
        b, loc, a.out, b.getI64Type(), [&](OpBuilder &b, Location loc, ValueRange i) -> Value {
          F64 f{b, loc};
          auto [base, ratio] = neighbour(f, source(f, a, i[0]));
          Value after = f.add(base, f.num(1)), half = f.num(0.5), takeBase;
          if (rounding == "ceil")
            takeBase = arith::ConstantOp::create(b, loc, b.getBoolAttr(false));
          else if (rounding == "floor")
            takeBase = f.compare(FP::OLT, ratio, f.num(1));
          else
            takeBase = f.compare(rounding == "round_prefer_ceil" ? FP::OLT : FP::OLE, ratio, half);
          Value at = clampIndex(b, loc, f.toIndex(f.select(takeBase, base, after)), a.in);
          return arith::IndexCastOp::create(b, loc, b.getI64Type(), at);
        });
  }

  Value nearest(Value input, ArrayRef<Axis> axes, TypedAttr fill) const {
    SmallVector<OpFoldResult> sizes = getDims(b, loc, input);
    SmallVector<Value> tables(sizes.size()), outside(sizes.size());
    for (const Axis &a : axes) {
      sizes[a.dim] = a.out;
      tables[a.dim] = nearestTable(a);
      outside[a.dim] = outsideTable(a);
    }
    return createFromIndices(
        b, loc, sizes, onnxElem(input), [&](OpBuilder &b, Location loc, ValueRange i) -> Value {
          SmallVector<Value> at(i);
          Value isOut;
          for (auto [d, table] : llvm::enumerate(tables)) {
            if (!table)
              continue;
            Value stored = tensor::ExtractOp::create(b, loc, table, i[d]);
            at[d] = arith::IndexCastOp::create(b, loc, b.getIndexType(), stored);
            if (!outside[d])
              continue;
            Value here = isOutside(b, loc, outside[d], i[d]);
            isOut = isOut ? Value(arith::OrIOp::create(b, loc, isOut, here)) : here;
          }
          Value value = tensor::ExtractOp::create(b, loc, input, at);
          if (isOut)
            value = arith::SelectOp::create(b, loc, isOut,
                                            arith::ConstantOp::create(b, loc, fill), value);
          return value;
        });
  }

  // The filter at a distance: a hat, or Keys' cubic with parameter A.
  Value filter(F64 f, Value distance) const {
    Value x = math::AbsFOp::create(f.b, f.loc, distance);
    Value one = f.num(1);
    if (mode == "linear")
      return f.max(f.sub(one, x), f.num(0));
    double a = cubicA;
    Value x2 = f.mul(x, x), x3 = f.mul(x2, x);
    Value nearPart = f.add(f.sub(f.mul(f.num(a + 2), x3), f.mul(f.num(a + 3), x2)), one);
    Value farPart = f.mul(f.num(a), f.sub(f.add(f.sub(x3, f.mul(f.num(5), x2)), f.mul(f.num(8), x)), f.num(4)));
    Value inner = f.compare(FP::OLE, x, one), outer = f.compare(FP::OLT, x, f.num(2));
    return f.select(inner, nearPart, f.select(outer, farPart, f.num(0)));
  }

  // One axis: result = sum over taps of weight[out, tap] * input[first[out] + tap].
  Value interpolate(Value input, const Axis &a, const ScalarCodec &codec, Type compute,
                    double extrapolation) const {
    int64_t radius = mode == "cubic" ? 2 : 1;
    F64 f{b, loc};
    // Without antialiasing the filter spans one input pixel a unit.
    Value stretch = antialias ? f.min(a.scale, f.num(1)) : f.num(1);
    OpFoldResult start = b.getIndexAttr(1 - radius), taps = b.getIndexAttr(2 * radius);
    if (antialias) {
      Value low = math::FloorOp::create(b, loc, f.div(f.num(-radius), stretch));
      start = addIndex(b, loc, f.toIndex(low), b.getIndexAttr(1));
      taps = subIndex(b, loc, b.getIndexAttr(2), mulIndex(b, loc, b.getIndexAttr(2), start));
    }
    Value first = createFromIndices(
        b, loc, a.out, b.getI64Type(), [&](OpBuilder &b, Location loc, ValueRange i) -> Value {
          F64 f{b, loc};
          auto [base, ratio] = neighbour(f, source(f, a, i[0]));
          Value at = toIndex(b, loc, addIndex(b, loc, f.toIndex(base), start));
          return arith::IndexCastOp::create(b, loc, b.getI64Type(), at);
        });
    Value weights = createFromIndices(
        b, loc, {a.out, taps}, b.getF64Type(),
        [&](OpBuilder &b, Location loc, ValueRange i) -> Value {
          F64 f{b, loc};
          auto [base, ratio] = neighbour(f, source(f, a, i[0]));
          Value tap = toIndex(b, loc, addIndex(b, loc, i[1], start));
          Value w = filter(f, f.mul(f.sub(f.fromIndex(OpFoldResult(tap)), ratio), stretch));
          if (!excludeOutside)
            return w;
          Value at = arith::AddIOp::create(b, loc, f.toIndex(base), tap);
          Value inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, at,
                                               toIndex(b, loc, a.in));
          return f.select(inside, w, f.num(0));
        });
    if (antialias || excludeOutside)
      weights = normalize(weights, a.out, taps);
    Value outside = outsideTable(a);

    SmallVector<OpFoldResult> sizes = getDims(b, loc, input);
    sizes[a.dim] = a.out;
    int64_t rank = sizes.size();
    auto readTap = [&](OpBuilder &b, Location loc, ArrayRef<Value> at, Value tap) -> Value {
      Value from = tensor::ExtractOp::create(b, loc, first, at[a.dim]);
      Value i = arith::IndexCastOp::create(b, loc, b.getIndexType(), from);
      SmallVector<Value> position(at);
      position[a.dim] = clampIndex(b, loc, arith::AddIOp::create(b, loc, i, tap), a.in);
      Value stored = tensor::ExtractOp::create(b, loc, input, position);
      Value x = stored.getType() == compute
                    ? stored
                    : convertScalar(b, loc, codec.decode(b, loc, stored), codec, ScalarCodec(compute));
      Value w = tensor::ExtractOp::create(b, loc, weights, ValueRange{at[a.dim], tap});
      if (compute.isF32())
        w = arith::TruncFOp::create(b, loc, compute, w);
      return arith::MulFOp::create(b, loc, w, x);
    };
    auto finish = [&](OpBuilder &b, Location loc, Value sum, Value i) -> Value {
      if (!outside)
        return sum;
      Value fill = arith::ConstantOp::create(b, loc, b.getFloatAttr(compute, extrapolation));
      return arith::SelectOp::create(b, loc, isOutside(b, loc, outside, i), fill, sum);
    };
    if (auto count = getConstantIntValue(taps))
      return createFromIndices(b, loc, sizes, compute,
                               [&](OpBuilder &b, Location loc, ValueRange i) -> Value {
                                 SmallVector<Value> at(i);
                                 Value sum;
                                 for (int64_t t = 0; t < *count; ++t) {
                                   Value part = readTap(b, loc, at, constIndex(b, loc, t));
                                   sum = sum ? Value(arith::AddFOp::create(b, loc, sum, part)) : part;
                                 }
                                 return finish(b, loc, sum, i[a.dim]);
                               });
    // The number of taps depends on the scale: a reduction over them.
    Value zero = arith::ConstantOp::create(b, loc, b.getFloatAttr(compute, 0));
    Value init = filled(b, loc, sizes, zero);
    Value tapSpace = emptyTensor(b, loc, taps, compute); // gives the loop its size
    SmallVector<AffineMap> maps{
        AffineMap::get(rank + 1, 0, b.getAffineDimExpr(rank)),
        AffineMap::getMultiDimIdentityMap(rank + 1, b.getContext()).getMajorSubMap(rank)};
    SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
    loops.push_back(utils::IteratorType::reduction);
    Value sum = linalg::GenericOp::create(
                    b, loc, init.getType(), tapSpace, init, maps, loops,
                    [&](OpBuilder &b, Location loc, ValueRange args) {
                      SmallVector<Value> at;
                      for (int64_t d = 0; d < rank; ++d)
                        at.push_back(linalg::IndexOp::create(b, loc, d));
                      Value part = readTap(b, loc, at, linalg::IndexOp::create(b, loc, rank));
                      Value next = arith::AddFOp::create(b, loc, args[1], part);
                      linalg::YieldOp::create(b, loc, next);
                    })
                    .getResult(0);
    if (!outside)
      return sum;
    return createFromIndices(b, loc, sizes, compute,
                             [&](OpBuilder &b, Location loc, ValueRange i) -> Value {
                               Value x = tensor::ExtractOp::create(b, loc, sum, i);
                               return finish(b, loc, x, i[a.dim]);
                             });
  }

  // Divides each row by its sum, unless that is 0.
  Value normalize(Value weights, OpFoldResult rows, OpFoldResult taps) const {
    F64 f{b, loc};
    Value init = filled(b, loc, rows, f.num(0));
    AffineMap all = b.getMultiDimIdentityMap(2), row = all.getMajorSubMap(1);
    Value sums =
        linalg::GenericOp::create(
            b, loc, init.getType(), weights, init, ArrayRef<AffineMap>{all, row},
            ArrayRef<utils::IteratorType>{utils::IteratorType::parallel, utils::IteratorType::reduction},
            [](OpBuilder &b, Location loc, ValueRange args) {
              Value sum = arith::AddFOp::create(b, loc, args[0], args[1]);
              linalg::YieldOp::create(b, loc, sum);
            })
            .getResult(0);
    Value out = emptyTensor(b, loc, {rows, taps}, b.getF64Type());
    return linalg::GenericOp::create(
               b, loc, out.getType(), ValueRange{weights, sums}, out,
               ArrayRef<AffineMap>{all, row, all},
               SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
               [](OpBuilder &b, Location loc, ValueRange args) {
                 F64 f{b, loc};
                 Value isZero = f.compare(FP::OEQ, args[1], f.num(0));
                 Value sum = f.select(isZero, f.num(1), args[1]);
                 linalg::YieldOp::create(b, loc, f.div(args[0], sum));
               })
        .getResult(0);
  }
};

struct ResizePattern : OnnxPattern<onnx::ResizeOp> {
  using OnnxPattern::OnnxPattern;

  // Element i of a float tensor as f64.
  static Value number(OpBuilder &b, Location loc, Value original, Value converted, int64_t i) {
    if (auto constant = getConstantDoubles(original))
      return F64{b, loc}.num((*constant)[i]);
    ScalarCodec codec = codecOf(original);
    Value stored = tensor::ExtractOp::create(b, loc, converted, constIndex(b, loc, i));
    return convertScalar(b, loc, codec.decode(b, loc, stored), codec, ScalarCodec(b.getF64Type()));
  }

  static bool isEmpty(Value v) {
    return onnx::isNone(v) || (tensorType(v) && tensorType(v).hasStaticShape() &&
                               tensorType(v).getNumElements() == 0);
  }

  // Whether a list has the wanted length; one that is dynamic is checked at run time.
  static bool hasCount(OpBuilder &b, Location loc, Value list, int64_t count) {
    auto type = tensorType(list);
    if (type.getRank() != 1 || !type.isDynamicDim(0))
      return type.getRank() == 1 && type.getDimSize(0) == count;
    Value same = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                       toIndex(b, loc, getDim(b, loc, list, 0)),
                                       constIndex(b, loc, count));
    runtimeAssert(b, loc, same, "Resize: a list has the wrong length");
    return true;
  }

  // Fills in each axis' size and scale.
  LogicalResult planAxes(onnx::ResizeOp op, ValueRange converted, SmallVectorImpl<Axis> &axes,
                         ConversionPatternRewriter &b) const {
    Location loc = op.getLoc();
    F64 f{b, loc};
    Value scales = op->getOperand(2), sizes = op->getOperand(3), roi = op->getOperand(1);
    bool useSizes = !isEmpty(sizes);
    Value given = useSizes ? sizes : scales;
    if (isEmpty(given) || !hasCount(b, loc, converted[useSizes ? 3 : 2], axes.size()))
      return refuse(op, "needs one scale or size for each axis");
    StringRef policy = op.getKeepAspectRatioPolicy();
    Value common;
    std::optional<SmallVector<OpFoldResult>> targets;
    if (useSizes) {
      targets = readShapeTensor(b, loc, sizes, converted[3], axes.size());
      for (auto [a, target] : llvm::zip(axes, *targets)) {
        a.scale = f.div(f.fromIndex(target), f.fromIndex(a.in));
        common = !common                  ? a.scale
                 : policy == "not_larger" ? f.min(common, a.scale)
                                          : f.max(common, a.scale);
      }
    }
    for (auto [i, a] : llvm::enumerate(axes)) {
      if (useSizes && policy == "stretch") {
        a.out = (*targets)[i];
      } else if (useSizes) {
        a.scale = common;
        a.out = f.toIndex(f.add(f.mul(common, f.fromIndex(a.in)), f.num(0.5)));
      } else {
        a.scale = number(b, loc, scales, converted[2], i);
        auto constant = getConstantDoubles(scales);
        auto n = getConstantIntValue(a.in);
        if (constant && n)
          a.out = b.getIndexAttr(static_cast<int64_t>((*constant)[i] * static_cast<double>(*n)));
        else
          a.out = constant && (*constant)[i] == 1.0 ? a.in
                                                    : f.toIndex(f.mul(a.scale, f.fromIndex(a.in)));
      }
      auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
      if (type && !type.isDynamicDim(a.dim))
        a.out = b.getIndexAttr(type.getDimSize(a.dim));
      a.out = maxIndex(b, loc, a.out, b.getIndexAttr(0));
      if (op.getCoordinateTransformationMode() != "tf_crop_and_resize")
        continue;
      if (isEmpty(roi) || !hasCount(b, loc, converted[1], 2 * axes.size()))
        return refuse(op, "needs a roi of two numbers for each axis");
      a.roiStart = number(b, loc, roi, converted[1], i);
      a.roiEnd = number(b, loc, roi, converted[1], i + axes.size());
    }
    return success();
  }

  // Nothing to do along this axis, as far as is known.
  static bool isIdentity(const Axis &a) {
    if (a.roiStart)
      return false;
    FloatAttr scale;
    if (matchPattern(a.scale, m_Constant(&scale)) && scale.getValueAsDouble() != 1.0)
      return false;
    return isEqualConstantIntOrValue(a.in, a.out) && (scale || getConstantIntValue(a.out));
  }

  LogicalResult matchAndRewrite(onnx::ResizeOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0];
    int64_t rank = rankOf(input);
    SmallVector<int64_t> dims = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    if (auto given = op->getAttrOfType<DenseI64ArrayAttr>("axes"))
      dims.assign(given.asArrayRef().begin(), given.asArrayRef().end());
    SmallVector<OpFoldResult> in = getDims(b, loc, input);
    SmallVector<Axis> axes;
    for (int64_t dim : dims) {
      auto d = normalizeAxis(dim, rank);
      if (!d)
        return refuse(op, "has an axis outside of the input's rank");
      axes.push_back({*d, in[*d], {}, {}, {}, {}});
    }
    ScalarCodec codec = codecOf(op->getOperand(0));
    StringRef mode = op.getMode();
    if (!llvm::is_contained({"nearest", "linear", "cubic"}, mode))
      return refuse(op, "has an unknown mode");
    if (mode != "nearest" && !codec.onnxType().isIntOrFloat())
      return refuse(op, "can only interpolate numbers");
    if (failed(planAxes(op, adaptor.getOperands(), axes, b)))
      return failure();
    for (const Axis &a : axes) { // no pixel can be taken from an empty input
      if (getConstantIntValue(a.in).value_or(0) > 0 || isConstantIntValue(a.out, 0))
        continue;
      Value zero = constIndex(b, loc, 0);
      Value some = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt, toIndex(b, loc, a.in), zero);
      Value none = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, toIndex(b, loc, a.out), zero);
      runtimeAssert(b, loc, arith::OrIOp::create(b, loc, some, none), "Resize: the input is empty");
    }
    llvm::erase_if(axes, isIdentity);
    Resizer resizer{b,
                    loc,
                    mode,
                    op.getCoordinateTransformationMode(),
                    op.getNearestMode(),
                    op.getAntialias() != 0 && mode != "nearest",
                    op.getExcludeOutside() != 0,
                    op.getCubicCoeffA().convertToDouble()};
    double extrapolation = op.getExtrapolationValue().convertToDouble();
    if (axes.empty() || mode == "nearest") {
      Value result = axes.empty() ? input
                                  : resizer.nearest(input, axes, codec.storageAttr(extrapolation));
      replaceOp(b, types(), op, result);
      return success();
    }
    Type compute = codec.onnxType().isF64() ? Type(b.getF64Type()) : Type(b.getF32Type());
    Value value = input;
    for (const Axis &a : axes)
      value = resizer.interpolate(value, a, codec, compute, extrapolation);
    if (compute != codec.storageType())
      value = createElementwise(b, loc, types(), Operand(value, compute), op->getResult(0).getType(),
                                [&](OpBuilder &b, Location loc, ValueRange args) {
                                  return convertScalar(b, loc, args[0], ScalarCodec(compute), codec);
                                });
    replaceOp(b, types(), op, value);
    return success();
  }
};

} // namespace

void populateResizePatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<ResizePattern>(patterns, converter);
}

} // namespace onnxc
