//===- Conv.cpp - Convolution ---------------------------------------------===//
//
// A convolution becomes one of three forms that later passes know how to make fast:
// a plain product (1x1), an im2col copy and a product, or direct loops (depthwise, and where a
// row of the result is contiguous in the input and fills vectors).
//
//===----------------------------------------------------------------------===//
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "Contraction.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace onnxc {
namespace {

enum class ConvForm { Pointwise, Im2col, Direct, Depthwise };

/// Rows of the result shorter than this leave too many lanes of a vector idle.
constexpr int64_t kMinDirectRow = 24;

ConvForm chooseForm(Value w, int64_t group, const Window &window) {
  auto type = cast<RankedTensorType>(w.getType());
  if (group > 1 && type.getDimSize(1) == 1)
    return ConvForm::Depthwise;
  bool plain = group == 1;
  for (int64_t i = 0; i < window.rank(); ++i)
    plain &= isConstantIntValue(window.kernel[i], 1) && window.strides[i] == 1 &&
             isConstantIntValue(window.low[i], 0) && isConstantIntValue(window.high[i], 0);
  if (plain)
    return ConvForm::Pointwise;
  std::optional<int64_t> row = getConstantIntValue(window.out.back());
  bool longRows = !row || *row >= kMinDirectRow;
  return group == 1 && window.strides.back() == 1 && longRows ? ConvForm::Direct
                                                              : ConvForm::Im2col;
}

/// {lead..., [from, from + count), trailing...} with the given range as one group.
SmallVector<ReassociationIndices> groupRange(int64_t from, int64_t count, int64_t rank) {
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i < from; ++i)
    groups.push_back({i});
  groups.emplace_back();
  for (int64_t i = from; i < from + count; ++i)
    groups.back().push_back(i);
  for (int64_t i = from + count; i < rank; ++i)
    groups.push_back({i});
  return groups;
}

/// Where loop `out` + tap `k` reads along each spatial dimension.
SmallVector<AffineExpr> windowExprs(TensorBuilder &b, const Window &window, unsigned firstOut,
                                    unsigned firstTap) {
  SmallVector<AffineExpr> exprs;
  for (int64_t i = 0; i < window.rank(); ++i)
    exprs.push_back(b.getAffineDimExpr(firstOut + i) * window.strides[i] +
                    b.getAffineDimExpr(firstTap + i) * window.dilations[i]);
  return exprs;
}

/// [N, (G,) C, spatial...] -> [N, (G,) C * taps, positions].
Value im2col(TensorBuilder &b, Value x, const Window &window, int64_t lead) {
  int64_t s = window.rank();
  Sizes sizes;
  SmallVector<AffineExpr> exprs;
  for (int64_t i = 0; i < lead; ++i) {
    sizes.push_back(b.dim(x, i));
    exprs.push_back(b.getAffineDimExpr(i));
  }
  sizes.append(window.kernel);
  sizes.append(window.out);
  exprs.append(windowExprs(b, window, lead + s, lead));
  Type elem = cast<RankedTensorType>(x.getType()).getElementType();
  Value columns = b.parallel(sizes, elem, {{x, b.map(lead + 2 * s, exprs)}},
                             [](TensorBuilder &, ValueRange args) { return args[0]; });
  auto groups = groupRange(lead - 1, s + 1, lead + s);
  groups.emplace_back();
  for (int64_t i = 0; i < s; ++i)
    groups.back().push_back(lead + s + i);
  return b.collapse(columns, groups);
}

/// [N, C, spatial...] -> [N, G, C / G, spatial...].
Value splitChannels(TensorBuilder &b, Value x, int64_t group) {
  int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
  Sizes sizes = b.dims(x);
  OpFoldResult each = b.floorDiv(sizes[1], b.fixed(group));
  sizes[1] = b.fixed(group);
  sizes.insert(sizes.begin() + 2, each);
  return b.expand(x, groupRange(1, 2, rank + 1), sizes);
}

/// [F, rest...] -> [G, F / G, rest...].
Value splitFilters(TensorBuilder &b, Value w, int64_t group) {
  int64_t rank = cast<RankedTensorType>(w.getType()).getRank();
  Sizes sizes = b.dims(w);
  OpFoldResult each = b.floorDiv(sizes[0], b.fixed(group));
  sizes[0] = b.fixed(group);
  sizes.insert(sizes.begin() + 1, each);
  return b.expand(w, groupRange(0, 2, rank + 1), sizes);
}

Value collapseFrom(TensorBuilder &b, Value v, int64_t from) {
  int64_t rank = cast<RankedTensorType>(v.getType()).getRank();
  return b.collapse(v, groupRange(from, rank - from, rank));
}

/// [N, F, positions] -> [N, F, out...].
Value expandPositions(TensorBuilder &b, Value y, const Window &window) {
  Sizes sizes{b.dim(y, 0), b.dim(y, 1)};
  sizes.append(window.out);
  return b.expand(y, groupRange(2, window.rank(), 2 + window.rank()), sizes);
}

/// W [F, CK] or [G, F, CK] times columns [N, (G,) CK, P].
Value filterProduct(TensorBuilder &b, Value w, Value columns, bool grouped, ProductTypes types) {
  Sizes sizes{b.dim(columns, 0)};
  if (!grouped) {
    sizes.append({b.dim(w, 0), b.dim(columns, 2)});
    return b.contract(sizes, b.mapDims(4, {0, 1, 2}), {w, b.mapDims(4, {1, 3})},
                      {columns, b.mapDims(4, {0, 3, 2})}, types.acc, types.elem, types.aUnsigned,
                      types.bUnsigned);
  }
  sizes.append({b.dim(w, 0), b.dim(w, 1), b.dim(columns, 3)});
  Value y = b.contract(sizes, b.mapDims(5, {0, 1, 2, 3}), {w, b.mapDims(5, {1, 2, 4})},
                       {columns, b.mapDims(5, {0, 1, 4, 3})}, types.acc, types.elem,
                       types.aUnsigned, types.bUnsigned);
  return b.collapse(y, groupRange(1, 2, 4));
}

