// Lowering of the rt dialect: the counterpart of runtime/model/generated.h and
// runtime/kernels/kernel.h; the struct layouts here are those.
#include "onnxc/Codegen/CPU/RtToLLVM.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "onnxc/Dialect/Rt/IR/Rt.h"

using namespace mlir;

namespace onnxc {
namespace {

constexpr StringLiteral kWeightsSymbol = "onnxc_weights";

/// Helpers that all patterns share: calls, constants, globals, stack slots.
struct Builder {
  Builder(ConversionPatternRewriter &b, Operation *op)
      : b(b), loc(op->getLoc()), module(op->getParentOfType<ModuleOp>()),
        pointer(LLVM::LLVMPointerType::get(b.getContext())), i32(b.getI32Type()),
        i64(b.getI64Type()) {
    Operation *function = op->getParentOp();
    while (!isa<FunctionOpInterface>(function))
      function = function->getParentOp();
    entry = &function->getRegion(0).front();
    context = entry->getArgument(0);
  }

  Value constant(Type type, int64_t value) {
    return LLVM::ConstantOp::create(b, loc, type, b.getIntegerAttr(type, value));
  }

  LLVM::LLVMFuncOp declare(StringRef name, Type result, ArrayRef<Type> parameters,
                           bool pure = false) {
    if (auto function = module.lookupSymbol<LLVM::LLVMFuncOp>(name))
      return function;
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    auto function = LLVM::LLVMFuncOp::create(
        b, module.getLoc(), name, LLVM::LLVMFunctionType::get(result, parameters));
    function.setVisibility_(LLVM::Visibility::Hidden);
    function.setNoUnwind(true);
    if (pure) {
      auto none = LLVM::ModRefInfo::NoModRef;
      function.setMemoryEffectsAttr(LLVM::MemoryEffectsAttr::get(
          b.getContext(), {none, none, none, none, none, none}));
      function.setWillReturn(true);
    }
    return function;
  }

  Value call(StringRef name, Type result, ArrayRef<Value> args, bool pure = false) {
    SmallVector<Type> types(ValueRange(args).getTypes());
    auto function = declare(name, result, types, pure);
    auto callOp = LLVM::CallOp::create(b, loc, function, args);
    return isa<LLVM::LLVMVoidType>(result) ? Value() : callOp.getResult();
  }

  Type voidType() { return LLVM::LLVMVoidType::get(b.getContext()); }

  /// A stack slot in the function's entry block, so that loops do not grow the stack.
  Value stack(Type type, int64_t count) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(entry);
    return LLVM::AllocaOp::create(b, loc, pointer, type, constant(i32, count), 8);
  }

  Value field(Type type, Value base, ArrayRef<LLVM::GEPArg> path) {
    return LLVM::GEPOp::create(b, loc, pointer, type, base, path);
  }

  /// An array of i64 on the stack, or a null pointer for none.
  Value dimsArray(ArrayRef<Value> dims) {
    if (dims.empty())
      return LLVM::ZeroOp::create(b, loc, pointer);
    Value array = stack(i64, dims.size());
    for (auto [i, dim] : llvm::enumerate(dims))
      LLVM::StoreOp::create(b, loc, dim, field(i64, array, {LLVM::GEPArg(i)}));
    return array;
  }

  SmallVector<Value> sizes(MemRefDescriptor descriptor, MemRefType type) {
    SmallVector<Value> dims;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      dims.push_back(type.isDynamicDim(dim) ? descriptor.size(b, loc, dim)
                                            : constant(i64, type.getDimSize(dim)));
    return dims;
  }

  /// All sizes of a type whose dynamic ones are `dynamic`.
  SmallVector<Value> mixedSizes(MemRefType type, ValueRange dynamic) {
    SmallVector<Value> dims;
    for (int64_t dim = 0, next = 0; dim < type.getRank(); ++dim)
      dims.push_back(type.isDynamicDim(dim) ? dynamic[next++]
                                            : constant(i64, type.getDimSize(dim)));
    return dims;
  }

