//===- Conv.cpp - Convolution ---------------------------------------------===//
//
// Convolutions are computed channels-last: the input is transposed to [N, spatial..., C], the
// result back, and a later pass moves the transposes through the network until they meet. Then the
// channels of the result fill vectors, whatever the sizes of the image, and a 1x1
// convolution is a matrix product.
//
//===----------------------------------------------------------------------===//
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "Contraction.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace onnxc {
namespace {

/// Fewer channels than this are read together with the taps along a row, as one stream. So are those of
/// fewer filters than fill a vector, whose sums run along that stream.
constexpr int64_t kFewChannels = 8, kFewFilters = 8;

/// With up to this part of their reads in the image, taps are cheaper one by one than by Winograd's method, and than
/// all together.
constexpr double kFewReads = 0.55, kMostReads = 0.85;

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

/// Dimension `from` of `tensor` as `group` times what is left.
Value splitDim(TensorBuilder &b, Value tensor, int64_t from, int64_t group) {
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  Sizes sizes = b.dims(tensor);
  OpFoldResult each = b.floorDiv(sizes[from], b.fixed(group));
  sizes[from] = b.fixed(group);
  sizes.insert(sizes.begin() + from + 1, each);
  return b.expand(tensor, groupRange(from, 2, rank + 1), sizes);
}

/// The loops of a channels-last convolution, outermost first: n, out..., then those of the
/// result's channels, then those that reduce. Collects what the parts of a form agree on.
struct Loops {
  Sizes sizes;
  SmallVector<AffineExpr> x, w, out;
};

/// X [N, spatial..., C] (padded), W [F, C / group, kernel...] -> [N, out..., F].
class ChannelsLast {
public:
  ChannelsLast(TensorBuilder &b, Value x, Value w, int64_t group, const Window &window,
               ProductTypes types)
      : b(b), x(x), w(w), group(group), window(window), types(types), spatial(window.rank()) {}

  Value build() {
    auto wType = cast<RankedTensorType>(w.getType());
    if (group > 1 && wType.getDimSize(1) == 1)
      return depthwise();
    bool single = llvm::all_of(window.kernel, [](OpFoldResult k) { return isConstantIntValue(k, 1); });
    if (group > 1)
      return grouped(single);
    if (single)
      return pointwise();
    std::optional<int64_t> taps = getConstantIntValue(window.kernel.back());
    int64_t filters = wType.getDimSize(0), channels = wType.getDimSize(1);
    bool few = channels < kFewChannels ||
               (!ShapedType::isDynamic(filters) && filters < kFewFilters);
    if (taps && *taps > 1 && window.dilations.back() == 1 && !ShapedType::isDynamic(channels) &&
        few && !ShapedType::isDynamic(lastSize()))
      return fewChannels(channels, *taps);
    return direct();
  }

private:
  AffineExpr loop(OpFoldResult size) {
    loops.sizes.push_back(size);
    return b.getAffineDimExpr(loops.sizes.size() - 1);
  }

  /// n and the result's positions.
  void positions() {
    AffineExpr n = loop(b.dim(x, 0));
    loops.x.push_back(n);
    loops.out.push_back(n);
    for (int64_t i = 0; i < spatial; ++i) {
      AffineExpr at = loop(window.out[i]);
      loops.out.push_back(at);
      loops.x.push_back(at * window.strides[i]);
    }
  }

  /// One loop for each tap of the first `count` spatial dimensions; they are the last of W.
  void taps(int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      AffineExpr tap = loop(window.kernel[i]);
      loops.x[1 + i] = loops.x[1 + i] + tap * window.dilations[i];
      loops.w.push_back(tap);
    }
  }

  Value contract() {
    unsigned count = loops.sizes.size();
    Sizes result;
    for (AffineExpr expr : loops.out)
      result.push_back(loops.sizes[cast<AffineDimExpr>(expr).getPosition()]);
    return b.contract(result, b.map(count, loops.out), {w, b.map(count, loops.w)},
                      {x, b.map(count, loops.x)}, types.acc, types.elem, types.aUnsigned,
                      types.bUnsigned);
  }

  Value direct() {
    positions();
    AffineExpr f = loop(b.dim(w, 0));
    loops.out.push_back(f);
    loops.w.push_back(f);
    taps(spatial);
    AffineExpr c = loop(b.dim(w, 1));
    loops.w.insert(loops.w.begin() + 1, c);
    loops.x.push_back(c);
    return contract();
  }

