#include "GraphWriter.h"

#include "onnxc/Dialect/Onnx/Transforms/Constants.h"
#include "onnxc/Dialect/Onnx/Transforms/TypeInference.h"

using namespace mlir;

namespace onnxc::onnx {

GraphWriter::GraphWriter(Operation *anchor, ShapeState &state)
    : b(anchor), loc(anchor->getLoc()), state(state) {}

Type GraphWriter::elementOf(Value x) {
  auto tensor = dyn_cast<TensorType>(x.getType());
  return tensor ? tensor.getElementType() : Type();
}

bool GraphWriter::isFloat(Value x) { return isa_and_nonnull<FloatType>(elementOf(x)); }

std::optional<int64_t> GraphWriter::rank(Value x) {
  auto type = dyn_cast<RankedTensorType>(x.getType());
  return type ? std::optional(type.getRank()) : std::nullopt;
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

NamedAttribute GraphWriter::attr(StringRef name, int64_t value) {
  return b.getNamedAttr(name, b.getI64IntegerAttr(value));
}
NamedAttribute GraphWriter::attr(StringRef name, ArrayRef<int64_t> values) {
  return b.getNamedAttr(name, b.getDenseI64ArrayAttr(values));
}
NamedAttribute GraphWriter::attr(StringRef name, StringRef value) {
  return b.getNamedAttr(name, b.getStringAttr(value));
}
NamedAttribute GraphWriter::attr(StringRef name, float value) {
  return b.getNamedAttr(name, b.getF32FloatAttr(value));
}

Value GraphWriter::none() {
  if (!noneValue)
    noneValue = NoneOp::create(b, loc, b.getNoneType());
  return noneValue;
}

void GraphWriter::infer(Operation *op) {
  // A contradiction is reported at the operator; the types stay as they are and the next
  // inference of the function ends with it.
  (void)TypeInference(state).inferOp(op);
}

SmallVector<Value> GraphWriter::ops(StringRef name, ArrayRef<Value> inputs,
                                    ArrayRef<NamedAttribute> attrs, ArrayRef<Type> elements) {
  std::string fullName = ("onnx." + name).str();
  const OpInfo &info = RegisteredOperationName::lookup(fullName, b.getContext())
                           ->getInterface<OnnxOpInterface>()
                           ->getOnnxInfo();
  SmallVector<Value> operands;
  for (Value input : inputs)
    operands.push_back(input ? input : none());
  bool repeats = !info.inputs.empty() && info.inputs.back().option == ParamInfo::Variadic;
  while (!repeats && operands.size() < info.inputs.size())
    operands.push_back(none());
  SmallVector<Type> types;
  for (Type element : elements)
    types.push_back(element ? Type(UnrankedTensorType::get(element)) : b.getNoneType());
  bool repeatsResult = !info.outputs.empty() && info.outputs.back().option == ParamInfo::Variadic;
  while (!repeatsResult && types.size() < info.outputs.size())
    types.push_back(b.getNoneType());
  OperationState made(loc, fullName, operands, types, attrs);
  Operation *op = b.create(made);
  infer(op);
  return SmallVector<Value>(op->getResults().take_front(elements.size()));
}

Value GraphWriter::op(StringRef name, ArrayRef<Value> inputs, ArrayRef<NamedAttribute> attrs,
                      Type element) {
  return ops(name, inputs, attrs, {element ? element : elementOf(inputs.front())}).front();
}

Operation *GraphWriter::again(Operation *op, ArrayRef<Value> operands, ArrayRef<Type> elements) {
  Operation *copy = b.clone(*op);
  copy->setLoc(loc);
  copy->setOperands(operands);
  for (auto [result, element] : llvm::zip(copy->getResults(), elements))
    result.setType(element ? Type(UnrankedTensorType::get(element)) : b.getNoneType());
  infer(copy);
  return copy;
}

//===----------------------------------------------------------------------===//
// Constants and shapes
//===----------------------------------------------------------------------===//

Value GraphWriter::ints(ArrayRef<int64_t> values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())}, b.getI64Type());
  return ConstantOp::create(b, loc, ElementsAttr(DenseElementsAttr::get(type, values)));
}

Value GraphWriter::scalar(int64_t value) {
  auto type = RankedTensorType::get({}, b.getI64Type());
  return ConstantOp::create(b, loc, ElementsAttr(DenseElementsAttr::get(type, value)));
}

