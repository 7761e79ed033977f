// Type inference over blocks: the schemas' inference functions, our own rules,
// and the operators with bodies.
#include "onnxc/Dialect/Onnx/Transforms/TypeInference.h"
#include "onnxc/Dialect/Onnx/IR/Onnx.h"
#include "onnxc/Dialect/Onnx/Transforms/Attributes.h"
#include "onnxc/Dialect/Onnx/Transforms/Evaluate.h"
#include "onnxc/Dialect/Onnx/Transforms/TypeLattice.h"
#include "onnxc/Schema/InferTypes.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

namespace onnxc::onnx {

static Operation *bodyTerminator(Operation *op, unsigned region = 0) {
  return op->getRegion(region).front().getTerminator();
}

LogicalResult TypeInference::inferBlock(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (failed(inferOp(&op)))
      return failure();
    if (!trial && replaceByConstants(&op)) {
      state.forget(&op);
      op.erase();
    }
  }
  return success();
}

/// Replaces an operator all of whose results are known small constants.
bool TypeInference::replaceByConstants(Operation *op) {
  if (op->getNumResults() == 0 || !isPure(op) || op->hasTrait<OpTrait::ConstantLike>())
    return false;
  SmallVector<Attribute> values;
  for (Value result : op->getResults()) {
    const Contents *known = state.contentsOf(result);
    if (!known || !known->constant)
      return false;
    values.push_back(known->constant->toAttr());
  }
  OpBuilder b(op);
  for (auto [result, value] : llvm::zip(op->getResults(), values))
    result.replaceAllUsesWith(
        ConstantOp::create(b, op->getLoc(), cast<ElementsAttr>(value)).getOutput());
  return true;
}

LogicalResult TypeInference::refineResult(Operation *op, unsigned index, Type inferred) {
  Value result = op->getResult(index);
  if (!inferred || isa<NoneType>(result.getType()) || isa<NoneType>(inferred))
    return success();
  Conflict conflict;
  Type refined = refineType(result.getType(), inferred, conflict);
  if (conflict == Conflict::Kind && !trial)
    return op->emitError("the type of result ")
           << index << " is declared as " << result.getType() << " but inferred as " << inferred;
  if (conflict == Conflict::Shape && !trial)
    op->emitWarning("the shape of result ")
        << index << " is declared as " << result.getType() << " but inferred as " << inferred
        << ", which is taken";
  result.setType(refined);
  return success();
}

/// Gives shape tensors of unknown length the length that the operator asks for: an Identity that the
/// lowering checks at run time.
void TypeInference::settleLengths(Operation *op) {
  for (auto [index, length] : requiredLengths(op)) {
    Value value = op->getOperand(index);
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || type.getRank() != 1 || !type.isDynamicDim(0))
      continue;
    OpBuilder b(op);
    auto checked = IdentityOp::create(
        b, op->getLoc(), RankedTensorType::get({length}, type.getElementType()), value);
    op->setOperand(index, checked->getResult(0));
  }
}

static bool isOneElementVector(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 1 && tensor.getDimSize(0) == 1;
}

/// ONNX's inference refuses vectors of one element, which other implementations take for scalars.
LogicalResult TypeInference::inferRange(Operation *op) {
  auto start = dyn_cast<TensorType>(op->getOperand(0).getType());
  if (!start)
    return op->emitError("the operands of Range are not tensors");
  Type type = RankedTensorType::get({ShapedType::kDynamic}, start.getElementType());
  if (failed(refineResult(op, 0, type)))
    return failure();
  state.inferContents(op);
  return success();
}

