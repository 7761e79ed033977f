// The elements of a constant in memory, for passes that compute on constants.
#ifndef ONNXC_DIALECT_ONNX_TRANSFORMS_HOSTTENSOR_H
#define ONNXC_DIALECT_ONNX_TRANSFORMS_HOSTTENSOR_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include <memory>
#include <optional>

namespace onnxc::onnx {

/// A dense tensor on the host, row-major, each element in 1, 2, 4, 8 or 16
/// bytes (bool and types below a byte take one). Copies share the data.
class HostTensor {
public:
  /// Reads a constant; nullopt for strings and for attributes whose data is
  /// missing. Borrows the attribute's memory where the layouts agree: the
  /// result must not outlive the attribute's resource.
  static std::optional<HostTensor> read(mlir::Attribute attr);
  /// A new tensor filled with zeros. `elementType` must be supported (see
  /// `elementBytes`).
  static HostTensor zeros(mlir::Type elementType, llvm::ArrayRef<int64_t> shape);
  /// Bytes of one element in memory, 0 for types that have none (strings).
  static int64_t elementBytes(mlir::Type elementType);

  /// The same data with another shape of the same size.
  HostTensor reshaped(llvm::ArrayRef<int64_t> newShape) const;

  mlir::Type getElementType() const { return elementType; }
  llvm::ArrayRef<int64_t> getShape() const { return shape; }
  int64_t getRank() const { return shape.size(); }
  int64_t getNumElements() const { return numElements; }
  int64_t getElementBytes() const { return bytesPerElement; }
  int64_t getNumBytes() const { return numElements * bytesPerElement; }
  const char *data() const { return begin; }
  /// Only for tensors made by `zeros`.
  char *mutableData() { return owned.get(); }

  bool isFloat() const;
  bool isInteger() const;

  /// Elements [start, start + n) converted to double or int64 (uint64 keeps its bits).
  void load(int64_t start, int64_t n, double *out) const;
  void load(int64_t start, int64_t n, int64_t *out) const;
  /// Converts with rounding to nearest even, or wrapping for integers.
  void store(int64_t start, int64_t n, const double *values);
  void store(int64_t start, int64_t n, const int64_t *values);

  /// All elements; for small tensors.
  llvm::SmallVector<int64_t> ints() const;
  llvm::SmallVector<double> floats() const;

  /// As an attribute: up to 1 KiB a DenseElementsAttr, above it a resource with a 64-byte
  /// aligned blob.
  mlir::ElementsAttr toAttr() const;

private:
  mlir::Type elementType;
  llvm::SmallVector<int64_t> shape;
  int64_t numElements = 0, bytesPerElement = 0;
  const char *begin = nullptr;
  std::shared_ptr<char> owned; // 64-byte aligned
};

/// Row-major strides in elements.
llvm::SmallVector<int64_t> rowMajorStrides(llvm::ArrayRef<int64_t> shape);

} // namespace onnxc::onnx

#endif
