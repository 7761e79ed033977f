//===- ConvTranspose.cpp - Transposed convolution -------------------------===//
//
// One product gives every input position's contribution to each tap; the contributions
// are then gathered per output position. Where taps do not overlap (stride equals kernel),
// the gathering is a permutation. Channels are last, as in Conv.cpp.
//
//===----------------------------------------------------------------------===//
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "Contraction.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace onnxc {
namespace {

struct Geometry {
  SmallVector<int64_t> strides, dilations;
  Sizes kernel, low, out;
  bool permutes = true; // every output position has exactly one tap
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
    auto lowConst = getConstantIntValue(low);
    g.permutes &= isConstantIntValue(k, g.strides[i]) && g.dilations[i] == 1 && lowConst == 0 &&
                  (*extra)[i] == 0 && (*pads)[spatial + i] == 0 && (*shape)[i] < 0;
    g.kernel.push_back(k);
    g.low.push_back(low);
    g.out.push_back(out);
  }
  return g;
}

ReassociationIndices range(int64_t from, int64_t count) {
  return llvm::to_vector<2>(llvm::seq(from, from + count));
}

/// X [N, positions..., C], W [C, F / group, taps...] -> [N, positions..., group, taps..., F / group]: every
/// input position's contribution to each tap, the sum over its group's channels.
Value tapProducts(TensorBuilder &b, Value x, Value w, int64_t group, Type acc) {
  int64_t s = cast<RankedTensorType>(x.getType()).getRank() - 2;
  OpFoldResult g = b.fixed(group), n = b.dim(x, 0), each = b.floorDiv(b.dim(x, 1 + s), g);
  Sizes sizes{n};
  for (int64_t i = 0; i < s; ++i)
    sizes.push_back(b.dim(x, 1 + i));
  sizes.push_back(g);
  SmallVector<int64_t> filtersLast{0};
  for (int64_t i = 0; i < s; ++i) {
    filtersLast.push_back(2 + i);
    sizes.push_back(b.dim(w, 2 + i));
  }
  filtersLast.push_back(1);
  sizes.push_back(b.dim(w, 1));
  Value positions = b.collapse(x, {{0}, range(1, s), {1 + s}});
  Value taps = b.collapse(b.transposed(w, filtersLast), {{0}, range(1, s + 1)});
  OpFoldResult p = b.dim(positions, 1), kf = b.dim(taps, 1);
  if (group == 1) {
    Value y = b.contract({n, p, kf}, b.mapDims(4, {0, 1, 2}), {positions, b.mapDims(4, {0, 1, 3})},
                         {taps, b.mapDims(4, {3, 2})}, acc, acc);
    return b.expand(y, {{0}, range(1, s), range(1 + s, s + 2)}, sizes);
  }
  Value gx = b.expand(positions, {{0}, {1}, {2, 3}}, {n, p, g, each});
  Value gw = b.expand(taps, {{0, 1}, {2}}, {g, each, kf});
  Value y = b.contract({n, p, g, kf}, b.mapDims(5, {0, 1, 2, 3}), {gx, b.mapDims(5, {0, 1, 2, 4})},
                       {gw, b.mapDims(5, {2, 4, 3})}, acc, acc);
  return b.expand(y, {{0}, range(1, s), {1 + s}, range(2 + s, s + 1)}, sizes);
}

/// [N, I..., G, K..., F] -> [N, I, K, ..., G, F] -> [N, I * K..., G * F].
Value permuteTaps(TensorBuilder &b, Value y, int64_t s) {
  SmallVector<int64_t> perm{0};
  SmallVector<ReassociationIndices> groups{{0}};
  for (int64_t i = 0; i < s; ++i) {
    perm.append({1 + i, 2 + s + i});
    groups.push_back(range(1 + 2 * i, 2));
  }
  perm.append({1 + s, 2 + 2 * s});
  groups.push_back(range(1 + 2 * s, 2));
  return b.collapse(b.transposed(y, perm), groups);
}

