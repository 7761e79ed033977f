// Constants of the program as passes use them.
#ifndef ONNXC_DIALECT_ONNX_TRANSFORMS_CONSTANTS_H
#define ONNXC_DIALECT_ONNX_TRANSFORMS_CONSTANTS_H

#include "onnxc/Dialect/Onnx/IR/Onnx.h"
#include "onnxc/Dialect/Onnx/Transforms/HostTensor.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/DenseMap.h"

namespace onnxc::onnx {

/// The value of a constant, null if it is not one.
inline mlir::ElementsAttr constantValue(mlir::Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  return constant ? constant.getValueAttr() : mlir::ElementsAttr();
}
inline std::optional<HostTensor> constantTensor(mlir::Value value) {
  return HostTensor::read(constantValue(value));
}
/// The value of a constant with one element.
inline std::optional<double> constantScalar(mlir::Value value) {
  mlir::ElementsAttr attr = constantValue(value);
  if (!attr || !attr.getShapedType().hasStaticShape() ||
      attr.getShapedType().getNumElements() != 1)
    return std::nullopt;
  std::optional<HostTensor> tensor = HostTensor::read(attr);
  return tensor ? std::optional(tensor->floats()[0]) : std::nullopt;
}
/// The elements of a small constant integer tensor.
inline std::optional<llvm::SmallVector<int64_t>> constantInts(mlir::Value value) {
  std::optional<HostTensor> tensor = constantTensor(value);
  if (!tensor || !tensor->isInteger() || tensor->getNumElements() > 4096)
    return std::nullopt;
  return tensor->ints();
}
inline mlir::Value createConstant(mlir::OpBuilder &b, mlir::Location loc,
                                  const HostTensor &tensor) {
  return ConstantOp::create(b, loc, tensor.toAttr()).getOutput();
}

/// Counts the operators that hold a blob, to free those that nobody holds. For one thread and
/// for a module whose blobs nobody else uses.
class BlobUses {
public:
  explicit BlobUses(mlir::Operation *module) {
    module->walk([&](mlir::Operation *op) { count(op, 1); });
  }
  void add(mlir::Operation *op) { count(op, 1); }
  /// To be called before `op` is erased.
  void remove(mlir::Operation *op) { count(op, -1); }

private:
  void count(mlir::Operation *op, int delta) {
    for (mlir::NamedAttribute attr : op->getAttrDictionary()) {
      auto resource = llvm::dyn_cast<mlir::DenseResourceElementsAttr>(attr.getValue());
      if (!resource)
        continue;
      auto *entry = resource.getRawHandle().getResource();
      int &uses = counts[entry];
      uses += delta;
      if (delta < 0 && uses == 0)
        entry->setBlob(mlir::AsmResourceBlob());
    }
  }

  llvm::DenseMap<mlir::DialectResourceBlobManager::BlobEntry *, int> counts;
};

} // namespace onnxc::onnx

#endif
