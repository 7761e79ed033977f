// onnxc-outline-kernels: see Passes.td. A kernel takes the address of each buffer, what is
// dynamic of its shape, and scalars; addresses whose buffers are known to be disjoint are
// marked noalias, so LLVM needs no run-time checks.
#include "Kernels.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Rt/IR/Rt.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/StringMap.h"

namespace onnxc {
#define GEN_PASS_DEF_OUTLINEKERNELSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;

bool isKernel(Operation *loop) {
  if (!isa<scf::ForOp, scf::ForallOp>(loop))
    return false;
  for (Type type : loop->getResultTypes())
    if (isa<BaseMemRefType>(type))
      return false;
  bool parallel = isa<scf::ForallOp>(loop);
  return !loop->walk([&](Operation *op) {
            if (isa<func::CallOp>(op) ||
                (isa_and_nonnull<rt::RtDialect>(op->getDialect()) &&
                 !isa<rt::ArenaOp, rt::WeightOp>(op) &&
                 !(parallel && isa<rt::AllocOp, rt::DeallocOp>(op))))
              return WalkResult::interrupt();
            return WalkResult::advance();
          }).wasInterrupted();
}

namespace {

/// Estimated nanoseconds of an operation and what it holds.
double estimateCost(Operation *op) {
  double inside = 0;
  for (Region &region : op->getRegions())
    for (Operation &inner : region.getOps())
      inside += estimateCost(&inner);
  auto trips = [&](ArrayRef<OpFoldResult> lower, ArrayRef<OpFoldResult> upper,
                   ArrayRef<OpFoldResult> step) {
    double product = 1;
    for (auto [l, u, s] : llvm::zip(lower, upper, step)) {
      auto from = getConstantIntValue(l), to = getConstantIntValue(u), by = getConstantIntValue(s);
      product *= from && to && by && *by > 0 ? std::max<int64_t>(0, llvm::divideCeil(*to - *from, *by)) : 32;
    }
    return product;
  };
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return inside * trips({OpFoldResult(loop.getLowerBound())}, {OpFoldResult(loop.getUpperBound())},
                          {OpFoldResult(loop.getStep())});
  if (auto loop = dyn_cast<LoopLikeOpInterface>(op))
    if (auto lower = loop.getLoopLowerBounds())
      return inside * trips(*lower, *loop.getLoopUpperBounds(), *loop.getLoopSteps());
  if (isa<arith::ConstantOp, affine::AffineApplyOp>(op))
    return 0;
  return inside + 0.25;
}

/// The operation whose memory `value` lies in, if that is known.
Value findRoot(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto view = dyn_cast<ViewLikeOpInterface>(op))
      value = view.getViewSource();
    else if (isa<memref::ExpandShapeOp, memref::CollapseShapeOp, memref::CastOp>(op))
      value = op->getOperand(0);
    else if (isa<rt::ArenaOp, rt::WeightOp, rt::InputOp, rt::OutputOp, rt::AllocOp>(op))
      return value;
    else
      return Value();
  }
  return Value();
}

struct OutlineKernels : impl::OutlineKernelsPassBase<OutlineKernels> {
  using OutlineKernelsPassBase::OutlineKernelsPassBase;

  void runOnOperation() override {
    module = getOperation();
    auto main = module.lookupSymbol<func::FuncOp>("onnxc_generated_main");
    if (!main)
      return;
    visit(main.getBody().front());
  }