Value GraphWriter::number(double value, Value like) {
  HostTensor tensor = HostTensor::zeros(elementOf(like), {});
  tensor.store(0, 1, &value);
  return createConstant(b, loc, tensor);
}

Value GraphWriter::where(Value condition, Value x, Value y) {
  return op("Where", {condition, x, y}, {}, elementOf(x));
}

Value GraphWriter::compare(StringRef name, Value x, Value y) {
  return op(name, {x, y}, {}, b.getI1Type());
}

Value GraphWriter::shape(Value x) { return op("Shape", {x}, {}, b.getI64Type()); }

Value GraphWriter::size(Value x) { return op("Size", {x}, {}, b.getI64Type()); }

Value GraphWriter::shape(Value x, int64_t begin, int64_t end) {
  SmallVector<NamedAttribute> range = {attr("start", begin)};
  if (end >= 0)
    range.push_back(attr("end", end));
  return op("Shape", {x}, range, b.getI64Type());
}

Value GraphWriter::concat(ArrayRef<Value> vectors) {
  return vectors.size() == 1 ? vectors.front() : op("Concat", vectors, {attr("axis", int64_t(0))});
}

Value GraphWriter::reshape(Value x, Value shape) {
  return op("Reshape", {x, shape}, {attr("allowzero", int64_t(!constantInts(shape)))});
}

Value GraphWriter::expandLike(Value x, Value like) { return op("Expand", {x, shape(like)}); }

Value GraphWriter::fill(double value, Value like) { return expandLike(number(value, like), like); }

Value GraphWriter::transpose(Value x, ArrayRef<int64_t> perm) {
  return op("Transpose", {x}, {attr("perm", perm)});
}

Value GraphWriter::matrixTranspose(Value x) {
  SmallVector<int64_t> perm = llvm::to_vector(llvm::seq<int64_t>(0, *rank(x)));
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return transpose(x, perm);
}

Value GraphWriter::reduceSum(Value x, ArrayRef<int64_t> axes, bool keepDims) {
  return axes.empty() ? x : op("ReduceSum", {x, ints(axes)}, {attr("keepdims", int64_t(keepDims))});
}

Value GraphWriter::ratioOfSizes(Value x, Value y) {
  return op("CastLike", {div(size(x), op("Max", {size(y), scalar(1)})), x}, {}, elementOf(x));
}

Value GraphWriter::sumTo(Value x, Value like) {
  std::optional<SymbolicDims> from = state.shapeOf(x), to = state.shapeOf(like);
  if (!from || !to || from->size() < to->size())
    return {};
  int64_t lead = from->size() - to->size();
  SmallVector<int64_t> ones, leading = llvm::to_vector(llvm::seq<int64_t>(0, lead));
  SmallVector<int64_t> open;
  for (auto [i, dim] : llvm::enumerate(*to)) {
    SymbolicDim wide = (*from)[lead + i];
    if (dim == wide || (dim.isKnown() && dim.getValue() != 1))
      continue;
    (dim.isKnown() ? ones : open).push_back(i);
  }
  x = reduceSum(x, leading, false);
  x = reduceSum(x, ones, true);
  if (open.empty())
    return x;
  // An axis that may have been repeated is split in two: how often, and its own size.
  Value wide = shape(x), narrow = shape(like);
  SmallVector<Value> sizes;
  SmallVector<int64_t> repeated;
  for (int64_t i = 0, n = to->size(); i < n; ++i) {
    Value size = shape(like, i, i + 1);
    if (llvm::is_contained(open, i)) {
      repeated.push_back(sizes.size());
      sizes.push_back(div(op("Gather", {wide, ints({i})}),
                          op("Max", {op("Gather", {narrow, ints({i})}), scalar(1)})));
    }
    sizes.push_back(size);
  }
  return reduceSum(reshape(x, concat(sizes)), repeated, false);
}

Value GraphWriter::fitTo(Value x, Value like, int64_t first) {
  std::optional<SymbolicDims> from = state.shapeOf(x), to = state.shapeOf(like);
  if (from && to && std::equal(from->begin() + first, from->end(), to->begin() + first, to->end()))
    return x;
  Value missing = sub(shape(like, first, -1), shape(x, first, -1));
  int64_t n = *rank(x);
  SmallVector<int64_t> zeros(n + first, 0);
  return op("Pad", {x, concat({ints(zeros), missing})});
}

} // namespace onnxc::onnx
