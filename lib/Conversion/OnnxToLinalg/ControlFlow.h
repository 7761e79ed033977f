// How the body of an onnx operator becomes the body of an scf loop. The pattern of the
// loop moves the body and leaves its onnx.Yield with a plan; the pattern of onnx.Yield carries
// it out once the yielded values are converted.
#ifndef ONNXC_LIB_CONVERSION_ONNXTOLINALG_CONTROLFLOW_H
#define ONNXC_LIB_CONVERSION_ONNXTOLINALG_CONTROLFLOW_H

#include "onnxc/Conversion/OnnxToLinalg/Common.h"

namespace onnxc {

/// What becomes of one value that each iteration gives (a scan output).
struct ScanOutput {
  enum Mode : int64_t {
    Insert,        // into a tensor made before the loop, at the iteration's index
    InsertReverse, // the same, from the end
    Append,        // to a sequence
    Prepend
  };
  Mode mode = Append;
  int64_t axis = 0;
};

/// Of the operands of onnx.Yield: [0, first) are not carried (a loop's condition),
/// then come `carried` ones, then the scan outputs.
struct YieldPlan {
  int64_t first = 0, carried = 0;
  llvm::SmallVector<ScanOutput> scans;

  void attachTo(mlir::Operation *yield) const;
  static std::optional<YieldPlan> of(mlir::Operation *yield);
};

/// Calls of the sequence kernels. `seqType` is the ONNX type of the sequence, or of any.
mlir::Value emptySequence(mlir::OpBuilder &b, mlir::Location loc, const OnnxTypeConverter &types);
mlir::Value sequenceInsert(mlir::OpBuilder &b, mlir::Location loc, const OnnxTypeConverter &types,
                           mlir::Value handle, mlir::Value value, mlir::Type onnxValueType,
                           bool atFront);
mlir::Value sequenceAt(mlir::OpBuilder &b, mlir::Location loc, const OnnxTypeConverter &types,
                       mlir::Value handle, mlir::Value index, mlir::Type onnxElementType);
/// The length as index.
mlir::Value sequenceLength(mlir::OpBuilder &b, mlir::Location loc, const OnnxTypeConverter &types,
                           mlir::Value handle);
/// Stacks the items of a sequence along a new axis; a sequence without items gives a tensor of
/// `onnxType` with zeros for what is dynamic.
mlir::Value stackSequence(mlir::OpBuilder &b, mlir::Location loc, const OnnxTypeConverter &types,
                          mlir::Value handle, int64_t axis, mlir::RankedTensorType onnxType);

} // namespace onnxc
#endif