LogicalResult TypeInference::inferOp(Operation *op) {
  if (op->hasTrait<OpTrait::ConstantLike>() || op->hasTrait<OpTrait::IsTerminator>())
    return success();
  if (isa<IfOp>(op))
    return inferIf(op);
  if (isa<LoopOp>(op))
    return inferLoop(op);
  if (isa<ScanOp>(op))
    return inferScan(op);
  if (isa<SequenceMapOp>(op))
    return inferSequenceMap(op);
  if (!isa<OnnxOpInterface, CustomOp>(op))
    return success();

  if (isa<RangeOp>(op) && llvm::any_of(op->getOperandTypes(), isOneElementVector))
    return inferRange(op);

  settleLengths(op);
  SymbolicInference symbols;
  symbols.shapeOf = [&](Value value) { return state.shapeOf(value); };
  symbols.contentsOf = [&](Value value) -> const SymbolicDims * {
    const Contents *known = state.contentsOf(value);
    return known && !known->elements.empty() && known->shape.size() <= 1 ? &known->elements
                                                                         : nullptr;
  };
  SmallVector<Type> types;
  if (failed(inferTypes(op, types, &symbols)))
    return failure();
  for (auto [i, type] : llvm::enumerate(types))
    if (failed(refineResult(op, i, type)))
      return failure();
  for (auto [i, dims] : llvm::enumerate(symbols.resultShapes))
    if (auto type = dyn_cast<RankedTensorType>(op->getResult(i).getType()))
      if (static_cast<int64_t>(dims.size()) == type.getRank())
        state.setShape(op->getResult(i), dims);

  for (auto [i, dims] : llvm::enumerate(inferShapeRules(op, state))) {
    auto type = dyn_cast<TensorType>(op->getResult(i).getType());
    if (!dims || !type)
      continue;
    SmallVector<int64_t> shape;
    for (const SymbolicDim &dim : *dims)
      shape.push_back(dim.isKnown() ? dim.getValue() : ShapedType::kDynamic);
    if (failed(refineResult(op, i, RankedTensorType::get(shape, type.getElementType()))))
      return failure();
    // Keep the symbols found above where this rule has none.
    SymbolicDims merged = *state.shapeOf(op->getResult(i));
    for (auto [old, dim] : llvm::zip(merged, *dims))
      if (dim.isSymbol())
        old = dim;
    state.setShape(op->getResult(i), merged);
  }
  state.inferContents(op);
  return success();
}

//===-- If ------------------------------------------------------------------===//

/// PyTorch's x.squeeze(axis) on a dynamic size is exported as an If with a Squeeze in one
/// branch and x itself in the other, of another rank. What follows is made for one rank only, that of the
/// squeezed value; the lowering ends the run should the other branch be taken.
/// A scalar in one branch and a tensor of one element in the other are given the higher rank, which
/// broadcasts alike.
static Type reconcileRanks(Value a, Value b) {
  auto x = dyn_cast<RankedTensorType>(a.getType()), y = dyn_cast<RankedTensorType>(b.getType());
  if (x && y && x.hasStaticShape() && y.hasStaticShape() && x.getNumElements() == 1 &&
      y.getNumElements() == 1)
    return x.getRank() > y.getRank() ? x : y;
  auto sourceOf = [](Value value) {
    while (auto identity = value.getDefiningOp<IdentityOp>())
      value = identity.getInput();
    return value;
  };
  for (auto [one, other] : {std::pair(a, b), std::pair(b, a)})
    if (auto squeeze = sourceOf(one).getDefiningOp<SqueezeOp>())
      if (squeeze.getData() == sourceOf(other))
        return one.getType();
  return {};
}

LogicalResult TypeInference::inferIf(Operation *op) {
  for (Region &region : op->getRegions())
    if (failed(inferBlock(region.front())))
      return failure();
  auto ifOp = cast<IfOp>(op);
  Operation *thenYield = ifOp.getThenBranch().front().getTerminator();
  Operation *elseYield = ifOp.getElseBranch().front().getTerminator();
  if (thenYield->getNumOperands() != op->getNumResults() ||
      elseYield->getNumOperands() != op->getNumResults())
    return op->emitError("a branch does not give ") << op->getNumResults() << " outputs";
  const Contents *cond = state.contentsOf(ifOp.getCond());
  for (unsigned i = 0; i < op->getNumResults(); ++i) {
    Type a = thenYield->getOperand(i).getType(), b = elseYield->getOperand(i).getType();
    Type joined;
    if (cond && cond->constant && cond->constant->getNumElements() == 1)
      joined = cond->constant->ints()[0] ? a : b;
    else
      joined = joinTypes(a, b);
    if (isa_and_nonnull<UnrankedTensorType>(joined))
      if (Type squeezed = reconcileRanks(thenYield->getOperand(i), elseYield->getOperand(i)))
        joined = squeezed;
    if (!joined)
      return op->emitError("output ") << i << " is " << a << " in one branch and " << b
                                      << " in the other";
    if (failed(refineResult(op, i, joined)))
      return failure();
  }
  return success();
}

//===-- Loop, Scan ----------------------------------------------------------===//

