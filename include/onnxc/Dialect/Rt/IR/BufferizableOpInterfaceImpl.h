#ifndef ONNXC_DIALECT_RT_IR_BUFFERIZABLEOPINTERFACEIMPL_H
#define ONNXC_DIALECT_RT_IR_BUFFERIZABLEOPINTERFACEIMPL_H

namespace mlir {
class DialectRegistry;
}

namespace onnxc::rt {
/// Lets one-shot bufferization handle rt.kernel and rt.string_constant.
void registerBufferizableOpInterfaceExternalModels(mlir::DialectRegistry &registry);
} // namespace onnxc::rt

#endif
