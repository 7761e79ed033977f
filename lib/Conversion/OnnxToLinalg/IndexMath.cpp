// Index arithmetic that folds constants at once, shape tensors, run-time checks.
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Schema/Limits.h"

using namespace mlir;

namespace onnxc {

// Attributes for constants: what is made with these sizes then has them in its type too.
static OpFoldResult asKnown(OpBuilder &b, OpFoldResult size) {
  if (auto constant = getConstantIntValue(size))
    return b.getIndexAttr(*constant);
  return size;
}

// Sizes are taken from where the tensor's buffer is made, so that reading a size
// does not keep the op alive that computes the tensor.
OpFoldResult getDim(OpBuilder &b, Location loc, Value tensor, int64_t dim) {
  while (true) {
    auto type = cast<RankedTensorType>(tensor.getType());
    if (!type.isDynamicDim(dim))
      return b.getIndexAttr(type.getDimSize(dim));
    Operation *op = tensor.getDefiningOp();
    if (auto empty = dyn_cast_or_null<tensor::EmptyOp>(op))
      return asKnown(b, empty.getMixedSizes()[dim]);
    if (auto expand = dyn_cast_or_null<tensor::ExpandShapeOp>(op))
      return asKnown(b, expand.getMixedOutputShape()[dim]);
    if (auto castOp = dyn_cast_or_null<tensor::CastOp>(op);
        castOp && rankOf(castOp.getSource()) >= 0)
      tensor = castOp.getSource();
    else if (auto insert = dyn_cast_or_null<tensor::InsertSliceOp>(op))
      tensor = insert.getDest();
    else if (auto dps = dyn_cast_or_null<DestinationStyleOpInterface>(op))
      tensor = dps.getTiedOpOperand(cast<OpResult>(tensor))->get();
    else
      return tensor::DimOp::create(b, loc, tensor, dim).getResult();
  }
}

SmallVector<OpFoldResult> getDims(OpBuilder &b, Location loc, Value tensor) {
  SmallVector<OpFoldResult> dims;
  for (int64_t d = 0, rank = rankOf(tensor); d < rank; ++d)
    dims.push_back(getDim(b, loc, tensor, d));
  return dims;
}

Value constIndex(OpBuilder &b, Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

Value toIndex(OpBuilder &b, Location loc, OpFoldResult value) {
  if (auto constant = getConstantIntValue(value))
    return constIndex(b, loc, *constant);
  return cast<Value>(value);
}

template <typename Op, typename Fold>
static OpFoldResult binary(OpBuilder &b, Location loc, OpFoldResult x, OpFoldResult y, Fold fold) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy)
    return b.getIndexAttr(fold(*cx, *cy));
  return Op::create(b, loc, toIndex(b, loc, x), toIndex(b, loc, y)).getResult();
}

OpFoldResult addIndex(OpBuilder &b, Location loc, OpFoldResult x, OpFoldResult y) {
  if (isConstantIntValue(x, 0))
    return y;
  if (isConstantIntValue(y, 0))
    return x;
  return binary<arith::AddIOp>(b, loc, x, y, std::plus<int64_t>());
}

OpFoldResult subIndex(OpBuilder &b, Location loc, OpFoldResult x, OpFoldResult y) {
  if (isConstantIntValue(y, 0))
    return x;
  return binary<arith::SubIOp>(b, loc, x, y, std::minus<int64_t>());
}

OpFoldResult mulIndex(OpBuilder &b, Location loc, OpFoldResult x, OpFoldResult y) {
  if (isConstantIntValue(x, 1))
    return y;
  if (isConstantIntValue(y, 1))
    return x;
  if (isConstantIntValue(x, 0) || isConstantIntValue(y, 0))
    return b.getIndexAttr(0);
  return binary<arith::MulIOp>(b, loc, x, y, std::multiplies<int64_t>());
}

static int64_t floorDiv(int64_t x, int64_t y) {
  if (y == 0)
    return 0;
  int64_t q = x / y;
  return (x % y != 0 && ((x < 0) != (y < 0))) ? q - 1 : q;
}

