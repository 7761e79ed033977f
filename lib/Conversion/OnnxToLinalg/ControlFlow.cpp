// If, Loop, Scan, SequenceMap. A Loop whose trip count is known before it starts is an scf.for, any
// other an scf.while. Scan outputs of static shape go into a tensor made before the loop if
// its length is known then, else into a sequence that is stacked after the loop.
#include "ControlFlow.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace onnxc {

static constexpr StringLiteral kPlan = "onnxc.yield_plan";

void YieldPlan::attachTo(Operation *yield) const {
  SmallVector<int64_t> numbers = {first, carried};
  for (const ScanOutput &scan : scans)
    numbers.append({static_cast<int64_t>(scan.mode), scan.axis});
  yield->setDiscardableAttr(kPlan, DenseI64ArrayAttr::get(yield->getContext(), numbers));
}

std::optional<YieldPlan> YieldPlan::of(Operation *yield) {
  auto attr = dyn_cast_or_null<DenseI64ArrayAttr>(yield->getDiscardableAttr(kPlan));
  if (!attr)
    return std::nullopt;
  ArrayRef<int64_t> numbers = attr.asArrayRef();
  YieldPlan plan;
  plan.first = numbers[0];
  plan.carried = numbers[1];
  for (size_t i = 2; i < numbers.size(); i += 2)
    plan.scans.push_back({static_cast<ScanOutput::Mode>(numbers[i]), numbers[i + 1]});
  return plan;
}

namespace {

/// A tensor of the converted type of a body argument, with one element.
Value scalarTensor(OpBuilder &b, Location loc, Value scalar, RankedTensorType type) {
  return tensor::FromElementsOp::create(
      b, loc, RankedTensorType::get(SmallVector<int64_t>(type.getRank(), 1), scalar.getType()),
      scalar);
}

Value isNonZero(OpBuilder &b, Location loc, Value stored) {
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(stored.getType()));
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, stored, zero);
}

/// The first value of a carried tensor. Where its sizes change, not as it is or as a tensor.cast: once its size is known,
/// upstream folds that into the loop, as if the size stayed.
Value startCarried(OpBuilder &b, Location loc, Value init, Type carriedType, bool keepsSizes) {
  auto from = dyn_cast<RankedTensorType>(init.getType());
  auto to = dyn_cast<RankedTensorType>(carriedType);
  if (keepsSizes || !from || !to || from.getRank() != to.getRank() || to.hasStaticShape())
    return castTensor(b, loc, init, carriedType);
  SmallVector<Value> sizes;
  // The larger of the size and 0 keeps a reshape that changes no type from being folded.
  for (OpFoldResult size : getDims(b, loc, init))
    sizes.push_back(arith::MaxSIOp::create(b, loc, toIndex(b, loc, size), constIndex(b, loc, 0)));
  Value shape = tensor::FromElementsOp::create(b, loc, sizes);
  return tensor::ReshapeOp::create(b, loc, to, init, shape);
}

/// Whether a value that a loop carries has the same sizes in all iterations.
bool keepsSizes(const OnnxTypeConverter &types, Value init, BlockArgument carried) {
  ArrayRef<DimAnalysis::Dim> sizes = types.dims()->shapeOf(carried);
  return !sizes.empty() && sizes == types.dims()->shapeOf(init);
}

/// The type without the dimension at `axis`.
RankedTensorType dropDim(RankedTensorType type, int64_t axis) {
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + axis);
  return RankedTensorType::get(shape, type.getElementType());
}

//===-- Yield ---------------------------------------------------------------===//

struct YieldPattern : OnnxPattern<onnx::YieldOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::YieldOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Operation *parent = op->getParentOp();
    Location loc = op.getLoc();
    SmallVector<Value> values(adaptor.getOperands());
    if (isa<scf::IfOp>(parent)) {
      for (auto [value, type] : llvm::zip_equal(values, parent->getResultTypes()))
        value = castBranch(rewriter, loc, value, cast<RankedTensorType>(type));
      rewriter.replaceOpWithNewOp<scf::YieldOp>(op, values);
      return success();
    }
    auto plan = YieldPlan::of(op);
    if (!plan)
      return failure();

    Block *body = op->getBlock();
    Value index = body->getArgument(0);
    SmallVector<Value> results;
    if (isa<scf::WhileOp>(parent)) {
      results.push_back(addOne(rewriter, loc, index));
      results.push_back(isNonZero(rewriter, loc, readScalar(rewriter, loc, values.front())));
    }
    for (int64_t i = 0; i < plan->carried; ++i)
      results.push_back(castTensor(rewriter, loc, values[plan->first + i],
                                   body->getArgument(1 + i).getType()));
    for (auto [i, scan] : llvm::enumerate(plan->scans)) {
      int64_t operand = plan->first + plan->carried + static_cast<int64_t>(i);
      Value state = body->getArgument(1 + plan->carried + i);
      results.push_back(addScan(rewriter, loc, scan, state, values[operand],
                                op->getOperand(operand).getType(), index));
    }
    rewriter.replaceOpWithNewOp<scf::YieldOp>(op, results);
    return success();
  }