/// An empty sequence may hold what the body declares for it: the body then shows whether it does.
static Type carriedFrom(Value init, Type declared) {
  Value source = init;
  while (auto identity = source.getDefiningOp<IdentityOp>())
    source = identity.getInput();
  auto seq = dyn_cast<SeqType>(init.getType()), wanted = dyn_cast<SeqType>(declared);
  if (!seq || !wanted || !source.getDefiningOp<SequenceEmptyOp>())
    return init.getType();
  auto from = dyn_cast<UnrankedTensorType>(seq.getElementType());
  auto to = dyn_cast<RankedTensorType>(wanted.getElementType());
  return from && to && from.getElementType() == to.getElementType() ? declared : init.getType();
}

LogicalResult TypeInference::settleCarried(Operation *op, unsigned first, ValueRange inits,
                                           unsigned firstYield) {
  Block &body = op->getRegion(0).front();
  SmallVector<Type> types;
  for (auto [i, init] : llvm::enumerate(inits))
    types.push_back(carriedFrom(init, body.getArgument(first + i).getType()));
  // Each level of loops in loops multiplies the work: deep ones get no static sizes.
  constexpr int kMaxDepth = 3;
  if (depth >= kMaxDepth) {
    for (auto [i, type] : llvm::enumerate(types))
      body.getArgument(first + i).setType(withDynamicDims(type));
    return success();
  }
  // A type can widen once a dimension, and once more to no rank.
  constexpr int kMaxRounds = 4;
  for (int round = 0;; ++round) {
    for (auto [i, type] : llvm::enumerate(types))
      body.getArgument(first + i).setType(type);
    Operation *copy = op->clone();
    ShapeState scratch = state;
    // What the copy captures is described by the state of the original's surroundings.
    TypeInference inner(scratch, /*trial=*/true, depth + 1);
    LogicalResult inferred = inner.inferBlock(copy->getRegion(0).front());
    bool changed = false;
    Operation *yield = bodyTerminator(copy);
    Type mismatch;
    for (auto [i, type] : llvm::enumerate(types)) {
      if (failed(inferred) || firstYield + i >= yield->getNumOperands())
        break;
      Type joined = joinTypes(type, yield->getOperand(firstYield + i).getType());
      if (!joined) {
        mismatch = yield->getOperand(firstYield + i).getType();
        op->emitError("carried value ") << i << " is " << type << " first and " << mismatch
                                        << " after an iteration";
        break;
      }
      if (joined == type)
        continue;
      changed = true;
      type = round < kMaxRounds ? joined : withDynamicDims(joined);
    }
    copy->destroy();
    if (failed(inferred) || mismatch)
      return failure();
    if (!changed)
      return success();
  }
}

/// Refines a body argument that is not carried.
static void setArgument(Block &body, unsigned index, Type type) {
  Conflict conflict;
  body.getArgument(index).setType(refineType(body.getArgument(index).getType(), type, conflict));
}

/// The type of a tensor with a dimension more at `axis`.
static Type insertDim(Type type, int64_t axis, int64_t size) {
  auto tensor = dyn_cast<TensorType>(type);
  if (!tensor || !tensor.hasRank())
    return type;
  SmallVector<int64_t> shape(tensor.getShape());
  int64_t rank = shape.size() + 1;
  axis = axis < 0 ? axis + rank : axis;
  if (axis < 0 || axis >= rank)
    return UnrankedTensorType::get(tensor.getElementType());
  shape.insert(shape.begin() + axis, size);
  return RankedTensorType::get(shape, tensor.getElementType());
}

