// The register tile that a loop nest is at, and how its vectors come from memory and go back. The
// emitter of the loops moves it along; what lies behind loads and stores (partial vectors, operands
// with a stride, tiles that are transposed in registers) is known here only.
#ifndef ONNXC_LIB_CODEGEN_CPU_REGISTERTILE_H
#define ONNXC_LIB_CODEGEN_CPU_REGISTERTILE_H

#include "onnxc/Codegen/CPU/LoopEmitter.h"

namespace onnxc {

class RegisterTile {
public:
  /// A place in the tile: by loop dimension, iterations (in vectors along the vector dimension)
  /// from where the tile begins.
  using Coordinates = llvm::SmallVector<unsigned>;

  /// Sizes of the loops are computed at the builder's place.
  RegisterTile(mlir::OpBuilder &b, mlir::linalg::LinalgOp op, const LoopSchedule &schedule);

  bool isVector(unsigned dim) const { return lanes > 1 && schedule.vectorDim == dim; }
  mlir::Type elementType(unsigned operand) const {
    return mlir::getElementTypeOrSelf(op->getOperand(operand).getType());
  }

  /// All places of the tile along the dimensions that `map` depends on.
  llvm::SmallVector<Coordinates> positions(mlir::AffineMap map) const;
  /// The place with only what `map` depends on.
  Coordinates project(mlir::AffineMap map, const Coordinates &c) const;
  /// The place as one number; the tile is small, so it fits.
  unsigned packed(const Coordinates &c) const;

  /// The loop index of `dim` at a place.
  mlir::Value position(unsigned dim, const Coordinates &c);
  /// The first `count` lanes.
  mlir::Value createMask(mlir::Value count);
  /// Whether a partial vector along `dim` would be put together from elements without it being
  /// known how many there are.
  bool loadsElements(unsigned dim);

  /// Begins a step of the reduction: what is transposed in registers belongs to one step.
  void startStep() { turned.clear(); }
  /// An operand at a place: a vector, or an element where it does not move along vectors.
  mlir::Value load(unsigned operand, const Coordinates &c);
  mlir::Value loadScalar(unsigned operand, const Coordinates &c);
  /// Asks for the memory of a vector that is read some iterations of `dim` later.
  void prefetch(unsigned operand, const Coordinates &c, unsigned dim, int64_t iterations);
  /// An element of memory, or a vector where the map is contiguous along the vector dimension.
  mlir::Value loadFrom(mlir::Value source, mlir::AffineMap map, const Coordinates &c);
  void store(unsigned operand, const Coordinates &c, mlir::Value value, bool scalar);
  void storeTo(mlir::Value target, mlir::AffineMap map, const Coordinates &c, mlir::Value value,
               bool scalar);

  // Where the tile is; the loops' emitter writes these.
  llvm::SmallVector<mlir::AffineMap> maps;
  llvm::SmallVector<mlir::OpFoldResult> sizes; ///< of the loops
  llvm::SmallVector<mlir::Value> base;         ///< first iteration of the tile, by dimension
  llvm::SmallVector<unsigned> factor;          ///< tile's iterations (vectors), by dimension
  int64_t lanes;
  mlir::Value mask;                 ///< lanes in use, in the ragged vector only
  std::optional<int64_t> lanesLeft; ///< how many these are, where that is known

private:
  using Shift = std::optional<std::pair<unsigned, int64_t>>;

  mlir::Value index(int64_t value);
  /// `shift`: a dimension and how many iterations further along it.
  llvm::SmallVector<mlir::Value> indices(mlir::AffineMap map, const Coordinates &c,
                                         Shift shift = std::nullopt);
  bool isContiguous(unsigned operand, unsigned dim);
  bool isTurned(unsigned operand);
  std::optional<int64_t> shortStep(unsigned operand);
  bool isPartial(const Coordinates &c);
  mlir::Value loadVector(unsigned operand, llvm::SmallVector<mlir::Value> at, mlir::VectorType type,
                         int64_t from, int64_t valid);
  mlir::Value loadTurned(unsigned operand, const Coordinates &c, mlir::VectorType type);

  mlir::OpBuilder &b;
  mlir::linalg::LinalgOp op;
  mlir::Location loc;
  const LoopSchedule &schedule;
  unsigned numLoops;
  llvm::DenseMap<unsigned, llvm::SmallVector<mlir::Value>> turned; // rows of the tile, by operand
};

} // namespace onnxc

#endif
