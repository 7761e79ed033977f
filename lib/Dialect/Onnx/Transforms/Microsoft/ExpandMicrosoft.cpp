// onnx-expand-microsoft: operators of ONNX Runtime's own domain become standard ones.
#include "Expansion.h"
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include "onnxc/Schema/CustomOperators.h"
#include "onnxc/Schema/MicrosoftSchemas.h"

namespace onnxc::onnx {
#define GEN_PASS_DEF_ONNXEXPANDMICROSOFT
#include "onnxc/Dialect/Onnx/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

Expander findExpander(StringRef name) {
  for (auto family : {elementwiseExpander, matMulExpander, normalizationExpander, attentionExpander,
                      groupQueryExpander, convolutionExpander, quantizedExpander, weightsExpander,
                      tensorExpander})
    if (Expander found = family(name))
      return found;
  return nullptr;
}

/// What is known of either type.
Type merge(Type made, Type declared) {
  auto a = dyn_cast<RankedTensorType>(made), d = dyn_cast<RankedTensorType>(declared);
  if (!d || made == declared)
    return made;
  if (!a)
    return declared;
  if (a.getRank() != d.getRank())
    return made;
  SmallVector<int64_t> shape(a.getShape());
  for (auto [size, known] : llvm::zip(shape, d.getShape()))
    if (ShapedType::isDynamic(size))
      size = known;
  return RankedTensorType::get(shape, a.getElementType());
}

/// Whether the node has the inputs that its operator needs, tensors all of them, and no others.
LogicalResult checkInputs(CustomOp node) {
  const char *signs = inputsOfMicrosoft(node.getOpType().str());
  if (!signs)
    return success();
  auto refuse = [&]() { return node->emitOpError("com.microsoft operator ") << node.getOpType() << ' '; };
  StringRef inputs(signs);
  bool variadic = inputs.consume_back("*");
  if (node->getNumOperands() > inputs.size() && !variadic)
    return refuse() << "has " << node->getNumOperands() << " inputs, it takes " << inputs.size();
  for (size_t i = 0; i < std::max<size_t>(inputs.size(), node->getNumOperands()); ++i) {
    bool isThere = i < node->getNumOperands() && !isNone(node->getOperand(i));
    if (!isThere && (i >= inputs.size() || inputs[i] == '+'))
      return refuse() << "lacks its input number " << i;
    if (isThere && !isa<TensorType>(node->getOperand(i).getType()))
      return refuse() << "has an input (number " << i << ") that is no tensor";
  }
  return success();
}

struct ExpandMicrosoft : impl::OnnxExpandMicrosoftBase<ExpandMicrosoft> {
  void runOnOperation() override {
    SmallVector<CustomOp> nodes;
    getOperation().walk([&](CustomOp op) {
      if (op.getDomainName() == microsoftDomain && !op->hasAttr(kCustomVersionAttr))
        nodes.push_back(op);
    });
    if (nodes.empty())
      return;
    for (CustomOp node : nodes)
      if (failed(checkInputs(node)))
        return signalPassFailure();
    ShapeState state;
    nameArguments(getOperation(), state);
    if (failed(TypeInference(state).inferBlock(getOperation().getBody().front())))
      return signalPassFailure();
    bool changed = false;
    // In the graph's order, so that the types of what a node reads are the best there are.
    for (CustomOp node : nodes) {
      Expander expander = findExpander(node.getOpType());
      if (!expander || node.getAttrs().contains(kPrepared))
        continue;
      Expansion expansion(node, state);
      FailureOr<Values> made = expander(expansion);
      if (failed(made))
        return signalPassFailure();
      if (failed(replace(node, *made, expansion)))
        return signalPassFailure();
      state.forget(node);
      node.erase();
      changed = true;
    }
    if (!changed)
      return;
    OpPassManager types(func::FuncOp::getOperationName());
    types.addPass(createOnnxShapeInference());
    if (failed(runPipeline(types, getOperation())))
      signalPassFailure();
  }

private:
  static LogicalResult replace(CustomOp node, ArrayRef<Value> made, Expansion &expansion) {
    for (auto [i, result] : llvm::enumerate(node->getResults())) {
      if (isNone(result) || result.use_empty())
        continue;
      if (i >= made.size() || !made[i])
        return expansion.refuse("has no output number " + Twine(i));
      Value value = made[i];
      if (value.getType() != result.getType() &&
          (isa<BlockArgument>(value) || value.getDefiningOp()->hasTrait<OpTrait::ConstantLike>()))
        value = expansion.op("Identity", {value});
      if (!isa<BlockArgument>(value) && value.getType() != result.getType())
        value.setType(merge(value.getType(), result.getType()));
      if (value.getType() != result.getType()) {
        // What ends a block or function is typed by what surrounds it, until types are inferred again.
        Value same = IdentityOp::create(expansion.b, node.getLoc(), result.getType(), value);
        result.replaceUsesWithIf(
            same, [](OpOperand &use) { return use.getOwner()->hasTrait<OpTrait::IsTerminator>(); });
      }
      result.replaceAllUsesWith(value);
    }
    return success();
  }
};

} // namespace
} // namespace onnxc::onnx
