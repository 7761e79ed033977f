// Products with weights of a few bits. The weights stay packed: the node stays, in the form that the kernel takes.
#include "Expansion.h"
#include "onnxc/Dialect/Onnx/Transforms/Constants.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace onnxc::onnx {
namespace {

using Results = FailureOr<Values>;

struct Blocks {
  int64_t n, k, bits, block;
  int64_t count() const { return (k + block - 1) / block; }
};

/// Whether the group of each place is that of its block, as if no groups were given.
bool isInOrder(Value groups, const Blocks &blocks) {
  auto known = constantTensor(groups);
  if (!known || !known->isInteger() || known->getNumElements() != blocks.k)
    return false;
  for (auto [i, group] : llvm::enumerate(known->ints()))
    if (group != static_cast<int64_t>(i) / blocks.block)
      return false;
  return true;
}

/// Places that belong to groups in any order: the weights become numbers ahead of the product.
Value productOfGroups(Expansion &e, const Blocks &blocks, Value a, Value codes, Value scales,
                      Value zeros, Value groups) {
  Type f32 = e.b.getF32Type();
  Value numbers = e.reshape(unpackCodes(e, codes, blocks.bits), {blocks.n, -1});
  numbers = e.cast(e.slice(numbers, 0, blocks.k, 1), f32);
  auto ofPlaces = [&](Value v) {
    return e.op("Gather", {e.cast(v, f32), groups}, {e.integerAttr("axis", 1)});
  };
  Value zero = zeros ? ofPlaces(zeros) : e.scalar(f32, 1 << (blocks.bits - 1));
  numbers = e.mul(e.sub(numbers, zero), ofPlaces(scales));
  return e.op("MatMul", {a, e.transpose(numbers, {1, 0})});
}

/// A, B, scales, zero_points, g_idx, bias. A and scales become f32, zero points a byte (or an f32) each.
Results expandMatMulNBits(Expansion &e) {
  Blocks blocks{e.integer("N", 0), e.integer("K", 0), e.integer("bits", 4),
                e.integer("block_size", 0)};
  if (blocks.n < 1 || blocks.k < 1 || blocks.block < 16 || !llvm::isPowerOf2_64(blocks.block))
    return e.refuse("needs N, K and a block_size that is a power of two from 16 on");
  if (blocks.bits != 2 && blocks.bits != 4 && blocks.bits != 8)
    return e.refuse("needs 2, 4 or 8 bits, it has " + Twine(blocks.bits));
  if (e.integer("weight_prepacked", 0) != 0)
    return e.refuse("has weights that are packed for one GPU: export them as they are");
  if (e.rank(e.in(0)) < 1)
    return e.refuse("needs an input whose rank is known");
  Type elem = e.elem(e.in(0)), f32 = e.b.getF32Type();
  int64_t count = blocks.count();
  Value a = e.cast(e.in(0), f32);
  Value codes = e.reshape(e.in(1), {blocks.n, count, blocks.block * blocks.bits / 8});
  Value scales = e.reshape(e.cast(e.in(2), f32), {blocks.n, count});
  Value zeros = e.in(3), bias = e.has(5) ? e.cast(e.in(5), f32) : Value();
  if (zeros && e.elem(zeros).isUnsignedInteger(8))
    zeros = e.slice(unpackCodes(e, e.reshape(zeros, {blocks.n, -1}), blocks.bits), 0, count, 1);
  else if (zeros)
    zeros = e.reshape(e.cast(zeros, f32), {blocks.n, count});
  if (e.has(4) && !isInOrder(e.in(4), blocks)) {
    Value y = productOfGroups(e, blocks, a, codes, scales, zeros, e.in(4));
    return Values{e.cast(e.addIf(y, bias), elem)};
  }
  SmallVector<int64_t> shape(e.type(a).getShape());
  shape.back() = blocks.n;
  Attrs attrs{e.integerAttr("N", blocks.n), e.integerAttr("K", blocks.k),
              e.integerAttr("bits", blocks.bits), e.integerAttr("block_size", blocks.block),
              e.b.getNamedAttr(kPrepared, e.b.getUnitAttr())};
  Value y = e.custom("MatMulNBits", RankedTensorType::get(shape, f32),
                     {a, codes, scales, zeros, bias}, attrs);
  return Values{e.cast(y, elem)};
}

} // namespace

Expander weightsExpander(StringRef name) {
  return llvm::StringSwitch<Expander>(name)
      .Case("MatMulNBits", expandMatMulNBits)
      .Default(nullptr);
}

} // namespace onnxc::onnx
