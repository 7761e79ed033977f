// Broadcasting and elementwise linalg.generic ops.
#include "onnxc/Conversion/OnnxToLinalg/Common.h"

using namespace mlir;

namespace onnxc {
namespace {

// How one operand's dimension takes part in one result dimension.
enum class Access { Same, Zero, Clamp };

struct Broadcaster {
  OpBuilder &b;
  Location loc;
  const OnnxTypeConverter &types;
  ArrayRef<Operand> operands;
  int64_t rank = 0;
  Broadcast result;
  SmallVector<SmallVector<Access>> access;

  int64_t dimOf(const Operand &o, int64_t d) const { return d - (rank - rankOf(o.value)); }

  bool knownEqual(const Operand &x, const Operand &y, int64_t d) const {
    if (x.value == y.value)
      return true;
    return types.dims() && x.original && y.original &&
           types.dims()->equal(x.original, dimOf(x, d), y.original, dimOf(y, d));
  }

  std::optional<int64_t> knownConstant(const Operand &x, int64_t d) const {
    if (!types.dims() || !x.original)
      return std::nullopt;
    ArrayRef<DimAnalysis::Dim> shape = types.dims()->shapeOf(x.original);
    if (static_cast<int64_t>(shape.size()) != rankOf(x.value) ||
        !DimAnalysis::isConstant(shape[dimOf(x, d)]))
      return std::nullopt;
    return shape[dimOf(x, d)];
  }

  Value equals(Value x, Value y) {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, x, y);
  }

  void checkOneOr(Value size, Value wanted) {
    Value ok = arith::OrIOp::create(b, loc, equals(size, constIndex(b, loc, 1)), equals(size, wanted));
    runtimeAssert(b, loc, ok, "operands cannot be broadcast together");
  }

  void decide(int64_t d, std::optional<int64_t> declared) {
    std::optional<int64_t> target = declared;
    SmallVector<unsigned> dynamic;
    bool allOnes = true;
    for (auto [k, o] : llvm::enumerate(operands)) {
      int64_t dim = dimOf(o, d);
      if (dim < 0)
        continue;
      int64_t size = tensorType(o.value).getDimSize(dim);
      if (ShapedType::isDynamic(size))
        dynamic.push_back(k);
      else if (size != 1)
        target = size;
      allOnes &= size == 1;
    }
    if (allOnes)
      target = 1;
    OpFoldResult size;
    if (target)
      size = b.getIndexAttr(*target);
    for (auto [k, o] : llvm::enumerate(operands)) {
      int64_t dim = dimOf(o, d);
      if (dim < 0)
        continue;
      int64_t own = tensorType(o.value).getDimSize(dim);
      if (!ShapedType::isDynamic(own))
        access[k][d] = (own == 1 && target != 1) ? Access::Zero : Access::Same;
    }
    if (target) {
      for (unsigned k : dynamic) {
        auto known = knownConstant(operands[k], d);
        access[k][d] = *target == 1 ? Access::Zero : known == target ? Access::Same : Access::Clamp;
        if (known != target)
          checkOneOr(toIndex(b, loc, getDim(b, loc, operands[k].value, dimOf(operands[k], d))),
                     toIndex(b, loc, size));
      }
    } else {
      bool allEqual = llvm::all_of(dynamic, [&](unsigned k) {
        return knownEqual(operands[dynamic.front()], operands[k], d);
      });
      SmallVector<Value> sizes;
      for (unsigned k : dynamic) {
        access[k][d] = allEqual ? Access::Same : Access::Clamp;
        sizes.push_back(toIndex(b, loc, getDim(b, loc, operands[k].value, dimOf(operands[k], d))));
        if (allEqual)
          break;
      }
      Value chosen = sizes.front();
      for (Value other : ArrayRef(sizes).drop_front())
        chosen = arith::SelectOp::create(b, loc, equals(chosen, constIndex(b, loc, 1)), other, chosen);
      if (!allEqual)
        for (Value s : sizes)
          checkOneOr(s, chosen);
      if (allEqual)
        for (unsigned k : dynamic)
          access[k][d] = Access::Same;
      size = chosen;
    }
    result.sizes.push_back(size);
  }

  // A copy whose clamped dimensions have the result's size; it fuses with its user.
  Value clamp(unsigned k) {
    Value source = operands[k].value;
    SmallVector<OpFoldResult> sizes = getDims(b, loc, source);
    SmallVector<Value> isOne(sizes.size());
    Value one = constIndex(b, loc, 1), zero = constIndex(b, loc, 0);
    for (int64_t d = 0; d < rank; ++d) {
      if (access[k][d] != Access::Clamp)
        continue;
      int64_t dim = dimOf(operands[k], d);
      isOne[dim] = equals(toIndex(b, loc, sizes[dim]), one);
      sizes[dim] = result.sizes[d];
    }
    return createFromIndices(
        b, loc, sizes, tensorType(source).getElementType(),
        [&](OpBuilder &b, Location loc, ValueRange indices) -> Value {
          SmallVector<Value> at(indices);
          for (auto [i, condition] : llvm::enumerate(isOne))
            if (condition)
              at[i] = arith::SelectOp::create(b, loc, condition, zero, at[i]);
          return tensor::ExtractOp::create(b, loc, source, at);
        });
  }

