// onnxc-mark-regions: see Passes.td. Regions are what onnxc-outline-kernels makes functions of, and
// the entry's calls and copies.
#include "Kernels.h"
#include "onnxc/Codegen/Passes.h"
#include "onnxc/Dialect/Rt/IR/Rt.h"

#include <set>

namespace onnxc {
#define GEN_PASS_DEF_MARKREGIONSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// ONNX nodes ("<OpType>:<name>") by their place in the file.
using Nodes = std::set<std::pair<unsigned, std::string>>;

void collectNodes(Location loc, Nodes &nodes) {
  if (auto name = dyn_cast<NameLoc>(loc)) {
    auto place = dyn_cast<FileLineColLoc>(name.getChildLoc());
    nodes.insert({place ? place.getLine() : 0, name.getName().str()});
  } else if (auto fused = dyn_cast<FusedLoc>(loc)) {
    for (Location inner : fused.getLocations())
      collectNodes(inner, nodes);
  } else if (auto call = dyn_cast<CallSiteLoc>(loc)) {
    collectNodes(call.getCallee(), nodes);
    collectNodes(call.getCaller(), nodes);
  }
}

/// Address arithmetic and constants are shared across nodes: their locations say nothing.
bool isComputation(Operation *op) {
  if (op->hasTrait<OpTrait::ConstantLike>() || op->hasTrait<OpTrait::IsTerminator>() || isPure(op))
    return llvm::any_of(op->getResultTypes(), [](Type type) {
             return !isa<MemRefType>(type) && isa<FloatType, ComplexType>(getElementTypeOrSelf(type));
           }) &&
           !op->hasTrait<OpTrait::ConstantLike>();
  return true;
}

struct MarkRegions : impl::MarkRegionsPassBase<MarkRegions> {
  using MarkRegionsPassBase::MarkRegionsPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (auto main = module.lookupSymbol<func::FuncOp>("onnxc_generated_main"))
      visit(main.getBody().front());
    module->setAttr("onnxc.regions", ArrayAttr::get(&getContext(), regions));
  }

  void visit(Block &block) {
    for (Operation &op : block) {
      if (isKernel(&op) || isa<rt::KernelOp, memref::CopyOp, func::CallOp>(op)) {
        mark(&op);
        continue;
      }
      for (Region &region : op.getRegions())
        for (Block &inner : region)
          visit(inner);
    }
  }

  void mark(Operation *op) {
    Nodes nodes;
    op->walk([&](Operation *inner) {
      if (isComputation(inner))
        collectNodes(inner->getLoc(), nodes);
    });
    if (nodes.empty())
      collectNodes(op->getLoc(), nodes);
    std::string text;
    for (auto &[place, name] : nodes)
      text += (text.empty() ? "" : "\n") + name;
    OpBuilder b(op);
    rt::RegionOp::create(b, op->getLoc(), static_cast<int32_t>(regions.size()));
    regions.push_back(b.getDictionaryAttr(
        {b.getNamedAttr("nodes", b.getStringAttr(text)),
         b.getNamedAttr("parallel", b.getBoolAttr(isa<scf::ForallOp>(op)))}));
  }

  SmallVector<Attribute> regions;
};

} // namespace
} // namespace onnxc
