// The cg dialect: operations of the code generator that linalg cannot say. See CgOps.td.
#ifndef ONNXC_DIALECT_CG_IR_CG_H
#define ONNXC_DIALECT_CG_IR_CG_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "onnxc/Dialect/Cg/IR/CgDialect.h.inc"

namespace onnxc::cg {

/// The tile registers, as what operations read and write.
struct TileRegisters : mlir::SideEffects::Resource::Base<TileRegisters> {
  llvm::StringRef getName() final { return "TileRegisters"; }
};

} // namespace onnxc::cg

#define GET_ATTRDEF_CLASSES
#include "onnxc/Dialect/Cg/IR/CgAttrs.h.inc"

#define GET_OP_CLASSES
#include "onnxc/Dialect/Cg/IR/CgOps.h.inc"

#endif
