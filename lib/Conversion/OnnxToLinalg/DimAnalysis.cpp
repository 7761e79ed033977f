// The walk of DimAnalysis and the rules for operators. A missing rule only costs
// speed: its results get symbols of their own.
#include "onnxc/Conversion/OnnxToLinalg/DimAnalysis.h"

#include "DimRules.h"
#include "onnxc/Conversion/OnnxToLinalg/CustomOperators.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace onnxc {
using namespace dimrules;

using Dim = DimAnalysis::Dim;
using Dims = DimAnalysis::Dims;

// Operators whose first result has the first operand's shape.
static bool keepsShape(StringRef name) {
  static const llvm::StringSet<> names{
      "Abs", "Neg", "Sign", "Reciprocal", "Not", "BitwiseNot", "IsNaN", "IsInf", "Round", "Ceil",
      "Floor", "Sqrt", "Exp", "Log", "Erf", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh",
      "Cosh", "Tanh", "Asinh", "Acosh", "Atanh", "Relu", "LeakyRelu", "ThresholdedRelu", "Elu",
      "Celu", "Selu", "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Mish", "Gelu", "Softplus",
      "Softsign", "Shrink", "Clip", "Cast", "CastLike", "BitCast", "Identity", "Dropout",
      "Softmax", "LogSoftmax", "Hardmax", "LayerNormalization", "RMSNormalization",
      "BatchNormalization", "InstanceNormalization", "GroupNormalization", "LpNormalization", "LRN",
      "MeanVarianceNormalization", "CumSum", "CumProd", "Trilu", "ReverseSequence",
      "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "RotaryEmbedding",
      "ScatterElements", "Scatter", "ScatterND", "TensorScatter", "PRelu", "EyeLike"};
  return names.contains(name);
}

static bool broadcasts(StringRef name) {
  static const llvm::StringSet<> names{
      "Add", "Sub", "Mul", "Div", "Mod", "Pow", "And", "Or", "Xor", "BitwiseAnd", "BitwiseOr",
      "BitwiseXor", "BitShift", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual",
      "Max", "Min", "Sum", "Mean", "Where"};
  return names.contains(name);
}

//===-- Symbols -------------------------------------------------------------===//

Dim DimAnalysis::expression(const Twine &kind, ArrayRef<Dim> parts) {
  std::string key = kind.str();
  for (Dim part : parts)
    key += "," + std::to_string(part);
  auto [it, isNew] = expressions.try_emplace(key, 0);
  if (isNew)
    it->second = fresh();
  return it->second;
}

Dim DimAnalysis::add(Dim a, Dim b) {
  if (isConstant(a) && isConstant(b))
    return a + b;
  if (a == 0 || b == 0)
    return a == 0 ? b : a;
  return expression("add", {std::min(a, b), std::max(a, b)});
}

Dim DimAnalysis::multiply(Dim a, Dim b) {
  if (isConstant(a) && isConstant(b))
    return a * b;
  if (a == 1 || b == 1)
    return a == 1 ? b : a;
  return expression("mul", {std::min(a, b), std::max(a, b)});
}

static std::string limitKey(Dim part) { return "limit of," + std::to_string(part); }

Dim DimAnalysis::broadcast(Dim a, Dim b) {
  if (a == b || b == 1)
    return a;
  if (a == 1)
    return b;
  if (auto it = expressions.find(limitKey(b)); it != expressions.end() && it->second == a)
    return a;
  if (auto it = expressions.find(limitKey(a)); it != expressions.end() && it->second == b)
    return b;
  if (isConstant(a) || isConstant(b)) // a constant other than 1 decides
    return isConstant(a) ? a : b;
  return expression("broadcast", {std::min(a, b), std::max(a, b)});
}

