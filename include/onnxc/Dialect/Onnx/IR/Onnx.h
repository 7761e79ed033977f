// The onnx dialect: ONNX's operators and types. The conventions are in
// docs/architecture.md.
#ifndef ONNXC_DIALECT_ONNX_IR_ONNX_H
#define ONNXC_DIALECT_ONNX_IR_ONNX_H

#include "onnxc/Dialect/Onnx/IR/OnnxOpInfo.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace onnxc::onnx::detail {
mlir::ParseResult parseOnnxOp(mlir::OpAsmParser &parser, mlir::OperationState &result);
void printOnnxOp(mlir::OpAsmPrinter &printer, mlir::Operation *op);
llvm::LogicalResult verifyOnnxOp(mlir::Operation *op, const OpInfo &info);
} // namespace onnxc::onnx::detail

#include "onnxc/Dialect/Onnx/IR/OnnxDialect.h.inc"
#include "onnxc/Dialect/Onnx/IR/OnnxInterfaces.h.inc"

#define GET_TYPEDEF_CLASSES
#include "onnxc/Dialect/Onnx/IR/OnnxTypes.h.inc"

#define GET_OP_CLASSES
#include "onnxc/Dialect/Onnx/IR/OnnxOps.h.inc"

namespace onnxc::onnx {

/// Whether a value stands for a missing optional input, or for an output that
/// the model does not ask for.
inline bool isNone(mlir::Value value) { return llvm::isa<mlir::NoneType>(value.getType()); }

/// The number in onnx::TensorProto::DataType of an element type of the dialect;
/// 0 if it is none of them.
int32_t toOnnxElementType(mlir::Type type);

/// The element type of a number in onnx::TensorProto::DataType; null if the
/// dialect has none.
mlir::Type fromOnnxElementType(mlir::MLIRContext *context, int32_t elementType);

} // namespace onnxc::onnx

#endif