private:
  /// Shape inference gives an If whose branches differ in rank the rank of one of them.
  static Value castBranch(OpBuilder &b, Location loc, Value value, RankedTensorType type) {
    if (rankOf(value) == type.getRank())
      return castTensor(b, loc, value, type);
    auto from = cast<RankedTensorType>(value.getType());
    if (from.hasStaticShape() && type.hasStaticShape() &&
        from.getNumElements() == type.getNumElements())
      return reshapeTo(b, loc, value, getAsIndexOpFoldResult(b.getContext(), type.getShape()));
    Value never = arith::ConstantOp::create(b, loc, b.getBoolAttr(false));
    runtimeAssert(b, loc, never,
                  "If: this branch gives another rank than the rest of the model is made for");
    SmallVector<OpFoldResult> sizes;
    for (int64_t dim : type.getShape())
      sizes.push_back(b.getIndexAttr(ShapedType::isDynamic(dim) ? 0 : dim));
    return castTensor(b, loc, emptyTensor(b, loc, sizes, type.getElementType()), type);
  }

  static Value addOne(OpBuilder &b, Location loc, Value index) {
    return arith::AddIOp::create(b, loc, index, constIndex(b, loc, 1));
  }

  Value addScan(OpBuilder &b, Location loc, const ScanOutput &scan, Value state, Value value,
                Type onnxType, Value index) const {
    if (scan.mode == ScanOutput::Append || scan.mode == ScanOutput::Prepend)
      return sequenceInsert(b, loc, types(), state, value, onnxType,
                            scan.mode == ScanOutput::Prepend);
    auto type = cast<RankedTensorType>(state.getType());
    Value slice = castTensor(b, loc, value, dropDim(type, scan.axis));
    SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0));
    SmallVector<OpFoldResult> sizes = getDims(b, loc, state);
    SmallVector<OpFoldResult> strides(type.getRank(), b.getIndexAttr(1));
    if (scan.mode == ScanOutput::InsertReverse) {
      OpFoldResult last = subIndex(b, loc, sizes[scan.axis], b.getIndexAttr(1));
      offsets[scan.axis] = subIndex(b, loc, last, index);
    } else {
      offsets[scan.axis] = index;
    }
    sizes[scan.axis] = b.getIndexAttr(1);
    if (hasZero(sizes)) // nothing to insert, and no offset would be in bounds
      return state;
    return tensor::InsertSliceOp::create(b, loc, slice, state, offsets, sizes, strides);
  }
};

//===-- If ------------------------------------------------------------------===//

struct IfPattern : OnnxPattern<onnx::IfOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::IfOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    SmallVector<Type> resultTypes;
    if (failed(types().convertTypes(op->getResultTypes(), resultTypes)))
      return refuse(op, "has an output whose rank is not known");
    Location loc = op.getLoc();
    Value cond = isNonZero(rewriter, loc, readScalar(rewriter, loc, adaptor.getCond()));
    auto ifOp = scf::IfOp::create(rewriter, loc, resultTypes, cond, /*addThenBlock=*/false,
                                  /*addElseBlock=*/false);
    rewriter.inlineRegionBefore(op.getThenBranch(), ifOp.getThenRegion(),
                                ifOp.getThenRegion().end());
    rewriter.inlineRegionBefore(op.getElseBranch(), ifOp.getElseRegion(),
                                ifOp.getElseRegion().end());
    rewriter.replaceOp(op, ifOp.getResults());
    return success();
  }
};

//===-- Loops ---------------------------------------------------------------===//