Dims DimAnalysis::broadcast(ArrayRef<Dim> a, ArrayRef<Dim> b) {
  if (a.size() < b.size())
    std::swap(a, b);
  Dims result(a);
  for (size_t i = 0, skip = a.size() - b.size(); i < b.size(); ++i)
    result[skip + i] = broadcast(a[skip + i], b[i]);
  return result;
}

// Positions of a sliding window.
Dim DimAnalysis::windows(Dim size, int64_t kernel, int64_t stride, int64_t dilation, int64_t pads) {
  Dim room = add(size, pads - (dilation * (kernel - 1) + 1));
  if (stride == 1)
    return add(size, pads - dilation * (kernel - 1));
  if (isConstant(room))
    return room / stride + 1;
  return expression("windows", {room, stride});
}

//===-- The walk ------------------------------------------------------------===//

DimAnalysis::DimAnalysis(Operation *root) {
  root->walk<WalkOrder::PreOrder>([&](func::FuncOp function) {
    if (function.isExternal())
      return WalkResult::skip();
    for (BlockArgument arg : function.getArguments()) {
      auto type = dyn_cast<RankedTensorType>(arg.getType());
      auto params = function.getArgAttrOfType<ArrayAttr>(arg.getArgNumber(), "onnx.dim_params");
      if (!type || !params || static_cast<int64_t>(params.size()) != type.getRank())
        continue;
      Dims dims;
      for (Attribute param : params) {
        auto name = dyn_cast<StringAttr>(param);
        if (!name || name.getValue().empty()) {
          dims.push_back(fresh());
          continue;
        }
        auto [it, isNew] = named.try_emplace(name.getValue(), 0);
        if (isNew)
          it->second = fresh();
        dims.push_back(it->second);
      }
      record(arg, dims);
    }
    visitBlock(function.getBody().front());
    return WalkResult::skip();
  });
}

void DimAnalysis::visitBlock(Block &block) {
  for (BlockArgument arg : block.getArguments())
    if (!shapes.contains(arg))
      record(arg, {});
  for (Operation &op : block) {
    visit(&op);
    if (isa<onnx::LoopOp, onnx::ScanOp>(op)) {
      visitLoop(&op);
      continue;
    }
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        visitBlock(inner);
  }
}

// Static sizes of the type win over what was inferred.
void DimAnalysis::record(Value value, ArrayRef<Dim> inferred) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return;
  bool fits = static_cast<int64_t>(inferred.size()) == type.getRank();
  Dims dims;
  for (auto [i, size] : llvm::enumerate(type.getShape()))
    dims.push_back(!ShapedType::isDynamic(size) ? size : fits ? inferred[i] : fresh());
  shapes[value] = dims;
}

void DimAnalysis::visit(Operation *op) {
  Dims dims;
  bool known = op->getNumResults() > 0 && opName(op) != "" && inferShape(op, dims);
  for (auto [i, result] : llvm::enumerate(op->getResults()))
    record(result, known && i == 0 ? ArrayRef<Dim>(dims) : ArrayRef<Dim>());
  if (opName(op) == "Split") // all dimensions but the split one
    for (Value result : op->getResults())
      if (inferMovement(op, dims) && !onnx::isNone(result)) {
        auto axis = normalizeAxis(intAttr(op, "axis", 0), dims.size());
        if (axis)
          dims[*axis] = fresh();
        record(result, dims);
      }
  if (auto custom = dyn_cast<onnx::CustomOp>(op))
    for (auto [i, shape] : llvm::enumerate(customShapes(custom, [&](Value value) { return shapeOf(value); }))) {
      for (Dim &dim : shape)
        dim = dim == -1 ? fresh() : dim;
      record(op->getResult(i), shape);
    }
  Dims elements;
  if (op->getNumResults() == 1 && inferContents(op, elements))
    contents[op->getResult(0)] = elements;
}

ArrayRef<Dim> DimAnalysis::shapeOf(Value value) const {
  auto it = shapes.find(value);
  return it == shapes.end() ? ArrayRef<Dim>() : ArrayRef<Dim>(it->second);
}

