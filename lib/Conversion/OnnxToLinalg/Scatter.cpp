// ScatterElements, ScatterND and TensorScatter: sequential loops that write into a copy of the
// data, in order, since positions may repeat. A position out of range ends the run.
#include "Contradiction.h"
#include "ElementwiseTable.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace onnxc {
namespace {

using LoopBody = function_ref<Value(OpBuilder &, Location, ValueRange indices, Value state)>;

// Nested loops over `sizes` that carry one tensor.
Value loopNest(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes, Value state,
               LoopBody body) {
  SmallVector<Value> lows, highs, steps;
  for (OpFoldResult size : sizes) {
    lows.push_back(constIndex(b, loc, 0));
    highs.push_back(toIndex(b, loc, size));
    steps.push_back(constIndex(b, loc, 1));
  }
  if (sizes.empty())
    return body(b, loc, {}, state);
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, lows, highs, steps, state,
      [&](OpBuilder &b, Location loc, ValueRange indices, ValueRange args) -> scf::ValueVector {
        return {body(b, loc, indices, args[0])};
      });
  return nest.results.front();
}

// A stored index in [-size, size) as a position.
Value checkedIndex(OpBuilder &b, Location loc, Value stored, OpFoldResult size) {
  Value n = toIndex(b, loc, size);
  Value i = arith::IndexCastOp::create(b, loc, b.getIndexType(), stored);
  i = wrapIndex(b, loc, i, n);
  // As unsigned numbers the negative ones are large.
  Value inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, i, n);
  runtimeAssert(b, loc, inside, "Scatter: an index is out of range");
  return i;
}

void assertAtMost(OpBuilder &b, Location loc, OpFoldResult x, OpFoldResult limit) {
  auto c = getConstantIntValue(x), l = getConstantIntValue(limit);
  if (c && l && *c <= *l)
    return;
  Value fits = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle, toIndex(b, loc, x),
                                     toIndex(b, loc, limit));
  runtimeAssert(b, loc, fits, "Scatter: the updates exceed the data");
}

// Writes `update` (storage) at `position`, combined with what is there.
Value writeReduced(OpBuilder &b, Location loc, StringRef reduction, const ScalarCodec &codec,
                   Value tensor, Value update, ValueRange position) {
  if (reduction != "none") {
    Value old = tensor::ExtractOp::create(b, loc, tensor, position);
    Scalar s{b, loc, {}, codec.onnxType()};
    Value x = codec.decode(b, loc, old), y = codec.decode(b, loc, update);
    Value combined = reduction == "add"   ? s.add(x, y)
                     : reduction == "mul" ? s.mul(x, y)
                     : reduction == "max" ? s.max(x, y)
                                          : s.min(x, y);
    update = codec.encode(b, loc, combined);
  }
  return tensor::InsertOp::create(b, loc, update, tensor, position);
}

bool knownReduction(StringRef reduction, Type elem) {
  return reduction == "none" ||
         (llvm::is_contained({"add", "mul", "max", "min"}, reduction) && elem.isIntOrFloat());
}

struct ScatterElementsPattern : OnnxPattern<onnx::ScatterElementsOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::ScatterElementsOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value data = adaptor.getOperands()[0], indices = adaptor.getOperands()[1];
    Value updates = adaptor.getOperands()[2];
    auto axis = normalizeAxis(op.getAxis(), rankOf(data));
    StringRef reduction = op.getReduction();
    ScalarCodec codec = codecOf(op->getOperand(0));
    if (!axis || rankOf(indices) != rankOf(data) || !knownReduction(reduction, codec.onnxType()))
      return refuse(op, "has an axis, a rank or a reduction that it cannot have");
    SmallVector<OpFoldResult> dims = getDims(b, loc, data), sizes = getDims(b, loc, indices);
    for (auto [d, size] : llvm::enumerate(sizes)) {
      assertAtMost(b, loc, size, getDim(b, loc, updates, d));
      if (static_cast<int64_t>(d) != *axis)
        assertAtMost(b, loc, size, dims[d]);
    }
    Value result = loopNest(b, loc, sizes, data,
                            [&](OpBuilder &b, Location loc, ValueRange i, Value state) {
                              Value stored = tensor::ExtractOp::create(b, loc, indices, i);
                              Value update = tensor::ExtractOp::create(b, loc, updates, i);
                              SmallVector<Value> position(i);
                              position[*axis] = checkedIndex(b, loc, stored, dims[*axis]);
                              return writeReduced(b, loc, reduction, codec, state, update, position);
                            });
    replaceOp(b, types(), op, result);
    return success();
  }
};