/// One input channel a group: [N, G, M, out...] with M filters for each channel.
Value depthwise(TensorBuilder &b, Value x, Value w, int64_t group, const Window &window,
                ProductTypes types) {
  int64_t s = window.rank();
  // [F, 1, taps...] -> [F, taps...] -> [G, M, taps...] (M left out when it is one).
  Value filters = b.collapse(w, groupRange(0, 2, 2 + s));
  OpFoldResult count = b.dim(filters, 0);
  bool single = isConstantIntValue(count, group);
  if (!single)
    filters = splitFilters(b, filters, group);
  unsigned lead = single ? 2 : 3, loops = lead + 2 * s;
  Sizes sizes{b.dim(x, 0), b.fixed(group)};
  SmallVector<AffineExpr> xExprs{b.getAffineDimExpr(0), b.getAffineDimExpr(1)};
  SmallVector<unsigned> wDims{1}, outDims{0, 1};
  if (!single) {
    sizes.push_back(b.dim(filters, 1));
    wDims.push_back(2);
    outDims.push_back(2);
  }
  for (int64_t i = 0; i < s; ++i) {
    sizes.push_back(window.out[i]);
    outDims.push_back(lead + i);
    wDims.push_back(lead + s + i);
  }
  xExprs.append(windowExprs(b, window, lead, lead + s));
  Value y = b.contract(sizes, b.mapDims(loops, outDims), {x, b.map(loops, xExprs)},
                       {filters, b.mapDims(loops, wDims)}, types.acc, types.elem, types.bUnsigned,
                       types.aUnsigned);
  return single ? y : b.collapse(y, groupRange(1, 2, 3 + s));
}

/// Loops n, f, out..., c, taps... over the padded input itself.
Value direct(TensorBuilder &b, Value x, Value w, const Window &window, ProductTypes types) {
  int64_t s = window.rank();
  unsigned loops = 3 + 2 * s, channel = 2 + s;
  Sizes sizes{b.dim(x, 0), b.dim(w, 0)};
  SmallVector<AffineExpr> xExprs{b.getAffineDimExpr(0), b.getAffineDimExpr(channel)};
  SmallVector<unsigned> wDims{1, channel}, outDims{0, 1};
  for (int64_t i = 0; i < s; ++i) {
    sizes.push_back(window.out[i]);
    outDims.push_back(2 + i);
    wDims.push_back(channel + 1 + i);
  }
  xExprs.append(windowExprs(b, window, 2, channel + 1));
  return b.contract(sizes, b.mapDims(loops, outDims), {w, b.mapDims(loops, wDims)},
                    {x, b.map(loops, xExprs)}, types.acc, types.elem, types.aUnsigned,
                    types.bUnsigned);
}

} // namespace

Value buildConvolution(TensorBuilder &b, Value x, Value w, int64_t group, const Window &window,
                       Value padValue, ProductTypes types) {
  b.requireEqual(b.dim(x, 1), b.mul(b.dim(w, 1), b.fixed(group)));
  Value padded = padForWindow(b, x, window, padValue);
  switch (chooseForm(w, group, window)) {
  case ConvForm::Depthwise:
    return depthwise(b, padded, w, group, window, types);
  case ConvForm::Direct:
    return direct(b, padded, w, window, types);
  case ConvForm::Pointwise:
    return expandPositions(
        b, filterProduct(b, collapseFrom(b, w, 1), collapseFrom(b, x, 2), false, types), window);
  case ConvForm::Im2col:
    break;
  }
  if (group == 1)
    return expandPositions(
        b, filterProduct(b, collapseFrom(b, w, 1), im2col(b, padded, window, 2), false, types),
        window);
  Value columns = im2col(b, splitChannels(b, padded, group), window, 3);
  Value filters = splitFilters(b, collapseFrom(b, w, 1), group);
  return expandPositions(b, filterProduct(b, filters, columns, true, types), window);
}

namespace {

struct ConvLowering : OnnxPattern<onnx::ConvOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::ConvOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    RankedTensorType type = types().convertTensor(op.getType());
    Type elem = type.getElementType(), acc = accumulatorType(elem);
    Value x = adaptor.getX(), w = adaptor.getW();
    Sizes kernel = b.dims(w);
    kernel.erase(kernel.begin(), kernel.begin() + 2);
    auto window = resolveWindow(b, types(), op, x, kernel,
                                {op.getAutoPad(), op.getStrides(), op.getDilations(), op.getPads()},
                                type);
    if (failed(window))
      return failure();
    bool biased = !onnx::isNone(op.getB());
    Value y = buildConvolution(b, x, w, op.getGroup(), *window, b.constant(elem, 0),
                               {acc, biased ? acc : elem});
    if (biased) {
      unsigned rank = type.getRank();
      y = b.parallel(b.dims(y), elem,
                     {{y, b.identity(rank)}, {adaptor.getB(), b.mapDims(rank, {1})}},
                     [&](TensorBuilder &t, ValueRange args) {
                       Value sum = t.addScalar(args[0], t.convert(args[1], acc));
                       return t.convert(sum, elem);
                     });
    }
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

} // namespace

void populateConvPatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<ConvLowering>(patterns, types);
  populateConvTransposePatterns(patterns, types);
}

} // namespace onnxc
