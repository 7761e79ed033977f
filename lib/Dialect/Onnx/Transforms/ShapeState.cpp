// The symbols and small tensors that shape inference follows. Operators that move elements are
// run by the evaluator on tags that stand for the elements, so unknown elements move like known ones.
#include "onnxc/Dialect/Onnx/Transforms/ShapeState.h"
#include "onnxc/Dialect/Onnx/Transforms/Attributes.h"
#include "onnxc/Dialect/Onnx/Transforms/Evaluate.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace onnxc::onnx {

static bool isIntegerTensor(Type type) {
  auto shaped = dyn_cast<RankedTensorType>(type);
  return shaped && isa<IntegerType>(shaped.getElementType());
}

SymbolicDim ShapeState::named(StringRef name) {
  auto [it, isNew] = symbolOfName.try_emplace(name, nextSymbol);
  if (isNew) {
    nameOfSymbol[nextSymbol] = name.str();
    ++nextSymbol;
  }
  return SymbolicDim::symbol(it->second);
}

StringRef ShapeState::nameOf(SymbolicDim dim) const {
  if (!dim.isSymbol())
    return "";
  auto it = nameOfSymbol.find(dim.getSymbol());
  return it == nameOfSymbol.end() ? StringRef() : StringRef(it->second);
}

std::optional<SymbolicDims> ShapeState::shapeOf(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return std::nullopt;
  SymbolicDims &dims = shapes[value];
  dims.resize(type.getRank());
  for (auto [dim, size] : llvm::zip(dims, type.getShape())) {
    if (!ShapedType::isDynamic(size))
      dim = SymbolicDim::known(size);
    else if (dim.isUnknown() || dim.isKnown())
      dim = fresh();
  }
  return dims;
}

void ShapeState::setShape(Value value, ArrayRef<SymbolicDim> dims) {
  shapes[value].assign(dims.begin(), dims.end());
}

void ShapeState::forget(Operation *op) {
  for (Value result : op->getResults()) {
    shapes.erase(result);
    contents.erase(result);
  }
}

void ShapeState::setContents(Value value, Contents known) { contents[value] = std::move(known); }

static Contents fromConstant(const HostTensor &tensor) {
  Contents result;
  result.shape.assign(tensor.getShape().begin(), tensor.getShape().end());
  result.constant = tensor;
  if (tensor.isInteger())
    for (int64_t value : tensor.ints())
      result.elements.push_back(SymbolicDim::known(value));
  return result;
}

const Contents *ShapeState::contentsOf(Value value) {
  auto it = contents.find(value);
  if (it != contents.end())
    return &it->second;
  Operation *def = value.getDefiningOp();
  if (!def || def->getName().getStringRef() != "onnx.Constant")
    return nullptr;
  auto attr = def->getAttrOfType<ElementsAttr>("value");
  if (!attr || !attr.getShapedType().hasStaticShape() ||
      attr.getShapedType().getNumElements() > kMaxElements)
    return nullptr;
  std::optional<HostTensor> tensor = HostTensor::read(attr);
  if (!tensor)
    return nullptr;
  return &(contents[value] = fromConstant(*tensor));
}

/// Makes the constant if all elements are known.
static void completeConstant(Contents &known, Type elementType) {
  if (!llvm::all_of(known.elements, [](const SymbolicDim &dim) { return dim.isKnown(); }))
    return;
  HostTensor tensor = HostTensor::zeros(elementType, known.shape);
  for (auto [i, dim] : llvm::enumerate(known.elements)) {
    int64_t value = dim.getValue();
    tensor.store(i, 1, &value);
  }
  known.constant = tensor;
}

bool ShapeState::inferFromConstants(Operation *op) {
  if (!canEvaluate(op) || op->getNumOperands() == 0)
    return false;
  SmallVector<std::optional<HostTensor>> operands;
  for (Value operand : op->getOperands()) {
    if (isa<NoneType>(operand.getType())) {
      operands.push_back(std::nullopt);
      continue;
    }
    const Contents *known = contentsOf(operand);
    // Only the type that a tensor is like matters to CastLike.
    bool isTypeOnly = op->getName().getStringRef() == "onnx.CastLike" && operands.size() == 1;
    if (!isTypeOnly && (!known || !known->constant))
      return false;
    operands.push_back(isTypeOnly ? std::nullopt : known->constant);
  }
  HostResults results;
  EvaluateLimits limits;
  limits.growthBytes = kMaxElements * 8;
  for (Value result : op->getResults())
    if (!isa<ShapedType>(result.getType()))
      return false;
  if (failed(evaluate(op, operands, limits, results)))
    return false;
  for (auto [value, tensor] : llvm::zip(op->getResults(), results))
    if (tensor.getNumElements() <= kMaxElements)
      setContents(value, fromConstant(tensor));
  return true;
}