  /// A descriptor of contiguous memory.
  Value describe(const LLVMTypeConverter &converter, MemRefType type, Value data,
                 ArrayRef<Value> dims) {
    auto descriptor =
        MemRefDescriptor::poison(b, loc, converter.convertType(type));
    descriptor.setAllocatedPtr(b, loc, data);
    descriptor.setAlignedPtr(b, loc, data);
    descriptor.setOffset(b, loc, constant(i64, 0));
    Value stride = constant(i64, 1);
    for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
      descriptor.setSize(b, loc, dim, dims[dim]);
      descriptor.setStride(b, loc, dim, stride);
      if (dim > 0)
        stride = LLVM::MulOp::create(b, loc, stride, dims[dim]);
    }
    return descriptor;
  }

  Value bytes(const LLVMTypeConverter &converter, MemRefType type, ArrayRef<Value> dims) {
    Type element = converter.convertType(type.getElementType());
    Value null = LLVM::ZeroOp::create(b, loc, pointer);
    Value one = LLVM::PtrToIntOp::create(b, loc, i64, field(element, null, {LLVM::GEPArg(1)}));
    Value total = one;
    for (Value dim : dims)
      total = LLVM::MulOp::create(b, loc, total, dim);
    return total;
  }

  /// A private constant that holds the text; `terminate` appends a zero.
  Value text(StringRef value, bool terminate) {
    std::string data = value.str();
    if (terminate)
      data.push_back('\0');
    if (data.empty())
      return LLVM::ZeroOp::create(b, loc, pointer);
    auto type = LLVM::LLVMArrayType::get(b.getI8Type(), data.size());
    return globalAddress(global(type, b.getStringAttr(data)));
  }

  LLVM::GlobalOp global(Type type, Attribute value) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    return LLVM::GlobalOp::create(b, loc, type, /*isConstant=*/true, LLVM::Linkage::Private,
                                  uniqueName(), value, /*alignment=*/8);
  }

  Value globalAddress(LLVM::GlobalOp global) {
    return LLVM::AddressOfOp::create(b, loc, pointer, global.getSymName());
  }

  std::string uniqueName() {
    int64_t next = 0;
    if (auto attr = module->getAttrOfType<IntegerAttr>("onnxc.next_global"))
      next = attr.getInt();
    module->setAttr("onnxc.next_global", b.getI64IntegerAttr(next + 1));
    return "onnxc_const_" + std::to_string(next);
  }

  ConversionPatternRewriter &b;
  Location loc;
  ModuleOp module;
  LLVM::LLVMPointerType pointer;
  Type i32, i64;
  Block *entry;
  Value context;
};

template <typename Op> struct Pattern : ConvertOpToLLVMPattern<Op> {
  using ConvertOpToLLVMPattern<Op>::ConvertOpToLLVMPattern;
};

struct InputLowering : Pattern<rt::InputOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(rt::InputOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Builder x(rewriter, op);
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

struct OutputLowering : Pattern<rt::OutputOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(rt::OutputOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Builder x(rewriter, op);
    auto type = cast<MemRefType>(op.getType());
    SmallVector<Value> dims = x.mixedSizes(type, adaptor.getSizes());
    Value data = x.call("onnxc_output", x.pointer,
                        {x.context, x.constant(x.i32, op.getIndex()),
                         x.constant(x.i32, type.getRank()), x.dimsArray(dims)});
    rewriter.replaceOp(op, x.describe(*getTypeConverter(), type, data, dims));
    return success();
  }
};

