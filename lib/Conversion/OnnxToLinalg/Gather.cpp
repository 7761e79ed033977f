// Gather, GatherElements, GatherND, ReverseSequence: reads at computed positions. Positions
// out of range end the run; they are clamped as well, so that no order of execution reads
// outside of the data.
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

using namespace mlir;

namespace onnxc {
namespace {

// A stored int32 or int64 as index into [0, size).
Value safeIndex(OpBuilder &b, Location loc, Value stored, Value size) {
  Value i = arith::IndexCastOp::create(b, loc, b.getIndexType(), stored);
  i = wrapIndex(b, loc, i, size);
  Value last = arith::SubIOp::create(b, loc, size, constIndex(b, loc, 1));
  i = arith::MinSIOp::create(b, loc, i, last);
  return arith::MaxSIOp::create(b, loc, i, constIndex(b, loc, 0));
}

// All indices must be in [-size, size). With several sizes, one for each position in the indices'
// last dimension.
LogicalResult checkIndices(OpBuilder &b, Location loc, Operation *op, Value indices,
                           ArrayRef<OpFoldResult> sizes, const OnnxTypeConverter &types) {
  auto known = getConstantIntValues(sizes);
  if (auto constant = getConstantInts(op->getOperand(1)); constant && known) {
    for (auto [i, index] : llvm::enumerate(*constant)) {
      int64_t size = (*known)[i % sizes.size()];
      if (index < -size || index >= size)
        return types.refuse(op, "has an index that is out of range");
    }
    return success();
  }
  int64_t rank = rankOf(indices);
  Value good = filled(b, loc, {}, arith::ConstantOp::create(b, loc, b.getI8IntegerAttr(1)));
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(rank), AffineMap::get(rank, 0, b.getContext())};
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::reduction);
  Value all =
      linalg::GenericOp::create(
          b, loc, good.getType(), indices, good, maps, loops,
          [&](OpBuilder &b, Location loc, ValueRange args) {
            Value i = arith::IndexCastOp::create(b, loc, b.getIndexType(), args[0]);
            Value size = toIndex(b, loc, sizes[0]);
            for (size_t k = 1; k < sizes.size(); ++k) {
              Value here = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                                 linalg::IndexOp::create(b, loc, rank - 1),
                                                 constIndex(b, loc, k));
              size = arith::SelectOp::create(b, loc, here, toIndex(b, loc, sizes[k]), size);
            }
            // As unsigned numbers the negative ones are large.
            Value inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult,
                                                 wrapIndex(b, loc, i, size), size);
            Value flag = arith::ExtUIOp::create(b, loc, b.getI8Type(), inside);
            linalg::YieldOp::create(b, loc, arith::AndIOp::create(b, loc, args[1], flag).getResult());
          })
          .getResult(0);
  Value flag = tensor::ExtractOp::create(b, loc, all, ValueRange{});
  Value ok = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, flag,
                                   arith::ConstantOp::create(b, loc, b.getI8IntegerAttr(0)));
  runtimeAssert(b, loc, ok, "Gather: an index is out of range");
  return success();
}

// The tensor with a dimension of a given size, checked at run time; null if it has another.
Value withSize(OpBuilder &b, Location loc, Value tensor, int64_t dim, int64_t size) {
  auto type = tensorType(tensor);
  if (!type.isDynamicDim(dim))
    return type.getDimSize(dim) == size ? tensor : Value();
  SmallVector<int64_t> shape(type.getShape());
  shape[dim] = size;
  return castTensor(b, loc, tensor, type.clone(shape));
}

