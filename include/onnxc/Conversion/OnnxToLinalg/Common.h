// What the lowerings of OnnxToLinalg share: constants and optional operands,
// sizes, destination tensors, broadcasting, elementwise ops, run-time checks.
//
// Two sides of a value: its original (op.getX(), an onnx type, where constants and
// signedness are read) and its converted form (adaptor.getX(), storage type).
#ifndef ONNXC_CONVERSION_ONNXTOLINALG_COMMON_H
#define ONNXC_CONVERSION_ONNXTOLINALG_COMMON_H

#include "onnxc/Conversion/OnnxToLinalg/DimAnalysis.h"
#include "onnxc/Conversion/OnnxToLinalg/ScalarCodec.h"
#include "onnxc/Conversion/OnnxToLinalg/TypeConverter.h"
#include "onnxc/Dialect/Onnx/IR/Onnx.h"
#include "onnxc/Dialect/Rt/IR/Rt.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"
#include <optional>

namespace onnxc {

// The base of all patterns here.
template <typename Op>
struct OnnxPattern : mlir::OpConversionPattern<Op> {
  using Base = OnnxPattern;
  OnnxPattern(const OnnxTypeConverter &converter, mlir::MLIRContext *context)
      : mlir::OpConversionPattern<Op>(converter, context) {}
  using Adaptor = typename Op::Adaptor;

