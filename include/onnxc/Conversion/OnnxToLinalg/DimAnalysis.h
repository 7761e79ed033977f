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
#include <map>

namespace onnxc {

class DimAnalysis {
public:
  // A size: constants are >= 0 and stand for themselves, symbols are < 0.
  using Dim = int64_t;
  static bool isConstant(Dim dim) { return dim >= 0; }

  explicit DimAnalysis(mlir::Operation *root);

  // Empty if the value was not seen or has no rank.
  llvm::ArrayRef<Dim> shapeOf(mlir::Value value) const;
  // True only if both are known to be equal in every run.
  bool equal(mlir::Value a, int64_t dimA, mlir::Value b, int64_t dimB) const;

private:
  using Dims = llvm::SmallVector<Dim>;
  Dim fresh() { return nextSymbol--; }
  // The symbol of an expression; equal expressions get the same one.
  Dim expression(llvm::StringRef kind, Dim a, Dim b);
  Dim multiply(Dim a, Dim b);
  Dim add(Dim a, Dim b);
  void visit(mlir::Operation *op);
  void visitRegions(mlir::Operation *op);
  bool inferShape(mlir::Operation *op, Dims &dims);
  bool inferContents(mlir::Operation *op, Dims &contents);
  // Known elements of a small integer tensor.
  bool contentsOf(mlir::Value value, Dims &contents) const;
  void record(mlir::Value value, llvm::ArrayRef<Dim> inferred);

  Dim nextSymbol = -1;
  llvm::DenseMap<mlir::Value, Dims> shapes, contents;
  llvm::StringMap<Dim> named;
  std::map<std::tuple<std::string, Dim, Dim>, Dim> expressions;
};

} // namespace onnxc
#endif
