// onnxc-separate-windows: see Passes.td. A window's maximum or sum is that of its rows', one dimension after the other:
// 5 + 5 operations instead of 25. The steps of some channels follow each other in one tile, where their results stay in
// the cache, and read the input as it is: padding is part of the small results only.
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Codegen/Common/WindowReduction.h"
#include "onnxc/Dialect/Cg/IR/LoweringConfig.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Iterators.h"
#include "mlir/Interfaces/TilingInterface.h"

namespace onnxc {
#define GEN_PASS_DEF_SEPARATEWINDOWSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Elements of a tile's input.
constexpr int64_t kTileElements = 8 * 1024;
/// More tiles than any machine needs.
constexpr int64_t kManyTiles = 16;
/// Taps of all windows together below which a loop over tiles costs more than it gives.
constexpr int64_t kMinTaps = 32 * 1024;
/// Positions at the borders are operations of their own, at most so many.
constexpr size_t kMaxRanges = 9;
/// What the steps may cost of what the window costs as a whole.
constexpr double kWorthwhile = 0.75;

/// Positions of a window along one dimension that have the same taps inside the input.
struct Range {
  int64_t begin, end, firstTap, lastTap;
};

SmallVector<Range> rangesOf(const WindowDim &w) {
  SmallVector<Range> ranges;
  for (int64_t at = 0; at < w.out; ++at) {
    int64_t start = at * w.stride - w.low;
    int64_t first = start < 0 ? llvm::divideCeilSigned(-start, w.dilation) : 0;
    int64_t last = std::min(w.kernel, llvm::divideFloorSigned(w.in - 1 - start, w.dilation) + 1);
    if (!ranges.empty() && ranges.back().firstTap == first && ranges.back().lastTap == last)
      ranges.back().end = at + 1;
    else
      ranges.push_back({at, at + 1, first, last});
  }
  llvm::erase_if(ranges, [](const Range &range) { return range.firstTap >= range.lastTap; });
  return ranges;
}

/// Loads and stores of vectors for one vector of results, as a whole and in steps.
bool isWorthwhile(const WindowReduction &r) {
  unsigned last = r.windows.back().dim;
  bool alongVectors = last + 1 == r.inShape.size();
  // Vectors along a window are not aligned, or are put together from several.
  int64_t stride = r.windows.back().stride;
  double load = !alongVectors ? 1 : stride == 1 ? 1.5 : static_cast<double>(stride) + 1;
  double whole = load, steps = 0, scale = 1;
  for (const WindowDim &w : llvm::reverse(r.windows)) {
    bool isLast = w.dim == last;
    whole *= static_cast<double>(w.kernel);
    steps += scale * (static_cast<double>(w.kernel) * (isLast ? load : 1) + (isLast ? 0 : 1));
    scale *= static_cast<double>(w.in) / static_cast<double>(w.out);
  }
  // An input of the model is copied to be padded; what the model computes is written into its place.
  if (r.isPadded() && !r.source.getDefiningOp())
    whole += 3 * scale;
  return steps <= kWorthwhile * whole;
}

class Separator {
public:
  Separator(IRRewriter &b, WindowReduction &reduction, int64_t cacheBytes)
      : b(b), loc(reduction.op.getLoc()), r(reduction), cacheBytes(cacheBytes) {}

  bool run() {
    int64_t channels = r.inShape[r.channels], plane = 1, all = channels, taps = channels;
    for (const WindowDim &w : r.windows) {
      plane *= w.in;
      taps *= w.out * w.kernel;
      if (rangesOf(w).size() > kMaxRanges)
        return false;
    }
    for (unsigned dim = 0; dim < r.inShape.size(); ++dim)
      if (dim != r.channels && !ShapedType::isDynamic(r.inShape[dim]))
        all *= r.inShape[dim];
    if (taps < kMinTaps || !isWorthwhile(r))
      return false;
    bool inVectors = r.channels + 1 == r.inShape.size();
    int64_t wanted = std::max<int64_t>(1, std::min(kTileElements, all / kManyTiles) / plane), least = inVectors ? 16 : 1;
    int64_t block = 0;
    for (int64_t size = 1; size <= channels; ++size)
      if (channels % size == 0 && size % least == 0 && (block == 0 || size <= wanted))
        block = size;
    if (block == 0)
      block = channels;
    int64_t elementBytes = std::max(1u, r.elementType().getIntOrFloatBitWidth() / 8);
    if (block * plane * elementBytes * 2 > cacheBytes)
      return false;
    emit(block);
    return true;
  }

private:
  OpFoldResult fixed(int64_t value) { return b.getIndexAttr(value); }