struct GatherPattern : OnnxPattern<onnx::GatherOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::GatherOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value data = adaptor.getOperands()[0], indices = adaptor.getOperands()[1];
    int64_t rank = rankOf(data), indexRank = rankOf(indices);
    auto axis = normalizeAxis(op.getAxis(), rank);
    if (!axis)
      return refuse(op, "has an axis outside of the data's rank");
    SmallVector<OpFoldResult> dims = getDims(b, loc, data), at = getDims(b, loc, indices);
    if (Value elements = asElements(b, loc, op, data)) {
      replaceOp(b, types(), op, elements);
      return success();
    }
    if (Value view = asView(b, loc, op, data, *axis, dims)) {
      replaceOp(b, types(), op, view);
      return success();
    }
    SmallVector<OpFoldResult> sizes(ArrayRef(dims).take_front(*axis));
    sizes.append(at);
    sizes.append(dims.begin() + *axis + 1, dims.end());
    auto resultType = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    sizes = refineSizes(b, resultType, sizes);
    if (failed(checkIndices(b, loc, op, indices, dims[*axis], types())))
      return failure();
    Value size = toIndex(b, loc, dims[*axis]);
    int64_t loops = sizes.size();
    SmallVector<AffineExpr> exprs;
    for (int64_t d = 0; d < indexRank; ++d)
      exprs.push_back(b.getAffineDimExpr(*axis + d));
    SmallVector<AffineMap> maps{AffineMap::get(loops, 0, exprs, b.getContext()),
                                b.getMultiDimIdentityMap(loops)};
    SmallVector<utils::IteratorType> kinds(loops, utils::IteratorType::parallel);
    Value init = emptyTensor(b, loc, sizes, onnxElem(data));
    Value result = linalg::GenericOp::create(
                       b, loc, init.getType(), indices, init, maps, kinds,
                       [&](OpBuilder &b, Location loc, ValueRange args) {
                         SmallVector<Value> position;
                         for (int64_t d = 0; d < rank; ++d) {
                           if (d == *axis)
                             position.push_back(safeIndex(b, loc, args[0], size));
                           else
                             position.push_back(linalg::IndexOp::create(
                                 b, loc, d < *axis ? d : d + indexRank - 1));
                         }
                         Value value = tensor::ExtractOp::create(b, loc, data, position);
                         linalg::YieldOp::create(b, loc, value);
                       })
                       .getResult(0);
    replaceOp(b, types(), op, result);
    return success();
  }

  // Constant indices into a shape.
  static Value asElements(OpBuilder &b, Location loc, onnx::GatherOp op, Value data) {
    auto constant = getConstantInts(op->getOperand(1));
    auto elements = constant ? shapeElements(b, loc, data) : std::nullopt;
    auto indexType = tensorType(op->getOperand(1));
    if (!elements || !indexType.hasStaticShape() || rankOf(data) != 1)
      return {};
    SmallVector<Value> picked;
    for (int64_t index : *constant) {
      auto i = normalizeAxis(index, elements->front().size());
      if (!i)
        return {};
      picked.push_back(elements->front()[*i]);
    }
    return fromElements(b, loc, RankedTensorType::get(indexType.getShape(), onnxElem(data)), picked);
  }

  // One constant index is a slice.
  static Value asView(OpBuilder &b, Location loc, onnx::GatherOp op, Value data, int64_t axis,
                      ArrayRef<OpFoldResult> dims) {
    auto constant = getConstantInts(op->getOperand(1));
    auto n = getConstantIntValue(dims[axis]);
    int64_t indexRank = rankOf(op->getOperand(1));
    if (!constant || constant->size() != 1 || indexRank > 1)
      return {};
    int64_t index = constant->front();
    OpFoldResult offset = b.getIndexAttr(index);
    if (n) {
      auto normal = normalizeAxis(index, *n);
      if (!normal)
        return {};
      offset = b.getIndexAttr(*normal);
    } else {
      if (index < 0)
        offset = addIndex(b, loc, offset, dims[axis]);
      Value natural = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge,
                                            toIndex(b, loc, offset), constIndex(b, loc, 0));
      Value inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt,
                                           toIndex(b, loc, offset), toIndex(b, loc, dims[axis]));
      runtimeAssert(b, loc, arith::AndIOp::create(b, loc, natural, inside),
                    "Gather: an index is out of range");
    }
    SmallVector<OpFoldResult> offsets(dims.size(), b.getIndexAttr(0)), sizes(dims),
        strides(dims.size(), b.getIndexAttr(1));
    offsets[axis] = offset;
    sizes[axis] = b.getIndexAttr(1);
    if (indexRank == 1)
      return tensor::ExtractSliceOp::create(b, loc, data, offsets, sizes, strides);
    SmallVector<int64_t> shape;
    for (size_t d = 0; d < dims.size(); ++d)
      if (static_cast<int64_t>(d) != axis)
        shape.push_back(getConstantIntValue(dims[d]).value_or(ShapedType::kDynamic));
    return tensor::ExtractSliceOp::create(b, loc, RankedTensorType::get(shape, onnxElem(data)), data,
                                          offsets, sizes, strides);
  }
};

struct GatherElementsPattern : OnnxPattern<onnx::GatherElementsOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::GatherElementsOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value data = adaptor.getOperands()[0], indices = adaptor.getOperands()[1];
    int64_t rank = rankOf(data);
    auto axis = normalizeAxis(op.getAxis(), rank);
    if (!axis || rankOf(indices) != rank)
      return refuse(op, "needs an axis within the rank, and indices of the data's rank");
    SmallVector<OpFoldResult> dims = getDims(b, loc, data), sizes = getDims(b, loc, indices);
    if (failed(checkIndices(b, loc, op, indices, dims[*axis], types())))
      return failure();
    for (int64_t d = 0; d < rank; ++d) {
      auto n = getConstantIntValue(dims[d]), m = getConstantIntValue(sizes[d]);
      if (d == *axis || (n && m && *m <= *n) ||
          types().dims()->equal(op->getOperand(0), d, op->getOperand(1), d))
        continue;
      Value fits = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle,
                                         toIndex(b, loc, sizes[d]), toIndex(b, loc, dims[d]));
      runtimeAssert(b, loc, fits, "GatherElements: the indices exceed the data");
    }
    Value size = toIndex(b, loc, dims[*axis]);
    SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::parallel);
    Value init = emptyTensor(b, loc, sizes, onnxElem(data));
    Value result = linalg::GenericOp::create(
                       b, loc, init.getType(), indices, init, maps, kinds,
                       [&](OpBuilder &b, Location loc, ValueRange args) {
                         SmallVector<Value> position;
                         for (int64_t d = 0; d < rank; ++d)
                           position.push_back(d == *axis
                                                  ? safeIndex(b, loc, args[0], size)
                                                  : Value(linalg::IndexOp::create(b, loc, d)));
                         Value value = tensor::ExtractOp::create(b, loc, data, position);
                         linalg::YieldOp::create(b, loc, value);
                       })
                       .getResult(0);
    replaceOp(b, types(), op, result);
    return success();
  }
};

