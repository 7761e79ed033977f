// Types of the onnx dialect to the storage types of docs/architecture.md. The
// converter also carries what all patterns of one conversion share: which
// dimensions are known to be equal, and why an operator was refused.
#ifndef ONNXC_CONVERSION_ONNXTOLINALG_TYPECONVERTER_H
#define ONNXC_CONVERSION_ONNXTOLINALG_TYPECONVERTER_H

#include "mlir/Transforms/DialectConversion.h"
#include "llvm/ADT/DenseMap.h"
#include <memory>
#include <string>

namespace onnxc {

class DimAnalysis;

class OnnxTypeConverter : public mlir::TypeConverter {
public:
  explicit OnnxTypeConverter(mlir::MLIRContext *context);
  ~OnnxTypeConverter() override;

  // The converted type of a tensor, sequence, optional or map.
  mlir::RankedTensorType convertTensor(mlir::Type onnxType) const {
    return convertType<mlir::RankedTensorType>(onnxType);
  }

  // Symbolic sizes of the values of the original program; null before analyse().
  const DimAnalysis *dims() const { return dimAnalysis.get(); }
  void analyse(mlir::Operation *root);

  // Records why `op` is not converted; the pass reports it if no other pattern
  // converts the op. Returns failure.
  mlir::LogicalResult refuse(mlir::Operation *op, const llvm::Twine &reason) const;
  llvm::StringRef reasonFor(mlir::Operation *op) const;

private:
  std::unique_ptr<DimAnalysis> dimAnalysis;
  mutable llvm::DenseMap<mlir::Operation *, std::string> reasons;
};

} // namespace onnxc
#endif