bool DimAnalysis::equal(Value a, int64_t dimA, Value b, int64_t dimB) const {
  ArrayRef<Dim> x = shapeOf(a), y = shapeOf(b);
  return dimA < static_cast<int64_t>(x.size()) && dimB < static_cast<int64_t>(y.size()) &&
         x[dimA] == y[dimB];
}

//===-- Shapes --------------------------------------------------------------===//

bool DimAnalysis::inferShape(Operation *op, Dims &dims) {
  StringRef name = opName(op);
  if (op->getNumOperands() == 0)
    return false;
  Dims first(shapeOf(op->getOperand(0)));
  if (keepsShape(name)) {
    dims = first;
    return true;
  }
  if (broadcasts(name)) {
    dims = first;
    for (Value operand : llvm::drop_begin(op->getOperands()))
      dims = broadcast(dims, shapeOf(operand));
    return true;
  }
  if (name == "MatMul" || name == "MatMulInteger") {
    Dims second(shapeOf(op->getOperand(1)));
    if (first.size() < 2 || second.size() < 2)
      return false;
    dims = broadcast(ArrayRef(first).drop_back(2), ArrayRef(second).drop_back(2));
    dims.push_back(first[first.size() - 2]);
    dims.push_back(second.back());
    return true;
  }
  if (name == "Gemm") {
    Dims second(shapeOf(op->getOperand(1)));
    if (first.size() != 2 || second.size() != 2)
      return false;
    dims = {first[intAttr(op, "transA", 0) ? 1 : 0], second[intAttr(op, "transB", 0) ? 0 : 1]};
    return true;
  }
  if (name.starts_with("Reduce") || name == "ArgMax" || name == "ArgMin") {
    SmallVector<int64_t> axes(first.size());
    std::iota(axes.begin(), axes.end(), 0);
    if (name.starts_with("Arg")) {
      axes = {intAttr(op, "axis", 0)};
    } else if (Value given = operandOrNull(op, 1)) {
      auto constant = getConstantInts(given);
      if (!constant)
        return false;
      axes = *constant;
    } else if (intAttr(op, "noop_with_empty_axes", 0)) {
      axes.clear();
    }
    llvm::SmallDenseSet<int64_t> reduced;
    for (int64_t axis : axes)
      reduced.insert(axis < 0 ? axis + first.size() : axis);
    for (auto [i, dim] : llvm::enumerate(first)) {
      if (!reduced.contains(i))
        dims.push_back(dim);
      else if (intAttr(op, "keepdims", 1))
        dims.push_back(1);
    }
    return true;
  }
  return inferMovement(op, dims) || inferWindow(op, dims) || inferReshape(op, dims);
}

