// Lowering of the rt dialect to calls of the code in runtime/model.
#ifndef ONNXC_CODEGEN_CPU_RTTOLLVM_H
#define ONNXC_CODEGEN_CPU_RTTOLLVM_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/IR/PatternMatch.h"

namespace onnxc {

void populateRtToLLVMPatterns(const mlir::LLVMTypeConverter &converter,
                              mlir::RewritePatternSet &patterns);

} // namespace onnxc

#endif
