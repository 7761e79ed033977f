// See DotNest.h.
#include "DotNest.h"

#include "VectorClone.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace onnxc {
namespace {

/// Weights that stay in the first-level cache beside the rest.
constexpr int64_t kCachedBytes = 24 << 10;

} // namespace

DotNest::DotNest(RewriterBase &b, linalg::LinalgOp op, const PackedDot &dot,
                 const VectorTarget &target, const LoopFusion &fusion)
    : b(b), op(op), loc(op.getLoc()), dot(dot), target(target), fusion(fusion),
      iterators(op.getIteratorTypesArray()), numLoops(op.getNumLoops()) {
  for (Range range : op.createLoopRanges(b, loc))
    sizes.push_back(range.size);
  base.assign(numLoops, index(0));
  if (fusion.fill) {
    linalg::FillOp fill = fusion.fill;
    start = fill->getOperand(0);
  }
  // One vector is read across the weights' last two dimensions.
  weights = dot.weights->get();
  auto type = cast<MemRefType>(weights.getType());
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim + 1 < type.getRank(); ++dim)
    groups.push_back({dim});
  groups.back().push_back(type.getRank() - 1);
  weights = memref::CollapseShapeOp::create(b, loc, weights, groups);
  weightBytes = type.getElementTypeBitWidth() / 8;
  for (int64_t extent : type.getShape())
    weightBytes *= ShapedType::isDynamic(extent) ? kCachedBytes : extent;
}

Value DotNest::index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }

Value DotNest::sizeOf(unsigned dim) {
  return getValueOrCreateConstantIndexOp(b, loc, sizes[dim]);
}

Value DotNest::floorTo(unsigned dim, Value from, int64_t step) {
  AffineExpr d0 = b.getAffineDimExpr(0), d1 = b.getAffineDimExpr(1);
  return affine::makeComposedAffineApply(b, loc, d0 + (d1 - d0).floorDiv(step) * step,
                                         {OpFoldResult(from), sizes[dim]})
      .getResult();
}

void DotNest::along(unsigned dim, Value from, Value to, int64_t step,
                    llvm::function_ref<void()> inside) {
  loop(from, to, step, [&](Value iv) {
    base[dim] = iv;
    inside();
  });
}

void DotNest::emitPieces(std::optional<unsigned> dim, int64_t size, int64_t step,
                         llvm::function_ref<void(int64_t)> inside) {
  if (!dim)
    return inside(1);
  int64_t whole = size / step * step;
  if (whole == step) {
    base[*dim] = index(0);
    inside(step);
  } else if (whole > 0) {
    along(*dim, index(0), index(whole), step, [&] { inside(step); });
  }
  if (whole < size) {
    base[*dim] = index(whole);
    inside(size - whole);
  }
}

SmallVector<unsigned> DotNest::orderLoops(int64_t fewRows) {
  AffineMap w = op.getMatchingIndexingMap(dot.weights);
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  auto size = [&](unsigned dim) {
    return ShapedType::isDynamic(ranges[dim]) ? INT64_MAX : ranges[dim];
  };
  SmallVector<unsigned> panels, images;
  for (unsigned dim = 0; dim < numLoops; ++dim) {
    if (dim == dot.inner || dim == dot.column)
      continue;
    if (iterators[dim] == utils::IteratorType::reduction)
      reductions.push_back(dim);
    else
      (w.isFunctionOfDim(dim) ? panels : images).push_back(dim);
  }
  // Rows meet the same weights. Of several such loops the longest, and the next one where that is short; known
  // sizes first: where one is unknown the last tiles are single rows.
  auto isLong = [&](unsigned dim) { return !ShapedType::isDynamic(ranges[dim]) && ranges[dim] >= 4; };
  for (unsigned dim : images)
    if (!rows || std::pair(isLong(dim), size(dim)) >= std::pair(isLong(*rows), size(*rows)))
      rows = dim;
  if (rows)
    llvm::erase(images, *rows);
  if (rows && size(*rows) < fewRows) {
    for (unsigned dim : images)
      if (!ShapedType::isDynamic(ranges[dim]) && ranges[dim] > 1 &&
          (!lines || ranges[dim] >= ranges[*lines]))
        lines = dim;
    if (lines)
      llvm::erase(images, *lines);
  }
  // Weights that stay in the first-level cache pass by for each line of an image; others
  // panel by panel, so that each is read once.
  bool cached = weightBytes <= kCachedBytes;
  SmallVector<unsigned> order(cached ? images : panels);
  order.append(cached ? panels : images);
  return order;
}

void DotNest::emitOuter(ArrayRef<unsigned> order) {
  if (order.empty())
    return emitColumns();
  loop(index(0), sizeOf(order.front()), 1, [&](Value iv) {
    base[order.front()] = iv;
    emitOuter(order.drop_front());
  });
}

SmallVector<Value> DotNest::indices(AffineMap map, int64_t row, int64_t column) {
  SmallVector<OpFoldResult> dims;
  for (unsigned dim = 0; dim < numLoops; ++dim) {
    if (!map.isFunctionOfDim(dim)) {
      dims.push_back(b.getIndexAttr(0));
      continue;
    }
    int64_t offset = rows && dim == *rows     ? row % tileRows
                     : lines && dim == *lines ? row / tileRows
                     : dim == dot.column      ? column
                                              : 0;
    Value at = base[dim];
    if (offset != 0)
      at = arith::AddIOp::create(b, loc, at, index(offset));
    dims.push_back(at);
  }
  return indicesAt(b, loc, map, dims);
}

SmallVector<Value> DotNest::weightIndices(int64_t column) {
  SmallVector<Value> place = indices(op.getMatchingIndexingMap(dot.weights), 0, column);
  place.pop_back();
  place.back() = arith::MulIOp::create(b, loc, place.back(), index(dot.depth));
  return place;
}

void DotNest::finish(Value sum, int64_t row, int64_t column, int64_t lanes, ParameterCache &loaded,
                     Operation *parametersAt) {
  auto load = [&](OpOperand &operand, AffineMap map) {
    if ((rows && map.isFunctionOfDim(*rows)) || (lines && map.isFunctionOfDim(*lines)))
      return loadParameter(operand.get(), map, row, column, lanes);
    Value &once = loaded[{&operand, column}];
    if (!once) {
      OpBuilder::InsertionGuard guard(b);
      if (parametersAt)
        b.setInsertionPoint(parametersAt);
      once = loadParameter(operand.get(), map, row, column, lanes);
    }
    return once;
  };
  auto clone = [&](Operation &inner, IRMapping &mapping) {
    cloneOnVectors(b, loc, inner, mapping, lanes);
  };
  auto store = [&](OpOperand &init, AffineMap map, Value value) {
    value = onVector(b, loc, value, lanes);
    vector::StoreOp::create(b, loc, value, init.get(), indices(map, row, column));
    return value;
  };
  emitEpilogues(fusion, op.getDpsInits()[0], sum, load, clone, store);
}

Value DotNest::loadParameter(Value source, AffineMap map, int64_t row, int64_t column,
                             int64_t lanes) {
  auto type = dyn_cast<MemRefType>(source.getType());
  if (!type)
    return source;
  SmallVector<Value> place = indices(map, row, column);
  if (!map.isFunctionOfDim(dot.column))
    return memref::LoadOp::create(b, loc, source, place);
  return vector::LoadOp::create(b, loc, VectorType::get(lanes, type.getElementType()), source,
                                place);
}

} // namespace onnxc