struct SetOutputLowering : Pattern<rt::SetOutputOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(rt::SetOutputOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Builder x(rewriter, op);
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

struct ArenaLowering : Pattern<rt::ArenaOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(rt::ArenaOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Builder x(rewriter, op);
    auto type = cast<MemRefType>(op.getType());
    Value base = x.call("onnxc_arena", x.pointer, {x.context}, /*pure=*/true);
    Value data = x.field(rewriter.getI8Type(), base, {LLVM::GEPArg(x.constant(x.i64, op.getOffset()))});
    rewriter.replaceOp(op, x.describe(*getTypeConverter(), type, data, x.mixedSizes(type, {})));
    return success();
  }
};

struct WeightLowering : Pattern<rt::WeightOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(rt::WeightOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Builder x(rewriter, op);
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

struct AllocLowering : Pattern<rt::AllocOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(rt::AllocOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Builder x(rewriter, op);
    auto type = cast<MemRefType>(op.getType());
    SmallVector<Value> dims = x.mixedSizes(type, adaptor.getSizes());
    Value data = x.call("onnxc_alloc", x.pointer,
                        {x.context, x.bytes(*getTypeConverter(), type, dims)});
    rewriter.replaceOp(op, x.describe(*getTypeConverter(), type, data, dims));
    return success();
  }
};

struct DeallocLowering : Pattern<rt::DeallocOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(rt::DeallocOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Builder x(rewriter, op);
    Value data = MemRefDescriptor(adaptor.getBuffer()).allocatedPtr(rewriter, x.loc);
    x.call("onnxc_free", x.voidType(), {x.context, data});
    rewriter.eraseOp(op);
    return success();
  }
};

struct AsPtrLowering : Pattern<rt::AsPtrOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(rt::AsPtrOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, MemRefDescriptor(adaptor.getSource()).alignedPtr(rewriter, op.getLoc()));
    return success();
  }
};

struct AsMemRefLowering : Pattern<rt::AsMemRefOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(rt::AsMemRefOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Builder x(rewriter, op);
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
struct ParallelForLowering : Pattern<rt::ParallelForOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(rt::ParallelForOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Builder x(rewriter, op);
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
    Value cost = LLVM::ConstantOp::create(rewriter, x.loc, rewriter.getF64Type(), op.getCostAttr());
    x.call("onnxc_parallel_for", x.voidType(), {x.context, body, arguments, adaptor.getN(), cost});
    rewriter.eraseOp(op);
    return success();
  }
};

struct AssertLowering : Pattern<rt::AssertOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(rt::AssertOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Builder x(rewriter, op);
    Value ok = LLVM::ZExtOp::create(rewriter, x.loc, x.i32, adaptor.getCondition());
    x.call("onnxc_check", x.voidType(), {x.context, ok, x.text(op.getMessage(), true)});
    rewriter.eraseOp(op);
    return success();
  }
};

/// onnxc_str {size, data} in read-only data.
Value stringStruct(Builder &x, LLVM::LLVMStructType type, Value undef, StringRef value,
                   ArrayRef<int64_t> at) {
  SmallVector<int64_t> size(at), data(at);
  size.push_back(0);
  data.push_back(1);
  Value text = x.text(value, false);
  undef = LLVM::InsertValueOp::create(x.b, x.loc, undef, x.constant(x.i64, value.size()), size);
  return LLVM::InsertValueOp::create(x.b, x.loc, undef, text, data);
}

struct GlobalBuilder {
  /// Makes a private constant global of `type` whose value `build` computes.
  template <typename Fn> static Value make(Builder &x, Type type, Fn build) {
    LLVM::GlobalOp op = x.global(type, Attribute());
    {
      OpBuilder::InsertionGuard guard(x.b);
      Block *block = x.b.createBlock(&op.getInitializerRegion());
      x.b.setInsertionPointToStart(block);
      LLVM::ReturnOp::create(x.b, x.loc, build());
    }
    return x.globalAddress(op);
  }

