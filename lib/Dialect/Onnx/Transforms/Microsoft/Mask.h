// The forms in which ONNX Runtime's attention operators take masks.
#ifndef ONNXC_LIB_DIALECT_ONNX_TRANSFORMS_MICROSOFT_MASK_H
#define ONNXC_LIB_DIALECT_ONNX_TRANSFORMS_MICROSOFT_MASK_H

#include "Expansion.h"

namespace onnxc::onnx {

struct MaskedScores {
  mlir::Value batch, queries, total; // sizes, vectors of one int64
  mlir::Type elem;
};

/// What is added to the scores [batch, heads, queries, total] for a mask of 1 to 4 dimensions: zero where a key
/// may be seen, `mask_filter_value` elsewhere. Null for no mask.
mlir::FailureOr<mlir::Value> maskBias(Expansion &e, mlir::Value mask, const MaskedScores &scores);

} // namespace onnxc::onnx

#endif
