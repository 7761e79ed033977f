// See DotInstructions.h.
#include "DotInstructions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace onnxc {

VectorType DotInstructions::sumType(int64_t lanes) const {
  return VectorType::get(lanes, bytes ? Type(b.getI32Type()) : Type(b.getF32Type()));
}

/// Whether a word is multiplied with a word by one instruction.
bool DotInstructions::takesWords() const {
  if (!bytes)
    return target.bfloatDots;
  return target.byteProducts != ByteProducts::Portable && target.byteProducts != ByteProducts::Pairs;
}

int64_t DotInstructions::mostRows(int64_t count) const {
  constexpr int64_t most = 14;
  int64_t registers = target.numRegisters;
  // Beside the sums: the columns, where they are split a part of each, and what is multiplied with them.
  int64_t rows = (registers - 2 - (takesWords() ? 1 : 2) * count) / count;
  return std::clamp<int64_t>(rows, 1, most);
}

Value DotInstructions::constant(Type type, int64_t value) {
  TypedAttr one = b.getIntegerAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    one = DenseElementsAttr::get(vector, Attribute(one));
  return arith::ConstantOp::create(b, loc, one);
}

SmallVector<Value> DotInstructions::splitWord(Value elements) {
  Type i32 = b.getI32Type();
  Value word = vector::ExtractOp::create(
      b, loc, vector::BitCastOp::create(b, loc, VectorType::get(1, i32), elements), 0);
  if (takesWords())
    return {word};
  if (!bytes) {
    // A bfloat16 is the upper half of a float.
    Value low = arith::ShLIOp::create(b, loc, word, constant(i32, 16));
    Value high = arith::AndIOp::create(b, loc, word, constant(i32, -65536));
    return {arith::BitcastOp::create(b, loc, b.getF32Type(), low),
            arith::BitcastOp::create(b, loc, b.getF32Type(), high)};
  }
  auto masked = [&](int64_t shift, int64_t mask) {
    Value moved = arith::ShRUIOp::create(b, loc, word, constant(i32, shift));
    return arith::AndIOp::create(b, loc, moved, constant(i32, mask)).getResult();
  };
  // Two words of bytes in 16-bit halves, or each byte as a word.
  if (target.byteProducts == ByteProducts::Pairs)
    return {masked(0, 0x00ff00ff), masked(8, 0x00ff00ff)};
  return {masked(0, 0xff), masked(8, 0xff), masked(16, 0xff), masked(24, 0xff)};
}

SmallVector<Value> DotInstructions::splitWeights(Value loaded, int64_t lanes) {
  if (takesWords())
    return {loaded};
  if (!bytes) {
    auto words = VectorType::get(lanes, b.getI32Type());
    Value word = vector::BitCastOp::create(b, loc, words, loaded);
    Value low = arith::ShLIOp::create(b, loc, word, constant(words, 16));
    Value high = arith::AndIOp::create(b, loc, word, constant(words, -65536));
    return {vector::BitCastOp::create(b, loc, sumType(lanes), low),
            vector::BitCastOp::create(b, loc, sumType(lanes), high)};
  }
  // Sign-extended.
  bool pairs = target.byteProducts == ByteProducts::Pairs;
  auto type = pairs ? VectorType::get(2 * lanes, b.getI16Type()) : sumType(lanes);
  Value wide = vector::BitCastOp::create(b, loc, type, loaded);
  int64_t bits = pairs ? 16 : 32;
  SmallVector<Value> parts;
  for (int64_t byte = 0; byte < bits / 8; ++byte) {
    Value up = arith::ShLIOp::create(b, loc, wide, constant(type, bits - 8 - 8 * byte));
    parts.push_back(arith::ShRSIOp::create(b, loc, up, constant(type, bits - 8)));
  }
  return parts;
}

Value DotInstructions::multiplyAdd(Value sum, Value part, Value column, int64_t lanes) {
  if (!bytes) {
    if (!takesWords()) {
      Value x = vector::BroadcastOp::create(b, loc, sum.getType(), part);
      if (target.fusedMultiplyAdd)
        return vector::FMAOp::create(b, loc, x, column, sum);
      return arith::AddFOp::create(b, loc, sum, arith::MulFOp::create(b, loc, x, column));
    }
    Value words =
        vector::BroadcastOp::create(b, loc, VectorType::get(lanes, b.getI32Type()), part);
    return callDot(sum, vector::BitCastOp::create(b, loc, column.getType(), words), column, lanes);
  }
  Value x = vector::BroadcastOp::create(b, loc, sum.getType(), part);
  if (target.byteProducts == ByteProducts::Portable)
    return arith::AddIOp::create(b, loc, sum, arith::MulIOp::create(b, loc, x, column));
  x = vector::BitCastOp::create(b, loc, column.getType(), x);
  if (takesOffsets())
    x = arith::XOrIOp::create(b, loc, x, constant(x.getType(), -128));
  if (takesWords())
    return callDot(sum, x, column, lanes);
  StringRef name = lanes == 16  ? "llvm.x86.avx512.pmaddw.d.512"
                   : lanes == 8 ? "llvm.x86.avx2.pmadd.wd"
                                : "llvm.x86.sse2.pmadd.wd";
  return arith::AddIOp::create(b, loc, sum, call(name, sum.getType(), {x, column}));
}

Value DotInstructions::addWeights(Value sum, Value column, int64_t lanes) {
  return callDot(sum, column, constant(column.getType(), 1), lanes);
}

Value DotInstructions::times128(Value sum) {
  return arith::ShLIOp::create(b, loc, sum, constant(sum.getType(), 7));
}

/// `sum` and the products of each word of `x` and `column`.
Value DotInstructions::callDot(Value sum, Value x, Value column, int64_t lanes) {
  std::string bits = std::to_string(lanes * 32);
  if (!bytes)
    return call("llvm.x86.avx512bf16.dpbf16ps." + bits, sum.getType(), {sum, x, column});
  if (target.byteProducts == ByteProducts::Quads)
    return call("llvm.x86.avx512.vpdpbusd." + bits, sum.getType(), {sum, x, column});
  std::string types = ".v" + std::to_string(lanes) + "i32.v" + std::to_string(4 * lanes) + "i8";
  if (target.byteProducts == ByteProducts::MixedDots)
    return call("llvm.aarch64.neon.usdot" + types, sum.getType(), {sum, x, column});
  return call("llvm.aarch64.neon.sdot" + types, sum.getType(), {sum, x, column});
}

Value DotInstructions::call(const Twine &name, Type type, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, loc, type, b.getStringAttr(name), operands).getResult(0);
}

} // namespace onnxc
