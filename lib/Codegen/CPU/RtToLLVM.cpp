// Lowering of the rt dialect: the counterpart of runtime/model/generated.h and
// runtime/kernels/kernel.h; the struct layouts here are those.
#include "onnxc/Codegen/CPU/RtToLLVM.h"

#include "RtBuilder.h"

using namespace mlir;

namespace onnxc {
namespace {

constexpr StringLiteral kWeightsSymbol = "onnxc_weights";

struct InputLowering : RtPattern<rt::InputOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(rt::InputOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    RtBuilder x(rewriter, op);
    auto type = cast<MemRefType>(op.getType());
    Value index = x.constant(x.i32, op.getIndex());
    Value data = x.call("onnxc_input_data", x.pointer, {x.context, index}, /*pure=*/true);
    SmallVector<Value> dims;
    Value array;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      if (!type.isDynamicDim(dim)) {
        dims.push_back(x.constant(x.i64, type.getDimSize(dim)));
        continue;
      }
      if (!array)
        array = x.call("onnxc_input_dims", x.pointer, {x.context, index}, /*pure=*/true);
      dims.push_back(
          LLVM::LoadOp::create(rewriter, x.loc, x.i64, x.field(x.i64, array, {LLVM::GEPArg(dim)})));
    }
    rewriter.replaceOp(op, x.describe(*getTypeConverter(), type, data, dims));
    return success();
  }
};

struct OutputLowering : RtPattern<rt::OutputOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(rt::OutputOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    RtBuilder x(rewriter, op);
    auto type = cast<MemRefType>(op.getType());
    SmallVector<Value> dims = x.mixedSizes(type, adaptor.getSizes());
    Value data = x.call("onnxc_output", x.pointer,
                        {x.context, x.constant(x.i32, op.getIndex()),
                         x.constant(x.i32, type.getRank()), x.dimsArray(dims)});
    rewriter.replaceOp(op, x.describe(*getTypeConverter(), type, data, dims));
    return success();
  }
};

struct SetOutputLowering : RtPattern<rt::SetOutputOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(rt::SetOutputOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    RtBuilder x(rewriter, op);
    auto type = cast<MemRefType>(op.getValue().getType());
    MemRefDescriptor descriptor(adaptor.getValue());
    x.call("onnxc_set_output", x.voidType(),
           {x.context, x.constant(x.i32, op.getIndex()), x.constant(x.i32, type.getRank()),
            x.dimsArray(x.sizes(descriptor, type)),
            descriptor.bufferPtr(rewriter, x.loc, *getTypeConverter(), type)});
    rewriter.eraseOp(op);
    return success();
  }
};

struct ArenaLowering : RtPattern<rt::ArenaOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(rt::ArenaOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    RtBuilder x(rewriter, op);
    auto type = cast<MemRefType>(op.getType());
    Value base = x.call("onnxc_arena", x.pointer, {x.context}, /*pure=*/true);
    Value data = x.field(rewriter.getI8Type(), base, {LLVM::GEPArg(x.constant(x.i64, op.getOffset()))});
    rewriter.replaceOp(op, x.describe(*getTypeConverter(), type, data, x.mixedSizes(type, {})));
    return success();
  }
};

struct WeightLowering : RtPattern<rt::WeightOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(rt::WeightOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    RtBuilder x(rewriter, op);
    auto type = cast<MemRefType>(op.getType());
    if (!x.module.lookupSymbol(kWeightsSymbol)) {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToStart(x.module.getBody());
      auto global = LLVM::GlobalOp::create(
          rewriter, x.loc, LLVM::LLVMArrayType::get(rewriter.getI8Type(), 0), /*isConstant=*/true,
          LLVM::Linkage::External, kWeightsSymbol, Attribute(), /*alignment=*/64);
      global.setVisibility_(LLVM::Visibility::Hidden);
    }
    Value base = LLVM::AddressOfOp::create(rewriter, x.loc, x.pointer, kWeightsSymbol);
    Value data = x.field(rewriter.getI8Type(), base, {LLVM::GEPArg(x.constant(x.i64, op.getOffset()))});
    rewriter.replaceOp(op, x.describe(*getTypeConverter(), type, data, x.mixedSizes(type, {})));
    return success();
  }
};

struct AllocLowering : RtPattern<rt::AllocOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(rt::AllocOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    RtBuilder x(rewriter, op);
    auto type = cast<MemRefType>(op.getType());
    SmallVector<Value> dims = x.mixedSizes(type, adaptor.getSizes());
    Value data = x.call("onnxc_alloc", x.pointer,
                        {x.context, x.bytes(*getTypeConverter(), type, dims)});
    rewriter.replaceOp(op, x.describe(*getTypeConverter(), type, data, dims));
    return success();
  }
};

struct DeallocLowering : RtPattern<rt::DeallocOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(rt::DeallocOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    RtBuilder x(rewriter, op);
    Value data = MemRefDescriptor(adaptor.getBuffer()).allocatedPtr(rewriter, x.loc);
    x.call("onnxc_free", x.voidType(), {x.context, data});
    rewriter.eraseOp(op);
    return success();
  }
};

