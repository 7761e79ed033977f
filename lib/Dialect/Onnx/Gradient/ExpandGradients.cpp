//===- ExpandGradients.cpp - Reverse-mode differentiation -----------------===//
//
// onnx-expand-gradients: ai.onnx.preview.training's Gradient becomes the operators that
// compute it. The graph between the tensors that it names is walked backwards, and each
// operator's rule (Rules.h) turns the gradient of its results into those of its inputs.
//
//===----------------------------------------------------------------------===//
#include "Rules.h"

#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include "onnxc/Dialect/Onnx/Transforms/TypeInference.h"
#include "onnxc/Import/ExpandFunction.h"

#include "mlir/IR/IRMapping.h"

namespace onnxc::onnx {
#define GEN_PASS_DEF_ONNXEXPANDGRADIENTS
#include "onnxc/Dialect/Onnx/Transforms/Passes.h.inc"

using namespace mlir;

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

LogicalResult Adjoint::setSummed(unsigned i, Value gradient) {
  gradient = w.sumTo(gradient, x(i));
  if (!gradient)
    return refuse("has an input of unknown rank");
  set(i, gradient);
  return success();
}

LogicalResult Adjoint::refuse(const Twine &why) const {
  return op->emitOpError("cannot be differentiated here: it ") << why;
}

Rule findRule(StringRef name) {
  static const RuleMap all = [] {
    RuleMap rules;
    addElementwiseRules(rules);
    addMovementRules(rules);
    addReductionRules(rules);
    addProductRules(rules);
    addWindowRules(rules);
    return rules;
  }();
  return all.lookup(name);
}

namespace {

//===----------------------------------------------------------------------===//
// One Gradient
//===----------------------------------------------------------------------===//

class Differentiator {
public:
  Differentiator(TrainingGradientOp op, ShapeState &state) : op(op), w(op, state) {}

  LogicalResult run();

private:
  TrainingGradientOp op;
  GradientWriter w;
  llvm::DenseMap<Value, Value> gradients;
  /// Values through which a result depends on the tensors in `xs`.
  llvm::DenseSet<Value> dependent;

