// How the words of a packed product are multiplied: four bytes, or two bfloat16, of a sum in each lane.
#ifndef ONNXC_LIB_CODEGEN_CPU_DOTINSTRUCTIONS_H
#define ONNXC_LIB_CODEGEN_CPU_DOTINSTRUCTIONS_H

#include "onnxc/Codegen/CPU/LoopEmitter.h"

#include "mlir/IR/BuiltinTypes.h"

namespace onnxc {

class DotInstructions {
public:
  /// `element`: i8 (unsigned on the left side, signed weights) or bf16.
  DotInstructions(mlir::OpBuilder &b, mlir::Location loc, const VectorTarget &target,
                  mlir::Type element)
      : b(b), loc(loc), target(target), element(element), bytes(element.isInteger(8)) {}

  /// Elements of a word.
  int64_t depth() const { return bytes ? 4 : 2; }
  mlir::VectorType sumType(int64_t lanes) const;
  /// Rows of a register tile that is `count` vectors wide.
  int64_t mostRows(int64_t count) const;

  /// The parts of a word (a vector of its elements) that are multiplied one after the other.
  llvm::SmallVector<mlir::Value> splitWord(mlir::Value elements);
  /// The parts of a vector of weights that belong to them.
  llvm::SmallVector<mlir::Value> splitWeights(mlir::Value loaded, int64_t lanes);
  /// `sum` and the products of one part.
  mlir::Value multiplyAdd(mlir::Value sum, mlir::Value part, mlir::Value column, int64_t lanes);

  /// Whether only signed bytes are multiplied, so that 128 is taken from each of the left side: sums
  /// start with that many times the weights.
  bool takesOffsets() const { return bytes && target.byteProducts == ByteProducts::SignedDots; }
  /// `sum` and the weights of one word.
  mlir::Value addWeights(mlir::Value sum, mlir::Value column, int64_t lanes);
  mlir::Value times128(mlir::Value sum);

private:
  bool takesWords() const;
  mlir::Value constant(mlir::Type type, int64_t value);
  mlir::Value callDot(mlir::Value sum, mlir::Value x, mlir::Value column, int64_t lanes);
  mlir::Value call(const llvm::Twine &name, mlir::Type type, mlir::ValueRange operands);

  mlir::OpBuilder &b;
  mlir::Location loc;
  const VectorTarget &target;
  mlir::Type element;
  bool bytes;
};

} // namespace onnxc

#endif