  void emit(int64_t block) {
    linalg::GenericOp root = r.consumer ? r.consumer : r.op;
    b.setInsertionPoint(root);
    auto resultType = cast<RankedTensorType>(root.getResult(0).getType());
    unsigned rank = resultType.getRank();
    SmallVector<OpFoldResult> resultSizes = tensor::getMixedSizes(b, loc, root.getDpsInitOperand(0)->get());
    Value empty = tensor::EmptyOp::create(b, loc, resultSizes, resultType.getElementType());
    SmallVector<OpFoldResult> from, to, steps;
    SmallVector<unsigned> tiled;
    for (unsigned dim = 0; dim < rank; ++dim) {
      if (r.isWindow(dim) || (dim != r.channels && resultType.getDimSize(dim) == 1))
        continue;
      tiled.push_back(dim);
      from.push_back(fixed(0));
      to.push_back(resultSizes[dim]);
      steps.push_back(fixed(dim == r.channels ? block : 1));
    }
    auto forall = scf::ForallOp::create(b, loc, from, to, steps, ValueRange{empty}, /*mapping=*/std::nullopt);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(forall.getBody());
    SmallVector<OpFoldResult> offsets(rank, fixed(0)), sizes = resultSizes, ones(rank, fixed(1));
    for (auto [dim, iv] : llvm::zip(tiled, forall.getInductionVars())) {
      offsets[dim] = iv;
      sizes[dim] = fixed(dim == r.channels ? block : 1);
    }
    tileShape.assign(r.inShape.begin(), r.inShape.end());
    for (unsigned dim = 0; dim < rank; ++dim)
      if (!r.isWindow(dim))
        tileShape[dim] = dim == r.channels ? block : 1;
    SmallVector<OpFoldResult> tileSizes;
    for (int64_t size : tileShape)
      tileSizes.push_back(fixed(size));
    Value slice = tensor::ExtractSliceOp::create(b, loc, r.source, offsets, tileSizes, ones);
    Value target = tensor::ExtractSliceOp::create(b, loc, forall.getRegionIterArgs()[0], offsets, sizes, ones);
    Value result = emitSteps(slice, r.consumer ? Value() : target);
    if (r.consumer)
      result = emitConsumer(result, target, offsets, sizes);
    b.setInsertionPointToEnd(forall.getTerminator().getBody());
    tensor::ParallelInsertSliceOp::create(b, loc, result, forall.getRegionIterArgs()[0], offsets, sizes, ones);
    b.replaceAllUsesWith(root.getResult(0), forall.getResult(0));
  }

  /// All steps on a tile; the last one writes to `target`, or to a tensor of its own.
  Value emitSteps(Value value, Value target) {
    SmallVector<int64_t> shape = tileShape;
    for (size_t i = 0; i < r.windows.size(); ++i) {
      const WindowDim &w = r.windows[i];
      bool isFirst = i == 0, isLast = i + 1 == r.windows.size();
      shape[w.dim] = w.out;
      if (isLast) {
        Value init = target ? target : tensor::EmptyOp::create(b, loc, shape, r.elementType()).getResult();
        init = linalg::FillOp::create(b, loc, r.neutral, init).getResult(0);
        return emitStep(w, value, init, 0, {0, w.out, 0, w.kernel}, shape, isFirst);
      }
      // The result has the padding of the last dimension around it.
      const WindowDim *padded = i + 2 == r.windows.size() ? &r.windows.back() : nullptr;
      SmallVector<int64_t> outer = shape;
      if (padded)
        outer[padded->dim] = padded->paddedSize;
      Value init = tensor::EmptyOp::create(b, loc, outer, r.elementType());
      init = linalg::FillOp::create(b, loc, r.neutral, init).getResult(0);
      for (const Range &range : rangesOf(w)) {
        SmallVector<OpFoldResult> offsets(shape.size(), fixed(0)), sizes, ones(shape.size(), fixed(1));
        SmallVector<int64_t> part = shape;
        part[w.dim] = range.end - range.begin;
        offsets[w.dim] = fixed(range.begin);
        if (padded)
          offsets[padded->dim] = fixed(padded->low);
        for (int64_t size : part)
          sizes.push_back(fixed(size));
        Value place = tensor::ExtractSliceOp::create(b, loc, init, offsets, sizes, ones);
        place = emitStep(w, value, place, w.low, range, part, isFirst);
        init = tensor::InsertSliceOp::create(b, loc, place, init, offsets, sizes, ones);
      }
      value = init;
      if (padded)
        shape[padded->dim] = padded->paddedSize;
    }
    return value;
  }

