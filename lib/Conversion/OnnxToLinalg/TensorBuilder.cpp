//===- TensorBuilder.cpp - Short forms for linalg code on tensors ---------===//
//
// Sizes fold through affine.apply, so a static model gives static code. Generics
// are built here so that every family has the same shape of IR for the later passes.
//
//===----------------------------------------------------------------------===//
#include "TensorBuilder.h"

#include "onnxc/Conversion/OnnxToLinalg/Common.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace onnxc {

Type accumulatorType(Type elem) {
  if (auto f = dyn_cast<FloatType>(elem); f && f.getWidth() < 32)
    return Float32Type::get(elem.getContext());
  return elem;
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

OpFoldResult TensorBuilder::dim(Value tensor, int64_t i) {
  return tensor::getMixedSize(*this, getLoc(), tensor, i);
}

Sizes TensorBuilder::dims(Value tensor) { return tensor::getMixedSizes(*this, getLoc(), tensor); }

static OpFoldResult applyExpr(TensorBuilder &b, AffineExpr expr, ArrayRef<OpFoldResult> operands) {
  return affine::makeComposedFoldedAffineApply(b, b.getLoc(), expr, operands);
}

OpFoldResult TensorBuilder::add(OpFoldResult x, OpFoldResult y) {
  AffineExpr s0, s1;
  bindSymbols(getContext(), s0, s1);
  return applyExpr(*this, s0 + s1, {x, y});
}

OpFoldResult TensorBuilder::sub(OpFoldResult x, OpFoldResult y) {
  AffineExpr s0, s1;
  bindSymbols(getContext(), s0, s1);
  return applyExpr(*this, s0 - s1, {x, y});
}

OpFoldResult TensorBuilder::mul(OpFoldResult x, OpFoldResult y) {
  // Affine expressions have no product of two unknowns.
  if (!getConstantIntValue(x) && !getConstantIntValue(y))
    return arith::MulIOp::create(*this, index(x), index(y)).getResult();
  AffineExpr s0, s1;
  bindSymbols(getContext(), s0, s1);
  return applyExpr(*this, s0 * s1, {x, y});
}

OpFoldResult TensorBuilder::floorDiv(OpFoldResult x, OpFoldResult y) {
  if (!getConstantIntValue(y))
    return arith::FloorDivSIOp::create(*this, index(x), index(y)).getResult();
  AffineExpr s0, s1;
  bindSymbols(getContext(), s0, s1);
  return applyExpr(*this, s0.floorDiv(s1), {x, y});
}

OpFoldResult TensorBuilder::ceilDiv(OpFoldResult x, OpFoldResult y) {
  if (!getConstantIntValue(y))
    return arith::CeilDivSIOp::create(*this, index(x), index(y)).getResult();
  AffineExpr s0, s1;
  bindSymbols(getContext(), s0, s1);
  return applyExpr(*this, s0.ceilDiv(s1), {x, y});
}

OpFoldResult TensorBuilder::max(OpFoldResult x, OpFoldResult y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy)
    return fixed(std::max(*cx, *cy));
  return arith::MaxSIOp::create(*this, index(x), index(y)).getResult();
}

OpFoldResult TensorBuilder::min(OpFoldResult x, OpFoldResult y) {
  auto cx = getConstantIntValue(x), cy = getConstantIntValue(y);
  if (cx && cy)
    return fixed(std::min(*cx, *cy));
  return arith::MinSIOp::create(*this, index(x), index(y)).getResult();
}

OpFoldResult TensorBuilder::product(ArrayRef<OpFoldResult> sizes) {
  OpFoldResult result = fixed(1);
  for (OpFoldResult s : sizes)
    result = mul(result, s);
  return result;
}

Value TensorBuilder::index(OpFoldResult v) {
  return getValueOrCreateConstantIndexOp(*this, getLoc(), v);
}