  FailureOr<SmallVector<Operation *>> findGraph(Value y, ValueRange named);
  void addGradient(Value value, Value gradient);
  LogicalResult backward(ArrayRef<Operation *> graph);
  LogicalResult backward(Operation *node);
  LogicalResult applyRule(Operation *node, Rule rule, ArrayRef<Value> grads);
  LogicalResult takeApart(Operation *node, ArrayRef<Value> grads);
};

/// The operators between the named tensors and y, in order.
FailureOr<SmallVector<Operation *>> Differentiator::findGraph(Value y, ValueRange named) {
  llvm::DenseSet<Value> ends(named.begin(), named.end());
  llvm::SetVector<Operation *> found;
  SmallVector<Value> todo = {y};
  while (!todo.empty()) {
    Value value = todo.pop_back_val();
    Operation *producer = value.getDefiningOp();
    if (ends.contains(value) || !producer || !found.insert(producer))
      continue;
    if (producer->getBlock() != op->getBlock())
      return op->emitOpError("and the graph that it differentiates must be in the same (sub)graph");
    producer->walk([&](Operation *inner) { llvm::append_range(todo, inner->getOperands()); });
  }
  SmallVector<Operation *> graph = found.takeVector();
  llvm::sort(graph, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return graph;
}

LogicalResult Differentiator::run() {
  size_t count = op.getXs().size();
  size_t inputs = count + (op.getZs() ? op.getZs()->size() : 0);
  if (op->getNumOperands() != 2 * inputs + 1 || op->getNumResults() != count)
    return op->emitOpError("needs a value for each tensor named in xs and zs, and a result for each in xs");
  SmallVector<Value> values(op->getOperands().take_front(inputs));
  SmallVector<Value> named(op->getOperands().slice(inputs, inputs));
  Value y = op->getOperands().back();
  FailureOr<SmallVector<Operation *>> graph = findGraph(y, named);
  if (failed(graph))
    return failure();

  // Other values than those of the named tensors: the graph is computed again from them.
  if (values != named) {
    IRMapping mapping;
    for (auto [name, value] : llvm::zip(named, values))
      mapping.map(name, value);
    SmallVector<Operation *> copies;
    for (Operation *node : *graph) {
      Operation *copy = w.b.clone(*node, mapping);
      copies.push_back(copy);
      w.infer(copy);
    }
    y = mapping.lookupOrDefault(y);
    graph = copies;
  }

  for (Value x : ArrayRef(values).take_front(count))
    if (GradientWriter::isFloat(x))
      dependent.insert(x);
  if (!GradientWriter::isFloat(y))
    return op->emitOpError("differentiates '") << op.getY() << "', which is not a tensor of floating-point numbers";
  addGradient(y, w.fill(1, y));
  if (failed(backward(*graph)))
    return failure();

  for (auto [i, result] : llvm::enumerate(op->getResults())) {
    if (isNone(result))
      continue;
    Value gradient = gradients.lookup(values[i]);
    if (!gradient)
      gradient = w.fill(0, values[i]);
    // What users see may be more precise than what was inferred.
    auto exact = IdentityOp::create(w.b, op.getLoc(), result.getType(), gradient);
    result.replaceAllUsesWith(exact->getResult(0));
  }
  op.erase();
  return success();
}

void Differentiator::addGradient(Value value, Value gradient) {
  Value &sum = gradients[value];
  sum = sum ? w.add(sum, gradient) : gradient;
}

LogicalResult Differentiator::backward(ArrayRef<Operation *> graph) {
  for (Operation *node : graph) {
    bool depends = node->walk([&](Operation *inner) {
                         return llvm::any_of(inner->getOperands(), [&](Value v) { return dependent.contains(v); })
                                    ? WalkResult::interrupt()
                                    : WalkResult::advance();
                       }).wasInterrupted();
    for (Value result : node->getResults())
      if (depends && GradientWriter::isFloat(result))
        dependent.insert(result);
  }
  for (Operation *node : llvm::reverse(graph))
    if (failed(backward(node)))
      return failure();
  return success();
}

LogicalResult Differentiator::backward(Operation *node) {
  SmallVector<Value> grads;
  for (Value result : node->getResults())
    grads.push_back(dependent.contains(result) ? gradients.lookup(result) : Value());
  if (llvm::none_of(grads, [](Value g) { return bool(g); }))
    return success();
  auto onnxOp = dyn_cast<OnnxOpInterface>(node);
  if (!onnxOp || node->getNumRegions() != 0)
    return node->emitOpError("cannot be differentiated");
  if (Rule rule = onnxOp.getOnnxDomain().empty() ? findRule(onnxOp.getOnnxName()) : Rule())
    return applyRule(node, rule, grads);
  return takeApart(node, grads);
}

LogicalResult Differentiator::applyRule(Operation *node, Rule rule, ArrayRef<Value> grads) {
  SmallVector<bool> needed;
  for (Value operand : node->getOperands())
    needed.push_back(dependent.contains(operand));
  Adjoint adjoint{w, node, grads, needed, SmallVector<Value>(node->getNumOperands())};
  if (failed(rule(adjoint)))
    return failure();
  for (auto [i, gradient] : llvm::enumerate(adjoint.found))
    if (gradient && needed[i])
      addGradient(node->getOperand(i), gradient);
  return success();
}

/// Writes what the operator does by simpler ones, which are differentiated in its place.
LogicalResult Differentiator::takeApart(Operation *node, ArrayRef<Value> grads) {
  auto onnxOp = cast<OnnxOpInterface>(node);
  Operation *before = op->getPrevNode();
  SmallVector<Value> results;
  if (Decomposition parts = onnxOp.getOnnxDomain().empty() ? findDecomposition(onnxOp.getOnnxName()) : nullptr) {
    results = parts(w, node);
  } else if (hasFunctionBody(node)) {
    Operation *copy = w.b.clone(*node);
    // They show what takes the place of the copy's results.
    SmallVector<Operation *> marks;
    for (Value result : copy->getResults())
      marks.push_back(isNone(result)
                          ? nullptr
                          : IdentityOp::create(w.b, node->getLoc(), result.getType(), result).getOperation());
    IRRewriter rewriter(op->getContext());
    rewriter.setInsertionPoint(copy);
    if (succeeded(expandFunction(copy, rewriter)))
      for (Operation *mark : marks)
        results.push_back(mark ? mark->getResult(0) : Value());
  }
  if (results.empty())
    return node->emitOpError("cannot be differentiated with these attributes and types");
  SmallVector<Operation *> graph;
  for (Operation *it = before ? before->getNextNode() : &op->getBlock()->front(); it != op; it = it->getNextNode()) {
    w.infer(it);
    graph.push_back(it);
  }
  for (auto [result, gradient] : llvm::zip(results, grads)) {
    if (result && gradient)
      addGradient(result, gradient);
    else if (gradient)
      return node->emitOpError("has a result that is not differentiated");
  }
  return backward(graph);
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

struct ExpandGradients : impl::OnnxExpandGradientsBase<ExpandGradients> {
  void runOnOperation() override {
    SmallVector<TrainingGradientOp> found;
    getOperation().walk([&](TrainingGradientOp op) { found.push_back(op); });
    if (found.empty())
      return;
    // In their order: a gradient of a gradient comes behind it.
    for (TrainingGradientOp op : found) {
      ShapeState state;
      if (failed(TypeInference(state).inferBlock(getOperation().getBody().front())) ||
          failed(Differentiator(op, state).run()))
        return signalPassFailure();
    }
  }
};

} // namespace
} // namespace onnxc::onnx
