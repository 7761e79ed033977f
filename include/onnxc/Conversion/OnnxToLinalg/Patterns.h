// The operator families of OnnxToLinalg. Each populate function is in the .cpp
// of its name; convert-onnx-to-linalg calls them all.
#ifndef ONNXC_CONVERSION_ONNXTOLINALG_PATTERNS_H
#define ONNXC_CONVERSION_ONNXTOLINALG_PATTERNS_H

#include "onnxc/Conversion/OnnxToLinalg/TypeConverter.h"

namespace onnxc {

using PopulateFn = void(mlir::RewritePatternSet &, OnnxTypeConverter &);

// Elementwise, casts, quantization, movement.
PopulateFn populateConstantPatterns, populateElementwiseUnaryPatterns,
    populateElementwiseBinaryPatterns, populateActivationPatterns, populateCastPatterns, populateCausalConvPatterns,
    populateQuantizationPatterns, populateReshapePatterns, populateShapePatterns,
    populateSlicePatterns, populateConcatPatterns, populatePadPatterns, populateGatherPatterns,
    populateScatterPatterns, populateGeneratorPatterns, populateScanPatterns,
    populateResizePatterns;

// Contractions, convolutions, pooling, reductions, normalisations, recurrence.
PopulateFn populateContractionPatterns, populateConvPatterns, populatePoolPatterns,
    populateReducePatterns, populateNormalizationPatterns, populateRecurrentPatterns,
    populateAttentionPatterns, populateLossPatterns, populateTrainingPatterns,
    populateSignalPatterns;

// Control flow, sequences, operators that are kernels.
PopulateFn populateControlFlowPatterns, populateSequencePatterns, populateKernelPatterns;

} // namespace onnxc
#endif