  /// A matrix product for each position. Where a row's length is only known at run time, the positions
  /// are one loop: then at most one tile is not full.
  Value pointwise() {
    w = b.collapse(w, groupRange(1, 1 + spatial, 2 + spatial));
    bool flat = spatial > 1 && ShapedType::isDynamic(lastSize()) &&
                llvm::all_of(window.strides, [](int64_t s) { return s == 1; });
    Sizes sizes = b.dims(x);
    int64_t rank = 2 + spatial;
    if (flat) {
      x = b.collapse(x, groupRange(1, spatial, rank));
      AffineExpr n = loop(sizes[0]), p = loop(b.dim(x, 1));
      loops.x = {n, p};
      loops.out = {n, p};
    } else {
      positions();
    }
    AffineExpr f = loop(b.dim(w, 0)), c = loop(b.dim(w, 1));
    loops.out.push_back(f);
    loops.w = {f, c};
    loops.x.push_back(c);
    Value y = contract();
    if (!flat)
      return y;
    Sizes whole{sizes[0]};
    whole.append(window.out);
    whole.push_back(b.dim(y, 2));
    return b.expand(y, groupRange(1, spatial, rank), whole);
  }

  /// The taps along a row and their few channels are neighbours in memory: one loop.
  Value fewChannels(int64_t channels, int64_t rowTaps) {
    SmallVector<int64_t> order{0};
    for (int64_t i = 0; i < spatial; ++i)
      order.push_back(2 + i);
    order.push_back(1);
    w = b.collapse(b.transposed(w, order), groupRange(spatial, 2, 2 + spatial));
    x = b.collapse(x, groupRange(spatial, 2, 2 + spatial));
    positions();
    AffineExpr f = loop(b.dim(w, 0));
    loops.out.push_back(f);
    loops.w.push_back(f);
    taps(spatial - 1);
    AffineExpr t = loop(b.fixed(rowTaps * channels));
    loops.w.push_back(t);
    loops.x.back() = loops.x.back() * channels + t;
    return contract();
  }

  /// `single`: windows of one element.
  Value grouped(bool single) {
    if (single)
      w = b.collapse(w, groupRange(1, 1 + spatial, 2 + spatial));
    x = splitDim(b, x, 1 + spatial, group);
    w = splitDim(b, w, 0, group);
    positions();
    AffineExpr g = loop(b.fixed(group)), f = loop(b.dim(w, 1));
    loops.out.append({g, f});
    loops.w = {g, f};
    if (!single)
      taps(spatial);
    AffineExpr c = loop(b.dim(w, 2));
    loops.w.insert(loops.w.begin() + 2, c);
    loops.x.append({g, c});
    Value y = contract();
    return b.collapse(y, groupRange(1 + spatial, 2, 3 + spatial));
  }

  /// One input channel a group, with one or several filters for each.
  Value depthwise() {
    w = b.collapse(w, groupRange(0, 2, 2 + spatial));
    bool single = isConstantIntValue(b.dim(w, 0), group);
    if (!single)
      w = splitDim(b, w, 0, group);
    positions();
    AffineExpr g = loop(b.fixed(group));
    loops.out.push_back(g);
    loops.w.push_back(g);
    if (!single) {
      AffineExpr m = loop(b.dim(w, 1));
      loops.out.push_back(m);
      loops.w.push_back(m);
    }
    taps(spatial);
    loops.x.push_back(g);
    Value y = contract();
    return single ? y : b.collapse(y, groupRange(1 + spatial, 2, 3 + spatial));
  }

  int64_t lastSize() {
    return cast<RankedTensorType>(x.getType()).getDimSize(spatial);
  }

  TensorBuilder &b;
  Value x, w;
  int64_t group;
  const Window &window;
  ProductTypes types;
  int64_t spatial;
  Loops loops;
};

} // namespace

Value buildChannelsLast(TensorBuilder &b, Value x, Value w, int64_t group, const Window &window,
                        Value padValue, ProductTypes types) {
  if (group == 1) {
    if (Value y = buildByTaps(b, x, w, window, padValue, types, kFewReads))
      return y;
    if (Value y = buildByPhases(b, x, w, window, padValue, types))
      return y;
    if (Value y = buildByTaps(b, x, w, window, padValue, types, kMostReads))
      return y;
  }
  Sizes low{b.fixed(0)}, high{b.fixed(0)};
  low.append(window.low);
  high.append(window.high);
  low.push_back(b.fixed(0));
  high.push_back(b.fixed(0));
  return ChannelsLast(b, b.pad(x, low, high, padValue), w, group, window, types).build();
}

Value buildConvolution(TensorBuilder &b, Value x, Value w, int64_t group, const Window &window,
                       Value padValue, ProductTypes types) {
  b.requireEqual(b.dim(x, 1), b.mul(b.dim(w, 1), b.fixed(group)));
  int64_t rank = 2 + window.rank();
  SmallVector<int64_t> toLast{0}, fromLast{0, rank - 1};
  for (int64_t i = 2; i < rank; ++i) {
    toLast.push_back(i);
    fromLast.push_back(i - 1);
  }
  toLast.push_back(1);
  Value y = buildChannelsLast(b, b.transposed(x, toLast), w, group, window, padValue, types);
  return b.transposed(y, fromLast);
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
