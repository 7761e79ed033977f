// Derivatives of convolutions and average pools.
#include "Rules.h"

using namespace mlir;

namespace onnxc::onnx {
namespace {

/// What a convolution's attributes say for n spatial axes.
struct Window {
  SmallVector<int64_t> strides, dilations, pads;
  int64_t group = 1;

  SmallVector<NamedAttribute> attrs(GradientWriter &w, int64_t groups) const {
    return {w.intsAttr("dilations", dilations), w.integerAttr("group", groups), w.intsAttr("pads", pads),
            w.intsAttr("strides", strides)};
  }
  /// The transposed convolution that spreads a gradient over all that the windows covered; what is too much or missing
  /// at the end is for fitTo.
  Value spread(GradientWriter &w, Value g, Value weights) const {
    Window whole = *this;
    std::fill(whole.pads.begin() + whole.pads.size() / 2, whole.pads.end(), 0);
    return w.op("ConvTranspose", {g, weights, Value()}, whole.attrs(w, group));
  }
  /// Strides and dilations exchanged: a gradient slides over the input in the kernel's steps.
  Window exchanged() const { return {dilations, strides, pads, group}; }
};

/// `kernel` are the sizes where auto_pad needs them.
FailureOr<Window> readWindow(Adjoint &a, ArrayRef<int64_t> kernel) {
  size_t n = kernel.size();
  Window window;
  auto read = [&](StringRef name, size_t count, int64_t fallback) {
    auto given = a.ints(name);
    return given ? SmallVector<int64_t>(*given) : SmallVector<int64_t>(count, fallback);
  };
  window.strides = read("strides", n, 1);
  window.dilations = read("dilations", n, 1);
  window.pads = read("pads", 2 * n, 0);
  window.group = a.integer("group", 1);
  StringRef mode = stringAttr(a.op, "auto_pad", "NOTSET");
  if (mode == "NOTSET")
    return window;
  window.pads.assign(2 * n, 0);
  if (mode == "VALID")
    return window;
  auto x = dyn_cast<RankedTensorType>(a.x().getType());
  for (size_t i = 0; i < n; ++i) {
    if (!x || x.isDynamicDim(i + 2) || ShapedType::isDynamic(kernel[i]))
      return a.refuse("has auto_pad " + mode + " and sizes that are not known");
    int64_t size = x.getDimSize(i + 2), out = llvm::divideCeil(size, window.strides[i]);
    int64_t total = std::max<int64_t>(
        0, (out - 1) * window.strides[i] + (kernel[i] - 1) * window.dilations[i] + 1 - size);
    bool low = mode == "SAME_LOWER";
    window.pads[i] = low ? total - total / 2 : total / 2;
    window.pads[n + i] = total - window.pads[i];
  }
  return window;
}

/// The sizes of a kernel [outputs, inputs, ...], -1 where unknown.
std::optional<SmallVector<int64_t>> kernelOf(Value weights) {
  auto type = dyn_cast<RankedTensorType>(weights.getType());
  return type && type.getRank() > 2 ? std::optional(SmallVector<int64_t>(type.getShape().drop_front(2))) : std::nullopt;
}

/// Of y = conv(x, weights) with gradient g: the weights' gradient, a convolution of x with g whose channels are the
/// samples. x [N, G * C, ...], g [N, O, ...], weights [O, C, ...].
Value weightGradient(GradientWriter &w, Value x, Value g, Value weights, const Window &window) {
  Value image = w.swapAxes(x, 0, 1);
  if (window.group != 1) {
    // [G * C, N, ...] -> [C, G * N, ...]
    Value groups = w.vector({window.group}), channels = w.size(weights, 1);
    Value split = w.swapAxes(w.reshape(image, w.concat({groups, channels, w.shapeFrom(image, 1)})), 0, 1);
    Value samples = w.mul(w.size(x, 0), groups);
    image = w.reshape(split, w.concat({channels, samples, w.shapeFrom(x, 2)}));
  }
  Value sums = w.op("Conv", {image, w.swapAxes(g, 0, 1), Value()}, window.exchanged().attrs(w, window.group));
  // The window may also have stood on rows that the convolution left over.
  return w.fitTo(w.swapAxes(sums, 0, 1), weights, 2);
}

/// All axes but the channels'.
SmallVector<int64_t> sumAxes(int64_t rank) {
  SmallVector<int64_t> axes = {0};
  llvm::append_range(axes, llvm::seq<int64_t>(2, rank));
  return axes;
}

LogicalResult conv(Adjoint &a) {
  GradientWriter &w = a.w;
  auto kernel = kernelOf(a.x(1));
  if (!kernel || w.rank(a.x()) < 0)
    return a.refuse("has an input of unknown rank");
  FailureOr<Window> window = readWindow(a, *kernel);
  if (failed(window))
    return failure();
  if (a.needs(0))
    a.set(0, w.fitTo(window->spread(w, a.g(), a.x(1)), a.x(), 2));
  if (a.needs(1))
    a.set(1, weightGradient(w, a.x(), a.g(), a.x(1), *window));
  if (a.needs(2))
    a.set(2, w.reduceSum(a.g(), sumAxes(w.rank(a.g())), false));
  return success();
}

LogicalResult convTranspose(Adjoint &a) {
  GradientWriter &w = a.w;
  auto kernel = kernelOf(a.x(1));
  if (!kernel || w.rank(a.x()) < 0)
    return a.refuse("has an input of unknown rank");
  if (a.ints("output_shape") || stringAttr(a.op, "auto_pad").starts_with("SAME"))
    return a.refuse("has output_shape or auto_pad");
  FailureOr<Window> window = readWindow(a, *kernel);
  if (failed(window))
    return failure();
  if (a.needs(0))
    a.set(0, w.fitTo(w.op("Conv", {a.g(), a.x(1), Value()}, window->attrs(w, window->group)), a.x(), 2));
  // The transposed convolution maps as a convolution from its result to its input.
  if (a.needs(1))
    a.set(1, weightGradient(w, a.g(), a.x(), a.x(1), *window));
  if (a.needs(2))
    a.set(2, w.reduceSum(a.g(), sumAxes(w.rank(a.g())), false));
  return success();
}

/// Each channel of each sample is an image of its own.
Value asImages(GradientWriter &w, Value x) { return w.reshape(x, w.concat({w.vector({-1, 1}), w.shapeFrom(x, 2)})); }

LogicalResult averagePool(Adjoint &a) {
  GradientWriter &w = a.w;
  SmallVector<int64_t> kernel(*a.ints("kernel_shape"));
  FailureOr<Window> window = readWindow(a, kernel);
  if (failed(window))
    return failure();
  // A window that hangs over the end is counted in a way of its own.
  if (a.integer("ceil_mode", 0) != 0)
    return a.refuse("has ceil_mode");
  SmallVector<int64_t> shape = {1, 1};
  llvm::append_range(shape, kernel);
  Value ones = w.op("Expand", {w.number(1, a.g()), w.vector(shape)});
  Value share;
  if (a.integer("count_include_pad", 0) != 0) {
    int64_t count = 1;
    for (int64_t size : kernel)
      count *= size;
    share = w.scaled(a.g(), 1.0 / count);
  } else {
    // How many elements of the input each mean is of.
    Value image = w.fill(1, w.op("Slice", {a.x(), w.vector({0, 0}), w.vector({1, 1}), w.vector({0, 1})}));
    share = w.div(a.g(), w.op("Conv", {image, ones, Value()}, window->attrs(w, 1)));
  }
  Value spread = window->spread(w, asImages(w, share), ones);
  a.set(0, w.reshapeLike(w.fitTo(spread, asImages(w, a.x()), 2), a.x()));
  return success();
}

} // namespace

void addWindowRules(RuleMap &rules) {
  rules["AveragePool"] = averagePool;
  rules["Conv"] = conv;
  rules["ConvTranspose"] = convTranspose;
}

} // namespace onnxc::onnx
