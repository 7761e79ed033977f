// FusedConv, operators on images whose channels come last, and crops.
#include "Activation.h"
#include "Expansion.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace onnxc::onnx {

FailureOr<Value> activate(Expansion &e, Value x, StringRef name, ArrayRef<double> parameters) {
  auto parameter = [&](unsigned i, double fallback) {
    return i < parameters.size() ? parameters[i] : fallback;
  };
  if (name.empty() || (name == "Relu" && e.elem(x).isUnsignedInteger()))
    return x;
  if (name == "Relu" || name == "Tanh" || name == "Sigmoid" || name == "Softplus" ||
      name == "Softsign" || name == "HardSwish")
    return e.op(name, {x});
  if (name == "LeakyRelu")
    return e.op(name, {x}, {e.realAttr("alpha", parameter(0, 0.01))});
  if (name == "Elu" || name == "ThresholdedRelu")
    return e.op(name, {x}, {e.realAttr("alpha", parameter(0, 1))});
  if (name == "HardSigmoid")
    return e.op(name, {x},
                {e.realAttr("alpha", parameter(0, 0.2)), e.realAttr("beta", parameter(1, 0.5))});
  if (name == "Clip") {
    Type elem = e.elem(x);
    return e.op(name, {x, parameters.empty() ? Value() : e.scalar(elem, parameters[0]),
                       parameters.size() < 2 ? Value() : e.scalar(elem, parameters[1])});
  }
  return e.refuse("has the activation " + name + ", which is not supported");
}

