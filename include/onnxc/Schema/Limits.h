// What inference takes on.
#ifndef ONNXC_SCHEMA_LIMITS_H
#define ONNXC_SCHEMA_LIMITS_H

#include <cstdint>

namespace onnxc {

/// Tensors of higher ranks are refused: a shape may be declared to have any number of elements, and what follows takes
/// time for each dimension.
inline constexpr int64_t maxRank = 1000;

/// Inference reads the values of shapes, axes, pads and the like only: of tensors with up to so many elements.
inline constexpr int64_t maxInferenceElements = 1 << 16;

} // namespace onnxc

#endif
