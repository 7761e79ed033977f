// The loop nest of a packed product around its register tiles: which loops the tiles' rows follow, the
// loops outside, where operands lie, the elementwise work on a vector of sums. What multiplies is derived.
#ifndef ONNXC_LIB_CODEGEN_CPU_DOTNEST_H
#define ONNXC_LIB_CODEGEN_CPU_DOTNEST_H

#include "PackedDot.h"
#include "onnxc/Codegen/CPU/LoopEmitter.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace onnxc {

class DotNest {
public:
  DotNest(mlir::RewriterBase &b, mlir::linalg::LinalgOp op, const PackedDot &dot,
          const VectorTarget &target, const LoopFusion &fusion);
  virtual ~DotNest() = default;

protected:
  /// All columns of a panel, at the place in `base`.
  virtual void emitColumns() = 0;

  mlir::Value index(int64_t value);
  mlir::Value sizeOf(unsigned dim);
  /// The end of the last whole step after `from`.
  mlir::Value floorTo(unsigned dim, mlir::Value from, int64_t step);

  template <typename Fn> void loop(mlir::Value from, mlir::Value to, int64_t step, Fn inside) {
    auto forOp = mlir::scf::ForOp::create(b, loc, from, to, index(step));
    mlir::OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(forOp.getBody());
    inside(forOp.getInductionVar());
  }
  void along(unsigned dim, mlir::Value from, mlir::Value to, int64_t step,
             llvm::function_ref<void()> inside);
  /// A loop over whole steps, then what is left.
  void emitPieces(std::optional<unsigned> dim, int64_t size, int64_t step,
                  llvm::function_ref<void(int64_t)> inside);

  /// Chooses the loops that a tile's rows follow, of several lines where these are shorter than `fewRows`,
  /// and returns those outside, outermost first.
  llvm::SmallVector<unsigned> orderLoops(int64_t fewRows);
  void emitOuter(llvm::ArrayRef<unsigned> order);

  /// Where an operand lies for a row and a column of the tile.
  llvm::SmallVector<mlir::Value> indices(mlir::AffineMap map, int64_t row, int64_t column);
  /// The same for the weights, as `weights` sees them.
  llvm::SmallVector<mlir::Value> weightIndices(int64_t column);

  /// What of an epilogue's operands does not move with the rows (a bias, scales): loaded once.
  using ParameterCache = llvm::DenseMap<std::pair<mlir::OpOperand *, int64_t>, mlir::Value>;
  /// The elementwise work that follows, on a vector of sums in a register. Parameters are loaded before
  /// `parametersAt`, or where the builder is.
  void finish(mlir::Value sum, int64_t row, int64_t column, int64_t lanes, ParameterCache &loaded,
              mlir::Operation *parametersAt = nullptr);

  mlir::RewriterBase &b;
  mlir::linalg::LinalgOp op;
  mlir::Location loc;
  const PackedDot &dot;
  const VectorTarget &target;
  const LoopFusion &fusion;
  llvm::SmallVector<mlir::utils::IteratorType> iterators;
  unsigned numLoops;
  llvm::SmallVector<mlir::OpFoldResult> sizes;
  llvm::SmallVector<mlir::Value> base; // first iteration of the tile, by loop
  llvm::SmallVector<unsigned> reductions;
  std::optional<unsigned> rows, lines; // the loops that the rows of a tile follow
  int64_t tileRows = 1;                // of a line
  int64_t weightBytes;                 // where their number is unknown, many
  mlir::Value weights;                 // with the last two dimensions in one
  mlir::Value start;                   // of the accumulators; null: what the result holds

private:
  mlir::Value loadParameter(mlir::Value source, mlir::AffineMap map, int64_t row, int64_t column,
                            int64_t lanes);
};

} // namespace onnxc

#endif