/// Where the items of a scan output are collected.
struct ScanState {
  ScanOutput output;
  Value init;
  /// The sizes of an item as far as they are known outside of the loop; null where not.
  SmallVector<OpFoldResult> itemSizes;
};

struct LoopBase {
  const OnnxTypeConverter &types;
  ConversionPatternRewriter &rewriter;
  Location loc;

  /// The size of which `dim` is the symbol, from a value that `op` or its body reads; null if there is none.
  OpFoldResult sizeOutside(Operation *op, DimAnalysis::Dim dim) {
    if (DimAnalysis::isConstant(dim))
      return rewriter.getIndexAttr(dim);
    SetVector<Value> values(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), values);
    for (Value value : values)
      for (auto [d, symbol] : llvm::enumerate(types.dims()->shapeOf(value)))
        if (Value converted = symbol == dim ? rewriter.getRemappedValue(value) : Value())
          return getDim(rewriter, loc, converted, d);
    return {};
  }

  /// `result`: the operator's output, `item` what the body gives for it; `length`: the number of iterations, null if it is
  /// not known before the loop.
  ScanState startScan(OpResult result, Value item, int64_t axis, bool reverse, std::optional<OpFoldResult> length) {
    ScanState state;
    state.output.axis = axis;
    auto itemType = types.convertType<RankedTensorType>(item.getType());
    auto resultType = dyn_cast<RankedTensorType>(result.getType());
    if (isa<TensorType>(item.getType()) && itemType && resultType) {
      // The operator's result may tell more than its body.
      SmallVector<int64_t> declared(resultType.getShape());
      declared.erase(declared.begin() + axis);
      ArrayRef<DimAnalysis::Dim> symbols = types.dims()->shapeOf(item);
      for (auto [d, size] : llvm::enumerate(itemType.getShape())) {
        int64_t known = ShapedType::isDynamic(size) ? declared[d] : size;
        if (!ShapedType::isDynamic(known))
          state.itemSizes.push_back(rewriter.getIndexAttr(known));
        else
          state.itemSizes.push_back(d < symbols.size() ? sizeOutside(result.getOwner(), symbols[d]) : OpFoldResult());
      }
      if (length && llvm::all_of(state.itemSizes, [](OpFoldResult size) { return !!size; })) {
        SmallVector<OpFoldResult> sizes = state.itemSizes;
        sizes.insert(sizes.begin() + axis, *length);
        state.output.mode = reverse ? ScanOutput::InsertReverse : ScanOutput::Insert;
        state.init = emptyTensor(rewriter, loc, sizes, itemType.getElementType());
        return state;
      }
    }
    state.output.mode = reverse ? ScanOutput::Prepend : ScanOutput::Append;
    state.init = emptySequence(rewriter, loc, types);
    return state;
  }

  Value finishScan(const ScanState &state, Value value, Type onnxResultType) {
    if (state.output.mode == ScanOutput::Insert || state.output.mode == ScanOutput::InsertReverse)
      return value;
    auto stack = [&] {
      return stackSequence(rewriter, loc, types, value, state.output.axis, cast<RankedTensorType>(onnxResultType));
    };
    if (llvm::none_of(state.itemSizes, [](OpFoldResult size) { return isa_and_present<Value>(size); }))
      return stack();
    // Nothing to stack, but the sizes are known.
    SmallVector<OpFoldResult> sizes;
    for (OpFoldResult size : state.itemSizes)
      sizes.push_back(size ? size : rewriter.getIndexAttr(0));
    sizes.insert(sizes.begin() + state.output.axis, rewriter.getIndexAttr(0));
    Value count = sequenceLength(rewriter, loc, types, value);
    Value isEmpty = arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::eq, count, constIndex(rewriter, loc, 0));
    auto type = types.convertType<RankedTensorType>(onnxResultType);
    auto chosen = scf::IfOp::create(rewriter, loc, TypeRange{type}, isEmpty, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(chosen.thenBlock());
    Value nothing = emptyTensor(rewriter, loc, sizes, type.getElementType());
    scf::YieldOp::create(rewriter, loc, castTensor(rewriter, loc, nothing, type));
    rewriter.setInsertionPointToStart(chosen.elseBlock());
    scf::YieldOp::create(rewriter, loc, castTensor(rewriter, loc, stack(), type));
    return chosen.getResult(0);
  }

  /// Moves `body` to the end of `block` with `arguments` for its arguments and leaves the plan with
  /// its terminator.
  void moveBody(Block &body, Block *block, ValueRange arguments, const YieldPlan &plan) {
    Operation *yield = body.getTerminator();
    rewriter.modifyOpInPlace(yield, [&] { plan.attachTo(yield); });
    rewriter.inlineBlockBefore(&body, block, block->end(), arguments);
  }

  /// An scf.for from 0 to `length` without terminator.
  scf::ForOp createFor(Value length, ValueRange inits) {
    auto loop = scf::ForOp::create(rewriter, loc, constIndex(rewriter, loc, 0), length,
                                   constIndex(rewriter, loc, 1), inits);
    if (!loop.getBody()->empty())
      rewriter.eraseOp(loop.getBody()->getTerminator());
    return loop;
  }
};