  Broadcast run(RankedTensorType declared) {
    for (const Operand &o : operands)
      rank = std::max(rank, rankOf(o.value));
    if (declared && declared.getRank() != rank)
      declared = {};
    access.assign(operands.size(), SmallVector<Access>(rank, Access::Zero));
    for (int64_t d = 0; d < rank; ++d) {
      std::optional<int64_t> size;
      if (declared && !declared.isDynamicDim(d))
        size = declared.getDimSize(d);
      decide(d, size);
    }
    for (auto [k, o] : llvm::enumerate(operands)) {
      SmallVector<AffineExpr> exprs;
      bool clamped = false;
      for (int64_t d = rank - rankOf(o.value); d < rank; ++d) {
        clamped |= access[k][d] == Access::Clamp;
        exprs.push_back(access[k][d] == Access::Zero ? b.getAffineConstantExpr(0)
                                                     : b.getAffineDimExpr(d));
      }
      result.maps.push_back(AffineMap::get(rank, 0, exprs, b.getContext()));
      result.values.push_back(clamped ? clamp(k) : o.value);
    }
    return std::move(result);
  }
};

} // namespace

Broadcast broadcastOperands(OpBuilder &b, Location loc, const OnnxTypeConverter &types,
                            ArrayRef<Operand> operands, RankedTensorType result) {
  return Broadcaster{b, loc, types, operands, 0, {}, {}}.run(result);
}

// Scalar arithmetic for chains that compute shapes; null for all else.
static Value computeShape(OpBuilder &b, Location loc, ArrayRef<Operand> operands,
                          const ScalarCodec &out, ScalarBody body, EncodeOptions options) {
  if (!isa<IntegerType>(out.onnxType()))
    return {};
  SmallVector<Value> tensors;
  for (const Operand &o : operands)
    tensors.push_back(o.value);
  auto elements = shapeElements(b, loc, tensors);
  if (!elements)
    return {};
  int64_t rank = 0, count = 1;
  for (auto [o, list] : llvm::zip(operands, *elements)) {
    rank = std::max(rank, rankOf(o.value));
    if (list.size() != 1)
      count = list.size();
  }
  for (ArrayRef<Value> list : *elements)
    if (list.size() != 1 && static_cast<int64_t>(list.size()) != count)
      return {};
  SmallVector<Value> results;
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<Value> args;
    for (auto [o, list] : llvm::zip(operands, *elements))
      args.push_back(ScalarCodec(o.elem).decode(b, loc, list[list.size() == 1 ? 0 : i]));
    results.push_back(out.encode(b, loc, body(b, loc, args), options));
  }
  SmallVector<int64_t> shape(rank, count);
  return fromElements(b, loc, RankedTensorType::get(shape, out.storageType()), results);
}

Value createElementwise(OpBuilder &b, Location loc, const OnnxTypeConverter &types,
                        ArrayRef<Operand> operands, Type resultType, ScalarBody body,
                        EncodeOptions options) {
  ScalarCodec out(onnxElem(resultType));
  if (Value scalars = computeShape(b, loc, operands, out, body, options))
    return scalars;
  Broadcast bc = broadcastOperands(b, loc, types, operands, dyn_cast<RankedTensorType>(resultType));
  Value init = emptyTensor(b, loc, bc.sizes, out.storageType());
  SmallVector<AffineMap> maps = bc.maps;
  maps.push_back(b.getMultiDimIdentityMap(bc.sizes.size()));
  SmallVector<utils::IteratorType> loops(bc.sizes.size(), utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, loc, init.getType(), bc.values, init, maps, loops,
             [&](OpBuilder &b, Location loc, ValueRange args) {
               SmallVector<Value> decoded;
               for (auto [o, arg] : llvm::zip(operands, args))
                 decoded.push_back(ScalarCodec(o.elem).decode(b, loc, arg));
               Value computed = body(b, loc, decoded);
               linalg::YieldOp::create(b, loc, out.encode(b, loc, computed, options));
             })
      .getResult(0);
}

Value createFromIndices(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes, Type storageElem,
                        function_ref<Value(OpBuilder &, Location, ValueRange)> body) {
  Value init = emptyTensor(b, loc, sizes, storageElem);
  AffineMap map = b.getMultiDimIdentityMap(sizes.size());
  SmallVector<utils::IteratorType> loops(sizes.size(), utils::IteratorType::parallel);
  return linalg::GenericOp::create(b, loc, init.getType(), ValueRange{}, init, map, loops,
                                   [&](OpBuilder &b, Location loc, ValueRange) {
                                     SmallVector<Value> indices;
                                     for (size_t d = 0; d < sizes.size(); ++d)
                                       indices.push_back(linalg::IndexOp::create(b, loc, d));
                                     linalg::YieldOp::create(b, loc, body(b, loc, indices));
                                   })
      .getResult(0);
}

SmallVector<Value> callKernel(OpBuilder &b, Location loc, const OnnxTypeConverter &types,
                              StringRef name, ArrayRef<Operand> operands, TypeRange resultTypes,
                              ArrayRef<NamedAttribute> attrs) {
  SmallVector<Value> inputs;
  SmallVector<int64_t> elemTypes;
  for (const Operand &o : operands) {
    elemTypes.push_back(o.value ? onnxElemType(o.original ? o.original.getType() : o.elem) : 0);
    inputs.push_back(o.value ? o.value : emptyTensor(b, loc, OpFoldResult(b.getIndexAttr(0)), b.getI8Type()));
  }
  SmallVector<Type> results;
  for (Type type : resultTypes) {
    elemTypes.push_back(onnxElemType(type));
    results.push_back(types.convertType(type));
  }
  auto call = rt::KernelOp::create(b, loc, results, b.getStringAttr(name), inputs, ValueRange{},
                                   b.getDenseI64ArrayAttr(elemTypes), b.getDictionaryAttr(attrs),
                                   /*has_effects=*/false);
  return SmallVector<Value>(call.getResults());
}

} // namespace onnxc
