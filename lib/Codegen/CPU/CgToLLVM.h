// Lowering of the cg dialect's tile registers to instructions.
#ifndef ONNXC_LIB_CODEGEN_CPU_CGTOLLVM_H
#define ONNXC_LIB_CODEGEN_CPU_CGTOLLVM_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/IR/PatternMatch.h"

namespace onnxc {

void populateCgToLLVMPatterns(const mlir::LLVMTypeConverter &converter,
                              mlir::RewritePatternSet &patterns);

} // namespace onnxc

#endif
