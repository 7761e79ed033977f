// Elementwise operators as table entries: an operator's class and a function on
// decoded scalars.
#ifndef ONNXC_LIB_CONVERSION_ONNXTOLINALG_ELEMENTWISETABLE_H
#define ONNXC_LIB_CONVERSION_ONNXTOLINALG_ELEMENTWISETABLE_H

#include "onnxc/Conversion/OnnxToLinalg/Common.h"

namespace onnxc {

// The arguments of one scalar computation, of ONNX element type `elem` (that of the
// first operand), with arithmetic that is right for it.
struct Scalar {
  mlir::OpBuilder &b;
  mlir::Location loc;
  mlir::ValueRange args;
  mlir::Type elem;
  mlir::Operation *op = nullptr; // where attributes are read

  using Value = mlir::Value;
  bool isFloat() const { return isFloatElem(elem); }
  bool isUnsigned() const { return isUnsignedElem(elem); }
  mlir::Type type() const { return ScalarCodec(elem).computeType(); }

  Value num(double value) const { // of the compute type
    mlir::Type t = type();
    if (auto i = mlir::dyn_cast<mlir::IntegerType>(t))
      return mlir::arith::ConstantOp::create(
          b, loc,
          b.getIntegerAttr(t, mlir::APInt(i.getWidth(), static_cast<int64_t>(value), true, true)));
    return mlir::arith::ConstantOp::create(b, loc, b.getFloatAttr(t, value));
  }
  template <typename F, typename I>
  Value either(Value x, Value y) const {
    if (isFloat())
      return F::create(b, loc, x, y);
    return I::create(b, loc, x, y);
  }
  Value add(Value x, Value y) const {
    return either<mlir::arith::AddFOp, mlir::arith::AddIOp>(x, y);
  }
  Value sub(Value x, Value y) const {
    return either<mlir::arith::SubFOp, mlir::arith::SubIOp>(x, y);
  }
  Value mul(Value x, Value y) const {
    return either<mlir::arith::MulFOp, mlir::arith::MulIOp>(x, y);
  }
  // Integers: truncates; division by zero and overflow do not trap.
  Value div(Value x, Value y) const;
  // Integers: sign of the dividend.
  Value rem(Value x, Value y) const;
  Value compare(mlir::arith::CmpFPredicate f, mlir::arith::CmpIPredicate sgn,
                mlir::arith::CmpIPredicate uns, Value x, Value y) const {
    if (isFloat())
      return mlir::arith::CmpFOp::create(b, loc, f, x, y);
    return mlir::arith::CmpIOp::create(b, loc, isUnsigned() ? uns : sgn, x, y);
  }
  using F = mlir::arith::CmpFPredicate;
  using I = mlir::arith::CmpIPredicate;
  Value lt(Value x, Value y) const { return compare(F::OLT, I::slt, I::ult, x, y); }
  Value le(Value x, Value y) const { return compare(F::OLE, I::sle, I::ule, x, y); }
  Value gt(Value x, Value y) const { return compare(F::OGT, I::sgt, I::ugt, x, y); }
  Value ge(Value x, Value y) const { return compare(F::OGE, I::sge, I::uge, x, y); }
  Value eq(Value x, Value y) const { return compare(F::OEQ, I::eq, I::eq, x, y); }
  Value isNan(Value x) const { return mlir::arith::CmpFOp::create(b, loc, F::UNO, x, x); }
  Value select(Value c, Value x, Value y) const {
    return mlir::arith::SelectOp::create(b, loc, c, x, y);
  }
  // NaN if either is NaN.
  Value max(Value x, Value y) const;
  Value min(Value x, Value y) const;
  // An attribute, or its default.
  double attr(llvm::StringRef name, double fallback) const;
};

using ScalarFn = mlir::Value (*)(Scalar);

// Adds a pattern that applies `fn` to the (broadcast) operands of Op; all
// operands must be tensors of numbers or bool.
struct Table {
  mlir::RewritePatternSet &patterns;
  OnnxTypeConverter &converter;

  template <typename Op>
  void add(ScalarFn fn) {
    add(Op::getOperationName(), fn);
  }
  void add(llvm::StringRef opName, ScalarFn fn);
  // Left fold of a variadic operator; `finish` (optional) gets the result and the count.
  void addVariadic(llvm::StringRef opName, ScalarFn combine,
                   mlir::Value (*finish)(Scalar, int64_t) = nullptr);
};

} // namespace onnxc
#endif
