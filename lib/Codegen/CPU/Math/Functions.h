// Elementary functions on f32 as arithmetic, by family. What each guarantees, in units of the last place, is
// in docs/numerics.md and measured by test/numerics/run.py. All give NaN for NaN and what IEEE 754 and C
// give for infinities and zeros; results below the normal range are exact to the last denormal bit.
#ifndef ONNXC_CODEGEN_CPU_MATH_FUNCTIONS_H
#define ONNXC_CODEGEN_CPU_MATH_FUNCTIONS_H

#include "MathBuilder.h"

namespace onnxc {

// Exponentials.cpp
mlir::Value expandExp(MathBuilder &m, mlir::Value x);
mlir::Value expandExp2(MathBuilder &m, mlir::Value x);
mlir::Value expandExpM1(MathBuilder &m, mlir::Value x);
mlir::Value expandSinh(MathBuilder &m, mlir::Value x);
mlir::Value expandCosh(MathBuilder &m, mlir::Value x);
mlir::Value expandTanh(MathBuilder &m, mlir::Value x);
mlir::Value expandErf(MathBuilder &m, mlir::Value x);
/// 2^x for |x| <= 1000 in f64; relative error below 2^-28.
mlir::Value exp2Wide(MathBuilder &m, mlir::Value x);

// Logarithms.cpp
mlir::Value expandLog(MathBuilder &m, mlir::Value x);
mlir::Value expandLog2(MathBuilder &m, mlir::Value x);
mlir::Value expandLog10(MathBuilder &m, mlir::Value x);
mlir::Value expandLog1p(MathBuilder &m, mlir::Value x);
mlir::Value expandAsinh(MathBuilder &m, mlir::Value x);
mlir::Value expandAcosh(MathBuilder &m, mlir::Value x);
mlir::Value expandAtanh(MathBuilder &m, mlir::Value x);
/// log2 of positive, finite values in f64; relative error below 2^-38.
mlir::Value log2Wide(MathBuilder &m, mlir::Value x);

// Trigonometry.cpp
mlir::Value expandSin(MathBuilder &m, mlir::Value x);
mlir::Value expandCos(MathBuilder &m, mlir::Value x);
mlir::Value expandTan(MathBuilder &m, mlir::Value x);
mlir::Value expandAsin(MathBuilder &m, mlir::Value x);
mlir::Value expandAcos(MathBuilder &m, mlir::Value x);
mlir::Value expandAtan(MathBuilder &m, mlir::Value x);

// Power.cpp
mlir::Value expandPow(MathBuilder &m, mlir::Value x, mlir::Value y);

} // namespace onnxc

#endif
