//===- ConvTranspose.cpp - Transposed convolution -------------------------===//
//
// A position o of the result, counted without padding, is o = q * stride + r. The taps that
// reach positions of one remainder r are every stride-th one, and read the neighbours of input
// position q: a convolution with stride one. The convolutions of all remainders read the same windows, so
// they are one, with (remainder, filter) as its channels; remainders then become neighbouring positions.
//
//===----------------------------------------------------------------------===//
#include "Contraction.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "onnxc/Dialect/Onnx/Transforms/HostTensor.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace onnxc {
namespace {

struct Geometry {
  SmallVector<int64_t> strides, dilations;
  Sizes kernel, low, out;
  int64_t rank() const { return strides.size(); }
};

FailureOr<Geometry> resolve(TensorBuilder &b, const OnnxTypeConverter &types,
                            onnx::ConvTransposeOp op, Value x, Value w,
                            RankedTensorType type) {
  int64_t spatial = type.getRank() - 2;
  auto ints = [&](std::optional<ArrayRef<int64_t>> v, StringRef name, int64_t count,
                  int64_t fallback, int64_t least) -> FailureOr<SmallVector<int64_t>> {
    if (!v || v->empty())
      return SmallVector<int64_t>(count, fallback);
    if (static_cast<int64_t>(v->size()) != count)
      return types.refuse(op, "attribute " + name + " has " + Twine(v->size()) +
                                  " values, expected " + Twine(count));
    if (llvm::any_of(*v, [&](int64_t i) { return i < least; }))
      return types.refuse(op, "attribute " + name + " has a value below " + Twine(least));
    return llvm::to_vector(*v);
  };
  auto strides = ints(op.getStrides(), "strides", spatial, 1, 1);
  auto dilations = ints(op.getDilations(), "dilations", spatial, 1, 1);
  auto pads = ints(op.getPads(), "pads", 2 * spatial, 0, 0);
  auto extra = ints(op.getOutputPadding(), "output_padding", spatial, 0, 0);
  auto shape = ints(op.getOutputShape(), "output_shape", spatial, -1, 0);
  if (failed(strides) || failed(dilations) || failed(pads) || failed(extra) || failed(shape))
    return failure();
  Geometry g;
  g.strides = *strides;
  g.dilations = *dilations;
  StringRef autoPad = op.getAutoPad();
  for (int64_t i = 0; i < spatial; ++i) {
    OpFoldResult k = b.dim(w, i + 2), stride = b.fixed(g.strides[i]), in = b.dim(x, i + 2);
    OpFoldResult extent =
        b.add(b.mul(b.sub(k, b.fixed(1)), b.fixed(g.dilations[i])), b.fixed(1));
    // The size without padding.
    OpFoldResult full = b.add(b.add(b.mul(b.sub(in, b.fixed(1)), stride), extent),
                              b.fixed((*extra)[i]));
    OpFoldResult low = b.fixed((*pads)[i]), out;
    bool same = autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER";
    if ((*shape)[i] >= 0 || same) {
      out = (*shape)[i] >= 0 ? b.fixed((*shape)[i]) : b.mul(in, stride);
      OpFoldResult total = b.max(b.sub(full, out), b.fixed(0));
      OpFoldResult half = b.floorDiv(total, b.fixed(2));
      low = autoPad == "SAME_UPPER" ? half : b.sub(total, half);
    } else if (autoPad == "VALID") {
      low = b.fixed(0);
      out = full;
    } else {
      out = b.sub(full, b.fixed((*pads)[i] + (*pads)[spatial + i]));
    }
    if (!type.isDynamicDim(i + 2))
      out = b.fixed(type.getDimSize(i + 2));
    g.kernel.push_back(k);
    g.low.push_back(low);
    g.out.push_back(out);
  }
  return g;
}

/// The convolution with stride one behind a transposed one.
class Phases {
public:
  Phases(TensorBuilder &b, Value x, Value w, int64_t group, const Geometry &g)
      : b(b), x(x), w(w), group(group), g(g), spatial(g.rank()) {
    for (int64_t i = 0; i < spatial; ++i) {
      OpFoldResult extent =
          b.add(b.mul(b.sub(g.kernel[i], b.fixed(1)), b.fixed(g.dilations[i])), b.fixed(1));
      taps.push_back(b.ceilDiv(extent, b.fixed(g.strides[i])));
      phases *= g.strides[i];
    }
  }

  /// The weights [group * phases * filters, channels / group, taps...], taps in reverse.
  Value weights(const OnnxTypeConverter &types, Value original) {
    if (ElementsAttr constant = getConstantElements(original))
      if (auto host = onnx::HostTensor::read(constant))
        return storageConstant(b, b.getLoc(), types, arrange(*host).toAttr());
    return arrangeAtRunTime();
  }

