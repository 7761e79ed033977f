// Derivatives of operators that only move elements.
//
// Most are done in one way: the operator moves the numbers 0, 1, 2, ... in place of its
// input's elements, and each gradient is added where its element came from.
#include "Rules.h"

using namespace mlir;

namespace onnxc::onnx {
namespace {

/// The flat position of each element of `x`, in its shape.
Value positions(GraphWriter &w, Value x) {
  Value all = w.op("Range", {w.scalar(0), w.size(x), w.scalar(1)});
  return w.reshapeLike(all, x);
}

/// Adds `g` into a tensor like `x` at flat positions. A position may be one beyond the end: such elements did not come from `x`.
Value scatter(GraphWriter &w, Value g, Value positions, Value x) {
  Value one = w.ints({1});
  Value size = w.reshape(w.size(x), one);
  Value zeros = w.op("Expand", {w.number(0, g), w.op("Add", {size, one})});
  Value sums = w.op("ScatterElements", {zeros, w.flat(positions), w.flat(g)},
                    {w.attr("axis", int64_t(0)), w.attr("reduction", "add")});
  return w.reshapeLike(w.op("Slice", {sums, w.ints({0}), size}), x);
}

/// The operator again with numbers as its first input; other inputs say where to and stay.
LogicalResult moved(Adjoint &a) {
  for (unsigned i = 1; i < a.op->getNumOperands(); ++i)
    if (a.needs(i))
      return a.refuse("is not differentiated for its input " + Twine(i));
  GraphWriter &w = a.w;
  SmallVector<Value> operands(a.op->getOperands());
  operands[0] = positions(w, a.x());
  Type i64 = w.builder().getI64Type();
  SmallVector<Type> elements;
  for (Value result : a.op->getResults())
    elements.push_back(isNone(result) ? Type() : i64);
  Operation *numbers = w.again(a.op, operands, elements);
  Value total;
  for (auto [i, g] : llvm::enumerate(a.grads)) {
    if (!g)
      continue;
    Value part = scatter(w, g, numbers->getResult(i), a.x());
    total = total ? w.add(total, part) : part;
  }
  a.set(0, total);
  return success();
}

LogicalResult reshaped(Adjoint &a) {
  a.set(0, a.w.reshapeLike(a.g(), a.x()));
  return success();
}

LogicalResult transpose(Adjoint &a) {
  std::optional<int64_t> rank = a.w.rank(a.x());
  if (!rank)
    return a.refuse("has an input of unknown rank");
  SmallVector<int64_t> perm = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, *rank)));
  if (auto given = a.ints("perm"))
    perm = *given;
  SmallVector<int64_t> back(perm.size());
  for (auto [i, axis] : llvm::enumerate(perm))
    back[axis] = i;
  a.set(0, a.w.transpose(a.g(), back));
  return success();
}

LogicalResult expand(Adjoint &a) { return a.setSummed(0, a.g()); }

LogicalResult concat(Adjoint &a) {
  GraphWriter &w = a.w;
  std::optional<int64_t> rank = w.rank(a.y());
  if (!rank)
    return a.refuse("has a result of unknown rank");
  int64_t axis = a.integer("axis", 0);
  axis += axis < 0 ? *rank : 0;
  Value begin = w.ints({0});
  for (auto [i, x] : llvm::enumerate(a.op->getOperands())) {
    Value end = w.add(begin, w.shape(x, axis, axis + 1));
    if (a.needs(i))
      a.set(i, w.op("Slice", {a.g(), begin, end, w.ints({axis})}));
    begin = end;
  }
  return success();
}

/// Padding with a constant: what does not come from the input gets the position beyond the end.
LogicalResult pad(Adjoint &a) {
  auto pad = cast<PadOp>(a.op);
  if (pad.getMode() != "constant")
    return moved(a);
  GraphWriter &w = a.w;
  if (a.needs(2))
    return a.refuse("is not differentiated for the value that it pads with");
  SmallVector<Value> operands(a.op->getOperands());
  operands[0] = positions(w, a.x());
  operands[2] = w.size(a.x());
  Operation *numbers = w.again(a.op, operands, {w.builder().getI64Type()});
  a.set(0, scatter(w, a.g(), numbers->getResult(0), a.x()));
  return success();
}

LogicalResult trilu(Adjoint &a) {
  a.set(0, a.w.op("Trilu", {a.g(), a.x(1)}, {a.w.attr("upper", a.integer("upper", 1))}));
  return success();
}

LogicalResult topK(Adjoint &a) {
  GraphWriter &w = a.w;
  if (!a.g())
    return success();
  if (isNone(a.y(1)))
    return a.refuse("has no output 'Indices', which says what it chose");
  Value numbers = w.op("GatherElements", {positions(w, a.x()), a.y(1)}, {w.attr("axis", a.integer("axis", -1))});
  a.set(0, scatter(w, a.g(), numbers, a.x()));
  return success();
}

/// MaxPool tells where each of its results came from: flat positions in the input.
LogicalResult maxPool(Adjoint &a) {
  GraphWriter &w = a.w;
  if (!a.g())
    return success();
  if (a.integer("storage_order", 0) != 0)
    return a.refuse("has storage_order 1");
  Operation *again = w.again(a.op, {a.x()}, {GraphWriter::elementOf(a.y()), w.builder().getI64Type()});
  a.set(0, scatter(w, a.g(), again->getResult(1), a.x()));
  return success();
}

/// data with some elements replaced (or increased) by updates.
template <bool byTuples>
LogicalResult scattered(Adjoint &a) {
  GraphWriter &w = a.w;
  auto mode = a.op->getAttrOfType<StringAttr>("reduction");
  bool adds = mode && mode.getValue() == "add";
  if (mode && mode.getValue() != "none" && !adds)
    return a.refuse("has reduction '" + mode.getValue() + "'");
  Value indices = a.x(1), updates = a.x(2);
  SmallVector<NamedAttribute> axis;
  if (!byTuples)
    axis.push_back(w.attr("axis", a.integer("axis", 0)));
  if (a.needs(0))
    a.set(0, adds ? a.g()
                  : w.op(byTuples ? "ScatterND" : "ScatterElements", {a.g(), indices, w.fill(0, updates)}, axis));
  if (a.needs(2))
    a.set(2, w.op(byTuples ? "GatherND" : "GatherElements", {a.g(), indices}, axis));
  return success();
}

} // namespace

void addMovementRules(RuleMap &rules) {
  for (StringRef name : {"CenterCropPad", "Compress", "DepthToSpace", "Gather", "GatherElements", "GatherND",
                         "ReverseSequence", "Slice", "SpaceToDepth", "Split", "Tile"})
    rules[name] = moved;
  for (StringRef name : {"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
    rules[name] = reshaped;
  rules["Concat"] = concat;
  rules["Expand"] = expand;
  rules["MaxPool"] = maxPool;
  rules["Pad"] = pad;
  rules["ScatterElements"] = scattered<false>;
  rules["ScatterND"] = scattered<true>;
  rules["TopK"] = topK;
  rules["Transpose"] = transpose;
  rules["Trilu"] = trilu;
}

} // namespace onnxc::onnx
