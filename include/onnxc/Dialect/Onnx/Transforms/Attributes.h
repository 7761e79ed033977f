// Reading attributes of onnx operators by their ONNX name, for code that treats
// many operators alike.
#ifndef ONNXC_DIALECT_ONNX_TRANSFORMS_ATTRIBUTES_H
#define ONNXC_DIALECT_ONNX_TRANSFORMS_ATTRIBUTES_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"
#include <optional>

namespace onnxc::onnx {

inline std::optional<int64_t> findInt(mlir::Operation *op, llvm::StringRef name) {
  if (auto attr = op->getAttrOfType<mlir::IntegerAttr>(name))
    return attr.getValue().getSExtValue();
  return std::nullopt;
}
inline int64_t intAttr(mlir::Operation *op, llvm::StringRef name, int64_t fallback) {
  return findInt(op, name).value_or(fallback);
}
inline double floatAttr(mlir::Operation *op, llvm::StringRef name, double fallback) {
  if (auto attr = op->getAttrOfType<mlir::FloatAttr>(name))
    return attr.getValueAsDouble();
  return fallback;
}
inline llvm::StringRef stringAttr(mlir::Operation *op, llvm::StringRef name,
                                  llvm::StringRef fallback = "") {
  if (auto attr = op->getAttrOfType<mlir::StringAttr>(name))
    return attr.getValue();
  return fallback;
}
inline std::optional<llvm::ArrayRef<int64_t>> intsAttr(mlir::Operation *op,
                                                       llvm::StringRef name) {
  if (auto attr = op->getAttrOfType<mlir::DenseI64ArrayAttr>(name))
    return attr.asArrayRef();
  return std::nullopt;
}

} // namespace onnxc::onnx

#endif
