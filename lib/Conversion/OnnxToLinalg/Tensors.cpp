// Destination tensors, casts and reshapes.
#include "KnownSizes.h"
#include "onnxc/Conversion/OnnxToLinalg/Common.h"

using namespace mlir;

namespace onnxc {

SmallVector<OpFoldResult> refineSizes(OpBuilder &b, RankedTensorType type,
                                      ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> result(sizes);
  if (type && type.getRank() == static_cast<int64_t>(sizes.size()))
    for (auto [i, size] : llvm::enumerate(type.getShape()))
      if (!ShapedType::isDynamic(size))
        result[i] = b.getIndexAttr(size);
  return result;
}

Value emptyTensor(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes, Type storageElem) {
  return tensor::EmptyOp::create(b, loc, sizes, storageElem);
}

Value filled(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes, Value scalar) {
  Value empty = emptyTensor(b, loc, sizes, scalar.getType());
  return linalg::FillOp::create(b, loc, scalar, empty).getResult(0);
}

Value castTensor(OpBuilder &b, Location loc, Value tensor, Type type) {
  if (tensor.getType() == type)
    return tensor;
  auto from = dyn_cast<RankedTensorType>(tensor.getType()), to = dyn_cast<RankedTensorType>(type);
  if (from && to && from.getRank() == to.getRank())
    for (int64_t d = 0; d < from.getRank(); ++d) {
      if (!from.isDynamicDim(d) || to.isDynamicDim(d))
        continue;
      Value size = toIndex(b, loc, getDim(b, loc, tensor, d));
      Value same = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, size,
                                         constIndex(b, loc, to.getDimSize(d)));
      runtimeAssert(b, loc, same, "a size differs from the one that the model declares");
    }
  return tensor::CastOp::create(b, loc, type, tensor);
}

void replaceOp(ConversionPatternRewriter &rewriter, const OnnxTypeConverter &types, Operation *op,
               ArrayRef<Value> values) {
  SmallVector<Value> results;
  for (auto [value, result] : llvm::zip_equal(values, op->getResults())) {
    if (!value) {
      results.push_back(onnx::NoneOp::create(rewriter, op->getLoc()));
      continue;
    }
    // Of an empty tensor nothing is computed.
    Value made = value;
    if (auto type = tensorType(made); type && llvm::is_contained(type.getShape(), 0))
      made = emptyTensor(rewriter, op->getLoc(), getDims(rewriter, op->getLoc(), made), type.getElementType());
    results.push_back(castTensor(rewriter, op->getLoc(), made, types.convertType(result.getType())));
  }
  rewriter.replaceOp(op, results);
}

bool hasZero(ArrayRef<OpFoldResult> sizes) {
  return llvm::any_of(sizes, [](OpFoldResult size) { return isConstantIntValue(size, 0); });
}

Value extractSlice(OpBuilder &b, Location loc, Value tensor, ArrayRef<OpFoldResult> offsets,
                   ArrayRef<OpFoldResult> sizes, ArrayRef<OpFoldResult> strides) {
  if (hasZero(sizes) || llvm::is_contained(tensorType(tensor).getShape(), 0))
    return emptyTensor(b, loc, sizes, onnxElem(tensor));
  return tensor::ExtractSliceOp::create(b, loc, tensor, offsets, sizes, strides);
}

static bool sameSize(OpFoldResult x, OpFoldResult y) {
  if (isEqualConstantIntOrValue(x, y))
    return true;
  auto dimX = dyn_cast<Value>(x) ? cast<Value>(x).getDefiningOp<tensor::DimOp>() : nullptr;
  auto dimY = dyn_cast<Value>(y) ? cast<Value>(y).getDefiningOp<tensor::DimOp>() : nullptr;
  return dimX && dimY && dimX.getSource() == dimY.getSource() && dimX.getConstantIndex() &&
         dimX.getConstantIndex() == dimY.getConstantIndex();
}