  /// One dimension's windows, those of a range: of `value`, in which `low` elements of padding are missing.
  Value emitStep(const WindowDim &w, Value value, Value init, int64_t low, const Range &range, ArrayRef<int64_t> shape,
                 bool isFirst) {
    unsigned rank = shape.size();
    int64_t taps = range.lastTap - range.firstTap;
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<OpFoldResult> offsets(rank, fixed(0)), sizes, ones(rank, fixed(1));
    for (int64_t size : type.getShape())
      sizes.push_back(fixed(size));
    offsets[w.dim] = fixed(range.begin * w.stride - low + range.firstTap * w.dilation);
    sizes[w.dim] = fixed((range.end - range.begin - 1) * w.stride + (taps - 1) * w.dilation + 1);
    Value slice = tensor::ExtractSliceOp::create(b, loc, value, offsets, sizes, ones);
    Value span = tensor::EmptyOp::create(b, loc, {taps}, r.elementType());
    MLIRContext *context = b.getContext();
    SmallVector<AffineExpr> in;
    SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
    iterators.push_back(utils::IteratorType::reduction);
    for (unsigned dim = 0; dim < rank; ++dim)
      in.push_back(b.getAffineDimExpr(dim));
    AffineMap out = AffineMap::get(rank + 1, 0, in, context);
    in[w.dim] = in[w.dim] * w.stride + b.getAffineDimExpr(rank) * w.dilation;
    SmallVector<AffineMap> maps = {AffineMap::get(rank + 1, 0, in, context),
                                   AffineMap::get(rank + 1, 0, b.getAffineDimExpr(rank), context), out};
    auto step = linalg::GenericOp::create(
        b, loc, init.getType(), ValueRange{slice, span}, ValueRange{init}, maps, iterators,
        [&](OpBuilder &inner, Location at, ValueRange args) {
          linalg::YieldOp::create(inner, at, r.combine(inner, args[0], args[2], isFirst));
        });
    // Nothing is to be tiled here any more.
    cg::LoweringConfig config;
    config.tileSizes.assign(rank + 1, 0);
    config.setOn(step);
    return step.getResult(0);
  }

  /// The elementwise work on the whole result, on a tile of it.
  Value emitConsumer(Value value, Value target, ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes) {
    // The tile's operands are slices of the whole ones; that of the result is `value`.
    auto tiled = cast<TilingInterface>(r.consumer.getOperation()).getTiledImplementation(b, offsets, sizes);
    auto op = cast<linalg::GenericOp>(tiled->tiledOps.front());
    for (OpOperand &operand : r.consumer->getOpOperands())
      if (operand.get() == r.op.getResult(0))
        op->setOperand(operand.getOperandNumber(), value);
    op.getDpsInitOperand(0)->set(target);
    for (Operation *slice : tiled->generatedSlices)
      if (slice->use_empty())
        b.eraseOp(slice);
    cg::LoweringConfig config;
    config.tileSizes.assign(op.getNumLoops(), 0);
    config.setOn(op);
    return op.getResult(0);
  }

  IRRewriter &b;
  Location loc;
  WindowReduction &r;
  int64_t cacheBytes;
  SmallVector<int64_t> tileShape; // of the input
};

struct SeparateWindows : impl::SeparateWindowsPassBase<SeparateWindows> {
  using SeparateWindowsPassBase::SeparateWindowsPassBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) { ops.push_back(op); });
    bool isChanged = false;
    for (linalg::GenericOp op : ops)
      if (std::optional<WindowReduction> reduction = matchWindowReduction(op))
        isChanged |= Separator(rewriter, *reduction, cacheBytes).run();
    // What only the pools used: padded inputs, tensors that were reduced into.
    if (isChanged)
      getOperation().walk<WalkOrder::PostOrder, ReverseIterator>([&](Operation *op) {
        if (isOpTriviallyDead(op))
          rewriter.eraseOp(op);
      });
  }
};

} // namespace
} // namespace onnxc
