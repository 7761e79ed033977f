// What shape inference knows about values beyond their types: the symbols of
// dynamic dimensions, and the elements of small tensors.
#ifndef ONNXC_DIALECT_ONNX_TRANSFORMS_SHAPESTATE_H
#define ONNXC_DIALECT_ONNX_TRANSFORMS_SHAPESTATE_H

#include "onnxc/Dialect/Onnx/Transforms/HostTensor.h"
#include "onnxc/Schema/SymbolicDim.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include <optional>
#include <string>

namespace onnxc::onnx {

/// The elements of a small tensor. `elements` describes an integer tensor element by
/// element; `constant` is set where all elements are known, whatever the type.
struct Contents {
  llvm::SmallVector<int64_t> shape;
  SymbolicDims elements;
  std::optional<HostTensor> constant;
};

class ShapeState {
public:
  /// Tensors with more elements are not followed.
  static constexpr int64_t kMaxElements = 256;

  /// One entry a dimension; a dynamic dimension of which nothing is known gets a symbol of
  /// its own. nullopt if the rank is not known.
  std::optional<SymbolicDims> shapeOf(mlir::Value value);
  /// Notes what is known of dynamic dimensions.
  void setShape(mlir::Value value, llvm::ArrayRef<SymbolicDim> dims);

  const Contents *contentsOf(mlir::Value value);
  /// Computes the contents of the results of `op` (whose types are inferred already).
  void inferContents(mlir::Operation *op);

  /// To be called before an operation is erased: another may get its address.
  void forget(mlir::Operation *op);

  SymbolicDim named(llvm::StringRef name);
  /// The name of a symbol, empty if it has none.
  llvm::StringRef nameOf(SymbolicDim dim) const;

private:
  SymbolicDim fresh() { return SymbolicDim::symbol(nextSymbol++); }
  void setContents(mlir::Value value, Contents contents);
  bool inferFromConstants(mlir::Operation *op);
  bool inferShapeOp(mlir::Operation *op);
  bool inferMovement(mlir::Operation *op);
  void inferElementwise(mlir::Operation *op);

  llvm::DenseMap<mlir::Value, SymbolicDims> shapes;
  llvm::DenseMap<mlir::Value, Contents> contents;
  llvm::StringMap<int64_t> symbolOfName;
  llvm::DenseMap<int64_t, std::string> nameOfSymbol;
  int64_t nextSymbol = 0;
};

} // namespace onnxc::onnx

#endif
