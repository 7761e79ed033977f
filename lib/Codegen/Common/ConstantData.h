// Reading the data of constants, for passes that lay them out anew.
#ifndef ONNXC_LIB_CODEGEN_COMMON_CONSTANTDATA_H
#define ONNXC_LIB_CODEGEN_COMMON_CONSTANTDATA_H

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace onnxc {

/// The elements, one after the other; empty if the value holds a splat, strings or nothing. They belong to
/// the attribute, or to its resource for as long as that keeps them.
llvm::ArrayRef<char> rawBytes(mlir::ElementsAttr value);

/// The constant that a value is, or is one piece of, seen through reshapes and slices that are one run
/// of memory; null if there is none. `offset`: where the value begins in the constant, in elements.
mlir::arith::ConstantOp constantBehind(mlir::Value value, int64_t &offset);

/// Whether there are subnormal weights that may as well be zero: what they add to a sum is below its rounding. Training
/// leaves such behind, and a multiplication by one takes a hundred times as long as another.
bool hasNeedlessSubnormals(llvm::ArrayRef<float> weights);
void flushSubnormals(llvm::MutableArrayRef<float> weights);

} // namespace onnxc

#endif
