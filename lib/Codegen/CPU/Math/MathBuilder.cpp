// See MathBuilder.h.
#include "MathBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace onnxc {

Value MathBuilder::constant(TypedAttr value) {
  if (auto vector = dyn_cast<VectorType>(like))
    value = DenseElementsAttr::get(vector.clone(value.getType()), Attribute(value));
  return arith::ConstantOp::create(b, loc, value);
}

Value MathBuilder::polynomial(Value x, ArrayRef<double> coefficients) {
  Value sum = alike(x, coefficients.back());
  for (double c : llvm::reverse(coefficients.drop_back()))
    sum = fma(sum, x, c);
  return sum;
}

Value MathBuilder::bits(Value x) {
  Type element = getElementTypeOrSelf(x.getType()).isF64() ? b.getI64Type() : b.getI32Type();
  return arith::BitcastOp::create(b, loc, withElement(element), x);
}

Value MathBuilder::fromBits(Value x) {
  bool isWide = getElementTypeOrSelf(x.getType()).isInteger(64);
  Type element = isWide ? Type(b.getF64Type()) : b.getF32Type();
  return arith::BitcastOp::create(b, loc, withElement(element), x);
}

Value MathBuilder::isNot(Value x) {
  return xorInt(x, constant(b.getBoolAttr(true)));
}

Value MathBuilder::rarelyAny(Value condition) {
  auto type = dyn_cast<VectorType>(condition.getType());
  if (type && type.getRank() == 0)
    condition = vector::ExtractOp::create(b, loc, condition);
  else if (type) {
    if (type.getRank() > 1)
      condition = vector::ShapeCastOp::create(
          b, loc, VectorType::get(type.getNumElements(), b.getI1Type()), condition);
    condition = vector::ReductionOp::create(b, loc, vector::CombiningKind::OR, condition);
  }
  Value no = arith::ConstantOp::create(b, loc, b.getBoolAttr(false));
  return LLVM::ExpectOp::create(b, loc, condition, no);
}

} // namespace onnxc
