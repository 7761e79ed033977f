//===- Recurrent.h - The time loop of LSTM, GRU and RNN -------------------===//
//
// One loop for each direction, over steps of [batch, hidden] tensors. How the input and
// the state meet their weights is a function, so that quantized forms share the rest.
//
//===----------------------------------------------------------------------===//
#ifndef ONNXC_LIB_CONVERSION_ONNXTOLINALG_RECURRENT_H
#define ONNXC_LIB_CONVERSION_ONNXTOLINALG_RECURRENT_H

#include "TensorBuilder.h"
#include "onnxc/Conversion/OnnxToLinalg/TypeConverter.h"

#include <functional>
#include <optional>

namespace onnxc {

enum class CellKind { LSTM, GRU, RNN };

/// An activation function and its parameters.
struct CellActivation {
  enum Function {
    Affine, Elu, HardSigmoid, LeakyRelu, Relu, ScaledTanh, Sigmoid, Softplus, Softsign, Tanh,
    ThresholdedRelu
  } function;
  float alpha = 0, beta = 0;
};

/// A recurrent operator's operands (converted; null where absent) and attributes.
struct Recurrence {
  CellKind kind;
  mlir::Value x, bias, sequenceLens, initialH, initialC, peepholes;
  mlir::OpFoldResult hidden;
  mlir::Type acc, elem; // of the computation and of the results
  llvm::StringRef direction;
  bool batchFirst = false, inputForget = false, linearBeforeReset = false;
  std::optional<float> clip;
  llvm::SmallVector<CellActivation> activations; // of all directions
  bool wantsSequence = true;

  /// [steps * batch, input] -> [steps * batch, gates * hidden] in `acc`.
  std::function<mlir::Value(TensorBuilder &, mlir::Value, int64_t direction)> project;
  /// [batch, hidden] -> [batch, count * hidden] in `acc`, the gates from `first` on.
  std::function<mlir::Value(TensorBuilder &, mlir::Value, int64_t direction, int64_t first,
                            int64_t count)>
      recur;

  int64_t gates() const { return kind == CellKind::LSTM ? 4 : kind == CellKind::GRU ? 3 : 1; }
  int64_t directions() const { return direction == "bidirectional" ? 2 : 1; }
};

/// ONNX's results Y (null unless wanted), Y_h and Y_c (null unless LSTM).
struct RecurrentResults {
  mlir::Value sequence, lastH, lastC;
};
RecurrentResults buildRecurrence(TensorBuilder &b, const Recurrence &r);

/// The functions named, or the defaults of the kind, for all directions. Alphas and betas go to the
/// functions that have one, in order. Refuses an unknown name or a wrong number.
mlir::FailureOr<llvm::SmallVector<CellActivation>>
resolveActivations(const OnnxTypeConverter &types, mlir::Operation *op, CellKind kind,
                   int64_t directions, std::optional<mlir::ArrayAttr> names,
                   std::optional<llvm::ArrayRef<float>> alphas,
                   std::optional<llvm::ArrayRef<float>> betas);

/// tensor[i], without the first dimension.
mlir::Value takeFirst(TensorBuilder &b, mlir::Value tensor, mlir::OpFoldResult i);

} // namespace onnxc

#endif
