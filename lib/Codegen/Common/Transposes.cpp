// See Transposes.h.
#include "Transposes.h"

#include "ConstantData.h"
#include "onnxc/Codegen/Common/ProductTiles.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;

namespace onnxc {

/// What an unknown size is taken for.
static constexpr int64_t kAssumedSize = 128;

int64_t assumedElements(Type type) {
  int64_t count = 1;
  for (int64_t size : cast<RankedTensorType>(type).getShape())
    count *= ShapedType::isDynamic(size) ? kAssumedSize : size;
  return count;
}

Perm invertPerm(ArrayRef<int64_t> perm) { return invertPermutationVector(perm); }

bool isIdentityPerm(ArrayRef<int64_t> perm) { return isIdentityPermutation(perm); }

RankedTensorType permutedType(RankedTensorType type, ArrayRef<int64_t> perm) {
  return type.clone(permuted(type.getShape(), perm));
}

bool movesOnlyUnits(RankedTensorType source, ArrayRef<int64_t> perm) {
  int64_t last = -1;
  for (int64_t p : perm) {
    if (source.getDimSize(p) == 1)
      continue;
    if (p < last)
      return false;
    last = p;
  }
  return true;
}

bool isUndoneBelow(Value value, ArrayRef<int64_t> perm) {
  constexpr unsigned kMaxVisited = 32;
  SmallVector<Value> pending{value};
  llvm::SmallPtrSet<Operation *, 16> visited;
  int64_t rank = perm.size();
  while (!pending.empty() && visited.size() < kMaxVisited) {
    Value next = pending.pop_back_val();
    for (Operation *user : next.getUsers()) {
      if (!visited.insert(user).second)
        continue;
      if (auto transpose = dyn_cast<linalg::TransposeOp>(user)) {
        RankedTensorType source = permutedType(rankedType(next), invertPerm(perm));
        if (movesOnlyUnits(source, permuted(perm, transpose.getPermutation())))
          return true;
        continue;
      }
      auto generic = dyn_cast<linalg::GenericOp>(user);
      if (!isa<tensor::PadOp, tensor::InsertSliceOp, tensor::ExtractSliceOp, tensor::CastOp>(user) &&
          (!generic || isContraction(generic)))
        continue;
      for (Value result : user->getResults())
        if (auto type = dyn_cast<RankedTensorType>(result.getType()); type && type.getRank() == rank)
          pending.push_back(result);
    }
  }
  return false;
}

std::optional<Transposed> Transposer::match(Value value) const {
  auto op = value.getDefiningOp<linalg::TransposeOp>();
  if (!op || !op.hasPureTensorSemantics())
    return std::nullopt;
  return Transposed{op.getInput(), Perm(op.getPermutation())};
}

Value Transposer::transpose(Location loc, Value source, ArrayRef<int64_t> perm) {
  if (isIdentityPerm(perm))
    return source;
  if (std::optional<Transposed> inner = match(source))
    return transpose(loc, inner->source, permuted(inner->perm, perm));
  if (auto constant = source.getDefiningOp<arith::ConstantOp>())
    if (Value folded = transposeConstant(constant, perm))
      return folded;
  SmallVector<OpFoldResult> sizes;
  auto empty = source.getDefiningOp<tensor::EmptyOp>();
  auto fill = source.getDefiningOp<linalg::FillOp>();
  if (fill)
    empty = fill.output().getDefiningOp<tensor::EmptyOp>();
  sizes = permuted(empty ? empty.getMixedSizes() : tensor::getMixedSizes(b, loc, source), perm);
  Value init = tensor::EmptyOp::create(b, loc, sizes, rankedType(source).getElementType());
  RankedTensorType type = permutedType(rankedType(source), perm);
  if (init.getType() != type)
    init = tensor::CastOp::create(b, loc, type, init);
  if (fill)
    return linalg::FillOp::create(b, loc, fill.value(), init).getResult(0);
  if (empty)
    return init;
  return linalg::TransposeOp::create(b, loc, source, init, perm)->getResult(0);
}

void Transposer::replace(OpResult result, Value source, ArrayRef<int64_t> perm) {
  RankedTensorType wanted = permutedType(rankedType(result), invertPerm(perm));
  if (source.getType() != wanted)
    source = tensor::CastOp::create(b, result.getLoc(), wanted, source);
  b.replaceAllUsesWith(result, transpose(result.getLoc(), source, perm));
}

// ---- constants ----

/// Copies the elements of `from` (with `shape`) to `to`, in the order of the transposed shape.
static void copyTransposed(const char *from, char *to, ArrayRef<int64_t> shape, ArrayRef<int64_t> perm,
                           int64_t size) {
  int64_t rank = shape.size();
  SmallVector<int64_t> strides = computeSuffixProduct(shape);
  SmallVector<int64_t> sizes = permuted(shape, perm), steps = permuted(strides, perm), at(rank, 0);
  int64_t count = computeProduct(shape), inner = sizes.back(), offset = 0;
  for (int64_t done = 0; done < count; done += inner) {
    const char *row = from + offset * size;
    for (int64_t i = 0; i < inner; ++i, to += size)
      memcpy(to, row + i * steps.back() * size, size);
    for (int64_t dim = rank - 2; dim >= 0; --dim) {
      offset += steps[dim];
      if (++at[dim] < sizes[dim])
        break;
      offset -= steps[dim] * sizes[dim];
      at[dim] = 0;
    }
  }
}

Value Transposer::transposeConstant(arith::ConstantOp constant, ArrayRef<int64_t> perm) {
  auto value = dyn_cast<ElementsAttr>(constant.getValue());
  auto type = dyn_cast<RankedTensorType>(constant.getType());
  if (!value || !type)
    return {};
  RankedTensorType wanted = permutedType(type, perm);
  auto make = [&](TypedAttr attr) -> Value {
    return arith::ConstantOp::create(b, constant.getLoc(), wanted, attr);
  };
  if (auto dense = dyn_cast<DenseElementsAttr>(value); dense && dense.isSplat())
    return make(dense.resizeSplat(wanted));
  for (auto &[known, attr] : constants[value])
    if (known == Perm(perm))
      return make(attr);
  ArrayRef<char> bytes = rawBytes(value);
  int64_t count = type.getNumElements();
  if (bytes.empty() || count == 0 || bytes.size() % count != 0)
    return {};
  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(bytes.size(), 64);
  copyTransposed(bytes.data(), blob.getMutableData().data(), type.getShape(), perm,
                 bytes.size() / count);
  TypedAttr attr;
  if (isa<DenseResourceElementsAttr>(value))
    attr = DenseResourceElementsAttr::get(wanted, "transposed", std::move(blob));
  else
    attr = DenseElementsAttr::getFromRawBuffer(wanted, blob.getData());
  constants[value].emplace_back(Perm(perm), attr);
  return make(attr);
}

void Transposer::releaseConstants(Operation *root) {
  llvm::DenseSet<Attribute> used;
  root->walk([&](arith::ConstantOp op) {
    if (op->use_empty())
      b.eraseOp(op);
    else
      used.insert(op.getValue());
  });
  for (auto &[value, copies] : constants) {
    auto resource = dyn_cast<DenseResourceElementsAttr>(value);
    if (resource && !copies.empty() && !used.contains(value))
      resource.getRawHandle().getResource()->setBlob(AsmResourceBlob());
  }
}

} // namespace onnxc
