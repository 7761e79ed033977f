// The rt dialect: what generated code asks of the code linked into each model.
// See RtOps.td.
#ifndef ONNXC_DIALECT_RT_IR_RT_H
#define ONNXC_DIALECT_RT_IR_RT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "onnxc/Dialect/Rt/IR/RtDialect.h.inc"

#define GET_OP_CLASSES
#include "onnxc/Dialect/Rt/IR/RtOps.h.inc"

#endif