// A divisor that is zero at run time is replaced, so that nothing traps; the
// quotient is then 0.
template <typename Op>
static OpFoldResult divide(OpBuilder &b, Location loc, OpFoldResult x, OpFoldResult y) {
  Value divisor = toIndex(b, loc, y), dividend = toIndex(b, loc, x);
  if (!getConstantIntValue(y)) {
    Value zero = constIndex(b, loc, 0);
    Value isZero = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, divisor, zero);
    divisor = arith::SelectOp::create(b, loc, isZero, constIndex(b, loc, 1), divisor);
    dividend = arith::SelectOp::create(b, loc, isZero, zero, dividend);
  }
  return Op::create(b, loc, dividend, divisor).getResult();
}

OpFoldResult divIndex(OpBuilder &b, Location loc, OpFoldResult x, OpFoldResult y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cy == 1)
    return x;
  if ((cx && cy) || cy == 0)
    return b.getIndexAttr(cy == 0 ? 0 : floorDiv(*cx, *cy));
  return divide<arith::FloorDivSIOp>(b, loc, x, y);
}

OpFoldResult ceilDivIndex(OpBuilder &b, Location loc, OpFoldResult x, OpFoldResult y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cy == 1)
    return x;
  if ((cx && cy) || cy == 0)
    return b.getIndexAttr(cy == 0 ? 0 : -floorDiv(-*cx, *cy));
  return divide<arith::CeilDivSIOp>(b, loc, x, y);
}

OpFoldResult minIndex(OpBuilder &b, Location loc, OpFoldResult x, OpFoldResult y) {
  return binary<arith::MinSIOp>(b, loc, x, y, [](int64_t p, int64_t q) { return std::min(p, q); });
}

OpFoldResult maxIndex(OpBuilder &b, Location loc, OpFoldResult x, OpFoldResult y) {
  return binary<arith::MaxSIOp>(b, loc, x, y, [](int64_t p, int64_t q) { return std::max(p, q); });
}

OpFoldResult productIndex(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> xs) {
  OpFoldResult product = b.getIndexAttr(1);
  for (OpFoldResult x : xs)
    product = mulIndex(b, loc, product, x);
  return product;
}

Value wrapIndex(OpBuilder &b, Location loc, Value index, Value size) {
  Value zero = constIndex(b, loc, 0);
  Value negative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, index, zero);
  Value wrapped = arith::AddIOp::create(b, loc, index, size);
  return arith::SelectOp::create(b, loc, negative, wrapped, index);
}

std::optional<SmallVector<OpFoldResult>> readShapeTensor(OpBuilder &b, Location loc, Value original,
                                                         Value converted, int64_t count) {
  SmallVector<OpFoldResult> result;
  if (auto constant = getConstantInts(original)) {
    for (int64_t v : *constant)
      result.push_back(b.getIndexAttr(v));
    return result;
  }
  auto type = tensorType(converted);
  if (!type || type.getRank() > 1 || (!type.hasStaticShape() && count < 0))
    return std::nullopt;
  if (type.hasStaticShape()) {
    count = type.getNumElements();
    if (count > maxRank) // a list that is declared to be longer is no shape
      return std::nullopt;
  } else {
    Value same = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                       toIndex(b, loc, getDim(b, loc, converted, 0)),
                                       constIndex(b, loc, count));
    runtimeAssert(b, loc, same, "a shape has another number of elements than the model implies");
  }
  auto scalars = shapeElements(b, loc, converted);
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<Value> indices;
    if (type.getRank() == 1)
      indices.push_back(constIndex(b, loc, i));
    Value element = scalars ? (*scalars)[0][i]
                            : Value(tensor::ExtractOp::create(b, loc, converted, indices));
    IntegerAttr constant;
    if (matchPattern(element, m_Constant(&constant))) {
      result.push_back(b.getIndexAttr(constant.getInt()));
      continue;
    }
    // A size that became an i64 element is the size again.
    if (auto cast = element.getDefiningOp<arith::IndexCastOp>();
        cast && cast.getIn().getType().isIndex()) {
      result.push_back(cast.getIn());
      continue;
    }
    Type index = b.getIndexType();
    if (onnxElem(original).isUnsignedInteger())
      result.push_back(arith::IndexCastUIOp::create(b, loc, index, element).getResult());
    else
      result.push_back(arith::IndexCastOp::create(b, loc, index, element).getResult());
  }
  return result;
}