  // LLVM makes a new constant of a whole array for each element that is put into it, so
  // a long one is made of blocks; in memory they are one array, padded at the end.
  static constexpr size_t blockSize = 256;
  static Type arrayType(Type element, size_t count) {
    if (count <= blockSize)
      return LLVM::LLVMArrayType::get(element, count);
    return LLVM::LLVMArrayType::get(LLVM::LLVMArrayType::get(element, blockSize),
                                    llvm::divideCeil(count, blockSize));
  }
  template <typename Fn> static Value array(Builder &x, Type element, size_t count, Fn elementAt) {
    auto put = [&](Value all, Value part, size_t at) -> Value {
      return LLVM::InsertValueOp::create(x.b, x.loc, all, part,
                                         ArrayRef<int64_t>{static_cast<int64_t>(at)});
    };
    auto fill = [&](size_t begin, size_t end, size_t size) -> Value {
      Value block = LLVM::UndefOp::create(x.b, x.loc, LLVM::LLVMArrayType::get(element, size));
      for (size_t i = begin; i < end; ++i)
        block = put(block, elementAt(i), i - begin);
      return block;
    };
    if (count <= blockSize)
      return fill(0, count, count);
    Value all = LLVM::UndefOp::create(x.b, x.loc, arrayType(element, count));
    for (size_t begin = 0; begin < count; begin += blockSize)
      all = put(all, fill(begin, std::min(count, begin + blockSize), blockSize), begin / blockSize);
    return all;
  }

  static Value strings(Builder &x, ArrayRef<StringRef> values) {
    auto element = LLVM::LLVMStructType::getLiteral(x.b.getContext(), {x.i64, x.pointer});
    return make(x, arrayType(element, values.size()), [&]() -> Value {
      llvm::StringMap<Value> known; // the same few strings again and again
      return array(x, element, values.size(), [&](size_t i) -> Value {
        Value &entry = known[values[i]];
        if (!entry)
          entry = stringStruct(x, element, LLVM::UndefOp::create(x.b, x.loc, element), values[i], {});
        return entry;
      });
    });
  }
};

struct StringConstantLowering : Pattern<rt::StringConstantOp> {
  using Pattern::Pattern;
  LogicalResult matchAndRewrite(rt::StringConstantOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast<MemRefType>(op.getType());
    if (!type)
      return failure();
    Builder x(rewriter, op);
    SmallVector<StringRef> values;
    for (Attribute value : op.getValues())
      values.push_back(cast<StringAttr>(value).getValue());
    if (values.empty()) {
      Value null = LLVM::ZeroOp::create(rewriter, x.loc, x.pointer);
      rewriter.replaceOp(op, x.describe(*getTypeConverter(), type, null, x.mixedSizes(type, {})));
      return success();
    }
    Value table = GlobalBuilder::strings(x, values);
    auto tableName = cast<LLVM::AddressOfOp>(table.getDefiningOp()).getGlobalName().str();
    auto element = LLVM::LLVMStructType::getLiteral(rewriter.getContext(), {x.i64, x.pointer});
    Type handles = GlobalBuilder::arrayType(x.pointer, values.size());
    Value data = GlobalBuilder::make(x, handles, [&]() -> Value {
      Value base = LLVM::AddressOfOp::create(rewriter, x.loc, x.pointer, tableName);
      return GlobalBuilder::array(x, x.pointer, values.size(), [&](size_t i) -> Value {
        return x.field(element, base, {LLVM::GEPArg(i)});
      });
    });
    rewriter.replaceOp(op, x.describe(*getTypeConverter(), type, data, x.mixedSizes(type, {})));
    return success();
  }
};

struct KernelLowering : Pattern<rt::KernelOp> {
  using Pattern::Pattern;