  void visit(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (isKernel(&op)) {
        outline(&op);
        continue;
      }
      for (Region &region : op.getRegions())
        for (Block &inner : region)
          visit(inner);
    }
  }

  void outline(Operation *loop) {
    OpBuilder b(loop);
    Location loc = loop->getLoc();
    llvm::SetVector<Value> used;
    for (Value operand : loop->getOperands())
      used.insert(operand);
    getUsedValuesDefinedAbove(loop->getRegions(), used);

    // What is passed: addresses and sizes for memrefs, other values as they are;
    // constants and places are made again inside.
    auto pointer = LLVM::LLVMPointerType::get(&getContext());
    SmallVector<Value> args;
    SmallVector<Value> memrefs, scalars, constants;
    for (Value value : used) {
      Operation *def = value.getDefiningOp();
      if (def && def->hasTrait<OpTrait::ConstantLike>())
        constants.push_back(value);
      else if (isa<MemRefType>(value.getType()))
        memrefs.push_back(value);
      else
        scalars.push_back(value);
    }
    struct Layout {
      SmallVector<Value> sizes, strides, offset;
    };
    SmallVector<Layout> layouts;
    for (Value memref : memrefs) {
      auto type = cast<MemRefType>(memref.getType());
      args.push_back(rt::AsPtrOp::create(b, loc, memref));
      Layout layout;
      SmallVector<int64_t> strides;
      int64_t offset;
      if (failed(type.getStridesAndOffset(strides, offset))) {
        loop->emitError("uses a buffer without strides");
        return signalPassFailure();
      }
      bool dynamicStride = !type.getLayout().isIdentity() &&
                           llvm::any_of(strides, ShapedType::isDynamic);
      bool dynamicOffset = ShapedType::isDynamic(offset);
      if (!type.hasStaticShape() || dynamicStride || dynamicOffset) {
        auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, memref);
        for (int64_t dim = 0; dim < type.getRank(); ++dim) {
          if (type.isDynamicDim(dim))
            layout.sizes.push_back(metadata.getSizes()[dim]);
          if (dynamicStride && ShapedType::isDynamic(strides[dim]))
            layout.strides.push_back(metadata.getStrides()[dim]);
        }
        if (dynamicOffset)
          layout.offset.push_back(metadata.getOffset());
      }
      layouts.push_back(layout);
    }
    unsigned numPointers = args.size();
    for (Layout &layout : layouts) {
      llvm::append_range(args, layout.sizes);
      llvm::append_range(args, layout.strides);
      llvm::append_range(args, layout.offset);
    }
    llvm::append_range(args, scalars);

    auto forall = dyn_cast<scf::ForallOp>(loop);
    SmallVector<Type> parameters = {pointer};
    if (forall)
      parameters.append({b.getIndexType(), b.getIndexType()});
    for (Value arg : args)
      parameters.push_back(arg.getType());
    auto function = func::FuncOp::create(
        loc, "kernel", b.getFunctionType(parameters, loop->getResultTypes()));
    function.setPrivate();
    Block *entry = function.addEntryBlock();
    markDisjoint(function, memrefs, forall ? 3 : 1);

    // The body: captured values from the parameters.
    OpBuilder in = OpBuilder::atBlockBegin(entry);
    IRMapping mapping;
    for (Value constant : constants)
      in.clone(*constant.getDefiningOp(), mapping);
    unsigned next = (forall ? 3 : 1) + numPointers;
    for (auto [i, memref] : llvm::enumerate(memrefs)) {
      auto type = cast<MemRefType>(memref.getType());
      auto take = [&](size_t count) {
        SmallVector<Value> values;
        for (size_t k = 0; k < count; ++k)
          values.push_back(entry->getArgument(next++));
        return values;
      };
      SmallVector<Value> sizes = take(layouts[i].sizes.size());
      SmallVector<Value> strides = take(layouts[i].strides.size());
      SmallVector<Value> offset = take(layouts[i].offset.size());
      mapping.map(memref, rt::AsMemRefOp::create(in, loc, type,
                                                 entry->getArgument((forall ? 3 : 1) + i), sizes,
                                                 strides, offset)
                              .getResult());
    }
    for (Value scalar : scalars)
      mapping.map(scalar, entry->getArgument(next++));

    if (forall) {
      emitRange(in, forall, mapping, entry->getArgument(1), entry->getArgument(2));
      func::ReturnOp::create(in, loc);
      FlatSymbolRefAttr callee = keepOnce(function);
      Value n = tripCount(b, forall);
      double cost = 0;
      for (Operation &inner : forall.getBody()->without_terminator())
        cost += estimateCost(&inner);
      rt::ParallelForOp::create(b, loc, callee, n, b.getF64FloatAttr(cost), args);
      forall.erase();
      return;
    }
    Operation *clone = in.clone(*loop, mapping);
    func::ReturnOp::create(in, loc, clone->getResults());
    FlatSymbolRefAttr callee = keepOnce(function);
    Value context = loop->getParentOfType<func::FuncOp>().getArgument(0);
    SmallVector<Value> operands = {context};
    llvm::append_range(operands, args);
    auto call = func::CallOp::create(b, loc, loop->getResultTypes(), callee.getValue(), operands);
    loop->replaceAllUsesWith(call.getResults());
    loop->erase();
  }

  void markDisjoint(func::FuncOp function, ArrayRef<Value> memrefs, unsigned first) {
    SmallVector<Value> roots;
    for (Value memref : memrefs) {
      roots.push_back(findRoot(memref));
      if (!roots.back())
        return;
    }
    for (unsigned i = 0; i < roots.size(); ++i)
      if (llvm::count(roots, roots[i]) == 1)
        function.setArgAttr(first + i, "llvm.noalias", UnitAttr::get(&getContext()));
  }

  Value tripCount(OpBuilder &b, scf::ForallOp forall) {
    Location loc = forall.getLoc();
    Value product = arith::ConstantIndexOp::create(b, loc, 1);
    for (auto [lower, upper, step] : llvm::zip(forall.getMixedLowerBound(), forall.getMixedUpperBound(),
                                               forall.getMixedStep()))
      product = arith::MulIOp::create(b, loc, product, trips(b, loc, lower, upper, step));
    return product;
  }

  Value trips(OpBuilder &b, Location loc, OpFoldResult lower, OpFoldResult upper, OpFoldResult step) {
    AffineExpr l, u, s;
    bindSymbols(&getContext(), l, u, s);
    return getValueOrCreateConstantIndexOp(
        b, loc,
        affine::makeComposedFoldedAffineApply(b, loc, (u - l).ceilDiv(s), {lower, upper, step}));
  }

  /// for t in [begin, end): the forall's body at the position with linear number t.
  void emitRange(OpBuilder &b, scf::ForallOp forall, IRMapping &mapping, Value begin, Value end) {
    Location loc = forall.getLoc();
    auto mapped = [&](OpFoldResult value) -> OpFoldResult {
      if (auto v = dyn_cast<Value>(value))
        return mapping.lookupOrDefault(v);
      return value;
    };
    SmallVector<OpFoldResult> lower, upper, step;
    for (auto [l, u, s] : llvm::zip(forall.getMixedLowerBound(), forall.getMixedUpperBound(),
                                    forall.getMixedStep())) {
      lower.push_back(mapped(l));
      upper.push_back(mapped(u));
      step.push_back(mapped(s));
    }
    SmallVector<Value> counts;
    for (auto [l, u, s] : llvm::zip(lower, upper, step))
      counts.push_back(trips(b, loc, l, u, s));
    Value one = arith::ConstantIndexOp::create(b, loc, 1);
    auto loop = scf::ForOp::create(b, loc, begin, end, one);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value rest = loop.getInductionVar();
    for (int64_t dim = counts.size() - 1; dim >= 0; --dim) {
      Value at = rest;
      if (dim > 0) {
        at = arith::RemUIOp::create(b, loc, rest, counts[dim]);
        rest = arith::DivUIOp::create(b, loc, rest, counts[dim]);
      }
      Value by = getValueOrCreateConstantIndexOp(b, loc, step[dim]);
      Value from = getValueOrCreateConstantIndexOp(b, loc, lower[dim]);
      Value iv = arith::AddIOp::create(b, loc, from, arith::MulIOp::create(b, loc, at, by));
      mapping.map(forall.getInductionVars()[dim], iv);
    }
    for (Operation &inner : forall.getBody()->without_terminator())
      b.clone(inner, mapping);
    // A stack buffer inside the loop would be a new one in every iteration.
    Block &entry = *loop->getBlock();
    loop.walk([&](memref::AllocaOp alloca) { alloca->moveBefore(&entry, entry.begin()); });
    // Scratch from the pool is taken once for all iterations of the range.
    SmallVector<rt::AllocOp> scratch;
    loop.walk([&](rt::AllocOp alloc) {
      if (alloc.getSizes().empty())
        scratch.push_back(alloc);
    });
    for (rt::AllocOp alloc : scratch) {
      alloc->moveBefore(loop);
      for (Operation *user : alloc->getUsers())
        if (isa<rt::DeallocOp>(user)) {
          user->moveAfter(loop);
          break;
        }
    }
  }

  /// Adds the function to the module unless an equal one is there.
  FlatSymbolRefAttr keepOnce(func::FuncOp function) {
    std::string text;
    llvm::raw_string_ostream os(text);
    function->print(os, OpPrintingFlags().useLocalScope());
    auto [entry, isNew] = kernels.try_emplace(text, FlatSymbolRefAttr());
    if (!isNew) {
      function->erase();
      return entry->second;
    }
    std::string name = "onnxc_kernel_fn_" + std::to_string(kernels.size() - 1);
    function.setSymName(name);
    module.push_back(function);
    return entry->second = FlatSymbolRefAttr::get(&getContext(), name);
  }

  ModuleOp module;
  llvm::StringMap<FlatSymbolRefAttr> kernels;
};

} // namespace
} // namespace onnxc
