//===- ConvTaps.cpp - Convolutions whose taps mostly read padding ---------===//
//
// With dilations near the size of the image (the spatial pyramids of segmentation networks) most taps lie in the
// padding for most positions. Such a convolution is the sum of one matrix product for each tap, over those positions
// only whose tap lies in the image.
//
//===----------------------------------------------------------------------===//
#include "Contraction.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace onnxc {
namespace {

/// With fewer channels a sum in registers, with the padding computed, is cheaper than one in memory.
constexpr int64_t kFewestChannels = 64;

/// The positions [begin, end) along one dimension whose tap lies in the image, and the first element that they read.
struct Reach {
  int64_t tap, begin, end, from;
};

/// Those of each tap that has any; nothing where sizes are unknown.
std::optional<SmallVector<Reach>> reachesOf(const Window &window, int64_t dim, int64_t size) {
  auto taps = getConstantIntValue(window.kernel[dim]), low = getConstantIntValue(window.low[dim]),
       out = getConstantIntValue(window.out[dim]);
  if (!taps || !low || !out || ShapedType::isDynamic(size))
    return std::nullopt;
  int64_t stride = window.strides[dim];
  SmallVector<Reach> reaches;
  for (int64_t tap = 0; tap < *taps; ++tap) {
    int64_t first = tap * window.dilations[dim] - *low; // what position 0 reads
    int64_t begin = first < 0 ? llvm::divideCeil(-first, stride) : 0;
    int64_t end = first < size ? std::min<int64_t>(llvm::divideCeil(size - first, stride), *out) : 0;
    if (begin < end)
      reaches.push_back({tap, begin, end, first + begin * stride});
  }
  return reaches;
}

} // namespace

Value buildByTaps(TensorBuilder &b, Value x, Value w, const Window &window, Value padValue,
                  ProductTypes types, double mostKept) {
  auto xType = cast<RankedTensorType>(x.getType());
  auto wType = dyn_cast<RankedTensorType>(w.getType());
  if (window.rank() != 2 || !wType.hasStaticShape() || wType.getDimSize(1) < kFewestChannels ||
      !matchPattern(padValue, m_AnyZeroFloat()) ||
      llvm::all_of(window.dilations, [](int64_t dilation) { return dilation == 1; }))
    return {};
  auto rows = reachesOf(window, 0, xType.getDimSize(1)), columns = reachesOf(window, 1, xType.getDimSize(2));
  if (!rows || !columns)
    return {};
  auto kept = [](ArrayRef<Reach> reaches) {
    int64_t sum = 0;
    for (const Reach &r : reaches)
      sum += r.end - r.begin;
    return static_cast<double>(sum);
  };
  double all = static_cast<double>(*getConstantIntValue(b.product(window.kernel)) *
                                   *getConstantIntValue(b.product(window.out)));
  if (rows->empty() || columns->empty() || kept(*rows) * kept(*columns) > mostKept * all)
    return {};

  // [kernel..., F, C]: each tap's weights are one piece of memory.
  Value taps = b.transposed(w, {2, 3, 0, 1});
  int64_t filters = wType.getDimSize(0), channels = wType.getDimSize(1);
  OpFoldResult n = b.dim(x, 0), one = b.fixed(1), zero = b.fixed(0);
  Sizes whole{n, window.out[0], window.out[1], b.fixed(filters)};
  SmallVector<std::pair<Reach, Reach>> parts;
  for (const Reach &row : *rows)
    for (const Reach &column : *columns)
      parts.push_back({row, column});
  // One that reads the image for all positions, as the middle one often does, begins the sum.
  auto isWhole = [&](const std::pair<Reach, Reach> &part) {
    return isConstantIntValue(window.out[0], part.first.end - part.first.begin) &&
           isConstantIntValue(window.out[1], part.second.end - part.second.begin);
  };
  auto first = llvm::find_if(parts, isWhole);
  if (first != parts.end())
    std::rotate(parts.begin(), first, first + 1);
  Value sum = first == parts.end() ? b.zeros(whole, types.acc) : Value();
  for (const auto &[row, column] : parts) {
    int64_t height = row.end - row.begin, width = column.end - column.begin;
    int64_t strideY = window.strides[0], strideX = window.strides[1];
    Value read = b.slice(x, {zero, b.fixed(row.from), b.fixed(column.from), zero},
                         {n, b.fixed((height - 1) * strideY + 1), b.fixed((width - 1) * strideX + 1),
                          b.fixed(channels)});
    Value weights = b.collapse(b.slice(taps, {b.fixed(row.tap), b.fixed(column.tap), zero, zero},
                                       {one, one, b.fixed(filters), b.fixed(channels)}),
                               {{0, 1, 2}, {3}});
    // Loops: n, y, x, f, c.
    AffineExpr in = b.getAffineDimExpr(0), y = b.getAffineDimExpr(1), at = b.getAffineDimExpr(2),
               f = b.getAffineDimExpr(3), c = b.getAffineDimExpr(4);
    Sizes part{n, b.fixed(height), b.fixed(width), b.fixed(filters)};
    Value products = b.contract(part, b.map(5, {in, y, at, f}), {weights, b.map(5, {f, c})},
                                {read, b.map(5, {in, y * strideY, at * strideX, c})}, types.acc,
                                types.acc, types.aUnsigned, types.bUnsigned);
    if (!sum) {
      sum = products;
      continue;
    }
    Sizes where{zero, b.fixed(row.begin), b.fixed(column.begin), zero};
    Value before = b.slice(sum, where, part);
    Value after = b.parallel(part, types.acc, {{before, b.identity(4)}, {products, b.identity(4)}},
                             [](TensorBuilder &t, ValueRange args) { return t.addScalar(args[0], args[1]); });
    sum = tensor::InsertSliceOp::create(b, after, sum, where, part, Sizes(4, one));
  }
  return b.convertElements(sum, types.elem);
}

} // namespace onnxc