namespace {
// Dimensions [src, srcEnd) of the source become [dst, dstEnd) of the result.
struct Group {
  int64_t src, srcEnd, dst, dstEnd;
};
} // namespace

// Equal leading and trailing sizes map one to one; constants in between are grouped by
// equal products; what stays unresolved is one group. Empty sides are merged
// into a neighbour, so every group has both sides unless one rank is 0.
static SmallVector<Group> groupDims(ArrayRef<OpFoldResult> src, ArrayRef<OpFoldResult> dst) {
  int64_t i = 0, j = 0, iEnd = src.size(), jEnd = dst.size();
  SmallVector<Group> groups, tail;
  while (i < iEnd && j < jEnd && sameSize(src[i], dst[j])) {
    groups.push_back({i, i + 1, j, j + 1});
    ++i, ++j;
  }
  while (iEnd > i && jEnd > j && sameSize(src[iEnd - 1], dst[jEnd - 1])) {
    tail.push_back({iEnd - 1, iEnd, jEnd - 1, jEnd});
    --iEnd, --jEnd;
  }
  while (i < iEnd && j < jEnd) {
    Group g{i, i + 1, j, j + 1};
    auto s = getConstantIntValue(src[i++]), d = getConstantIntValue(dst[j++]);
    while (s && d && *s != *d) {
      if (*s < *d && i < iEnd) {
        auto next = getConstantIntValue(src[i++]);
        s = next ? std::optional<int64_t>(*s * *next) : std::nullopt;
      } else if (*d < *s && j < jEnd) {
        auto next = getConstantIntValue(dst[j++]);
        d = next ? std::optional<int64_t>(*d * *next) : std::nullopt;
      } else {
        s.reset();
      }
    }
    if (!s || !d)
      i = iEnd, j = jEnd;
    g.srcEnd = i;
    g.dstEnd = j;
    groups.push_back(g);
  }
  if (i < iEnd || j < jEnd) { // only one side is left: sizes of 1
    if (!groups.empty()) {
      groups.back().srcEnd = iEnd;
      groups.back().dstEnd = jEnd;
    } else if (!tail.empty()) {
      tail.back().src = i;
      tail.back().dst = j;
    } else {
      groups.push_back({i, iEnd, j, jEnd});
    }
  }
  groups.append(tail.rbegin(), tail.rend());
  return groups;
}

static SmallVector<int64_t> staticShape(ArrayRef<OpFoldResult> sizes) {
  SmallVector<int64_t> shape;
  for (OpFoldResult size : sizes)
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  return shape;
}

static ReassociationIndices range(int64_t begin, int64_t end) {
  return llvm::to_vector<2>(llvm::seq(begin, end));
}

Value withSizes(OpBuilder &b, Location loc, Value tensor, ArrayRef<OpFoldResult> sizes) {
  auto type = cast<RankedTensorType>(tensor.getType()).clone(staticShape(sizes));
  return type == tensor.getType() ? tensor : tensor::CastOp::create(b, loc, type, tensor);
}