struct ScatterNDPattern : OnnxPattern<onnx::ScatterNDOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::ScatterNDOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value data = adaptor.getOperands()[0], indices = adaptor.getOperands()[1];
    Value updates = adaptor.getOperands()[2];
    int64_t rank = rankOf(data), indexRank = rankOf(indices);
    StringRef reduction = op.getReduction();
    ScalarCodec codec = codecOf(op->getOperand(0));
    // The ranks tell how many dimensions one index covers.
    int64_t depth = indexRank - 1 + rank - rankOf(updates);
    auto indexType = tensorType(indices);
    if (!knownReduction(reduction, codec.onnxType()))
      return refuse(op, "has a reduction that does not fit the data");
    int64_t given = indexRank < 1 ? ShapedType::kDynamic : indexType.getDimSize(indexRank - 1);
    if (indexRank < 1 || depth < 0 || depth > rank || (!ShapedType::isDynamic(given) && given != depth))
      return refuseWhereReached(b, types(), op, "has indices or updates whose ranks do not fit the data");
    if (ShapedType::isDynamic(given)) {
      SmallVector<int64_t> shape(indexType.getShape());
      shape.back() = depth;
      indices = castTensor(b, loc, indices, indexType.clone(shape)); // checked at run time
    }
    SmallVector<OpFoldResult> dims = getDims(b, loc, data), at = getDims(b, loc, indices);
    SmallVector<OpFoldResult> outer(ArrayRef(at).drop_back()), inner(ArrayRef(dims).drop_front(depth));
    for (auto [d, size] : llvm::enumerate(llvm::concat<OpFoldResult>(outer, inner)))
      assertAtMost(b, loc, size, getDim(b, loc, updates, d));
    Value result = loopNest(
        b, loc, outer, data, [&](OpBuilder &b, Location loc, ValueRange i, Value state) {
          SmallVector<Value> base;
          for (int64_t d = 0; d < depth; ++d) {
            SmallVector<Value> from(i);
            from.push_back(constIndex(b, loc, d));
            Value stored = tensor::ExtractOp::create(b, loc, indices, from);
            base.push_back(checkedIndex(b, loc, stored, dims[d]));
          }
          SmallVector<Value> outerIndices(i);
          return loopNest(b, loc, inner, state,
                          [&](OpBuilder &b, Location loc, ValueRange j, Value state) {
                            SmallVector<Value> from(outerIndices), position(base);
                            llvm::append_range(from, j);
                            llvm::append_range(position, j);
                            Value update = tensor::ExtractOp::create(b, loc, updates, from);
                            return writeReduced(b, loc, reduction, codec, state, update, position);
                          });
        });
    replaceOp(b, types(), op, result);
    return success();
  }
};

// A cache update: update[b, ..., s, ...] goes to position write_indices[b] + s of the axis,
// modulo its size in circular mode.
struct TensorScatterPattern : OnnxPattern<onnx::TensorScatterOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::TensorScatterOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value cache = adaptor.getOperands()[0], update = adaptor.getOperands()[1];
    bool hasStart = !onnx::isNone(op->getOperand(2)), circular = op.getMode() == "circular";
    auto axis = normalizeAxis(op.getAxis(), rankOf(cache));
    if (!axis || *axis == 0 || rankOf(update) != rankOf(cache))
      return refuse(op, "needs an axis after the batch, and an update of the cache's rank");
    SmallVector<OpFoldResult> dims = getDims(b, loc, cache), sizes = getDims(b, loc, update);
    for (auto [size, dim] : llvm::zip(sizes, dims))
      assertAtMost(b, loc, size, dim);
    if (hasStart)
      assertAtMost(b, loc, sizes[0], getDim(b, loc, adaptor.getOperands()[2], 0));
    Value result = loopNest(
        b, loc, sizes, cache, [&](OpBuilder &b, Location loc, ValueRange i, Value state) -> Value {
          SmallVector<Value> position(i);
          if (hasStart) {
            Value start = tensor::ExtractOp::create(b, loc, adaptor.getOperands()[2], i[0]);
            if (circular) {
              Value n = arith::IndexCastOp::create(b, loc, start.getType(), toIndex(b, loc, dims[*axis]));
              Value step = arith::IndexCastOp::create(b, loc, start.getType(), i[*axis]);
              start = arith::RemSIOp::create(b, loc, arith::AddIOp::create(b, loc, start, step), n);
            } else {
              Value step = arith::IndexCastOp::create(b, loc, start.getType(), i[*axis]);
              start = arith::AddIOp::create(b, loc, start, step);
            }
            position[*axis] = checkedIndex(b, loc, start, dims[*axis]);
          }
          Value value = tensor::ExtractOp::create(b, loc, update, i);
          return tensor::InsertOp::create(b, loc, value, state, position);
        });
    replaceOp(b, types(), op, result);
    return success();
  }
};

} // namespace

void populateScatterPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<ScatterElementsPattern, ScatterNDPattern, TensorScatterPattern>(patterns, converter);
}

} // namespace onnxc
