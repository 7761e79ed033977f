// Everything that the compiler and the tools register before they read IR.
#ifndef ONNXC_COMPILER_INITALL_H
#define ONNXC_COMPILER_INITALL_H

#include "mlir/IR/DialectRegistry.h"

namespace onnxc {

/// All dialects that the compiler uses, with the external models of their
/// interfaces. Cheap: a dialect is loaded when something uses it.
void registerAllDialects(mlir::DialectRegistry &registry);

/// All passes and pipelines, ours and those of upstream that are useful beside
/// them. For tools that parse pipelines; the compiler itself does not need it.
void registerAllPasses();

} // namespace onnxc

#endif