struct LoopPattern : OnnxPattern<onnx::LoopOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::LoopOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Block &body = op->getRegion(0).front();
    Operation *yield = body.getTerminator();
    ValueRange operands = adaptor.getOperands();
    int64_t carried = static_cast<int64_t>(operands.size()) - 2;
    int64_t scans = static_cast<int64_t>(op->getNumResults()) - carried;
    LoopBase base{types(), rewriter, loc};

    SmallVector<Type> argTypes;
    if (failed(types().convertTypes(body.getArgumentTypes(), argTypes)))
      return refuse(op, "carries a value whose rank is not known");

    // The condition of the first iteration and the limit.
    Value condition, limit;
    if (!onnx::isNone(op->getOperand(1)) && !isConstantTrue(op->getOperand(1)))
      condition = isNonZero(rewriter, loc, readScalar(rewriter, loc, operands[1]));
    if (!onnx::isNone(op->getOperand(0)))
      limit = arith::IndexCastOp::create(rewriter, loc, rewriter.getIndexType(),
                                         readScalar(rewriter, loc, operands[0]));
    Value next = yield->getOperand(0);
    bool counted = limit && (next == body.getArgument(1) || isConstantTrue(next));
    if (counted && condition)
      limit = arith::SelectOp::create(rewriter, loc, condition, limit,
                                      constIndex(rewriter, loc, 0));
    if (counted)
      limit = toIndex(rewriter, loc, maxIndex(rewriter, loc, limit, rewriter.getIndexAttr(0)));

    std::optional<OpFoldResult> length;
    if (counted)
      length = tripCount(op, limit, static_cast<bool>(condition));
    SmallVector<Value> inits;
    for (int64_t i = 0; i < carried; ++i)
      inits.push_back(startCarried(rewriter, loc, operands[2 + i], argTypes[2 + i],
                                   keepsSizes(types(), op->getOperand(2 + i), body.getArgument(2 + i))));
    YieldPlan plan{/*first=*/1, carried, {}};
    SmallVector<ScanState> states;
    for (int64_t i = 0; i < scans; ++i) {
      states.push_back(base.startScan(op->getResult(carried + i), yield->getOperand(1 + carried + i), 0, false, length));
      inits.push_back(states.back().init);
      plan.scans.push_back(states.back().output);
    }

    SmallVector<Value> results;
    if (counted) {
      scf::ForOp loop = base.createFor(limit, inits);
      moveIntoLoop(base, body, loop.getBody(), loop.getInductionVar(), loop.getRegionIterArgs(),
                   argTypes, plan);
      results.assign(loop.getResults().begin(), loop.getResults().end());
    } else {
      results = createWhile(base, body, inits, argTypes, condition, limit, plan);
    }
    rewriter.setInsertionPoint(op);
    for (int64_t i = 0; i < scans; ++i)
      results[carried + i] = base.finishScan(states[i], results[carried + i],
                                             op->getResult(carried + i).getType());
    replaceOp(rewriter, types(), op, results);
    return success();
  }

