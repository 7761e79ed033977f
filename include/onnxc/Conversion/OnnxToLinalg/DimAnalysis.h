// Which dimensions of the program's tensors have equal sizes. Each dimension
// gets a symbol: a constant, an input's dim_param, or an expression over such, by a
// forward walk over the onnx ops. It decides when a broadcast of
// dynamic dimensions is the plain elementwise case.
#ifndef ONNXC_CONVERSION_ONNXTOLINALG_DIMANALYSIS_H
#define ONNXC_CONVERSION_ONNXTOLINALG_DIMANALYSIS_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"

namespace onnxc {

class DimAnalysis {
public:
  // A size: constants stand for themselves, symbols are below kSymbols.
  using Dim = int64_t;
  using Dims = llvm::SmallVector<Dim, 4>;
  static constexpr Dim kSymbols = -(int64_t(1) << 60);
  static bool isConstant(Dim dim) { return dim > kSymbols; }

  explicit DimAnalysis(mlir::Operation *root);

  // Empty if the value was not seen or has no rank.
  llvm::ArrayRef<Dim> shapeOf(mlir::Value value) const;
  // True only if both are known to be equal in every run.
  bool equal(mlir::Value a, int64_t dimA, mlir::Value b, int64_t dimB) const;

private:
  Dim fresh() { return nextSymbol--; }
  // The symbol of an expression; equal expressions get the same one.
  Dim expression(const llvm::Twine &kind, llvm::ArrayRef<Dim> parts);
  Dim add(Dim a, Dim b);
  Dim multiply(Dim a, Dim b);
  Dim broadcast(Dim a, Dim b);
  Dims broadcast(llvm::ArrayRef<Dim> a, llvm::ArrayRef<Dim> b);
  Dim windows(Dim size, int64_t kernel, int64_t stride, int64_t dilation, int64_t pads);

  void visit(mlir::Operation *op);
  void visitBlock(mlir::Block &block);
  void visitLoop(mlir::Operation *op);
  void record(mlir::Value value, llvm::ArrayRef<Dim> inferred);
  // The shape of the first result; false if no rule applies.
  bool inferShape(mlir::Operation *op, Dims &dims);
  bool inferMovement(mlir::Operation *op, Dims &dims);
  bool inferWindow(mlir::Operation *op, Dims &dims);
  bool inferReshape(mlir::Operation *op, Dims &dims);
  // The elements of a small integer result of rank 0 or 1.
  bool inferContents(mlir::Operation *op, Dims &out);
  bool contentsOf(mlir::Value value, Dims &out) const;

  Dim nextSymbol = kSymbols;
  llvm::DenseMap<mlir::Value, Dims> shapes, contents;
  llvm::StringMap<Dim> named, expressions;
};

} // namespace onnxc
#endif