  /// The onnxc_attrs of a call, or a null pointer.
  static Value attributes(Builder &x, DictionaryAttr attrs) {
    if (attrs.empty())
      return LLVM::ZeroOp::create(x.b, x.loc, x.pointer);
    auto item = LLVM::LLVMStructType::getLiteral(x.b.getContext(), {x.pointer, x.i64, x.i64, x.pointer});
    auto items = LLVM::LLVMArrayType::get(item, attrs.size());
    Value array = GlobalBuilder::make(x, items, [&]() -> Value {
      Value all = LLVM::UndefOp::create(x.b, x.loc, items);
      for (auto [i, attr] : llvm::enumerate(attrs)) {
        auto at = static_cast<int64_t>(i);
        int64_t kind = 0, count = 1;
        Value data = payload(x, attr.getValue(), kind, count);
        Value name = x.text(attr.getName().getValue(), true);
        auto set = [&](Value value, int64_t where) {
          all = LLVM::InsertValueOp::create(x.b, x.loc, all, value, ArrayRef<int64_t>{at, where});
        };
        set(name, 0);
        set(x.constant(x.i64, kind), 1);
        set(x.constant(x.i64, count), 2);
        set(data, 3);
      }
      return all;
    });
    auto arrayName = cast<LLVM::AddressOfOp>(array.getDefiningOp()).getGlobalName().str();
    auto whole = LLVM::LLVMStructType::getLiteral(x.b.getContext(), {x.i64, x.pointer});
    return GlobalBuilder::make(x, whole, [&]() -> Value {
      Value all = LLVM::UndefOp::create(x.b, x.loc, whole);
      all = LLVM::InsertValueOp::create(x.b, x.loc, all, x.constant(x.i64, attrs.size()), ArrayRef<int64_t>{0});
      Value address = LLVM::AddressOfOp::create(x.b, x.loc, x.pointer, arrayName);
      return LLVM::InsertValueOp::create(x.b, x.loc, all, address, ArrayRef<int64_t>{1});
    });
  }

  static Value payload(Builder &x, Attribute value, int64_t &kind, int64_t &count) {
    auto numbers = [&](Type element, ElementsAttr data) {
      count = data.getNumElements();
      if (count == 0)
        return Value(LLVM::ZeroOp::create(x.b, x.loc, x.pointer));
      return x.globalAddress(x.global(LLVM::LLVMArrayType::get(element, count), data));
    };
    auto vectorOf = [&](int64_t size, Type element) { return RankedTensorType::get({size}, element); };
    Type f32 = x.b.getF32Type();
    if (auto integer = dyn_cast<IntegerAttr>(value)) {
      kind = 1;
      return numbers(x.i64, DenseElementsAttr::get(vectorOf(1, x.i64), integer.getInt()));
    }
    if (auto number = dyn_cast<FloatAttr>(value)) {
      kind = 2;
      return numbers(f32, DenseElementsAttr::get(vectorOf(1, f32),
                                                 static_cast<float>(number.getValueAsDouble())));
    }
    if (auto text = dyn_cast<StringAttr>(value)) {
      kind = 3;
      StringRef one = text.getValue();
      return GlobalBuilder::strings(x, {one});
    }
    if (auto ints = dyn_cast<DenseI64ArrayAttr>(value)) {
      kind = 4;
      return numbers(x.i64, DenseElementsAttr::get(vectorOf(ints.size(), x.i64), ints.asArrayRef()));
    }
    if (auto floats = dyn_cast<DenseF32ArrayAttr>(value)) {
      kind = 5;
      return numbers(f32, DenseElementsAttr::get(vectorOf(floats.size(), f32), floats.asArrayRef()));
    }
    kind = 6;
    SmallVector<StringRef> strings;
    for (Attribute element : cast<ArrayAttr>(value))
      strings.push_back(cast<StringAttr>(element).getValue());
    count = strings.size();
    if (strings.empty())
      return LLVM::ZeroOp::create(x.b, x.loc, x.pointer);
    return GlobalBuilder::strings(x, strings);
  }