bool ShapeState::inferShapeOp(Operation *op) {
  StringRef name = op->getName().getStringRef();
  if (name != "onnx.Shape" && name != "onnx.Size")
    return false;
  std::optional<SymbolicDims> dims = shapeOf(op->getOperand(0));
  if (!dims)
    return true;
  Contents known;
  if (name == "onnx.Size") {
    int64_t product = 1;
    for (const SymbolicDim &dim : *dims)
      if (!dim.isKnown() || llvm::MulOverflow(product, dim.getValue(), product))
        return true;
    known.elements.push_back(SymbolicDim::known(product));
  } else {
    int64_t rank = dims->size();
    auto clampAxis = [&](int64_t axis) {
      return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
    };
    int64_t start = clampAxis(intAttr(op, "start", 0)), end = clampAxis(intAttr(op, "end", rank));
    for (int64_t i = start; i < end; ++i)
      known.elements.push_back((*dims)[i]);
    known.shape.push_back(known.elements.size());
  }
  completeConstant(known, IntegerType::get(op->getContext(), 64));
  setContents(op->getResult(0), std::move(known));
  return true;
}

bool ShapeState::inferMovement(Operation *op) {
  // How many of the first operands are the data that moves; the others say where to.
  int64_t numData = llvm::StringSwitch<int64_t>(op->getName().getStringRef())
                        .Cases({"onnx.Identity", "onnx.Reshape", "onnx.Squeeze", "onnx.Unsqueeze",
                                "onnx.Flatten", "onnx.Transpose"},
                               1)
                        .Cases({"onnx.Slice", "onnx.Gather", "onnx.Expand", "onnx.Tile",
                                "onnx.Split"},
                               1)
                        .Case("onnx.Concat", op->getNumOperands())
                        .Default(0);
  if (numData == 0)
    return false;
  SymbolicDims table;
  SmallVector<std::optional<HostTensor>> operands;
  Type i64 = IntegerType::get(op->getContext(), 64);
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    if (isa<NoneType>(operand.getType())) {
      operands.push_back(std::nullopt);
      continue;
    }
    const Contents *known = contentsOf(operand);
    bool isData = static_cast<int64_t>(i) < numData;
    if (!isData) {
      if (!known || !known->constant)
        return true;
      operands.push_back(known->constant);
      continue;
    }
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    if (!isIntegerTensor(operand.getType()))
      return true;
    SmallVector<int64_t> shape;
    SymbolicDims elements;
    if (known) {
      shape = known->shape;
      elements = known->elements;
    } else {
      // Part of a Concat of which only the size is known.
      if (!type.hasStaticShape() || type.getNumElements() > kMaxElements || numData == 1)
        return true;
      shape.assign(type.getShape().begin(), type.getShape().end());
      elements.resize(type.getNumElements());
    }
    HostTensor tags = HostTensor::zeros(i64, shape);
    for (auto [k, element] : llvm::enumerate(elements)) {
      int64_t tag = table.size();
      tags.store(k, 1, &tag);
      table.push_back(element);
    }
    operands.push_back(tags);
  }
  HostResults results;
  EvaluateLimits limits;
  limits.growthBytes = kMaxElements * 8;
  if (failed(evaluate(op, operands, limits, results)))
    return true;
  for (auto [value, tags] : llvm::zip(op->getResults(), results)) {
    if (tags.getNumElements() > kMaxElements || !isIntegerTensor(value.getType()))
      continue;
    Contents known;
    known.shape.assign(tags.getShape().begin(), tags.getShape().end());
    for (int64_t tag : tags.ints())
      known.elements.push_back(table[tag]);
    completeConstant(known, cast<ShapedType>(value.getType()).getElementType());
    setContents(value, std::move(known));
  }
  return true;
}