// indices[..., :] are positions in the dimensions after the batch ones.
struct GatherNDPattern : OnnxPattern<onnx::GatherNDOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::GatherNDOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value data = adaptor.getOperands()[0], indices = adaptor.getOperands()[1];
    int64_t rank = rankOf(data), indexRank = rankOf(indices), batch = op.getBatchDims();
    // The ranks tell how many dimensions one index covers.
    int64_t depth = indexRank - 1 + rank - batch - rankOf(op->getResult(0));
    if (indexRank < 1 || depth < 0)
      return refuse(op, "has indices that do not fit the data's rank");
    indices = withSize(b, loc, indices, indexRank - 1, depth);
    if (!indices)
      return refuse(op, "has indices that do not fit the result's rank");
    if (batch < 0 || batch + depth > rank || batch >= indexRank)
      return refuse(op, "has indices that do not fit the data's rank");
    SmallVector<OpFoldResult> dims = getDims(b, loc, data), at = getDims(b, loc, indices);
    SmallVector<OpFoldResult> sizes(ArrayRef(at).drop_back());
    sizes.append(dims.begin() + batch + depth, dims.end());
    if (depth > 0 && failed(checkIndices(b, loc, op, indices, ArrayRef(dims).slice(batch, depth), types())))
      return failure();
    for (int64_t d = 0; d < batch; ++d) {
      auto n = getConstantIntValue(dims[d]);
      if (n && n == getConstantIntValue(at[d]))
        continue;
      Value same = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, toIndex(b, loc, at[d]),
                                         toIndex(b, loc, dims[d]));
      runtimeAssert(b, loc, same, "GatherND: the batch dimensions differ");
    }
    Value result = createFromIndices(
        b, loc, sizes, onnxElem(data),
        [&](OpBuilder &b, Location loc, ValueRange i) -> Value {
          SmallVector<Value> position(i.take_front(batch));
          for (int64_t d = 0; d < depth; ++d) {
            SmallVector<Value> from(i.take_front(indexRank - 1));
            from.push_back(constIndex(b, loc, d));
            Value stored = tensor::ExtractOp::create(b, loc, indices, from);
            position.push_back(safeIndex(b, loc, stored, toIndex(b, loc, dims[batch + d])));
          }
          llvm::append_range(position, i.drop_front(indexRank - 1));
          return tensor::ExtractOp::create(b, loc, data, position);
        });
    replaceOp(b, types(), op, result);
    return success();
  }
};

// The first sequence_lens[batch] steps are reversed.
struct ReverseSequencePattern : OnnxPattern<onnx::ReverseSequenceOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::ReverseSequenceOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    Value input = adaptor.getOperands()[0], lengths = adaptor.getOperands()[1];
    auto batch = normalizeAxis(op.getBatchAxis(), rankOf(input));
    auto time = normalizeAxis(op.getTimeAxis(), rankOf(input));
    if (!batch || !time || *batch == *time)
      return refuse(op, "needs two different axes within the input's rank");
    SmallVector<OpFoldResult> sizes = getDims(b, loc, input);
    Value steps = toIndex(b, loc, sizes[*time]);
    Value enough = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge,
                                         toIndex(b, loc, getDim(b, loc, lengths, 0)),
                                         toIndex(b, loc, sizes[*batch]));
    runtimeAssert(b, loc, enough, "ReverseSequence: a length is missing");
    Value result = createFromIndices(
        b, loc, sizes, onnxElem(input), [&](OpBuilder &b, Location loc, ValueRange i) -> Value {
          Value stored = tensor::ExtractOp::create(b, loc, lengths, i[*batch]);
          Value length = arith::IndexCastOp::create(b, loc, b.getIndexType(), stored);
          length = arith::MinSIOp::create(b, loc, length, steps);
          Value inside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, i[*time], length);
          Value last = arith::SubIOp::create(b, loc, length, constIndex(b, loc, 1));
          Value mirrored = arith::SubIOp::create(b, loc, last, i[*time]);
          SmallVector<Value> at(i);
          at[*time] = arith::SelectOp::create(b, loc, inside, mirrored, i[*time]);
          return tensor::ExtractOp::create(b, loc, input, at);
        });
    replaceOp(b, types(), op, result);
    return success();
  }
};

} // namespace

void populateGatherPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<GatherPattern, GatherElementsPattern, GatherNDPattern, ReverseSequencePattern>(
      patterns, converter);
}

} // namespace onnxc