  LogicalResult matchAndRewrite(rt::KernelOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Builder x(rewriter, op);
    auto tensor = LLVM::LLVMStructType::getLiteral(rewriter.getContext(),
                                                   {x.pointer, x.pointer, x.i32, x.i32});
    ArrayRef<int64_t> elemTypes = op.getElemTypes();
    unsigned nextType = 0;
    Value null = LLVM::ZeroOp::create(rewriter, x.loc, x.pointer);
    auto fill = [&](Value array, unsigned i, Value data, Value dims, int64_t rank, int64_t type) {
      auto set = [&](Value value, int32_t where) {
        LLVM::StoreOp::create(rewriter, x.loc, value,
                              x.field(tensor, array, {LLVM::GEPArg(i), LLVM::GEPArg(where)}));
      };
      set(data, 0);
      set(dims, 1);
      set(x.constant(x.i32, rank), 2);
      set(x.constant(x.i32, type), 3);
    };
    auto fillFrom = [&](Value array, unsigned i, Value original, Value converted) {
      auto type = cast<MemRefType>(original.getType());
      int64_t elem = elemTypes[nextType++];
      if (elem == 0)
        return fill(array, i, null, null, 0, 0);
      MemRefDescriptor descriptor(converted);
      fill(array, i, descriptor.bufferPtr(rewriter, x.loc, *getTypeConverter(), type),
           x.dimsArray(x.sizes(descriptor, type)), type.getRank(), elem);
    };
    unsigned numIn = op.getInputs().size(), numInit = op.getInits().size();
    unsigned numOut = numInit + op.getNumResults();
    Value in = numIn ? x.stack(tensor, numIn) : null;
    Value out = numOut ? x.stack(tensor, numOut) : null;
    for (unsigned i = 0; i < numIn; ++i)
      fillFrom(in, i, op.getInputs()[i], adaptor.getInputs()[i]);
    for (unsigned i = 0; i < numInit; ++i)
      fillFrom(out, i, op.getInits()[i], adaptor.getInits()[i]);
    for (unsigned i = numInit; i < numOut; ++i)
      fill(out, i, null, null, 0, elemTypes[nextType++]);

    std::string name = ("onnxc_kernel_" + op.getName()).str();
    SmallVector<Type> types = {x.pointer, x.pointer, x.i32, x.pointer, x.i32, x.pointer};
    x.declare(name, x.i32, types);
    Value kernel = LLVM::AddressOfOp::create(rewriter, x.loc, x.pointer, name);
    x.call("onnxc_call_kernel", x.voidType(),
           {x.context, kernel, attributes(x, op.getAttrs()), x.constant(x.i32, numIn), in,
            x.constant(x.i32, numOut), out});

    SmallVector<Value> results;
    for (unsigned i = numInit; i < numOut; ++i) {
      auto type = cast<MemRefType>(op.getResult(i - numInit).getType());
      auto get = [&](Type fieldType, int32_t where) -> Value {
        return LLVM::LoadOp::create(rewriter, x.loc, fieldType,
                                    x.field(tensor, out, {LLVM::GEPArg(i), LLVM::GEPArg(where)}));
      };
      Value data = get(x.pointer, 0);
      SmallVector<Value> dims;
      Value array = type.hasStaticShape() ? Value() : get(x.pointer, 1);
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        dims.push_back(type.isDynamicDim(dim)
                           ? Value(LLVM::LoadOp::create(rewriter, x.loc, x.i64,
                                                        x.field(x.i64, array, {LLVM::GEPArg(dim)})))
                           : x.constant(x.i64, type.getDimSize(dim)));
      results.push_back(x.describe(*getTypeConverter(), type, data, dims));
    }
    rewriter.replaceOp(op, results);
    return success();
  }
};

} // namespace

void populateRtToLLVMPatterns(const LLVMTypeConverter &converter, RewritePatternSet &patterns) {
  patterns.add<InputLowering, OutputLowering, SetOutputLowering, ArenaLowering, WeightLowering,
               AllocLowering, DeallocLowering, AsPtrLowering, AsMemRefLowering,
               ParallelForLowering, AssertLowering, StringConstantLowering, KernelLowering>(
      converter);
}

} // namespace onnxc