namespace {
enum class Arith { None, Copy, Add, Sub, Mul, Div, Min, Max, Equal, Where };

/// Integer arithmetic where an operand is a size or unknown; constants alone go through the evaluator.
SymbolicDim combine(Arith kind, const SymbolicDim &a, const SymbolicDim &b) {
  bool same = a == b;
  if (a.isKnown() && b.isKnown()) {
    int64_t x = a.getValue(), y = b.getValue(), result;
    switch (kind) {
    case Arith::Add: return llvm::AddOverflow(x, y, result) ? SymbolicDim() : SymbolicDim::known(result);
    case Arith::Sub: return llvm::SubOverflow(x, y, result) ? SymbolicDim() : SymbolicDim::known(result);
    case Arith::Mul: return llvm::MulOverflow(x, y, result) ? SymbolicDim() : SymbolicDim::known(result);
    case Arith::Div: return y == 0 || (y == -1 && x == INT64_MIN) ? SymbolicDim() : SymbolicDim::known(x / y);
    case Arith::Min: return SymbolicDim::known(std::min(x, y));
    case Arith::Max: return SymbolicDim::known(std::max(x, y));
    case Arith::Equal: return SymbolicDim::known(x == y);
    default: return {};
    }
  }
  switch (kind) {
  case Arith::Add:
    return a.isKnown(0) ? b : b.isKnown(0) ? a : SymbolicDim();
  case Arith::Sub:
    return b.isKnown(0) ? a : same ? SymbolicDim::known(0) : SymbolicDim();
  case Arith::Mul:
    if (a.isKnown(0) || b.isKnown(0))
      return SymbolicDim::known(0);
    return a.isKnown(1) ? b : b.isKnown(1) ? a : SymbolicDim();
  case Arith::Div:
    return b.isKnown(1) ? a : SymbolicDim();
  case Arith::Min:
    return same ? a : SymbolicDim();
  case Arith::Max:
    if (same || (a.isSymbol() && b.isKnown() && b.getValue() <= 0))
      return a;
    return b.isSymbol() && a.isKnown() && a.getValue() <= 0 ? b : SymbolicDim();
  case Arith::Equal:
    if (same)
      return SymbolicDim::known(1);
    // A size is never negative.
    if ((a.isSymbol() && b.isKnown() && b.getValue() < 0) ||
        (b.isSymbol() && a.isKnown() && a.getValue() < 0))
      return SymbolicDim::known(0);
    return {};
  default:
    return {};
  }
}
} // namespace

void ShapeState::inferElementwise(Operation *op) {
  Arith kind = llvm::StringSwitch<Arith>(op->getName().getStringRef())
                   .Case("onnx.Cast", Arith::Copy)
                   .Case("onnx.Add", Arith::Add)
                   .Case("onnx.Sub", Arith::Sub)
                   .Case("onnx.Mul", Arith::Mul)
                   .Case("onnx.Div", Arith::Div)
                   .Case("onnx.Min", Arith::Min)
                   .Case("onnx.Max", Arith::Max)
                   .Case("onnx.Equal", Arith::Equal)
                   .Case("onnx.Where", Arith::Where)
                   .Default(Arith::None);
  if (kind == Arith::None)
    return;
  if (!isIntegerTensor(op->getResult(0).getType()))
    return;
  Type element = cast<ShapedType>(op->getResult(0).getType()).getElementType();
  SmallVector<const Contents *> known;
  // contentsOf may insert and so move entries: look all up first.
  for (Value operand : op->getOperands())
    if (!isIntegerTensor(operand.getType()) || !contentsOf(operand))
      return;
  for (Value operand : op->getOperands())
    known.push_back(contentsOf(operand));
  if (kind == Arith::Copy && element.getIntOrFloatBitWidth() < 32)
    return;
  if ((kind == Arith::Min || kind == Arith::Max) && known.size() != 2 && known.size() != 1)
    return;

  SmallVector<int64_t> shape = known[0]->shape;
  for (const Contents *operand : known) {
    auto joined = detail::broadcastShapes(shape, operand->shape);
    if (!joined)
      return;
    shape = *joined;
  }
  SmallVector<SmallVector<int64_t>> strides;
  for (const Contents *operand : known)
    strides.push_back(detail::broadcastStrides(operand->shape, shape));
  int64_t row = shape.empty() ? 1 : shape.back();
  Contents result;
  result.shape = shape;
  if (ShapedType::getNumElements(shape) > kMaxElements)
    return;
  detail::forEachRow(shape, strides, [&](int64_t, ArrayRef<int64_t> offsets) {
    for (int64_t i = 0; i < row; ++i) {
      SmallVector<SymbolicDim> at;
      for (size_t k = 0; k < known.size(); ++k)
        at.push_back(known[k]->elements[offsets[k] + (shape.empty() ? 0 : i * strides[k].back())]);
      if (known.size() == 1)
        result.elements.push_back(at[0]);
      else if (kind == Arith::Where)
        result.elements.push_back(at[0].isKnown() ? at[at[0].getValue() != 0 ? 1 : 2]
                                  : at[1] == at[2] ? at[1]
                                                   : SymbolicDim());
      else
        result.elements.push_back(combine(kind, at[0], at[1]));
    }
  });
  completeConstant(result, element);
  setContents(op->getResult(0), std::move(result));
}

void ShapeState::inferContents(Operation *op) {
  if (op->getNumResults() == 0 || op->getNumRegions() != 0 || isa<NoneType>(op->getResult(0).getType()))
    return;
  if (inferShapeOp(op) || inferFromConstants(op) || inferMovement(op))
    return;
  inferElementwise(op);
}

} // namespace onnxc::onnx