Value reshapeTo(OpBuilder &b, Location loc, Value tensor, ArrayRef<OpFoldResult> sizes) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Type elem = type.getElementType();
  SmallVector<OpFoldResult> from = getDims(b, loc, tensor);
  auto result = RankedTensorType::get(staticShape(sizes), elem);
  if (auto made = tensor.getDefiningOp<tensor::FromElementsOp>();
      made && result.hasStaticShape() &&
      result.getNumElements() == static_cast<int64_t>(made.getElements().size()))
    return fromElements(b, loc, result, made.getElements());
  if (hasZero(from) || hasZero(sizes))
    return emptyTensor(b, loc, sizes, elem);

  if (from.empty() || sizes.empty()) { // all sizes are 1
    RankedTensorType ones = RankedTensorType::get(
        SmallVector<int64_t>(std::max(from.size(), sizes.size()), 1), elem);
    if (from.empty() && sizes.empty())
      return tensor;
    if (sizes.empty())
      return tensor::CollapseShapeOp::create(b, loc, result, castTensor(b, loc, tensor, ones),
                                             ArrayRef<ReassociationIndices>{});
    Value expanded =
        tensor::ExpandShapeOp::create(b, loc, ones, tensor, ArrayRef<ReassociationIndices>{});
    return castTensor(b, loc, expanded, result);
  }

  // Sizes may be known that the tensor's type does not say; a collapsed type must agree with it.
  tensor = withSizes(b, loc, tensor, from);
  SmallVector<ReassociationIndices> collapse, expand;
  SmallVector<int64_t> collapsed, expandable;
  for (const Group &g : groupDims(from, sizes)) {
    collapse.push_back(range(g.src, g.srcEnd));
    expand.push_back(range(g.dst, g.dstEnd));
    ArrayRef<OpFoldResult> src = ArrayRef(from).slice(g.src, g.srcEnd - g.src);
    ArrayRef<OpFoldResult> dst = sizes.slice(g.dst, g.dstEnd - g.dst);
    OpFoldResult srcProduct = productIndex(b, loc, src);
    auto s = getConstantIntValue(srcProduct);
    OpFoldResult dstProduct = productIndex(b, loc, dst);
    auto d = getConstantIntValue(dstProduct);
    collapsed.push_back(s.value_or(ShapedType::kDynamic));
    expandable.push_back(d.value_or(ShapedType::kDynamic));
    bool same = (s && d) || sameSize(srcProduct, dstProduct);
    if (!same && !d) // otherwise the cast below checks
      runtimeAssert(b, loc,
                    arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                          toIndex(b, loc, srcProduct),
                                          toIndex(b, loc, dstProduct)),
                    "Reshape: the sizes do not fit the number of elements");
  }
  Value value = tensor;
  if (collapse.size() != from.size())
    value = tensor::CollapseShapeOp::create(b, loc, RankedTensorType::get(collapsed, elem), value,
                                            collapse);
  if (expand.size() == sizes.size())
    return castTensor(b, loc, value, result);
  value = castTensor(b, loc, value, RankedTensorType::get(expandable, elem));
  return tensor::ExpandShapeOp::create(b, loc, result, value, expand, sizes);
}

Value transposeTo(OpBuilder &b, Location loc, Value tensor, ArrayRef<int64_t> perm) {
  if (llvm::equal(perm, llvm::seq<int64_t>(0, perm.size())))
    return tensor;
  SmallVector<OpFoldResult> from = getDims(b, loc, tensor), sizes;
  tensor = withSizes(b, loc, tensor, from);
  for (int64_t p : perm)
    sizes.push_back(from[p]);
  Value empty = emptyTensor(b, loc, sizes, onnxElem(tensor));
  return linalg::TransposeOp::create(b, loc, tensor, empty, perm)->getResult(0);
}

Value unsqueeze(OpBuilder &b, Location loc, Value tensor, ArrayRef<int64_t> axes) {
  SmallVector<OpFoldResult> from = getDims(b, loc, tensor), sizes;
  size_t next = 0;
  for (int64_t d = 0, rank = from.size() + axes.size(); d < rank; ++d)
    sizes.push_back(llvm::is_contained(axes, d) ? OpFoldResult(b.getIndexAttr(1)) : from[next++]);
  return reshapeTo(b, loc, tensor, sizes);
}

Value squeeze(OpBuilder &b, Location loc, Value tensor, ArrayRef<int64_t> axes) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> ones(type.getShape());
  for (int64_t axis : axes)
    ones[axis] = 1;
  tensor = castTensor(b, loc, tensor, type.clone(ones)); // checks dynamic ones
  SmallVector<OpFoldResult> from = getDims(b, loc, tensor), sizes;
  for (auto [d, size] : llvm::enumerate(from))
    if (!llvm::is_contained(axes, d))
      sizes.push_back(size);
  return reshapeTo(b, loc, tensor, sizes);
}

} // namespace onnxc
