// Derivatives of operators that only move elements.
//
// Most are done in one way: the operator moves the numbers 0, 1, 2, ... in place of its
// input's elements, and each gradient is added where its element came from.
#include "Rules.h"

using namespace mlir;

namespace onnxc::onnx {
namespace {

/// The flat position of each element of `x`, in its shape.
Value positions(GradientWriter &w, Value x) {
  Type i64 = w.b.getI64Type();
  Value all = w.op("Range", {w.scalar(i64, 0), w.count(x), w.scalar(i64, 1)});
  return w.reshapeLike(all, x);
}

/// Adds `g` into a tensor like `x` at flat positions. A position may be one beyond the end: such elements did not come from `x`.
Value scatter(GradientWriter &w, Value g, Value positions, Value x) {
  Value size = w.reshape(w.count(x), Ints{1});
  Value zeros = w.op("Expand", {w.number(0, g), w.add(size, w.vector({1}))});
  Value sums = w.op("ScatterElements", {zeros, w.flat(positions), w.flat(g)},
                    {w.integerAttr("axis", 0), w.textAttr("reduction", "add")});
  return w.reshapeLike(w.slice(sums, w.vector({0}), size, 0), x);
}

/// The operator again with numbers as its first input; other inputs say where to and stay.
LogicalResult moved(Adjoint &a) {
  for (unsigned i = 1; i < a.op->getNumOperands(); ++i)
    if (a.needs(i))
      return a.refuse("is not differentiated for its input " + Twine(i));
  GradientWriter &w = a.w;
  SmallVector<Value> operands(a.op->getOperands());
  operands[0] = positions(w, a.x());
  SmallVector<bool> wanted;
  for (Value result : a.op->getResults())
    wanted.push_back(!isNone(result));
  Operation *numbers = w.again(a.op, operands, wanted);
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
  int64_t rank = a.w.rank(a.x());
  if (rank < 0)
    return a.refuse("has an input of unknown rank");
  SmallVector<int64_t> perm = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
  if (auto given = a.ints("perm"))
    perm.assign(given->begin(), given->end());
  SmallVector<int64_t> back(perm.size());
  for (auto [i, axis] : llvm::enumerate(perm))
    back[axis] = i;
  a.set(0, a.w.transpose(a.g(), back));
  return success();
}

LogicalResult expand(Adjoint &a) { return a.setSummed(0, a.g()); }

LogicalResult concat(Adjoint &a) {
  GradientWriter &w = a.w;
  int64_t rank = w.rank(a.y());
  if (rank < 0)
    return a.refuse("has a result of unknown rank");
  int64_t axis = a.integer("axis", 0);
  axis += axis < 0 ? rank : 0;
  Value begin = w.vector({0});
  for (auto [i, x] : llvm::enumerate(a.op->getOperands())) {
    Value end = w.add(begin, w.size(x, axis));
    if (a.needs(i))
      a.set(i, w.slice(a.g(), begin, end, axis));
    begin = end;
  }
  return success();
}

/// Padding with a constant: what does not come from the input gets the position beyond the end.
LogicalResult pad(Adjoint &a) {
  auto pad = cast<PadOp>(a.op);
  if (pad.getMode() != "constant")
    return moved(a);
  GradientWriter &w = a.w;
  if (a.needs(2))
    return a.refuse("is not differentiated for the value that it pads with");
  SmallVector<Value> operands(a.op->getOperands());
  operands[0] = positions(w, a.x());
  operands[2] = w.count(a.x());
  Operation *numbers = w.again(a.op, operands, {true});
  a.set(0, scatter(w, a.g(), numbers->getResult(0), a.x()));
  return success();
}

LogicalResult trilu(Adjoint &a) {
  a.set(0, a.w.op("Trilu", {a.g(), a.x(1)}, {a.w.integerAttr("upper", a.integer("upper", 1))}));
  return success();
}

LogicalResult topK(Adjoint &a) {
  GradientWriter &w = a.w;
  if (!a.g())
    return success();
  if (isNone(a.y(1)))
    return a.refuse("has no output 'Indices', which says what it chose");
  Value numbers = w.op("GatherElements", {positions(w, a.x()), a.y(1)}, {w.integerAttr("axis", a.integer("axis", -1))});
  a.set(0, scatter(w, a.g(), numbers, a.x()));
  return success();
}

/// MaxPool tells where each of its results came from: flat positions in the input.
LogicalResult maxPool(Adjoint &a) {
  GradientWriter &w = a.w;
  if (!a.g())
    return success();
  if (a.integer("storage_order", 0) != 0)
    return a.refuse("has storage_order 1");
  Operation *again = w.again(a.op, {a.x()}, {true, true});
  a.set(0, scatter(w, a.g(), again->getResult(1), a.x()));
  return success();
}

/// data with some elements replaced (or increased) by updates.
template <bool byTuples>
LogicalResult scattered(Adjoint &a) {
  GradientWriter &w = a.w;
  StringRef mode = stringAttr(a.op, "reduction", "none");
  bool adds = mode == "add";
  if (mode != "none" && !adds)
    return a.refuse("has reduction '" + mode + "'");
  Value indices = a.x(1), updates = a.x(2);
  SmallVector<NamedAttribute> axis;
  if (!byTuples)
    axis.push_back(w.integerAttr("axis", a.integer("axis", 0)));
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
