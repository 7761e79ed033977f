// onnxc-partition: see Passes.td.
#include "onnxc/Codegen/Passes.h"

#include <algorithm>

namespace onnxc {
#define GEN_PASS_DEF_PARTITIONPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

struct Partition : impl::PartitionPassBase<Partition> {
  using PartitionPassBase::PartitionPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<std::pair<int64_t, func::FuncOp>> functions;
    int64_t total = 0;
    for (auto function : module.getOps<func::FuncOp>()) {
      int64_t size = 0;
      function.walk([&](Operation *) { ++size; });
      total += size;
      functions.push_back({size, function});
    }
    if (functions.empty())
      return;
    // Small models gain nothing from a second module.
    unsigned count = total < 400 ? 1 : std::max(1u, parts.getValue());
    llvm::stable_sort(functions, [](auto &a, auto &b) { return a.first > b.first; });
    OpBuilder b(&getContext());
    SmallVector<ModuleOp> modules;
    SmallVector<int64_t> load(count, 0);
    b.setInsertionPointToEnd(module.getBody());
    for (unsigned i = 0; i < count; ++i)
      modules.push_back(ModuleOp::create(b, module.getLoc(), "part_" + std::to_string(i)));
    SymbolTable symbols(module);
    for (auto &[size, function] : functions) {
      unsigned least = std::min_element(load.begin(), load.end()) - load.begin();
      load[least] += size;
      function->moveBefore(modules[least].getBody(), modules[least].getBody()->end());
    }
    for (ModuleOp part : modules)
      declareCallees(module, part);
  }

  /// Symbols are called across objects: visible, but not from outside the model.
  void declareCallees(ModuleOp all, ModuleOp part) {
    DenseSet<StringAttr> known;
    for (auto function : part.getOps<func::FuncOp>()) {
      known.insert(function.getSymNameAttr());
      function.setPublic();
    }
    OpBuilder b = OpBuilder::atBlockBegin(part.getBody());
    auto declare = [&](StringAttr name, FunctionType type) {
      if (!known.insert(name).second)
        return;
      func::FuncOp::create(b, part.getLoc(), name, type).setPrivate();
    };
    DenseMap<StringAttr, FunctionType> types;
    all.walk([&](func::FuncOp function) {
      if (!function.isDeclaration())
        types[function.getSymNameAttr()] = function.getFunctionType();
    });
    part.walk([&](Operation *op) {
      if (auto call = dyn_cast<func::CallOp>(op))
        declare(call.getCalleeAttr().getAttr(), types.lookup(call.getCalleeAttr().getAttr()));
      else if (auto callee = op->getAttrOfType<FlatSymbolRefAttr>("callee"))
        declare(callee.getAttr(), types.lookup(callee.getAttr()));
    });
  }
};

} // namespace
} // namespace onnxc
