// Type inference over blocks of onnx operators, for the pass and for passes
// that create operators.
#ifndef ONNXC_DIALECT_ONNX_TRANSFORMS_TYPEINFERENCE_H
#define ONNXC_DIALECT_ONNX_TRANSFORMS_TYPEINFERENCE_H

#include "onnxc/Dialect/Onnx/Transforms/ShapeState.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Block.h"

namespace onnxc::onnx {

class TypeInference {
public:
  /// In a `trial` constants are not created and contradictions not reported: it is for
  /// bodies of loops whose types are not settled.
  explicit TypeInference(ShapeState &state, bool trial = false, int depth = 0)
      : state(state), trial(trial), depth(depth) {}

  /// Infers all operators of a block in order; those whose results turn out constant are
  /// replaced.
  mlir::LogicalResult inferBlock(mlir::Block &block);
  /// Refines the result types of one operator.
  mlir::LogicalResult inferOp(mlir::Operation *op);

private:
  mlir::LogicalResult refineResult(mlir::Operation *op, unsigned index, mlir::Type inferred);
  mlir::LogicalResult inferRange(mlir::Operation *op);
  mlir::LogicalResult inferIf(mlir::Operation *op);
  mlir::LogicalResult inferLoop(mlir::Operation *op);
  mlir::LogicalResult inferScan(mlir::Operation *op);
  mlir::LogicalResult inferSequenceMap(mlir::Operation *op);
  /// Settles the types of the carried values of a body: args[first + i] starts with the type
  /// of inits[i] and is widened until what the body yields at position `firstYield` + i fits.
  mlir::LogicalResult settleCarried(mlir::Operation *op, unsigned first, mlir::ValueRange inits,
                                    unsigned firstYield);
  void settleLengths(mlir::Operation *op);
  bool replaceByConstants(mlir::Operation *op);

  ShapeState &state;
  bool trial;
  int depth; // of trials in trials
};

/// Gives the dimensions of a function's arguments the symbols that their names (`onnx.dim_params`) stand for.
void nameArguments(mlir::func::FuncOp func, ShapeState &state);

/// What ONNX's inference does not tell: result dimensions of `op` known here. Empty if none.
llvm::SmallVector<std::optional<SymbolicDims>> inferShapeRules(mlir::Operation *op,
                                                               ShapeState &state);

/// Operands of `op` that are vectors of one certain length: (operand, length).
llvm::SmallVector<std::pair<unsigned, int64_t>> requiredLengths(mlir::Operation *op);

} // namespace onnxc::onnx

#endif