SmallVector<OpFoldResult> readOpenVector(OpBuilder &b, Location loc, Value converted, Value offset, Value length,
                                         int64_t count, int64_t absent) {
  SmallVector<OpFoldResult> result;
  for (int64_t i = 0; i < count; ++i) {
    Value position = constIndex(b, loc, i);
    Value isThere = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, position, length);
    auto element = scf::IfOp::create(
        b, loc, isThere,
        [&](OpBuilder &b, Location loc) {
          Value at = arith::AddIOp::create(b, loc, offset, position);
          Value integer = tensor::ExtractOp::create(b, loc, converted, at);
          Value index = arith::IndexCastOp::create(b, loc, b.getIndexType(), integer);
          scf::YieldOp::create(b, loc, index);
        },
        [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, constIndex(b, loc, absent)); });
    result.push_back(element.getResult(0));
  }
  return result;
}

std::optional<int64_t> knownLength(Value original, Value converted) {
  if (auto constant = getConstantInts(original))
    return constant->size();
  auto type = tensorType(converted);
  return type && type.hasStaticShape() ? std::optional(type.getNumElements()) : std::nullopt;
}

std::optional<SmallVector<SmallVector<Value>>> shapeElements(OpBuilder &b, Location loc,
                                                             ValueRange tensors) {
  constexpr int64_t kMaxElements = 16;
  bool any = false;
  for (Value tensor : tensors) {
    auto type = tensorType(tensor);
    if (!type || !type.hasStaticShape() || type.getRank() > 1 ||
        type.getNumElements() > kMaxElements || !type.getElementType().isInteger())
      return std::nullopt;
    any |= tensor.getDefiningOp<tensor::FromElementsOp>() != nullptr;
  }
  if (!any)
    return std::nullopt;
  SmallVector<SmallVector<Value>> result;
  for (Value tensor : tensors) {
    auto &elements = result.emplace_back();
    auto type = tensorType(tensor);
    if (auto made = tensor.getDefiningOp<tensor::FromElementsOp>()) {
      llvm::append_range(elements, made.getElements());
      continue;
    }
    DenseElementsAttr constant;
    if (matchPattern(tensor, m_Constant(&constant))) {
      for (Attribute value : constant.getValues<Attribute>())
        elements.push_back(arith::ConstantOp::create(b, loc, cast<TypedAttr>(value)));
      continue;
    }
    for (int64_t i = 0, n = type.getNumElements(); i < n; ++i) {
      SmallVector<Value> at;
      if (type.getRank() == 1)
        at.push_back(constIndex(b, loc, i));
      elements.push_back(tensor::ExtractOp::create(b, loc, tensor, at));
    }
  }
  return result;
}

Value fromElements(OpBuilder &b, Location loc, RankedTensorType type, ValueRange elements) {
  return tensor::FromElementsOp::create(b, loc, type, elements);
}

Value readScalar(OpBuilder &b, Location loc, Value converted) {
  if (auto scalars = shapeElements(b, loc, converted))
    return scalars->front().front();
  SmallVector<Value> zeros;
  for (int64_t i = 0, rank = rankOf(converted); i < rank; ++i)
    zeros.push_back(constIndex(b, loc, 0));
  return tensor::ExtractOp::create(b, loc, converted, zeros);
}

void runtimeAssert(OpBuilder &b, Location loc, Value condition, const Twine &message) {
  rt::AssertOp::create(b, loc, condition, b.getStringAttr(message));
}

} // namespace onnxc
