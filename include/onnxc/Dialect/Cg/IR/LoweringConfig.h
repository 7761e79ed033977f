// An operation's strategy, to be read and changed: what `#cg.lowering_config` (CgAttrs.td, where
// the fields are explained) holds.
#ifndef ONNXC_DIALECT_CG_IR_LOWERINGCONFIG_H
#define ONNXC_DIALECT_CG_IR_LOWERINGCONFIG_H

#include "onnxc/Dialect/Cg/IR/Cg.h"

namespace onnxc::cg {

struct LoweringConfig {
  std::optional<int64_t> group;
  llvm::SmallVector<int64_t> tileSizes;
  std::string winograd;
  std::optional<int64_t> panel, vector, lanes;
  llvm::SmallVector<int64_t> unroll, order;
  std::optional<int64_t> depthBlock, streams;
  std::optional<bool> prefetch;

  LoweringConfig() = default;
  /// What the operation carries; nothing: all is to be chosen.
  explicit LoweringConfig(mlir::Operation *op);
  explicit LoweringConfig(LoweringConfigAttr attr);

  LoweringConfigAttr toAttr(mlir::MLIRContext *context) const;
  /// Makes it the operation's strategy; an empty one leaves no attribute.
  void setOn(mlir::Operation *op) const;

  bool isEmpty() const;
  /// Something is said of the loops: of tiles or of the loops inside a tile.
  bool hasLoops() const;
  /// Something is said of the loops inside a tile.
  bool hasSchedule() const;

  /// Loop `dim` becomes one over blocks of `width` iterations, with those in a new last loop, along which
  /// vectors and register tiles go on. Fails where tiles are no whole blocks. `numLoops`: before that.
  llvm::LogicalResult splitLoop(unsigned dim, int64_t width, unsigned numLoops);
};

/// Whether an operation has a strategy.
bool hasLoweringConfig(mlir::Operation *op);

} // namespace onnxc::cg

#endif
