// What the artefact has to know of the operators that libraries declare.
#ifndef ONNXC_CONVERSION_ONNXTOLINALG_CUSTOMOPERATORS_H
#define ONNXC_CONVERSION_ONNXTOLINALG_CUSTOMOPERATORS_H

#include "onnxc/Conversion/OnnxToLinalg/DimAnalysis.h"
#include "onnxc/Conversion/OnnxToLinalg/TypeConverter.h"
#include "onnxc/Dialect/Onnx/IR/Onnx.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"

namespace onnxc {

/// Of a module: an array of {domain, name, since_version}, the operators that it calls.
inline constexpr const char *kCustomOperatorsAttr = "onnxc.custom_operators";

/// Sets that attribute, and on each node the operator's place in it (onnxc.op).
void listCustomOperators(mlir::ModuleOp module);

void populateCustomPatterns(mlir::RewritePatternSet &patterns, OnnxTypeConverter &types);

/// The results' shapes as a library tells them: sizes and, where they are sizes of operands, the operands' symbols as
/// `shapeOf` gives them; -1 where nothing is known. Empty for other operators.
llvm::SmallVector<DimAnalysis::Dims>
customShapes(onnx::CustomOp op, llvm::function_ref<llvm::ArrayRef<DimAnalysis::Dim>(mlir::Value)> shapeOf);

} // namespace onnxc

#endif