namespace {

using Results = FailureOr<Values>;

Results expandFusedConv(Expansion &e) {
  Attrs attrs = e.keep({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"});
  Value y = e.op("Conv", {e.in(0), e.in(1), e.in(2)}, attrs);
  auto result = activate(e, e.addIf(y, e.in(3)), e.text("activation", ""),
                         e.reals("activation_params"));
  if (failed(result))
    return failure();
  return Values{*result};
}

/// Moves the channels, which come last, to their place in ONNX (or back).
Value moveChannels(Expansion &e, Value x, bool toSecond) {
  int64_t rank = e.rank(x);
  SmallVector<int64_t> permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  if (toSecond)
    std::rotate(permutation.begin() + 1, permutation.end() - 1, permutation.end());
  else
    std::rotate(permutation.begin() + 1, permutation.begin() + 2, permutation.end());
  return e.transpose(x, permutation);
}

Results expandNhwcMaxPool(Expansion &e) {
  if (e.rank(e.in(0)) < 3)
    return e.refuse("needs an input with spatial dimensions");
  Attrs attrs = e.keep({"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides"});
  return Values{moveChannels(e, e.op("MaxPool", {moveChannels(e, e.in(0), true)}, attrs), false)};
}

Results expandQLinearConv(Expansion &e) {
  Attrs attrs = e.keep({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"});
  bool last = e.integer("channels_last", 0) != 0;
  if (last && e.rank(e.in(0)) < 3)
    return e.refuse("needs an input with spatial dimensions");
  Values operands{last ? moveChannels(e, e.in(0), true) : e.in(0)};
  for (unsigned i = 1; i < 9; ++i)
    operands.push_back(e.in(i));
  Value y = e.op("QLinearConv", operands, attrs);
  return Values{last ? moveChannels(e, y, false) : y};
}

/// DequantizeLinear, AveragePool, QuantizeLinear.
Results expandQLinearAveragePool(Expansion &e) {
  Attrs attrs = e.keep({"auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads",
                        "strides"});
  bool last = e.integer("channels_last", 0) != 0;
  if (e.rank(e.in(0)) < 3)
    return e.refuse("needs an input with spatial dimensions");
  Value x = last ? moveChannels(e, e.in(0), true) : e.in(0);
  x = e.op("AveragePool", {e.op("DequantizeLinear", {x, e.in(1), e.in(2)})}, attrs);
  Value zero = e.in(4) ? e.in(4) : e.scalar(e.elem(e.in(0)), 0);
  Value y = e.op("QuantizeLinear", {x, e.in(3), zero});
  return Values{last ? moveChannels(e, y, false) : y};
}

Results expandGridSample(Expansion &e) {
  StringRef mode = e.text("mode", "bilinear");
  StringRef name = mode == "bilinear" ? "linear" : mode == "bicubic" ? "cubic" : mode;
  Attrs attrs = e.keep({"align_corners", "padding_mode"});
  attrs.push_back(e.textAttr("mode", name));
  // The schema gives the grid the type of X, which can be any.
  Value grid = e.in(1);
  if (!e.elem(grid).isIntOrFloat() || e.elem(grid).isInteger(1))
    return e.refuse("has a grid of positions that are no numbers");
  if (e.elem(grid).isInteger())
    grid = e.cast(grid, e.b.getF64Type());
  return Values{e.op("GridSample", {e.in(0), grid}, attrs)};
}

/// X [N, C, H, W], boxes [R, 4] of y1, x1, y2, x2 in units of the image, the image of each box, and the
/// size of the crops. It is GridSample with corners aligned, and another value outside of the image.
Results expandCropAndResize(Expansion &e) {
  if (failed(e.needRank(0, {4})) || failed(e.needRank(1, {2})))
    return failure();
  StringRef mode = e.text("mode", "bilinear");
  if (mode != "bilinear" && mode != "nearest")
    return e.refuse("has the mode " + mode);
  Value x = e.in(0), boxes = e.in(1);
  Type f32 = e.elem(x), i64 = e.b.getI64Type();
  Value count = e.cast(e.in(3), i64);
  Value zero = e.scalar(f32, 0), one = e.scalar(f32, 1), half = e.scalar(f32, 0.5);
  // Positions in pixels along one axis of the image, [R, size].
  auto positions = [&](int64_t axis) {
    Value size = e.slice(count, axis, axis + 1, 0);
    Value steps = e.cast(e.sub(size, e.vector({1})), f32);
    Value last = e.sub(e.cast(e.size(x, 2 + axis), f32), e.constant(f32, {1}, {1}));
    Value from = e.slice(boxes, axis, axis + 1, 1), to = e.slice(boxes, axis + 2, axis + 3, 1);
    Value at = e.unsqueeze(e.cast(e.iota(size), f32), {0});
    Value step = e.div(e.mul(e.sub(to, from), last), e.op("Max", {steps, one}));
    Value many = e.add(e.mul(from, last), e.mul(at, step));
    Value single = e.mul(e.mul(e.add(from, to), half), last);
    Value isSingle = e.op("Equal", {steps, zero});
    Value where = e.op("Where", {isSingle, single, many});
    Value inside = e.op("And", {e.op("GreaterOrEqual", {where, zero}),
                                e.op("LessOrEqual", {where, last})});
    // GridSample's units: -1 is the first pixel, 1 the last.
    Value unit = e.sub(e.div(e.mul(where, e.scalar(f32, 2)), e.op("Max", {last, one})), one);
    return std::pair(unit, inside);
  };
  auto [y, yInside] = positions(0);
  auto [xs, xInside] = positions(1);
  Value rows = e.unsqueeze(y, {2, 3}), columns = e.unsqueeze(xs, {1, 3});
  Value wide = e.op("Shape", {e.add(rows, columns)});
  Value grid = e.concat({e.op("Expand", {columns, wide}), e.op("Expand", {rows, wide})}, 3);
  Value images = e.op("Gather", {x, e.in(2)}, {e.integerAttr("axis", 0)});
  Value crops = e.op("GridSample", {images, grid},
                     {e.textAttr("mode", mode == "nearest" ? "nearest" : "linear"),
                      e.textAttr("padding_mode", "border"), e.integerAttr("align_corners", 1)});
  Value inside = e.op("And", {e.unsqueeze(yInside, {1, 3}), e.unsqueeze(xInside, {1, 2})});
  return Values{
      e.op("Where", {inside, crops, e.scalar(f32, e.real("extrapolation_value", 0))})};
}

} // namespace

Expander convolutionExpander(StringRef name) {
  return llvm::StringSwitch<Expander>(name)
      .Case("FusedConv", expandFusedConv)
      .Case("NhwcMaxPool", expandNhwcMaxPool)
      .Case("QLinearConv", expandQLinearConv)
      .Case("QLinearAveragePool", expandQLinearAveragePool)
      .Case("GridSample", expandGridSample)
      .Case("CropAndResize", expandCropAndResize)
      .Default(nullptr);
}

} // namespace onnxc::onnx
