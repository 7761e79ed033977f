//===- ConvPhases.cpp - Dilated convolutions as ones that are not ---------===//
//
// With a dilation of d the results of every d-th row and column depend on every d-th row and column of the image only:
// d * d images, as of a batch, that a convolution without dilation takes.
//
//===----------------------------------------------------------------------===//
#include "Contraction.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace onnxc {
namespace {

/// The tiles that Winograd's method cuts an image into, and the least part of them that must be inside it.
constexpr int64_t kTile = 4;
constexpr double kLeastFilled = 0.5;
/// With fewer channels moving the images costs what the method saves.
constexpr int64_t kFewestChannels = 32;

/// One dimension: of each phase's image, and of its part of the result.
struct Phase {
  int64_t dilation, size, out, in, low, high;
};

std::optional<Phase> phaseOf(const Window &window, int64_t dim, int64_t size) {
  auto taps = getConstantIntValue(window.kernel[dim]), low = getConstantIntValue(window.low[dim]),
       out = getConstantIntValue(window.out[dim]);
  int64_t d = window.dilations[dim];
  if (!taps || *taps != 3 || !low || *low % d != 0 || !out || ShapedType::isDynamic(size) ||
      window.strides[dim] != 1)
    return std::nullopt;
  Phase p{d, size, static_cast<int64_t>(llvm::divideCeil(*out, d)), static_cast<int64_t>(llvm::divideCeil(size, d)),
          *low / d, 0};
  p.high = p.out + *taps - 1 - p.low - p.in;
  return p.high < 0 ? std::nullopt : std::optional(p);
}

double filled(const Phase &p) { return static_cast<double>(p.out) / llvm::alignTo(p.out, kTile); }

} // namespace

Value buildByPhases(TensorBuilder &b, Value x, Value w, const Window &window, Value padValue,
                    ProductTypes types) {
  auto xType = cast<RankedTensorType>(x.getType());
  auto wType = cast<RankedTensorType>(w.getType());
  if (window.rank() != 2 || !wType.hasStaticShape() || !xType.getElementType().isF32() ||
      std::min(wType.getDimSize(0), wType.getDimSize(1)) < kFewestChannels ||
      llvm::all_of(window.dilations, [](int64_t dilation) { return dilation == 1; }))
    return {};
  auto y = phaseOf(window, 0, xType.getDimSize(1)), at = phaseOf(window, 1, xType.getDimSize(2));
  if (!y || !at || filled(*y) * filled(*at) < kLeastFilled)
    return {};

  OpFoldResult n = b.dim(x, 0), c = b.dim(x, 3), f = b.dim(w, 0), zero = b.fixed(0);
  OpFoldResult dy = b.fixed(y->dilation), dx = b.fixed(at->dilation);
  SmallVector<ReassociationIndices> split{{0}, {1, 2}, {3, 4}, {5}}, images{{0, 1, 2}, {3}, {4}, {5}};

  Value whole = b.pad(x, Sizes(4, zero),
                      {zero, b.fixed(y->in * y->dilation - y->size), b.fixed(at->in * at->dilation - at->size), zero},
                      padValue);
  Value parts = b.expand(whole, split, {n, b.fixed(y->in), dy, b.fixed(at->in), dx, c});
  parts = b.collapse(b.transpose(parts, {0, 2, 4, 1, 3, 5}), images);

  Window inner;
  inner.strides = inner.dilations = {1, 1};
  inner.kernel = window.kernel;
  inner.low = {b.fixed(y->low), b.fixed(at->low)};
  inner.high = inner.declaredHigh = {b.fixed(y->high), b.fixed(at->high)};
  inner.out = {b.fixed(y->out), b.fixed(at->out)};
  Value result = buildChannelsLast(b, parts, w, 1, inner, padValue, types);

  result = b.expand(result, images, {n, dy, dx, b.fixed(y->out), b.fixed(at->out), f});
  result = b.collapse(b.transpose(result, {0, 3, 1, 4, 2, 5}), split);
  return b.slice(result, Sizes(4, zero), {n, window.out[0], window.out[1], f});
}

} // namespace onnxc
