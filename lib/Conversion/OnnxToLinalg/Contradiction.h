// Operators whose operands contradict each other.
#ifndef ONNXC_LIB_CONVERSION_ONNXTOLINALG_CONTRADICTION_H
#define ONNXC_LIB_CONVERSION_ONNXTOLINALG_CONTRADICTION_H

#include "onnxc/Conversion/OnnxToLinalg/Common.h"

namespace onnxc {

/// A refusal; but in a branch of an If, which may be one that no run takes, an error of the run, with a warning now.
mlir::LogicalResult refuseWhereReached(mlir::ConversionPatternRewriter &b, const OnnxTypeConverter &types,
                                       mlir::Operation *op, const llvm::Twine &reason);

} // namespace onnxc
#endif