  /// `bias` for the channels of the convolution.
  Value tiled(Value bias) {
    OpFoldResult filters = b.dim(w, 1);
    Type elem = cast<RankedTensorType>(bias.getType()).getElementType();
    bias = b.expand(bias, {{0, 1}}, {b.fixed(group), filters});
    Value all = b.parallel({b.fixed(group), b.fixed(phases), filters}, elem,
                           {{bias, b.mapDims(3, {0, 2})}},
                           [](TensorBuilder &, ValueRange args) { return args[0]; });
    return b.collapse(all, {{0, 1, 2}});
  }

  /// Where the windows of the convolution lie.
  Window window() {
    Window result;
    for (int64_t i = 0; i < spatial; ++i) {
      OpFoldResult stride = b.fixed(g.strides[i]), one = b.fixed(1);
      OpFoldResult reach = b.sub(taps[i], one), last = b.sub(b.dim(x, i + 2), one);
      // From input position `first` on; padding cannot be negative.
      first.push_back(b.min(b.floorDiv(g.low[i], stride), reach));
      OpFoldResult end =
          b.max(b.floorDiv(b.sub(b.add(g.low[i], g.out[i]), one), stride), last);
      result.strides.push_back(1);
      result.dilations.push_back(1);
      result.kernel.push_back(taps[i]);
      result.low.push_back(b.sub(reach, first[i]));
      result.high.push_back(b.sub(end, last));
      result.out.push_back(b.add(b.sub(end, first[i]), one));
    }
    result.declaredHigh = result.high;
    return result;
  }

  /// [N, group * phases * filters, positions...] -> [N, F, out...].
  Value interleave(Value y) {
    if (phases == 1)
      return crop(y, 2);
    // Channels-last, as convolutions are computed: then filters stay together.
    SmallVector<int64_t> toLast{0};
    for (int64_t i = 0; i < spatial; ++i)
      toLast.push_back(2 + i);
    toLast.push_back(1);
    y = b.transposed(y, toLast);

    // [N, positions..., group, phases..., filters] -> [N, position, phase, ..., group, filters].
    Sizes sizes = b.dims(y);
    SmallVector<ReassociationIndices> split;
    for (int64_t i = 0; i <= spatial; ++i)
      split.push_back({i});
    split.emplace_back();
    for (int64_t i = 0; i < 2 + spatial; ++i)
      split.back().push_back(1 + spatial + i);
    sizes.back() = b.fixed(group);
    for (int64_t stride : g.strides)
      sizes.push_back(b.fixed(stride));
    sizes.push_back(b.dim(w, 1));
    y = b.expand(y, split, sizes);
    SmallVector<int64_t> order{0};
    SmallVector<ReassociationIndices> merge{{0}};
    for (int64_t i = 0; i < spatial; ++i) {
      order.append({1 + i, 2 + spatial + i});
      merge.push_back({1 + 2 * i, 2 + 2 * i});
    }
    order.append({1 + spatial, 2 + 2 * spatial});
    merge.push_back({1 + 2 * spatial, 2 + 2 * spatial});
    y = b.collapse(b.transposed(y, order), merge);

    y = crop(y, 1);
    SmallVector<int64_t> fromLast{0, 1 + spatial};
    for (int64_t i = 0; i < spatial; ++i)
      fromLast.push_back(1 + i);
    return b.transposed(y, fromLast);
  }

private:
  /// Without what the padding takes away; spatial dimensions begin at `lead`.
  Value crop(Value y, int64_t lead) {
    Sizes sizes = b.dims(y), offsets(sizes.size(), b.fixed(0)), steps(sizes.size(), b.fixed(1));
    for (int64_t i = 0; i < spatial; ++i) {
      offsets[lead + i] = b.sub(g.low[i], b.mul(first[i], b.fixed(g.strides[i])));
      sizes[lead + i] = g.out[i];
    }
    return extractSlice(b, b.getLoc(), y, offsets, sizes, steps);
  }

  onnx::HostTensor arrange(const onnx::HostTensor &from) {
    ArrayRef<int64_t> in = from.getShape();
    int64_t filters = in[1], channels = in[0] / group, bytes = from.getElementBytes();
    SmallVector<int64_t> shape{group * phases * filters, channels};
    for (OpFoldResult count : taps)
      shape.push_back(*getConstantIntValue(count));
    auto result = onnx::HostTensor::zeros(from.getElementType(), shape);
    SmallVector<int64_t> inStrides = onnx::rowMajorStrides(in);
    SmallVector<int64_t> outStrides = onnx::rowMajorStrides(shape);
    int64_t window = 1;
    for (int64_t i = 0; i < spatial; ++i)
      window *= in[2 + i];
    for (int64_t tap = 0; tap < window; ++tap) {
      int64_t source = 0, target = 0, phase = 0, rest = tap, scale = 1;
      for (int64_t i = spatial - 1; i >= 0; --i) {
        int64_t k = rest % in[2 + i], at = k * g.dilations[i];
        rest /= in[2 + i];
        source += k * inStrides[2 + i];
        target += (shape[2 + i] - 1 - at / g.strides[i]) * outStrides[2 + i];
        phase += at % g.strides[i] * scale;
        scale *= g.strides[i];
      }
      for (int64_t c = 0; c < in[0]; ++c)
        for (int64_t f = 0; f < filters; ++f) {
          int64_t channel = (c / channels * phases + phase) * filters + f;
          memcpy(result.mutableData() +
                     (channel * outStrides[0] + c % channels * outStrides[1] + target) * bytes,
                 from.data() + (c * inStrides[0] + f * inStrides[1] + source) * bytes, bytes);
        }
    }
    return result;
  }