private:
  static bool isConstantTrue(Value original) {
    auto value = getConstantInts(original);
    return value && value->size() == 1 && value->front() != 0;
  }

  /// Static where M is constant.
  static OpFoldResult tripCount(onnx::LoopOp op, Value limit, bool conditional) {
    auto value = getConstantInts(op->getOperand(0));
    if (!conditional && value && value->size() == 1)
      return Builder(op.getContext()).getIndexAttr(std::max<int64_t>(value->front(), 0));
    return limit;
  }

  void moveIntoLoop(LoopBase &base, Block &body, Block *block, Value index, ValueRange iterArgs,
                    ArrayRef<Type> argTypes, const YieldPlan &plan) const {
    ConversionPatternRewriter &rewriter = base.rewriter;
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToEnd(block);
    Value number = arith::IndexCastOp::create(rewriter, base.loc, rewriter.getI64Type(), index);
    Value yes = arith::ConstantOp::create(rewriter, base.loc, rewriter.getI8IntegerAttr(1));
    SmallVector<Value> arguments = {
        scalarTensor(rewriter, base.loc, number, cast<RankedTensorType>(argTypes[0])),
        scalarTensor(rewriter, base.loc, yes, cast<RankedTensorType>(argTypes[1]))};
    llvm::append_range(arguments, iterArgs.take_front(plan.carried));
    base.moveBody(body, block, arguments, plan);
  }

  SmallVector<Value> createWhile(LoopBase &base, Block &body, ValueRange inits,
                                 ArrayRef<Type> argTypes, Value condition, Value limit,
                                 const YieldPlan &plan) const {
    ConversionPatternRewriter &rewriter = base.rewriter;
    Location loc = base.loc;
    OpBuilder::InsertionGuard guard(rewriter);
    if (!condition)
      condition = arith::ConstantOp::create(rewriter, loc, rewriter.getBoolAttr(true));
    SmallVector<Value> starts = {constIndex(rewriter, loc, 0), condition};
    llvm::append_range(starts, inits);
    SmallVector<Type> before(ValueRange(starts).getTypes()), after;
    after.push_back(before[0]);
    llvm::append_range(after, ArrayRef(before).drop_front(2));
    auto loop = scf::WhileOp::create(rewriter, loc, after, starts);
    auto locs = [&](size_t n) { return SmallVector<Location>(n, loc); };

    Block *test = rewriter.createBlock(&loop.getBefore(), {}, before, locs(before.size()));
    Value go = test->getArgument(1);
    if (limit) {
      Value inRange = arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::slt,
                                            test->getArgument(0), limit);
      go = arith::AndIOp::create(rewriter, loc, go, inRange);
    }
    SmallVector<Value> passed = {test->getArgument(0)};
    llvm::append_range(passed, test->getArguments().drop_front(2));
    scf::ConditionOp::create(rewriter, loc, go, passed);

    Block *block = rewriter.createBlock(&loop.getAfter(), {}, after, locs(after.size()));
    moveIntoLoop(base, body, block, block->getArgument(0), block->getArguments().drop_front(),
                 argTypes, plan);
    return SmallVector<Value>(loop.getResults().drop_front());
  }
};

struct ScanPattern : OnnxPattern<onnx::ScanOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::ScanOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Block &body = op->getRegion(0).front();
    Operation *yield = body.getTerminator();
    ValueRange operands = adaptor.getOperands();
    int64_t inputs = op.getNumScanInputs();
    int64_t carried = static_cast<int64_t>(operands.size()) - inputs;
    int64_t scans = static_cast<int64_t>(op->getNumResults()) - carried;
    LoopBase base{types(), rewriter, loc};
    SmallVector<Type> argTypes;
    if (failed(types().convertTypes(body.getArgumentTypes(), argTypes)))
      return refuse(op, "carries a value whose rank is not known");

    SmallVector<int64_t> inAxes;
    OpFoldResult length;
    for (int64_t i = 0; i < inputs; ++i) {
      Value input = operands[carried + i];
      auto axis = normalizeAxis(at(op.getScanInputAxes(), i), rankOf(input));
      if (!axis)
        return refuse(op, "has an axis in scan_input_axes that is out of range");
      inAxes.push_back(*axis);
      OpFoldResult size = getDim(rewriter, loc, input, *axis);
      if (i == 0)
        length = size;
      else if (!isEqualConstantIntOrValue(length, size))
        runtimeAssert(rewriter, loc,
                      arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::eq,
                                            toIndex(rewriter, loc, length),
                                            toIndex(rewriter, loc, size)),
                      "Scan: the scan inputs differ in length");
    }
    SmallVector<Value> inits;
    for (int64_t i = 0; i < carried; ++i)
      inits.push_back(startCarried(rewriter, loc, operands[i], argTypes[i],
                                   keepsSizes(types(), op->getOperand(i), body.getArgument(i))));
    YieldPlan plan{/*first=*/0, carried, {}};
    SmallVector<ScanState> states;
    for (int64_t i = 0; i < scans; ++i) {
      auto axis = normalizeAxis(at(op.getScanOutputAxes(), i), rankOf(op->getResult(carried + i)));
      if (!axis)
        return refuse(op, "has an axis in scan_output_axes that is out of range");
      states.push_back(base.startScan(op->getResult(carried + i), yield->getOperand(carried + i), *axis,
                                      at(op.getScanOutputDirections(), i) != 0, length));
      inits.push_back(states.back().init);
      plan.scans.push_back(states.back().output);
    }
    scf::ForOp loop = base.createFor(toIndex(rewriter, loc, length), inits);
    {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToEnd(loop.getBody());
      SmallVector<Value> arguments(loop.getRegionIterArgs().take_front(carried));
      for (int64_t i = 0; i < inputs; ++i) {
        OpFoldResult index = loop.getInductionVar();
        if (at(op.getScanInputDirections(), i) != 0)
          index = subIndex(rewriter, loc, subIndex(rewriter, loc, length, rewriter.getIndexAttr(1)),
                           index);
        arguments.push_back(
            takeSlice(rewriter, loc, operands[carried + i], inAxes[i], index, argTypes[carried + i]));
      }
      base.moveBody(body, loop.getBody(), arguments, plan);
    }
    rewriter.setInsertionPoint(op);
    SmallVector<Value> results(loop.getResults());
    for (int64_t i = 0; i < scans; ++i)
      results[carried + i] = base.finishScan(states[i], results[carried + i],
                                             op->getResult(carried + i).getType());
    replaceOp(rewriter, types(), op, results);
    return success();
  }

