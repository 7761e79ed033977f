// onnxc-fuse-short-products: see Passes.td.
#include "onnxc/Codegen/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/MapVector.h"

namespace onnxc {
#define GEN_PASS_DEF_FUSESHORTPRODUCTSPASS
#include "onnxc/Codegen/Passes.h.inc"

using namespace mlir;
namespace {

/// The one instruction takes as long as both, and each waits for the one before: so many sums side by side hide that.
constexpr size_t kMinSums = 8;

/// A sum that a product is added to.
struct Step {
  arith::AddIOp add;
  arith::MulIOp mul;
  Value sum() { return add.getLhs() == mul.getResult() ? add.getRhs() : add.getLhs(); }
};

struct FuseShortProducts : impl::FuseShortProductsPassBase<FuseShortProducts> {
  using FuseShortProductsPassBase::FuseShortProductsPassBase;

  void runOnOperation() override {
    llvm::MapVector<Block *, SmallVector<Step>> steps;
    getOperation().walk([&](arith::AddIOp add) {
      if (std::optional<Step> step = match(add))
        steps[add->getBlock()].push_back(*step);
    });
    IRRewriter rewriter(&getContext());
    for (auto &[block, found] : steps) {
      llvm::SmallPtrSet<Operation *, 32> adds;
      for (Step &step : found)
        adds.insert(step.add);
      if (static_cast<size_t>(llvm::count_if(found, [&](Step &step) {
            return !adds.contains(step.sum().getDefiningOp());
          })) >= kMinSums)
        for (Step &step : found)
          fuse(rewriter, step);
    }
  }

private:
  std::optional<Step> match(arith::AddIOp add) const {
    auto type = dyn_cast<VectorType>(add.getType());
    if (!type || type.getRank() != 1 || !type.getElementType().isInteger(32) ||
        type.getNumElements() * 32 > vectorBits || type.getNumElements() * 32 < 128)
      return std::nullopt;
    for (Value product : {add.getRhs(), add.getLhs()}) {
      auto mul = product.getDefiningOp<arith::MulIOp>();
      if (mul && mul->hasOneUse() && mul->getBlock() == add->getBlock() &&
          ((isByte(mul.getLhs()) && isShort(mul.getRhs())) ||
           (isByte(mul.getRhs()) && isShort(mul.getLhs()))))
        return Step{add, mul};
    }
    return std::nullopt;
  }

  /// The lower half of each lane is a positive number, the upper half zero.
  static bool isByte(Value value) {
    auto ext = value.getDefiningOp<arith::ExtUIOp>();
    return ext && getElementTypeOrSelf(ext.getIn().getType()).getIntOrFloatBitWidth() <= 8;
  }
  /// The lower half of each lane, as a signed number, is the number.
  static bool isShort(Value value) {
    auto ext = value.getDefiningOp<arith::ExtSIOp>();
    return isByte(value) || (ext && getElementTypeOrSelf(ext.getIn().getType()).getIntOrFloatBitWidth() <= 16);
  }

  static void fuse(IRRewriter &rewriter, Step &step) {
    auto type = cast<VectorType>(step.add.getType());
    Location loc = step.add.getLoc();
    rewriter.setInsertionPoint(step.add);
    auto halves = VectorType::get(2 * type.getNumElements(), rewriter.getI16Type());
    Value x = vector::BitCastOp::create(rewriter, loc, halves, step.mul.getLhs());
    Value y = vector::BitCastOp::create(rewriter, loc, halves, step.mul.getRhs());
    std::string name = "llvm.x86.avx512.vpdpwssd." + std::to_string(type.getNumElements() * 32);
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(step.add, type, rewriter.getStringAttr(name),
                                                       ValueRange{step.sum(), x, y});
    rewriter.eraseOp(step.mul);
  }
};

} // namespace
} // namespace onnxc
