// DimAnalysis' rules for the elements of small integer tensors: shapes, and what is computed from them.
#include "DimRules.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace onnxc {
using namespace dimrules;

using Dim = DimAnalysis::Dim;
using Dims = DimAnalysis::Dims;

bool DimAnalysis::contentsOf(Value value, Dims &out) const {
  if (auto it = contents.find(value); it != contents.end()) {
    out = it->second;
    return true;
  }
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.hasStaticShape() || type.getRank() > 1 || type.getNumElements() > 64)
    return false;
  auto ints = getConstantInts(value);
  if (!ints)
    return false;
  out.assign(ints->begin(), ints->end());
  return true;
}

bool DimAnalysis::inferContents(Operation *op, Dims &out) {
  StringRef name = opName(op);
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (name.empty() || !type || type.getRank() > 1 || !type.getElementType().isInteger() ||
      op->getNumOperands() == 0)
    return false;
  if (name == "Shape") {
    Dims shape(shapeOf(op->getOperand(0)));
    int64_t rank = shape.size(), start = intAttr(op, "start", 0), end = intAttr(op, "end", rank);
    start = std::clamp<int64_t>(start < 0 ? start + rank : start, 0, rank);
    end = std::clamp<int64_t>(end < 0 ? end + rank : end, start, rank);
    if (rank == 0)
      return false;
    out.assign(shape.begin() + start, shape.begin() + end);
    return true;
  }
  if (name == "ConstantOfShape") {
    auto value = op->getAttrOfType<DenseElementsAttr>("value");
    if (!type.hasStaticShape() || !value || !value.getElementType().isInteger(64))
      return false;
    out.assign(type.getNumElements(), (*value.getValues<APInt>().begin()).getSExtValue());
    return true;
  }
  Dims first;
  if (name == "Concat") {
    for (Value operand : op->getOperands()) {
      if (!contentsOf(operand, first))
        return false;
      out.append(first);
    }
    return true;
  }
  if (!contentsOf(op->getOperand(0), first))
    return false;
  if (name == "Identity" || name == "Unsqueeze" || name == "Squeeze" || name == "Reshape" ||
      (name == "Cast" && isIntElem(onnxElem(op->getOperand(0))) && isIntElem(type.getElementType()))) {
    out = first;
    return true;
  }
  if (name == "Gather") {
    auto at = getConstantInts(op->getOperand(1));
    if (!at || rankOf(op->getOperand(0)) != 1)
      return false;
    for (int64_t index : *at) {
      auto i = normalizeAxis(index, first.size());
      if (!i)
        return false;
      out.push_back(first[*i]);
    }
    return true;
  }
  if (name == "Slice") {
    auto from = getConstantInts(op->getOperand(1)), to = getConstantInts(op->getOperand(2));
    if (!from || !to || from->size() != 1 || !unitSteps(op) || to->size() != 1)
      return false;
    int64_t n = first.size(), start = (*from)[0], end = (*to)[0];
    start = std::clamp<int64_t>(start < 0 ? start + n : start, 0, n);
    end = std::clamp<int64_t>(end < 0 ? end + n : end, start, n);
    out.assign(first.begin() + start, first.begin() + end);
    return true;
  }
  static const llvm::StringSet<> elementwise{"Mul", "Add", "Sub", "Equal", "Where"};
  if (!elementwise.contains(name))
    return false;
  SmallVector<Dims> lists(op->getNumOperands());
  size_t count = 1;
  for (auto [list, operand] : llvm::zip(lists, op->getOperands())) {
    if (!contentsOf(operand, list) || list.empty())
      return false;
    count = list.size() == 1 ? count : list.size();
  }
  for (size_t i = 0; i < count; ++i) {
    Dims v;
    for (const Dims &list : lists) {
      if (list.size() != 1 && list.size() != count)
        return false;
      v.push_back(list[list.size() == 1 ? 0 : i]);
    }
    bool constant = isConstant(v[0]) && isConstant(v[1]);
    bool negative = (isConstant(v[0]) && v[0] < 0) || (isConstant(v[1]) && v[1] < 0);
    if (negative && !constant && (name == "Mul" || name == "Add"))
      return false; // symbols are never negative
    if (name == "Mul") {
      out.push_back(multiply(v[0], v[1]));
    } else if (name == "Add") {
      out.push_back(add(v[0], v[1]));
    } else if (name == "Sub") {
      if (!constant && v[0] != v[1])
        return false;
      out.push_back(constant ? v[0] - v[1] : 0);
    } else if (name == "Equal") { // a size is not negative
      bool differs = constant ? v[0] != v[1] : negative;
      if (v[0] != v[1] && !differs)
        return false;
      out.push_back(v[0] == v[1]);
    } else { // Where
      if (!isConstant(v[0]))
        return false;
      out.push_back(v[0] ? v[1] : v[2]);
    }
  }
  return true;
}

} // namespace onnxc