private:
  static int64_t at(std::optional<ArrayRef<int64_t>> list, int64_t i) {
    return list && i < static_cast<int64_t>(list->size()) ? (*list)[i] : 0;
  }

  static Value takeSlice(OpBuilder &b, Location loc, Value input, int64_t axis, OpFoldResult index,
                         Type wanted) {
    auto type = cast<RankedTensorType>(input.getType());
    SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0));
    SmallVector<OpFoldResult> sizes = getDims(b, loc, input);
    SmallVector<OpFoldResult> strides(type.getRank(), b.getIndexAttr(1));
    offsets[axis] = index;
    sizes[axis] = b.getIndexAttr(1);
    Value slice = tensor::ExtractSliceOp::create(b, loc, dropDim(type, axis), input, offsets,
                                                 sizes, strides);
    return castTensor(b, loc, slice, wanted);
  }
};

struct SequenceMapPattern : OnnxPattern<onnx::SequenceMapOp> {
  using OnnxPattern::OnnxPattern;
  LogicalResult matchAndRewrite(onnx::SequenceMapOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Block &body = op->getRegion(0).front();
    ValueRange operands = adaptor.getOperands();
    LoopBase base{types(), rewriter, loc};
    SmallVector<Type> argTypes;
    if (failed(types().convertTypes(body.getArgumentTypes(), argTypes)))
      return refuse(op, "maps a value whose rank is not known");
    Value length = sequenceLength(rewriter, loc, types(), operands[0]);
    YieldPlan plan;
    SmallVector<Value> inits;
    for (size_t i = 0; i < op->getNumResults(); ++i) {
      plan.scans.push_back({ScanOutput::Append, 0});
      inits.push_back(emptySequence(rewriter, loc, types()));
    }
    scf::ForOp loop = base.createFor(length, inits);
    {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToEnd(loop.getBody());
      SmallVector<Value> arguments;
      for (auto [i, operand] : llvm::enumerate(operands)) {
        if (isa<onnx::SeqType>(op->getOperand(i).getType()))
          arguments.push_back(sequenceAt(rewriter, loc, types(), operand, loop.getInductionVar(),
                                         body.getArgument(i).getType()));
        else
          arguments.push_back(castTensor(rewriter, loc, operand, argTypes[i]));
      }
      base.moveBody(body, loop.getBody(), arguments, plan);
    }
    rewriter.replaceOp(op, loop.getResults());
    return success();
  }
};

} // namespace

void populateControlFlowPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<YieldPattern, IfPattern, LoopPattern, ScanPattern, SequenceMapPattern>(patterns,
                                                                                     converter);
}

} // namespace onnxc