Sizes TensorBuilder::refine(Sizes sizes, Type type) {
  auto ranked = dyn_cast_or_null<RankedTensorType>(type);
  if (ranked && ranked.getRank() == static_cast<int64_t>(sizes.size()))
    for (auto [i, size] : llvm::enumerate(ranked.getShape()))
      if (!ShapedType::isDynamic(size))
        sizes[i] = fixed(size);
  return sizes;
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

Value TensorBuilder::constant(Type type, double v) {
  if (auto f = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(*this, getFloatAttr(f, v));
  return intConstant(type, static_cast<int64_t>(v));
}

Value TensorBuilder::intConstant(Type type, int64_t v) {
  if (isa<FloatType>(type))
    return constant(type, static_cast<double>(v));
  return arith::ConstantOp::create(*this, getIntegerAttr(type, v));
}

Value TensorBuilder::lowest(Type type, bool isUnsigned) {
  if (auto f = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(
        *this, getFloatAttr(f, APFloat::getInf(f.getFloatSemantics(), /*Negative=*/true)));
  unsigned width = type.getIntOrFloatBitWidth();
  APInt v = isUnsigned ? APInt::getMinValue(width) : APInt::getSignedMinValue(width);
  return arith::ConstantOp::create(*this, getIntegerAttr(type, v));
}

Value TensorBuilder::highest(Type type, bool isUnsigned) {
  if (auto f = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(*this,
                                     getFloatAttr(f, APFloat::getInf(f.getFloatSemantics())));
  unsigned width = type.getIntOrFloatBitWidth();
  APInt v = isUnsigned ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width);
  return arith::ConstantOp::create(*this, getIntegerAttr(type, v));
}

Value TensorBuilder::convert(Value v, Type type, bool isUnsigned) {
  Type from = v.getType();
  if (from == type)
    return v;
  if (isa<IndexType>(from) && isa<FloatType>(type))
    return arith::SIToFPOp::create(
        *this, type, arith::IndexCastOp::create(*this, getI64Type(), v).getResult());
  if (isa<IndexType>(from) || isa<IndexType>(type))
    return isUnsigned ? arith::IndexCastUIOp::create(*this, type, v).getResult()
                      : arith::IndexCastOp::create(*this, type, v).getResult();
  auto fromFloat = dyn_cast<FloatType>(from), toFloat = dyn_cast<FloatType>(type);
  if (fromFloat && toFloat) {
    if (fromFloat.getWidth() < toFloat.getWidth())
      return arith::ExtFOp::create(*this, type, v);
    if (fromFloat.getWidth() > toFloat.getWidth())
      return arith::TruncFOp::create(*this, type, v);
    // f16 and bf16 have no direct conversion.
    return arith::TruncFOp::create(*this, type, arith::ExtFOp::create(*this, getF32Type(), v));
  }
  if (toFloat)
    return isUnsigned ? arith::UIToFPOp::create(*this, type, v).getResult()
                      : arith::SIToFPOp::create(*this, type, v).getResult();
  if (fromFloat)
    return isUnsigned ? arith::FPToUIOp::create(*this, type, v).getResult()
                      : arith::FPToSIOp::create(*this, type, v).getResult();
  if (from.getIntOrFloatBitWidth() > type.getIntOrFloatBitWidth())
    return arith::TruncIOp::create(*this, type, v);
  return isUnsigned ? arith::ExtUIOp::create(*this, type, v).getResult()
                    : arith::ExtSIOp::create(*this, type, v).getResult();
}

Value TensorBuilder::addScalar(Value a, Value b) {
  return isa<FloatType>(a.getType()) ? arith::AddFOp::create(*this, a, b).getResult()
                                     : arith::AddIOp::create(*this, a, b).getResult();
}

Value TensorBuilder::subScalar(Value a, Value b) {
  return isa<FloatType>(a.getType()) ? arith::SubFOp::create(*this, a, b).getResult()
                                     : arith::SubIOp::create(*this, a, b).getResult();
}

Value TensorBuilder::mulScalar(Value a, Value b) {
  return isa<FloatType>(a.getType()) ? arith::MulFOp::create(*this, a, b).getResult()
                                     : arith::MulIOp::create(*this, a, b).getResult();
}

Value TensorBuilder::divScalar(Value a, Value b, bool isUnsigned) {
  if (isa<FloatType>(a.getType()))
    return arith::DivFOp::create(*this, a, b);
  return isUnsigned ? arith::DivUIOp::create(*this, a, b).getResult()
                    : arith::DivSIOp::create(*this, a, b).getResult();
}

Value TensorBuilder::maxScalar(Value a, Value b, bool isUnsigned) {
  if (isa<FloatType>(a.getType()))
    return arith::MaximumFOp::create(*this, a, b);
  return isUnsigned ? arith::MaxUIOp::create(*this, a, b).getResult()
                    : arith::MaxSIOp::create(*this, a, b).getResult();
}

Value TensorBuilder::minScalar(Value a, Value b, bool isUnsigned) {
  if (isa<FloatType>(a.getType()))
    return arith::MinimumFOp::create(*this, a, b);
  return isUnsigned ? arith::MinUIOp::create(*this, a, b).getResult()
                    : arith::MinSIOp::create(*this, a, b).getResult();
}

//===----------------------------------------------------------------------===//
// Maps
//===----------------------------------------------------------------------===//

AffineMap TensorBuilder::map(unsigned loops, ArrayRef<AffineExpr> results) {
  return AffineMap::get(loops, 0, results, getContext());
}

AffineMap TensorBuilder::mapDims(unsigned loops, ArrayRef<unsigned> results) {
  return AffineMap::getMultiDimMapWithTargets(loops, results, getContext());
}

AffineMap TensorBuilder::dropAxes(unsigned loops, ArrayRef<int64_t> axes) {
  SmallVector<unsigned> kept;
  for (unsigned i = 0; i < loops; ++i)
    if (!llvm::is_contained(axes, static_cast<int64_t>(i)))
      kept.push_back(i);
  return mapDims(loops, kept);
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

Value TensorBuilder::empty(ArrayRef<OpFoldResult> sizes, Type elem) {
  return tensor::EmptyOp::create(*this, sizes, elem);
}

Value TensorBuilder::filled(ArrayRef<OpFoldResult> sizes, Value scalar) {
  Value init = empty(sizes, scalar.getType());
  return linalg::FillOp::create(*this, ValueRange{scalar}, ValueRange{init}).getResult(0);
}

Value TensorBuilder::zeros(ArrayRef<OpFoldResult> sizes, Type elem) {
  return filled(sizes, constant(elem, 0));
}

static linalg::GenericOp makeGeneric(TensorBuilder &b, ArrayRef<Access> ins, ValueRange inits,
                                     AffineMap outMap, TensorBuilder::BodyFn body) {
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (const Access &in : ins) {
    inputs.push_back(in.tensor);
    maps.push_back(in.map);
  }
  maps.append(inits.size(), outMap);
  SmallVector<utils::IteratorType> iterators(outMap.getNumDims(), utils::IteratorType::reduction);
  for (AffineExpr e : outMap.getResults())
    if (auto d = dyn_cast<AffineDimExpr>(e))
      iterators[d.getPosition()] = utils::IteratorType::parallel;
  return linalg::GenericOp::create(
      b, TypeRange(inits), inputs, inits, maps, iterators,
      [&](OpBuilder &nested, Location loc, ValueRange args) {
        TensorBuilder inner(loc, nested);
        SmallVector<Value> results = body(inner, args);
        linalg::YieldOp::create(inner, results);
      });
}

Value TensorBuilder::parallel(ArrayRef<OpFoldResult> sizes, Type elem, ArrayRef<Access> ins,
                              ScalarFn body) {
  Value init = empty(sizes, elem);
  return makeGeneric(*this, ins, init, identity(sizes.size()),
                     [&](TensorBuilder &b, ValueRange args) -> SmallVector<Value> {
                       return {body(b, args.drop_back())};
                     })
      .getResult(0);
}

Value TensorBuilder::unary(Value tensor, Type elem, ScalarFn body) {
  Sizes sizes = dims(tensor);
  return parallel(sizes, elem, {{tensor, identity(sizes.size())}}, body);
}

Value TensorBuilder::reduce(ArrayRef<OpFoldResult> sizes, AffineMap outMap, Value init,
                            ArrayRef<Access> ins, ScalarFn body) {
  return reduceMany(sizes, outMap, init, ins,
                    [&](TensorBuilder &b, ValueRange args) -> SmallVector<Value> {
                      return {body(b, args)};
                    })
      .front();
}

SmallVector<Value> TensorBuilder::reduceMany(ArrayRef<OpFoldResult> sizes, AffineMap outMap,
                                             ValueRange inits, ArrayRef<Access> ins,
                                             BodyFn body) {
  SmallVector<Value> tensors;
  for (Value init : inits)
    tensors.push_back(filled(sizes, init));
  return llvm::to_vector_of<Value>(makeGeneric(*this, ins, tensors, outMap, body).getResults());
}

Value TensorBuilder::reduceAxes(Value tensor, ArrayRef<int64_t> axes, Value init, ScalarFn body) {
  // Over no axis each element stands alone: plain elementwise work, which fuses.
  if (axes.empty())
    return unary(tensor, init.getType(),
                 [&](TensorBuilder &t, ValueRange args) { return body(t, {args[0], init}); });
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  Sizes sizes;
  for (int64_t i = 0; i < rank; ++i)
    if (!llvm::is_contained(axes, i))
      sizes.push_back(dim(tensor, i));
  return reduce(sizes, dropAxes(rank, axes), init, {{tensor, identity(rank)}}, body);
}

void TensorBuilder::requireEqual(OpFoldResult x, OpFoldResult y) {
  if (x == y || (getConstantIntValue(x) && getConstantIntValue(y)))
    return;
  Value equal = arith::CmpIOp::create(*this, arith::CmpIPredicate::eq, index(x), index(y));
  auto name = dyn_cast<NameLoc>(getLoc());
  StringRef op = name ? name.getName().getValue().split(':').first : StringRef();
  runtimeAssert(*this, getLoc(), equal, op + ": the inputs' sizes do not fit each other");
}

Value TensorBuilder::contract(ArrayRef<OpFoldResult> sizes, AffineMap outMap, Access a, Access b,
                              Type acc, Type elem, bool aUnsigned, bool bUnsigned) {
  for (auto [i, expr] : llvm::enumerate(a.map.getResults()))
    if (isa<AffineDimExpr>(expr))
      if (std::optional<unsigned> j = b.map.getResultPosition(expr))
        requireEqual(dim(a.tensor, i), dim(b.tensor, *j));
  Value sum = reduce(sizes, outMap, constant(acc, 0), {a, b},
                     [&](TensorBuilder &t, ValueRange args) {
                       Value x = t.convert(args[0], acc, aUnsigned);
                       Value y = t.convert(args[1], acc, bUnsigned);
                       return t.addScalar(args[2], t.mulScalar(x, y));
                     });
  return convertElements(sum, elem);
}

Value TensorBuilder::convertElements(Value tensor, Type elem, bool isUnsigned) {
  if (cast<RankedTensorType>(tensor.getType()).getElementType() == elem)
    return tensor;
  return unary(tensor, elem, [&](TensorBuilder &b, ValueRange args) {
    return b.convert(args[0], elem, isUnsigned);
  });
}

Value TensorBuilder::collapse(Value tensor, ArrayRef<ReassociationIndices> groups) {
  if (static_cast<int64_t>(groups.size()) == cast<RankedTensorType>(tensor.getType()).getRank())
    return tensor;
  return tensor::CollapseShapeOp::create(*this, tensor, groups);
}

Value TensorBuilder::expand(Value tensor, ArrayRef<ReassociationIndices> groups,
                            ArrayRef<OpFoldResult> sizes) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (static_cast<int64_t>(sizes.size()) == type.getRank())
    return tensor;
  auto [shape, dynamic] = decomposeMixedValues(llvm::to_vector(sizes));
  // The source's static sizes must follow from the groups: a source that is dynamic
  // where all of its parts are known is fine, the other way round is not.
  for (auto [i, group] : llvm::enumerate(groups)) {
    bool known = llvm::none_of(group, [&](int64_t d) { return ShapedType::isDynamic(shape[d]); });
    if (known == !type.isDynamicDim(i))
      continue;
    SmallVector<int64_t> wanted(type.getShape());
    int64_t product = 1;
    for (int64_t d : group)
      product *= ShapedType::isDynamic(shape[d]) ? 1 : shape[d];
    wanted[i] = known ? product : ShapedType::kDynamic;
    tensor = castTo(tensor, RankedTensorType::get(wanted, type.getElementType()));
    type = cast<RankedTensorType>(tensor.getType());
  }
  return tensor::ExpandShapeOp::create(
      *this, RankedTensorType::get(shape, type.getElementType()), tensor, groups, sizes);
}

Value TensorBuilder::unsqueeze(Value tensor, ArrayRef<int64_t> axes) {
  auto type = cast<RankedTensorType>(tensor.getType());
  int64_t rank = type.getRank() + axes.size();
  SmallVector<ReassociationIndices> groups;
  Sizes sizes;
  int64_t source = 0;
  ReassociationIndices leading;
  for (int64_t i = 0; i < rank; ++i) {
    bool inserted = llvm::is_contained(axes, i);
    sizes.push_back(inserted ? fixed(1) : dim(tensor, source));
    if (!inserted) {
      groups.push_back(leading);
      leading.clear();
      groups.back().push_back(i);
      ++source;
    } else if (groups.empty()) {
      leading.push_back(i);
    } else {
      groups.back().push_back(i);
    }
  }
  return expand(tensor, groups, sizes);
}

Value TensorBuilder::pad(Value tensor, ArrayRef<OpFoldResult> low, ArrayRef<OpFoldResult> high,
                         Value value) {
  auto isZero = [](OpFoldResult v) { return isConstantIntValue(v, 0); };
  if (llvm::all_of(low, isZero) && llvm::all_of(high, isZero))
    return tensor;
  return tensor::PadOp::create(*this, Type(), tensor, low, high, value);
}

Value TensorBuilder::transpose(Value tensor, ArrayRef<int64_t> perm) {
  if (llvm::is_sorted(perm))
    return tensor;
  Sizes sizes;
  SmallVector<unsigned> source(perm.size());
  for (auto [i, p] : llvm::enumerate(perm)) {
    sizes.push_back(dim(tensor, p));
    source[p] = i;
  }
  Type elem = cast<RankedTensorType>(tensor.getType()).getElementType();
  return parallel(sizes, elem, {{tensor, mapDims(perm.size(), source)}},
                  [](TensorBuilder &, ValueRange args) { return args[0]; });
}

Value TensorBuilder::transposed(Value tensor, ArrayRef<int64_t> perm) {
  if (llvm::is_sorted(perm))
    return tensor;
  Sizes sizes;
  for (int64_t p : perm)
    sizes.push_back(dim(tensor, p));
  Value init = empty(sizes, cast<RankedTensorType>(tensor.getType()).getElementType());
  return linalg::TransposeOp::create(*this, getLoc(), tensor, init, perm)->getResult(0);
}

Value TensorBuilder::extract(Value tensor, ArrayRef<OpFoldResult> at) {
  SmallVector<Value> indices;
  for (OpFoldResult i : at)
    indices.push_back(index(i));
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  while (static_cast<int64_t>(indices.size()) < rank)
    indices.push_back(index(0));
  return tensor::ExtractOp::create(*this, tensor, indices);
}

Value TensorBuilder::slice(Value tensor, ArrayRef<OpFoldResult> offsets,
                           ArrayRef<OpFoldResult> sizes) {
  Sizes strides(offsets.size(), fixed(1));
  return tensor::ExtractSliceOp::create(*this, tensor, offsets, sizes, strides);
}

Value TensorBuilder::castTo(Value tensor, Type type) {
  if (tensor.getType() == type)
    return tensor;
  return tensor::CastOp::create(*this, type, tensor);
}

} // namespace onnxc
