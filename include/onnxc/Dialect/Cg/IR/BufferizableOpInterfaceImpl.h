#ifndef ONNXC_DIALECT_CG_IR_BUFFERIZABLEOPINTERFACEIMPL_H
#define ONNXC_DIALECT_CG_IR_BUFFERIZABLEOPINTERFACEIMPL_H

namespace mlir {
class DialectRegistry;
}

namespace onnxc::cg {
/// Lets one-shot bufferization handle the cg dialect.
void registerBufferizableOpInterfaceExternalModels(mlir::DialectRegistry &registry);
} // namespace onnxc::cg

#endif