bool DimAnalysis::inferMovement(Operation *op, Dims &dims) {
  StringRef name = opName(op);
  Dims first(shapeOf(op->getOperand(0)));
  int64_t rank = first.size();
  if (name == "Transpose") {
    SmallVector<int64_t> perm = intsAttr(op, "perm");
    if (perm.empty())
      perm = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
    for (int64_t p : perm)
      dims.push_back(p >= 0 && p < rank ? first[p] : fresh());
    return true;
  }
  if (name == "Split") {
    dims = first;
    return true;
  }
  if (name == "Gather" || name == "Concat") {
    auto axis = normalizeAxis(intAttr(op, "axis", 0), rank);
    if (!axis)
      return false;
    dims = first;
    if (name == "Gather") {
      ArrayRef<Dim> at = shapeOf(op->getOperand(1));
      dims.erase(dims.begin() + *axis);
      dims.insert(dims.begin() + *axis, at.begin(), at.end());
      return true;
    }
    for (Value other : llvm::drop_begin(op->getOperands())) {
      ArrayRef<Dim> shape = shapeOf(other);
      if (static_cast<int64_t>(shape.size()) != rank)
        return false;
      dims[*axis] = add(dims[*axis], shape[*axis]);
    }
    return true;
  }
  if (name == "GatherElements") {
    dims = Dims(shapeOf(op->getOperand(1)));
    return true;
  }
  if (name == "Slice") {
    Value given = operandOrNull(op, 3);
    auto starts = getConstantInts(op->getOperand(1));
    auto axes = given ? getConstantInts(given) : std::nullopt;
    if (!given && starts)
      axes = llvm::to_vector(llvm::seq<int64_t>(0, starts->size()));
    if (!axes)
      return false;
    dims = first;
    Dims from, to;
    bool known = contentsOf(op->getOperand(1), from) && contentsOf(op->getOperand(2), to);
    bool unit = unitSteps(op);
    auto slice = [&](Dim size, Dim from, Dim to) {
      if (isConstant(size) && isConstant(from) && isConstant(to)) {
        from = std::clamp<int64_t>(from < 0 ? from + size : from, 0, size);
        return std::clamp<int64_t>(to < 0 ? to + size : to, from, size) - from;
      }
      if (from == 0 && (to == size || (isConstant(to) && to >= INT32_MAX)))
        return size;
      Dim part = expression("slice", {size, from, to});
      // min(size, to) with a constant size, as of a table of positions: where it meets `to`
      // itself, broadcasting is valid only if they are equal.
      if (from == 0 && isConstant(size) && size > 1)
        expressions.try_emplace(limitKey(part), to);
      return part;
    };
    for (auto [k, axis] : llvm::enumerate(*axes)) {
      auto d = normalizeAxis(axis, rank);
      if (!d)
        return false;
      if (known && unit && k < from.size() && k < to.size())
        dims[*d] = slice(first[*d], from[k], to[k]);
      else
        dims[*d] = fresh();
    }
    return true;
  }
  if (name == "Expand") {
    Dims target;
    if (!contentsOf(op->getOperand(1), target))
      return false;
    dims = broadcast(first, target);
    return true;
  }
  if (name == "Tile") {
    Dims repeats;
    if (!contentsOf(op->getOperand(1), repeats) || repeats.size() != first.size())
      return false;
    for (auto [dim, repeat] : llvm::zip(first, repeats))
      dims.push_back(multiply(dim, repeat));
    return true;
  }
  if (name == "ConstantOfShape")
    return contentsOf(op->getOperand(0), dims);
  if (name == "Range") {
    Dims start, limit, delta;
    if (!contentsOf(op->getOperand(0), start) || !contentsOf(op->getOperand(1), limit) ||
        !contentsOf(op->getOperand(2), delta))
      return false;
    if (start[0] == 0 && delta[0] == 1 && !isConstant(limit[0]))
      dims = {limit[0]};
    else
      dims = {expression("range", {start[0], limit[0], delta[0]})};
    return true;
  }
  return false;
}