struct AsPtrLowering : RtPattern<rt::AsPtrOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(rt::AsPtrOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, MemRefDescriptor(adaptor.getSource()).alignedPtr(rewriter, op.getLoc()));
    return success();
  }
};

struct AsMemRefLowering : RtPattern<rt::AsMemRefOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(rt::AsMemRefOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    RtBuilder x(rewriter, op);
    auto type = cast<MemRefType>(op.getType());
    SmallVector<Value> dims = x.mixedSizes(type, adaptor.getSizes());
    MemRefDescriptor descriptor(
        x.describe(*getTypeConverter(), type, adaptor.getSource(), dims));
    if (!type.getLayout().isIdentity()) {
      SmallVector<int64_t> strides;
      int64_t offset;
      if (failed(type.getStridesAndOffset(strides, offset)))
        return op.emitError("needs a strided layout");
      unsigned next = 0;
      for (auto [dim, stride] : llvm::enumerate(strides))
        descriptor.setStride(rewriter, x.loc, dim,
                             ShapedType::isDynamic(stride) ? adaptor.getStrides()[next++]
                                                           : x.constant(x.i64, stride));
      descriptor.setOffset(rewriter, x.loc,
                           ShapedType::isDynamic(offset) ? adaptor.getOffset()[0]
                                                         : x.constant(x.i64, offset));
    }
    rewriter.replaceOp(op, Value(descriptor));
    return success();
  }
};

/// The runtime calls a function of (argument block, begin, end): one is made that unpacks the
/// block and calls the kernel.
struct ParallelForLowering : RtPattern<rt::ParallelForOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(rt::ParallelForOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    RtBuilder x(rewriter, op);
    SmallVector<Type> fields = {x.pointer};
    llvm::append_range(fields, adaptor.getArgs().getTypes());
    auto block = LLVM::LLVMStructType::getLiteral(rewriter.getContext(), fields);
    std::string name = (op.getCallee() + "_range").str();
    if (!x.module.lookupSymbol(name)) {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToStart(x.module.getBody());
      auto type = LLVM::LLVMFunctionType::get(x.voidType(), {x.pointer, x.i64, x.i64});
      auto function = LLVM::LLVMFuncOp::create(rewriter, x.loc, name, type, LLVM::Linkage::Internal);
      Block *body = function.addEntryBlock(rewriter);
      rewriter.setInsertionPointToStart(body);
      SmallVector<Value> args;
      for (auto [i, type] : llvm::enumerate(fields))
        args.push_back(LLVM::LoadOp::create(
            rewriter, x.loc, type, x.field(block, body->getArgument(0), {0, LLVM::GEPArg(i)})));
      args.insert(args.begin() + 1, {body->getArgument(1), body->getArgument(2)});
      LLVM::CallOp::create(rewriter, x.loc, TypeRange{}, op.getCalleeAttr(), args);
      LLVM::ReturnOp::create(rewriter, x.loc, ValueRange{});
    }
    Value arguments = x.stack(block, 1);
    SmallVector<Value> values = {x.context};
    llvm::append_range(values, adaptor.getArgs());
    for (auto [i, value] : llvm::enumerate(values))
      LLVM::StoreOp::create(rewriter, x.loc, value, x.field(block, arguments, {0, LLVM::GEPArg(i)}));
    Value body = LLVM::AddressOfOp::create(rewriter, x.loc, x.pointer, name);
    x.call("onnxc_parallel_for", x.voidType(),
           {x.context, body, arguments, adaptor.getN(), adaptor.getCost()});
    rewriter.eraseOp(op);
    return success();
  }
};

struct RegionLowering : RtPattern<rt::RegionOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(rt::RegionOp op, OpAdaptor,
                                ConversionPatternRewriter &rewriter) const override {
    RtBuilder x(rewriter, op);
    x.call("onnxc_begin_region", x.voidType(), {x.context, x.constant(x.i32, op.getIndex())});
    rewriter.eraseOp(op);
    return success();
  }
};

struct AssertLowering : RtPattern<rt::AssertOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(rt::AssertOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    RtBuilder x(rewriter, op);
    Value ok = LLVM::ZExtOp::create(rewriter, x.loc, x.i32, adaptor.getCondition());
    x.call("onnxc_check", x.voidType(), {x.context, ok, x.text(op.getMessage(), true)});
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void populateRtToLLVMPatterns(const LLVMTypeConverter &converter, RewritePatternSet &patterns) {
  patterns.add<InputLowering, OutputLowering, SetOutputLowering, ArenaLowering, WeightLowering,
               AllocLowering, DeallocLowering, AsPtrLowering, AsMemRefLowering,
               ParallelForLowering, RegionLowering, AssertLowering>(converter);
  populateRtKernelToLLVMPatterns(converter, patterns);
}

} // namespace onnxc
