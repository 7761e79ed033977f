// Replaces an onnx operation by its ONNX function body. Lives with the importer
// because it needs the onnx library and builds operations as the importer does.
#ifndef ONNXC_IMPORT_EXPANDFUNCTION_H
#define ONNXC_IMPORT_EXPANDFUNCTION_H

#include "mlir/IR/PatternMatch.h"

namespace onnxc {

/// Whether the operator's schema gives a function body. One that depends on
/// the context may still refuse a particular node.
bool hasFunctionBody(mlir::Operation *op);

/// Builds the function body of `op`, static or dependent on its types and
/// attributes, at the newest opset, before `op`, and replaces `op` by it. Fails
/// without a diagnostic and without a change if there is none for this node;
/// with a diagnostic if the body cannot be built.
mlir::LogicalResult expandFunction(mlir::Operation *op, mlir::RewriterBase &rewriter);

} // namespace onnxc

#endif