// Convolutions and pools: the batch, and spatial sizes by their formula.
bool DimAnalysis::inferWindow(Operation *op, Dims &dims) {
  StringRef name = opName(op);
  bool isConv = name == "Conv" || name == "ConvInteger" || name == "QLinearConv";
  bool isPool = name == "MaxPool" || name == "AveragePool" || name == "LpPool";
  Dims first(shapeOf(op->getOperand(0)));
  if (name.starts_with("Global") && first.size() >= 2) {
    dims = first;
    std::fill(dims.begin() + 2, dims.end(), 1);
    return true;
  }
  if ((!isConv && !isPool) || first.size() < 3)
    return false;
  size_t spatial = first.size() - 2;
  auto orOnes = [&](SmallVector<int64_t> v) {
    return v.size() == spatial ? v : SmallVector<int64_t>(spatial, 1);
  };
  SmallVector<int64_t> kernel = intsAttr(op, "kernel_shape"), pads = intsAttr(op, "pads");
  SmallVector<int64_t> strides = orOnes(intsAttr(op, "strides"));
  SmallVector<int64_t> dilations = orOnes(intsAttr(op, "dilations"));
  Dims weights;
  if (isConv)
    weights = Dims(shapeOf(op->getOperand(name == "QLinearConv" ? 3 : 1)));
  if (kernel.empty() && weights.size() == first.size())
    for (Dim k : ArrayRef(weights).drop_front(2))
      kernel.push_back(isConstant(k) ? k : -1);
  if (kernel.size() != spatial || llvm::is_contained(kernel, -1) || intAttr(op, "ceil_mode", 0))
    return false;
  if (llvm::any_of(strides, [](int64_t s) { return s < 1; })) // refused by the lowering
    return false;
  auto autoPad = op->getAttrOfType<StringAttr>("auto_pad");
  bool same = autoPad && autoPad.getValue().starts_with("SAME");
  if (pads.size() != 2 * spatial)
    pads.assign(2 * spatial, 0);
  dims = {first[0], isConv && !weights.empty() ? weights[0] : first[1]};
  for (size_t i = 0; i < spatial; ++i) {
    if (same)
      dims.push_back(strides[i] == 1 ? first[2 + i] : expression("same", {first[2 + i], strides[i]}));
    else
      dims.push_back(windows(first[2 + i], kernel[i], strides[i], dilations[i],
                             pads[i] + pads[i + spatial]));
  }
  return true;
}

bool DimAnalysis::inferReshape(Operation *op, Dims &dims) {
  StringRef name = opName(op);
  Dims first(shapeOf(op->getOperand(0)));
  int64_t rank = first.size();
  if (name == "Flatten") {
    int64_t axis = intAttr(op, "axis", 1);
    axis = axis < 0 ? axis + rank : axis;
    dims = {1, 1};
    for (auto [i, dim] : llvm::enumerate(first)) {
      Dim &part = dims[static_cast<int64_t>(i) < axis ? 0 : 1];
      part = multiply(part, dim);
    }
    return true;
  }
  if (name == "Squeeze" || name == "Unsqueeze") {
    Value given = operandOrNull(op, 1);
    auto axes = given ? getConstantInts(given) : std::nullopt;
    if (!axes)
      return false;
    bool isAdd = name == "Unsqueeze";
    int64_t total = isAdd ? rank + axes->size() : rank;
    llvm::SmallDenseSet<int64_t> chosen;
    for (int64_t axis : *axes)
      chosen.insert(axis < 0 ? axis + total : axis);
    auto next = first.begin();
    for (int64_t d = 0; d < total; ++d) {
      if (!chosen.contains(d)) {
        if (next == first.end())
          return false;
        dims.push_back(*next++);
      } else if (isAdd) {
        dims.push_back(1);
      } else if (next != first.end()) {
        ++next;
      }
    }
    return true;
  }
  if (name != "Reshape" || !contentsOf(op->getOperand(1), dims))
    return false;
  // The size written as -1 is the product of the source's sizes that no other target has.
  Dims source = first;
  int64_t sourceConstant = 1, targetConstant = 1;
  Dim *rest = nullptr;
  bool exact = true;
  for (auto [i, dim] : llvm::enumerate(dims)) {
    if (dim == 0 && !intAttr(op, "allowzero", 0))
      dim = i < first.size() ? first[i] : fresh();
    if (dim == -1) {
      rest = &dim;
    } else if (isConstant(dim)) {
      targetConstant *= dim;
    } else if (auto *it = llvm::find(source, dim); it != source.end()) {
      source.erase(it);
    } else {
      exact = false;
    }
  }
  if (!rest)
    return true;
  Dim left = 1;
  for (Dim dim : source) {
    if (isConstant(dim))
      sourceConstant *= dim;
    else
      left = multiply(left, dim);
  }
  if (!exact || targetConstant == 0 || sourceConstant % targetConstant != 0)
    *rest = fresh();
  else
    *rest = multiply(left, sourceConstant / targetConstant);
  return true;
}

} // namespace onnxc
