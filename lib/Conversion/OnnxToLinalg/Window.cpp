//===- Window.cpp - Sliding windows of convolution and pooling ------------===//
//
// ONNX's rules for pads, auto_pad, ceil_mode and output sizes, in one place for all
// windowed operators and for static and dynamic sizes alike.
//
//===----------------------------------------------------------------------===//
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "Contraction.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace onnxc {

static LogicalResult readInts(const OnnxTypeConverter &types, Operation *op, StringRef name,
                              const std::optional<ArrayRef<int64_t>> &values, size_t count,
                              int64_t fallback, int64_t least, SmallVector<int64_t> &result) {
  if (!values || values->empty()) {
    result.assign(count, fallback);
    return success();
  }
  if (values->size() != count)
    return types.refuse(op, "attribute " + name + " has " + Twine(values->size()) +
                                " values, expected " + Twine(count));
  for (int64_t v : *values)
    if (v < least)
      return types.refuse(op, "attribute " + name + " has the value " + Twine(v) +
                                  ", the least allowed is " + Twine(least));
  result.assign(values->begin(), values->end());
  return success();
}

FailureOr<Window> resolveWindow(TensorBuilder &b, const OnnxTypeConverter &types, Operation *op,
                                Value input, Sizes kernel, const WindowAttrs &attrs,
                                Type resultType) {
  int64_t spatial = cast<RankedTensorType>(input.getType()).getRank() - 2;
  if (spatial < 1 || static_cast<int64_t>(kernel.size()) != spatial)
    return types.refuse(op, "needs an input with " + Twine(kernel.size()) +
                                " spatial dimensions, but it has " + Twine(spatial));
  Window w;
  SmallVector<int64_t> pads;
  if (failed(readInts(types, op, "strides", attrs.strides, spatial, 1, 1, w.strides)) ||
      failed(readInts(types, op, "dilations", attrs.dilations, spatial, 1, 1, w.dilations)) ||
      failed(readInts(types, op, "pads", attrs.pads, 2 * spatial, 0, 0, pads)))
    return failure();
  bool same = attrs.autoPad == "SAME_UPPER" || attrs.autoPad == "SAME_LOWER";
  w.kernel = kernel;
  for (int64_t i = 0; i < spatial; ++i) {
    OpFoldResult in = b.dim(input, i + 2), stride = b.fixed(w.strides[i]);
    OpFoldResult extent =
        b.add(b.mul(b.sub(kernel[i], b.fixed(1)), b.fixed(w.dilations[i])), b.fixed(1));
    OpFoldResult low = b.fixed(0), high = b.fixed(0), out;
    // The last window's end, from which the padding needed at the end follows.
    auto reach = [&] { return b.add(b.mul(b.sub(out, b.fixed(1)), stride), extent); };
    if (same) {
      out = b.ceilDiv(in, stride);
      OpFoldResult total = b.max(b.sub(reach(), in), b.fixed(0));
      OpFoldResult half = b.floorDiv(total, b.fixed(2));
      OpFoldResult rest = b.sub(total, half);
      low = attrs.autoPad == "SAME_UPPER" ? half : rest;
      high = attrs.autoPad == "SAME_UPPER" ? rest : half;
    } else {
      if (attrs.autoPad != "VALID") {
        low = b.fixed(pads[i]);
        high = b.fixed(pads[spatial + i]);
      }
      OpFoldResult room = b.sub(b.add(b.add(in, low), high), extent);
      if (attrs.ceilMode) {
        // A window that would start in the padding at the end is left out.
        out = b.add(b.ceilDiv(room, stride), b.fixed(1));
        OpFoldResult fit = b.ceilDiv(b.add(in, low), stride);
        out = b.min(out, fit);
      } else {
        out = b.add(b.floorDiv(room, stride), b.fixed(1));
      }
      if (auto n = getConstantIntValue(out); n && *n < 0)
        out = b.fixed(0);
      else if (!n)
        out = b.max(out, b.fixed(0));
    }
    auto ranked = dyn_cast_or_null<RankedTensorType>(resultType);
    if (ranked && !ranked.isDynamicDim(i + 2))
      out = b.fixed(ranked.getDimSize(i + 2));
    w.declaredHigh.push_back(high);
    // Also a static output size may reach further: ONNX gives one window to an input that is
    // smaller than the window by less than a stride.
    if (attrs.ceilMode || (getConstantIntValue(out) && getConstantIntValue(in)))
      high = b.max(high, b.sub(reach(), b.add(in, low)));
    w.low.push_back(low);
    w.high.push_back(high);
    w.out.push_back(out);
  }
  return w;
}

Value padForWindow(TensorBuilder &b, Value x, const Window &window, Value padValue) {
  Sizes low(2, b.fixed(0)), high(2, b.fixed(0));
  low.append(window.low);
  high.append(window.high);
  return b.pad(x, low, high, padValue);
}

} // namespace onnxc
