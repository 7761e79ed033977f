// See CgToLLVM.h. LLVM's intrinsics that name the tile registers: those that let LLVM choose registers need
// shapes that are known where a function begins, and one set of them.
#include "CgToLLVM.h"

#include "onnxc/Dialect/Cg/IR/Cg.h"

#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace onnxc {
namespace {

template <typename OpTy> struct TilePattern : ConvertOpToLLVMPattern<OpTy> {
  using ConvertOpToLLVMPattern<OpTy>::ConvertOpToLLVMPattern;

protected:
  static Value tile(OpBuilder &b, OpTy op, int64_t number) {
    return LLVM::ConstantOp::create(b, op.getLoc(), b.getI8IntegerAttr(number));
  }
  static void replace(ConversionPatternRewriter &rewriter, OpTy op, StringRef intrinsic,
                      ValueRange operands) {
    LLVM::CallIntrinsicOp::create(rewriter, op.getLoc(), rewriter.getStringAttr(intrinsic), operands);
    rewriter.eraseOp(op);
  }
};

struct ConfigureLowering : TilePattern<cg::TileConfigureOp> {
  using TilePattern::TilePattern;
  LogicalResult matchAndRewrite(cg::TileConfigureOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    MemRefDescriptor shapes(adaptor.getShapes());
    replace(rewriter, op, "llvm.x86.ldtilecfg",
            shapes.bufferPtr(rewriter, op.getLoc(), *getTypeConverter(), op.getShapes().getType()));
    return success();
  }
};

struct ReleaseLowering : TilePattern<cg::TileReleaseOp> {
  using TilePattern::TilePattern;
  LogicalResult matchAndRewrite(cg::TileReleaseOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    replace(rewriter, op, "llvm.x86.tilerelease", {});
    return success();
  }
};

struct ZeroLowering : TilePattern<cg::TileZeroOp> {
  using TilePattern::TilePattern;
  LogicalResult matchAndRewrite(cg::TileZeroOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    replace(rewriter, op, "llvm.x86.tilezero", tile(rewriter, op, op.getTile()));
    return success();
  }
};

template <typename OpTy> struct MemoryLowering : TilePattern<OpTy> {
  MemoryLowering(const LLVMTypeConverter &converter, StringRef intrinsic)
      : TilePattern<OpTy>(converter), intrinsic(intrinsic) {}
  LogicalResult matchAndRewrite(OpTy op, typename OpTy::Adaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Value address = this->getStridedElementPtr(rewriter, op.getLoc(), cast<MemRefType>(op.getMemory().getType()),
                                               adaptor.getMemory(), adaptor.getIndices());
    Value stride =
        LLVM::ConstantOp::create(rewriter, op.getLoc(), rewriter.getI64IntegerAttr(op.getStride()));
    this->replace(rewriter, op, intrinsic, {this->tile(rewriter, op, op.getTile()), address, stride});
    return success();
  }
  StringRef intrinsic;
};

struct MultiplyLowering : TilePattern<cg::TileMultiplyOp> {
  using TilePattern::TilePattern;
  LogicalResult matchAndRewrite(cg::TileMultiplyOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    replace(rewriter, op, op.getBfloat() ? "llvm.x86.tdpbf16ps" : "llvm.x86.tdpbusd",
            {tile(rewriter, op, op.getSum()), tile(rewriter, op, op.getLeft()),
             tile(rewriter, op, op.getRight())});
    return success();
  }
};

} // namespace

void populateCgToLLVMPatterns(const LLVMTypeConverter &converter, RewritePatternSet &patterns) {
  patterns.add<ConfigureLowering, ReleaseLowering, ZeroLowering, MultiplyLowering>(converter);
  patterns.add<MemoryLowering<cg::TileLoadOp>>(converter, "llvm.x86.tileloadd64");
  patterns.add<MemoryLowering<cg::TileStoreOp>>(converter, "llvm.x86.tilestored64");
}

} // namespace onnxc
