// Sequences, optionals and maps are handles; what works on them is a kernel. This
// file has the calls that other lowerings make and the casts between tensors and optionals.
#include "ControlFlow.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

using namespace mlir;

namespace onnxc {

static Type anySequence(OpBuilder &b) {
  return onnx::SeqType::get(b.getContext(), UnrankedTensorType::get(b.getF32Type()));
}

static Value indexTensor(OpBuilder &b, Location loc, Value index) {
  Value number = arith::IndexCastOp::create(b, loc, b.getI64Type(), index);
  return tensor::FromElementsOp::create(b, loc, RankedTensorType::get({}, b.getI64Type()), number);
}

Value emptySequence(OpBuilder &b, Location loc, const OnnxTypeConverter &types) {
  return callKernel(b, loc, types, "SequenceEmpty", {}, anySequence(b)).front();
}

Value sequenceInsert(OpBuilder &b, Location loc, const OnnxTypeConverter &types, Value handle,
                     Value value, Type onnxValueType, bool atFront) {
  SmallVector<Operand> operands = {Operand(handle, anySequence(b)),
                                   Operand(value, onnxValueType)};
  if (atFront)
    operands.emplace_back(indexTensor(b, loc, constIndex(b, loc, 0)), Type(b.getI64Type()));
  return callKernel(b, loc, types, "SequenceInsert", operands, anySequence(b)).front();
}

Value sequenceAt(OpBuilder &b, Location loc, const OnnxTypeConverter &types, Value handle,
                 Value index, Type onnxElementType) {
  SmallVector<Operand> operands = {
      Operand(handle, anySequence(b)),
      Operand(indexTensor(b, loc, index), Type(b.getI64Type()))};
  return callKernel(b, loc, types, "SequenceAt", operands, onnxElementType).front();
}

Value sequenceLength(OpBuilder &b, Location loc, const OnnxTypeConverter &types, Value handle) {
  Type resultType = RankedTensorType::get({}, b.getI64Type());
  Value length = callKernel(b, loc, types, "SequenceLength", Operand(handle, anySequence(b)),
                            resultType)
                     .front();
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), readScalar(b, loc, length));
}

Value stackSequence(OpBuilder &b, Location loc, const OnnxTypeConverter &types, Value handle,
                    int64_t axis, RankedTensorType onnxType) {
  SmallVector<int64_t> empty;
  for (int64_t dim : onnxType.getShape())
    empty.push_back(ShapedType::isDynamic(dim) ? 0 : dim);
  SmallVector<NamedAttribute> attrs = {
      b.getNamedAttr("axis", b.getI64IntegerAttr(axis)),
      b.getNamedAttr("empty_dims", b.getDenseI64ArrayAttr(empty)),
      b.getNamedAttr("new_axis", b.getI64IntegerAttr(1))};
  return callKernel(b, loc, types, "ConcatFromSequence", Operand(handle, anySequence(b)),
                    Type(onnxType), attrs)
      .front();
}

namespace {

/// A tensor or sequence where an optional may stand is itself; a none has no element.
struct OptionalGetElementPattern : OnnxPattern<onnx::OptionalGetElementOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::OptionalGetElementOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    if (isa<onnx::OptType>(op->getOperand(0).getType()))
      return failure();
    replaceOp(rewriter, types(), op, adaptor.getOperands().front());
    return success();
  }
};

} // namespace

void populateSequencePatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<OptionalGetElementPattern>(patterns, converter);
}

} // namespace onnxc