/// out[n, o..., f] = sum over taps k of y[n, (o + low - k * dilation) / stride, k, f] where
/// that is a position.
Value gatherTaps(TensorBuilder &b, Value y, const Geometry &g, Type acc) {
  int64_t s = g.strides.size();
  unsigned loops = 3 + 2 * s;
  Sizes sizes{b.dim(y, 0)};
  sizes.append(g.out);
  sizes.append({b.dim(y, 1 + s), b.dim(y, 2 + 2 * s)});
  SmallVector<unsigned> tapDims;
  SmallVector<Value> low, in;
  for (int64_t i = 0; i < s; ++i) {
    tapDims.push_back(3 + s + i);
    low.push_back(b.index(g.low[i]));
    in.push_back(b.index(b.dim(y, 1 + i)));
  }
  // Only its shape is of use: it gives the tap loops their bounds.
  Value taps = b.empty(g.kernel, acc);
  auto body = [&](TensorBuilder &t, ValueRange args) -> Value {
    auto loop = [&](unsigned i) { return linalg::IndexOp::create(t, i).getResult(); };
    SmallVector<Value> at{loop(0)}, taps;
    Value valid;
    Value zero = t.index(0);
    auto both = [&](Value x) {
      valid = valid ? arith::AndIOp::create(t, valid, x).getResult() : x;
    };
    for (int64_t i = 0; i < s; ++i) {
      Value k = loop(3 + s + i), stride = t.index(g.strides[i]);
      Value shift = arith::MulIOp::create(t, k, t.index(g.dilations[i]));
      Value o = arith::AddIOp::create(t, loop(1 + i), low[i]);
      Value distance = arith::SubIOp::create(t, o, shift);
      Value position = arith::DivSIOp::create(t, distance, stride);
      Value back = arith::MulIOp::create(t, position, stride);
      both(arith::CmpIOp::create(t, arith::CmpIPredicate::eq, back, distance));
      both(arith::CmpIOp::create(t, arith::CmpIPredicate::sge, distance, zero));
      both(arith::CmpIOp::create(t, arith::CmpIPredicate::slt, position, in[i]));
      // Clamped so that the read is in bounds where the position is not valid.
      Value last = arith::SubIOp::create(t, in[i], t.index(1));
      Value clamped = arith::MinSIOp::create(t, position, last);
      at.push_back(arith::MaxSIOp::create(t, clamped, zero));
      taps.push_back(k);
    }
    at.push_back(loop(1 + s));
    at.append(taps);
    at.push_back(loop(2 + s));
    Value v = tensor::ExtractOp::create(t, y, at);
    Value term = arith::SelectOp::create(t, valid, v, t.constant(acc, 0));
    return t.addScalar(args.back(), term);
  };
  AffineMap out = b.identity(loops).getMajorSubMap(3 + s);
  Value sum =
      b.reduce(sizes, out, b.constant(acc, 0), {{taps, b.mapDims(loops, tapDims)}}, body);
  SmallVector<ReassociationIndices> groups{{0}};
  for (int64_t i = 0; i < s; ++i)
    groups.push_back({1 + i});
  groups.push_back(range(1 + s, 2));
  return b.collapse(sum, groups);
}

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
    int64_t rank = type.getRank();
    SmallVector<int64_t> toLast{0}, fromLast{0, rank - 1};
    for (int64_t i = 2; i < rank; ++i) {
      toLast.push_back(i);
      fromLast.push_back(i - 1);
    }
    toLast.push_back(1);
    Value y = tapProducts(b, b.transposed(x, toLast), w, op.getGroup(), acc);
    y = geometry->permutes ? permuteTaps(b, y, rank - 2) : gatherTaps(b, y, *geometry, acc);
    y = b.transposed(y, fromLast);
    if (!onnx::isNone(op.getB())) {
      y = b.parallel(b.dims(y), elem,
                     {{y, b.identity(rank)}, {adaptor.getB(), b.mapDims(rank, {1})}},
                     [&](TensorBuilder &t, ValueRange args) {
                       Value sum = t.addScalar(args[0], t.convert(args[1], acc));
                       return t.convert(sum, elem);
                     });
    } else {
      y = b.convertElements(y, elem);
    }
    replaceOp(rewriter, types(), op, {y});
    return success();
  }
};

} // namespace

void populateConvTransposePatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<ConvTransposeLowering>(patterns, types);
}

} // namespace onnxc