  const OnnxTypeConverter &types() const {
    return static_cast<const OnnxTypeConverter &>(*this->getTypeConverter());
  }
  mlir::LogicalResult refuse(mlir::Operation *op, const llvm::Twine &reason) const {
    return types().refuse(op, reason);
  }
};

// Adds patterns constructed from (const OnnxTypeConverter &, MLIRContext *).
template <typename... Ts>
void addPatterns(mlir::RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  (patterns.add<Ts>(converter, patterns.getContext()), ...);
}

//===-- Operands ------------------------------------------------------------===//

// ONNX element type of a tensor value or type; null if it is not a tensor.
mlir::Type onnxElem(mlir::Type type);
inline mlir::Type onnxElem(mlir::Value value) { return onnxElem(value.getType()); }
inline ScalarCodec codecOf(mlir::Value original) { return ScalarCodec(onnxElem(original)); }
mlir::RankedTensorType tensorType(mlir::Value value); // null if not ranked
int64_t rankOf(mlir::Value value);

// The constant behind an original value (through casts of integer type and
// identities); null if it is not constant.
mlir::ElementsAttr getConstantElements(mlir::Value original);
// The elements of a constant integer or bool tensor (of any shape).
std::optional<llvm::SmallVector<int64_t>> getConstantInts(mlir::Value original);
// The elements of a constant float or integer tensor.
std::optional<llvm::SmallVector<double>> getConstantDoubles(mlir::Value original);
// Like DenseElementsAttr::getValues but for dense resources too.
std::optional<llvm::SmallVector<llvm::APInt>> getRawInts(mlir::ElementsAttr attr);

// A constant in storage form; null if the data does not fit the type.
mlir::Value storageConstant(mlir::OpBuilder &b, mlir::Location loc, const OnnxTypeConverter &types,
                            mlir::ElementsAttr attr);

// axis + rank if negative; refused outside of [-rank, rank).
std::optional<int64_t> normalizeAxis(int64_t axis, int64_t rank);

//===-- Index arithmetic ----------------------------------------------------===//

using mlir::OpFoldResult;
OpFoldResult getDim(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor, int64_t dim);
llvm::SmallVector<OpFoldResult> getDims(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor);
mlir::Value toIndex(mlir::OpBuilder &b, mlir::Location loc, OpFoldResult value);
mlir::Value constIndex(mlir::OpBuilder &b, mlir::Location loc, int64_t value);
OpFoldResult addIndex(mlir::OpBuilder &b, mlir::Location loc, OpFoldResult x, OpFoldResult y);
OpFoldResult subIndex(mlir::OpBuilder &b, mlir::Location loc, OpFoldResult x, OpFoldResult y);
OpFoldResult mulIndex(mlir::OpBuilder &b, mlir::Location loc, OpFoldResult x, OpFoldResult y);
// Rounds down; y > 0 (a run-time zero gives 0, it does not trap).
OpFoldResult divIndex(mlir::OpBuilder &b, mlir::Location loc, OpFoldResult x, OpFoldResult y);
OpFoldResult ceilDivIndex(mlir::OpBuilder &b, mlir::Location loc, OpFoldResult x, OpFoldResult y);
OpFoldResult minIndex(mlir::OpBuilder &b, mlir::Location loc, OpFoldResult x, OpFoldResult y);
OpFoldResult maxIndex(mlir::OpBuilder &b, mlir::Location loc, OpFoldResult x, OpFoldResult y);
OpFoldResult productIndex(mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<OpFoldResult> xs);
// An ONNX index that may be negative: index < 0 ? index + size : index.
mlir::Value wrapIndex(mlir::OpBuilder &b, mlir::Location loc, mlir::Value index, mlir::Value size);

// The elements of a small integer tensor that describes a shape: constants
// where it is constant, else tensor.extract and index_cast. Its number of
// elements must be static, or be given as `count`; then it is checked at run time.
std::optional<llvm::SmallVector<OpFoldResult>>
readShapeTensor(mlir::OpBuilder &b, mlir::Location loc, mlir::Value original, mlir::Value converted,
                int64_t count = -1);
// Elements offset, ..., offset + count - 1 of a vector of integers whose length is known at run time only;
// `absent` for those from position offset + length on.
llvm::SmallVector<OpFoldResult> readOpenVector(mlir::OpBuilder &b, mlir::Location loc, mlir::Value converted,
                                               mlir::Value offset, mlir::Value length, int64_t count,
                                               int64_t absent);
// The length of the vector that says something of each of several axes; null if it is not known before the run.
std::optional<int64_t> knownLength(mlir::Value original, mlir::Value converted);
// The elements of small integer tensors, if at least one of them is put together from scalars
// (tensor.from_elements), as in chains that compute a shape. Such chains stay
// scalar arithmetic, so that sizes fold. One list a tensor.
std::optional<llvm::SmallVector<llvm::SmallVector<mlir::Value>>>
shapeElements(mlir::OpBuilder &b, mlir::Location loc, mlir::ValueRange tensors);
mlir::Value fromElements(mlir::OpBuilder &b, mlir::Location loc, mlir::RankedTensorType type,
                         mlir::ValueRange elements);
// The only element of a 0-d or one-element tensor, in storage type.
mlir::Value readScalar(mlir::OpBuilder &b, mlir::Location loc, mlir::Value converted);

// Ends the run unless the i1 is true.
void runtimeAssert(mlir::OpBuilder &b, mlir::Location loc, mlir::Value condition,
                   const llvm::Twine &message);

//===-- Tensors -------------------------------------------------------------===//

// Sizes with the static ones of `type` put in.
llvm::SmallVector<OpFoldResult> refineSizes(mlir::OpBuilder &b, mlir::RankedTensorType type,
                                            llvm::ArrayRef<OpFoldResult> sizes);
mlir::Value emptyTensor(mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<OpFoldResult> sizes,
                        mlir::Type storageElem);
// tensor.empty + linalg.fill.
mlir::Value filled(mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<OpFoldResult> sizes,
                   mlir::Value scalar);
// tensor.cast to the wanted type where they differ. A dynamic size that becomes static is
// checked at run time.
mlir::Value castTensor(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor, mlir::Type type);
// Replaces op; results are cast to the converted types of op's results. A
// null value stands for a result that is none.
void replaceOp(mlir::ConversionPatternRewriter &rewriter, const OnnxTypeConverter &types,
               mlir::Operation *op, llvm::ArrayRef<mlir::Value> values);
bool hasZero(llvm::ArrayRef<OpFoldResult> sizes); // a size that is known to be 0
// tensor.extract_slice; an empty tensor where a size is 0, since upstream refuses a
// slice that begins at the end.
mlir::Value extractSlice(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor,
                         llvm::ArrayRef<OpFoldResult> offsets, llvm::ArrayRef<OpFoldResult> sizes,
                         llvm::ArrayRef<OpFoldResult> strides);
// A reshape between shapes of equal element count: expand_shape/collapse_shape
// where the grouping is known, else tensor.reshape.
mlir::Value reshapeTo(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor,
                      llvm::ArrayRef<OpFoldResult> sizes);
// linalg.transpose: result dim i is dim perm[i] of the input.
mlir::Value transposeTo(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor,
                        llvm::ArrayRef<int64_t> perm);
// Adds leading or other dimensions of size 1 at the given result positions / drops them.
mlir::Value unsqueeze(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor,
                      llvm::ArrayRef<int64_t> axes);
mlir::Value squeeze(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor,
                    llvm::ArrayRef<int64_t> axes);

//===-- Elementwise ---------------------------------------------------------===//

struct Operand {
  mlir::Value value;    // converted
  mlir::Type elem;      // ONNX element type
  mlir::Value original; // where known; lets dynamic dimensions be compared
  Operand(mlir::Value value, mlir::Type elem, mlir::Value original = {})
      : value(value), elem(elem), original(original) {}
  Operand(mlir::Value original, mlir::Value converted)
      : value(converted), elem(onnxElem(original)), original(original) {}
};

// Numpy broadcasting of operands: the result's sizes and, for each operand, the
// tensor to read and the indexing map to read it with. A dynamic size that may be 1
// at run time gets the plain map if it is known equal to the result's,
// else the operand is first wrapped in a broadcast that picks at run time.
struct Broadcast {
  llvm::SmallVector<OpFoldResult> sizes;
  llvm::SmallVector<mlir::Value> values;
  llvm::SmallVector<mlir::AffineMap> maps;
};
// `result`, if given, contributes static sizes.
Broadcast broadcastOperands(mlir::OpBuilder &b, mlir::Location loc, const OnnxTypeConverter &types,
                            llvm::ArrayRef<Operand> operands, mlir::RankedTensorType result = {});

// Gets decoded scalars (compute types), returns a value of the result's compute type.
using ScalarBody =
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;

// A linalg.generic over the broadcast operands. `resultType` is the ONNX tensor type.
mlir::Value createElementwise(mlir::OpBuilder &b, mlir::Location loc,
                              const OnnxTypeConverter &types, llvm::ArrayRef<Operand> operands,
                              mlir::Type resultType, ScalarBody body, EncodeOptions options = {});

// A linalg.generic with parallel loops over `sizes` that computes each element from
// its indices: for gathers. Body returns a scalar of storage type.
mlir::Value createFromIndices(
    mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<OpFoldResult> sizes,
    mlir::Type storageElem,
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange)> body);

//===-- Kernels -------------------------------------------------------------===//

// rt.kernel whose results the kernel allocates. Operands may be null Values for
// absent inputs. resultTypes are ONNX types.
llvm::SmallVector<mlir::Value> callKernel(mlir::OpBuilder &b, mlir::Location loc,
                                          const OnnxTypeConverter &types, llvm::StringRef name,
                                          llvm::ArrayRef<Operand> operands,
                                          mlir::TypeRange resultTypes,
                                          llvm::ArrayRef<mlir::NamedAttribute> attrs = {});

} // namespace onnxc
#endif