  Value arrangeAtRunTime() {
    Type elem = cast<RankedTensorType>(w.getType()).getElementType();
    OpFoldResult channels = b.floorDiv(b.dim(x, 1), b.fixed(group));
    // [group, phases..., filters, channels, taps...]
    Sizes sizes{b.fixed(group)};
    for (int64_t stride : g.strides)
      sizes.push_back(b.fixed(stride));
    sizes.append({b.dim(w, 1), channels});
    sizes.append(taps);
    unsigned filter = 1 + spatial;
    SmallVector<Value> reach, kernel;
    for (int64_t i = 0; i < spatial; ++i) {
      reach.push_back(b.index(b.sub(taps[i], b.fixed(1))));
      kernel.push_back(b.index(g.kernel[i]));
    }
    Value each = b.index(channels);
    Value all = b.parallel(sizes, elem, {}, [&](TensorBuilder &t, ValueRange) -> Value {
      auto loop = [&](unsigned i) { return linalg::IndexOp::create(t, i).getResult(); };
      Value channel = arith::AddIOp::create(t, arith::MulIOp::create(t, loop(0), each),
                                            loop(filter + 1));
      SmallVector<Value> at{channel, loop(filter)};
      Value valid = arith::ConstantIntOp::create(t, 1, 1);
      for (int64_t i = 0; i < spatial; ++i) {
        Value tap = arith::SubIOp::create(t, reach[i], loop(filter + 2 + i));
        Value offset = arith::AddIOp::create(
            t, arith::MulIOp::create(t, tap, t.index(g.strides[i])), loop(1 + i));
        Value dilation = t.index(g.dilations[i]);
        Value k = arith::DivUIOp::create(t, offset, dilation);
        Value whole = arith::CmpIOp::create(t, arith::CmpIPredicate::eq,
                                            arith::MulIOp::create(t, k, dilation), offset);
        Value inside = arith::CmpIOp::create(t, arith::CmpIPredicate::ult, k, kernel[i]);
        valid = arith::AndIOp::create(t, valid, arith::AndIOp::create(t, whole, inside));
        // In bounds where it is not valid too.
        at.push_back(arith::SelectOp::create(t, inside, k, t.index(0)));
      }
      return arith::SelectOp::create(t, valid, tensor::ExtractOp::create(t, w, at),
                                     t.constant(elem, 0));
    });
    ReassociationIndices lead;
    for (unsigned i = 0; i <= filter; ++i)
      lead.push_back(i);
    SmallVector<ReassociationIndices> groups{lead};
    for (int64_t i = 0; i <= spatial; ++i)
      groups.push_back({filter + 1 + i});
    return b.collapse(all, groups);
  }

  TensorBuilder &b;
  Value x, w;
  int64_t group;
  const Geometry &g;
  int64_t spatial, phases = 1;
  Sizes taps, first;
};

struct ConvTransposeLowering : OnnxPattern<onnx::ConvTransposeOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::ConvTransposeOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    TensorBuilder b(op.getLoc(), rewriter);
    RankedTensorType type = types().convertTensor(op.getType());
    Type elem = type.getElementType(), acc = accumulatorType(elem);
    Value x = adaptor.getX(), w = adaptor.getW();
    auto geometry = resolve(b, types(), op, x, w, type);
    if (failed(geometry))
      return failure();
    b.requireEqual(b.dim(x, 1), b.dim(w, 0));
    Phases phases(b, x, w, op.getGroup(), *geometry);
    bool biased = !onnx::isNone(op.getB());
    Value y = buildConvolution(b, x, phases.weights(types(), op.getW()), op.getGroup(),
                               phases.window(), b.constant(elem, 0), {acc, biased ? acc : elem});
    if (biased) {
      unsigned rank = type.getRank();
      y = b.parallel(b.dims(y), elem,
                     {{y, b.identity(rank)}, {phases.tiled(adaptor.getB()), b.mapDims(rank, {1})}},
                     [&](TensorBuilder &t, ValueRange args) {
                       Value sum = t.addScalar(args[0], t.convert(args[1], acc));
                       return t.convert(sum, elem);
                     });
    }
    y = phases.interleave(y);
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

} // namespace

void populateConvTransposePatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<ConvTransposeLowering>(patterns, types);
}

} // namespace onnxc