LogicalResult TypeInference::inferLoop(Operation *op) {
  Block &body = op->getRegion(0).front();
  Operation *yield = bodyTerminator(op);
  unsigned carried = op->getNumOperands() - 2;
  if (body.getNumArguments() != carried + 2 || yield->getNumOperands() < carried + 1 ||
      yield->getNumOperands() - 1 != op->getNumResults())
    return op->emitError("the body's inputs and outputs do not fit the operator's");
  auto condition = dyn_cast<TensorType>(yield->getOperand(0).getType());
  if (!condition || !condition.getElementType().isInteger(1))
    return op->emitError("the body's condition is not a bool tensor");
  OpBuilder b(op);
  setArgument(body, 0, RankedTensorType::get({}, b.getIntegerType(64)));
  setArgument(body, 1, RankedTensorType::get({}, b.getI1Type()));
  if (failed(settleCarried(op, 2, op->getOperands().drop_front(2), 1)) ||
      failed(inferBlock(body)))
    return failure();

  // The number of iterations is known if only M decides.
  int64_t trips = ShapedType::kDynamic;
  auto isTrue = [&](Value cond) {
    const Contents *known = state.contentsOf(cond);
    return known && known->constant && known->constant->getNumElements() == 1 &&
           known->constant->ints()[0] != 0;
  };
  Value condIn = op->getOperand(1);
  bool always = (isNone(condIn) || isTrue(condIn)) &&
                (yield->getOperand(0) == body.getArgument(1) || isTrue(yield->getOperand(0)));
  const Contents *limit = isNone(op->getOperand(0)) ? nullptr : state.contentsOf(op->getOperand(0));
  if (always && limit && limit->constant && limit->constant->getNumElements() == 1)
    trips = std::max<int64_t>(limit->constant->ints()[0], 0);

  for (unsigned i = 0; i < op->getNumResults(); ++i) {
    Type type = i < carried ? body.getArgument(2 + i).getType()
                            : insertDim(yield->getOperand(1 + i).getType(), 0, trips);
    if (failed(refineResult(op, i, type)))
      return failure();
  }
  return success();
}

LogicalResult TypeInference::inferScan(Operation *op) {
  Block &body = op->getRegion(0).front();
  Operation *yield = bodyTerminator(op);
  int64_t scans = intAttr(op, "num_scan_inputs", 0);
  int64_t states = static_cast<int64_t>(op->getNumOperands()) - scans;
  if (scans < 1 || states < 0 || body.getNumArguments() != op->getNumOperands() ||
      yield->getNumOperands() != op->getNumResults() || op->getNumResults() < states)
    return op->emitError("the body's inputs and outputs do not fit the operator's");
  std::optional<ArrayRef<int64_t>> inAxes = intsAttr(op, "scan_input_axes");
  std::optional<ArrayRef<int64_t>> outAxes = intsAttr(op, "scan_output_axes");
  int64_t length = ShapedType::kDynamic;
  for (int64_t i = 0; i < scans; ++i) {
    auto type = dyn_cast<RankedTensorType>(op->getOperand(states + i).getType());
    if (!type)
      continue;
    auto axis = detail::wrapAxis(inAxes && i < static_cast<int64_t>(inAxes->size()) ? (*inAxes)[i] : 0, type.getRank());
    if (!axis)
      return op->emitError("scan_input_axes is out of range for scan input ") << i;
    if (!type.isDynamicDim(*axis))
      length = type.getDimSize(*axis);
    SmallVector<int64_t> shape(type.getShape());
    shape.erase(shape.begin() + *axis);
    setArgument(body, states + i, RankedTensorType::get(shape, type.getElementType()));
  }
  if (failed(settleCarried(op, 0, op->getOperands().take_front(states), 0)) ||
      failed(inferBlock(body)))
    return failure();
  for (unsigned i = 0; i < op->getNumResults(); ++i) {
    int64_t k = static_cast<int64_t>(i) - states;
    int64_t axis = k >= 0 && outAxes && k < static_cast<int64_t>(outAxes->size()) ? (*outAxes)[k] : 0;
    Type type = k < 0 ? body.getArgument(i).getType()
                      : insertDim(yield->getOperand(i).getType(), axis, length);
    if (failed(refineResult(op, i, type)))
      return failure();
  }
  return success();
}

LogicalResult TypeInference::inferSequenceMap(Operation *op) {
  Block &body = op->getRegion(0).front();
  Operation *yield = bodyTerminator(op);
  if (body.getNumArguments() != op->getNumOperands() ||
      yield->getNumOperands() != op->getNumResults())
    return op->emitError("the body's inputs and outputs do not fit the operator's");
  for (auto [i, type] : llvm::enumerate(op->getOperandTypes())) {
    auto seq = dyn_cast<SeqType>(type);
    setArgument(body, i, seq ? seq.getElementType() : type);
  }
  if (failed(inferBlock(body)))
    return failure();
  for (unsigned i = 0; i < op->getNumResults(); ++i) {
    Type type = SeqType::get(op->getContext(), yield->getOperand(i).getType());
    if (failed(refineResult(op, i, type)))
      return failure();
  }
  return success();
}

} // namespace onnxc::onnx
