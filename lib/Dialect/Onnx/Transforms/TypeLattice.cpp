// Refinement and join of types by what they tell about shapes.
#include "onnxc/Dialect/Onnx/Transforms/TypeLattice.h"
#include "onnxc/Dialect/Onnx/IR/Onnx.h"

using namespace mlir;

namespace onnxc::onnx {

namespace {

/// Combines types of one kind with `onTensors`, going through sequences,
/// optionals and maps. Null if the kinds differ.
Type combine(Type a, Type b, llvm::function_ref<Type(TensorType, TensorType)> onTensors) {
  if (a == b)
    return a;
  auto inner = [&](Type x, Type y) { return combine(x, y, onTensors); };
  if (auto x = dyn_cast<TensorType>(a)) {
    auto y = dyn_cast<TensorType>(b);
    return y && x.getElementType() == y.getElementType() ? onTensors(x, y) : Type();
  }
  if (auto x = dyn_cast<SeqType>(a)) {
    auto y = dyn_cast<SeqType>(b);
    Type element = y ? inner(x.getElementType(), y.getElementType()) : Type();
    return element ? SeqType::get(a.getContext(), element) : Type();
  }
  if (auto x = dyn_cast<OptType>(a)) {
    auto y = dyn_cast<OptType>(b);
    Type element = y ? inner(x.getElementType(), y.getElementType()) : Type();
    return element ? OptType::get(a.getContext(), element) : Type();
  }
  if (auto x = dyn_cast<MapType>(a)) {
    auto y = dyn_cast<MapType>(b);
    if (!y || x.getKeyType() != y.getKeyType())
      return {};
    Type value = inner(x.getValueType(), y.getValueType());
    return value ? MapType::get(a.getContext(), x.getKeyType(), value) : Type();
  }
  return {};
}

} // namespace

Type refineType(Type declared, Type inferred, Conflict &conflict) {
  conflict = Conflict::None;
  // A value declared to be there although an optional might hold none.
  if (auto opt = dyn_cast<OptType>(inferred); opt && !isa<OptType>(declared))
    return refineType(declared, opt.getElementType(), conflict);
  Type result = combine(declared, inferred, [&](TensorType x, TensorType y) -> Type {
    if (!x.hasRank())
      return y;
    if (!y.hasRank())
      return x;
    if (x.getRank() != y.getRank()) {
      conflict = Conflict::Shape;
      return y;
    }
    SmallVector<int64_t> shape(y.getShape());
    for (auto [dim, other] : llvm::zip(shape, x.getShape())) {
      if (ShapedType::isDynamic(dim))
        dim = other;
      else if (!ShapedType::isDynamic(other) && other != dim)
        conflict = Conflict::Shape;
    }
    return RankedTensorType::get(shape, y.getElementType());
  });
  if (!result)
    conflict = Conflict::Kind;
  return result ? result : inferred;
}

Type joinTypes(Type a, Type b) {
  // A value where an optional may stand is one.
  auto optA = dyn_cast<OptType>(a), optB = dyn_cast<OptType>(b);
  if (static_cast<bool>(optA) != static_cast<bool>(optB)) {
    Type element = optA ? joinTypes(optA.getElementType(), b) : joinTypes(a, optB.getElementType());
    return element ? OptType::get(a.getContext(), element) : Type();
  }
  return combine(a, b, [](TensorType x, TensorType y) -> Type {
    if (!x.hasRank() || !y.hasRank() || x.getRank() != y.getRank())
      return UnrankedTensorType::get(x.getElementType());
    SmallVector<int64_t> shape(x.getShape());
    for (auto [dim, other] : llvm::zip(shape, y.getShape()))
      if (dim != other)
        dim = ShapedType::kDynamic;
    return RankedTensorType::get(shape, x.getElementType());
  });
}

Type withDynamicDims(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return RankedTensorType::get(SmallVector<int64_t>(tensor.getRank(), ShapedType::kDynamic),
                                 tensor.getElementType());
  if (auto seq = dyn_cast<SeqType>(type))
    return SeqType::get(type.getContext(), withDynamicDims(seq.getElementType()));
  if (auto opt = dyn_cast<OptType>(type))
    return OptType::get(type.getContext(), withDynamicDims(opt.getElementType()));
  return type;
}

} // namespace onnxc::onnx
