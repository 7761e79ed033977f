// onnxc-build-entry: see Passes.td. Runs right after bufferization, when @main_graph takes
// and returns memrefs with identity layouts.
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Rt/IR/Rt.h"

namespace onnxc {
#define GEN_PASS_DEF_BUILDENTRYPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// Strings, sequences, maps and optionals are stored as handles (i64).
bool holdsHandles(Attribute originalType) {
  auto attr = dyn_cast_or_null<TypeAttr>(originalType);
  if (!attr)
    return false;
  auto shaped = dyn_cast<ShapedType>(attr.getValue());
  return !shaped || !(shaped.getElementType().isIntOrFloat() ||
                      isa<ComplexType>(shaped.getElementType()));
}

struct BuildEntry : impl::BuildEntryPassBase<BuildEntry> {
  using BuildEntryPassBase::BuildEntryPassBase;

  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main_graph");
    if (!main)
      return;
    if (!llvm::hasSingleElement(main.getBody())) {
      main.emitError("has control flow between blocks");
      return signalPassFailure();
    }
    OpBuilder b(&getContext());
    Location loc = main.getLoc();
    Block &body = main.getBody().front();
    b.setInsertionPointToStart(&body);
    for (BlockArgument arg : body.getArguments()) {
      auto input = rt::InputOp::create(b, loc, arg.getType(), b.getI64IntegerAttr(arg.getArgNumber()));
      arg.replaceAllUsesWith(input.getResult());
    }

    auto ret = cast<func::ReturnOp>(body.getTerminator());
    DenseSet<Operation *> taken;
    for (auto [index, value] : llvm::enumerate(ret.getOperands())) {
      b.setInsertionPoint(ret);
      if (holdsHandles(main.getResultAttr(index, "onnx.type")))
        rt::SetOutputOp::create(b, loc, b.getI64IntegerAttr(index), value);
      else
        giveOutput(b, index, value, taken, ret);
    }
    // What an earlier pass knew of the signature stays on the module.
    b.setInsertionPoint(ret);
    Value zero = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
    func::ReturnOp::create(b, loc, zero);
    ret.erase();

    auto pointer = LLVM::LLVMPointerType::get(&getContext());
    body.eraseArguments(0, body.getNumArguments());
    body.addArgument(pointer, loc);
    SmallVector<Attribute> inputs, outputs;
    for (unsigned i = 0; i < main.getNumArguments(); ++i)
      inputs.push_back(main.getArgAttrDict(i) ? main.getArgAttrDict(i) : b.getDictionaryAttr({}));
    for (unsigned i = 0; i < main.getNumResults(); ++i)
      outputs.push_back(main.getResultAttrDict(i) ? main.getResultAttrDict(i) : b.getDictionaryAttr({}));
    getOperation()->setAttr("onnxc.inputs", b.getArrayAttr(inputs));
    getOperation()->setAttr("onnxc.outputs", b.getArrayAttr(outputs));
    main.removeArgAttrsAttr();
    main.removeResAttrsAttr();
    main.setFunctionType(b.getFunctionType({pointer}, {b.getI32Type()}));
    main.setSymName("onnxc_generated_main");
    main.setPublic();
  }

  /// Lets the allocation behind `value` be the output's memory, or copies.
  void giveOutput(OpBuilder &b, int64_t index, Value value, DenseSet<Operation *> &taken,
                  Operation *ret) {
    Location loc = value.getLoc();
    auto type = cast<MemRefType>(value.getType());
    Value root = value;
    while (Operation *op = root.getDefiningOp()) {
      if (isa<memref::CastOp, memref::ExpandShapeOp, memref::CollapseShapeOp>(op))
        root = op->getOperand(0);
      else
        break;
    }
    auto alloc = root.getDefiningOp<memref::AllocOp>();
    bool direct = alloc && alloc->getBlock() == ret->getBlock() && alloc.getType().getLayout().isIdentity() &&
                  (root == value || type.hasStaticShape()) && taken.insert(alloc).second;
    if (direct && root != value && !alloc.getType().hasStaticShape())
      direct = false;
    if (direct) {
      b.setInsertionPoint(alloc);
      if (root == value) {
        auto output = rt::OutputOp::create(b, loc, alloc.getType(), b.getI64IntegerAttr(index),
                                           alloc.getDynamicSizes());
        alloc.replaceAllUsesWith(output.getResult());
      } else {
        auto output = rt::OutputOp::create(b, loc, type, b.getI64IntegerAttr(index), ValueRange{});
        SmallVector<int64_t> strides;
        int64_t offset;
        (void)alloc.getType().getStridesAndOffset(strides, offset);
        auto view = memref::ReinterpretCastOp::create(b, loc, alloc.getType(), output.getResult(), 0,
                                                      alloc.getType().getShape(), strides);
        alloc.replaceAllUsesWith(view.getResult());
      }
      alloc.erase();
      return;
    }
    b.setInsertionPoint(ret);
    SmallVector<Value> sizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        sizes.push_back(memref::DimOp::create(b, loc, value, dim));
    auto plain = MemRefType::get(type.getShape(), type.getElementType());
    auto output = rt::OutputOp::create(b, loc, plain, b.getI64IntegerAttr(index), sizes);
    memref::CopyOp::create(b, loc, value, output.getResult());
  }
};

} // namespace
} // namespace onnxc
