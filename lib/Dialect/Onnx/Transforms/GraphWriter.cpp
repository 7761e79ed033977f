#include "onnxc/Dialect/Onnx/Transforms/GraphWriter.h"

#include "onnxc/Dialect/Onnx/Transforms/HostTensor.h"
#include "onnxc/Schema/InferTypes.h"

using namespace mlir;

namespace onnxc::onnx {

int64_t GraphWriter::dim(Value v, int64_t axis) const {
  RankedTensorType t = type(v);
  if (!t || axis >= t.getRank() || axis < -t.getRank())
    return ShapedType::kDynamic;
  return t.getDimSize(axis < 0 ? axis + t.getRank() : axis);
}

Value GraphWriter::op(StringRef name, ArrayRef<Value> operands, ArrayRef<NamedAttribute> attrs) {
  return ops(name, operands, attrs, {true})[0];
}

Values GraphWriter::ops(StringRef name, ArrayRef<Value> operands, ArrayRef<NamedAttribute> attrs,
                        ArrayRef<bool> wanted) {
  OperationState made(loc, ("onnx." + name).str());
  const OpInfo &info = made.name.getInterface<OnnxOpInterface>()->getOnnxInfo();
  for (Value operand : operands)
    made.operands.push_back(operand ? operand : none());
  while (made.operands.size() < info.inputs.size() &&
         info.inputs[made.operands.size()].option != ParamInfo::Variadic)
    made.operands.push_back(none());
  made.addAttributes(attrs);
  size_t results = wanted.size();
  if (!info.outputs.empty() && info.outputs.back().option != ParamInfo::Variadic)
    results = info.outputs.size();
  made.types.assign(results, b.getNoneType());
  Operation *op = b.create(made);
  inferNew(op, wanted);
  Values values(wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i)
    if (wanted[i])
      values[i] = op->getResult(i);
  return values;
}

Operation *GraphWriter::again(Operation *op, ArrayRef<Value> operands, ArrayRef<bool> wanted) {
  Operation *copy = b.clone(*op);
  copy->setLoc(loc);
  copy->setOperands(operands);
  inferNew(copy, wanted);
  return copy;
}

/// Where the schema does not tell an element type, it is that of the first operand.
void GraphWriter::inferNew(Operation *made, ArrayRef<bool> wanted) {
  Type element = b.getF32Type();
  if (made->getNumOperands() > 0)
    if (auto first = dyn_cast<TensorType>(made->getOperand(0).getType()))
      element = first.getElementType();
  for (auto [i, result] : llvm::enumerate(made->getResults()))
    result.setType(i < wanted.size() && wanted[i] ? Type(UnrankedTensorType::get(element))
                                                  : Type(b.getNoneType()));
  SmallVector<Type> types;
  if (succeeded(inferTypes(made, types)))
    for (auto [i, result] : llvm::enumerate(made->getResults()))
      if (!isNone(result) && types[i])
        result.setType(types[i]);
  infer(made);
}

void GraphWriter::infer(Operation *op) {
  // A failure is reported by the inference that follows the pass.
  (void)inference.inferOp(op);
}

NamedAttribute GraphWriter::integerAttr(StringRef name, int64_t value) {
  return b.getNamedAttr(name, b.getI64IntegerAttr(value));
}

NamedAttribute GraphWriter::realAttr(StringRef name, double value) {
  return b.getNamedAttr(name, b.getF32FloatAttr(static_cast<float>(value)));
}

NamedAttribute GraphWriter::textAttr(StringRef name, StringRef value) {
  return b.getNamedAttr(name, b.getStringAttr(value));
}

NamedAttribute GraphWriter::intsAttr(StringRef name, Ints values) {
  return b.getNamedAttr(name, b.getDenseI64ArrayAttr(values));
}

Value GraphWriter::none() {
  if (!absent)
    absent = NoneOp::create(b, loc, b.getNoneType());
  return absent;
}

Value GraphWriter::vector(Ints values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())}, b.getI64Type());
  return ConstantOp::create(b, loc, ElementsAttr(DenseElementsAttr::get(type, values))).getOutput();
}

Value GraphWriter::constant(Type elem, Ints shape, ArrayRef<double> values) {
  HostTensor tensor = HostTensor::zeros(elem, shape);
  tensor.store(0, values.size(), values.data());
  return ConstantOp::create(b, loc, tensor.toAttr()).getOutput();
}

Value GraphWriter::scalar(Type elem, double value) { return constant(elem, {}, {value}); }

Value GraphWriter::cast(Value x, Type to) {
  if (elem(x) == to)
    return x;
  return op("Cast", {x}, {integerAttr("to", toOnnxElementType(to))});
}

Value GraphWriter::size(Value x, int64_t axis) {
  axis = axis < 0 ? axis + rank(x) : axis;
  if (int64_t known = dim(x, axis); !ShapedType::isDynamic(known))
    return vector({known});
  return op("Shape", {x}, {integerAttr("start", axis), integerAttr("end", axis + 1)});
}

Values GraphWriter::split(Value x, Ints sizes, int64_t axis) {
  return ops("Split", {x, vector(sizes)}, {integerAttr("axis", axis)},
             SmallVector<bool>(sizes.size(), true));
}

Value GraphWriter::iota(Value count) {
  Type i64 = b.getI64Type();
  return op("Range", {scalar(i64, 0), squeeze(count, {0}), scalar(i64, 1)});
}

} // namespace onnxc::onnx
