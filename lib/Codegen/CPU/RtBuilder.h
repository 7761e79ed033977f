// What the lowerings of the rt dialect share: calls, constants, globals, stack slots. Private
// to this folder.
#ifndef ONNXC_LIB_CODEGEN_CPU_RTBUILDER_H
#define ONNXC_LIB_CODEGEN_CPU_RTBUILDER_H

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "onnxc/Dialect/Rt/IR/Rt.h"

namespace onnxc {
using namespace mlir;

/// Helpers that all patterns share: calls, constants, globals, stack slots.
struct RtBuilder {
  RtBuilder(ConversionPatternRewriter &b, Operation *op)
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

template <typename Op> struct RtPattern : ConvertOpToLLVMPattern<Op> {
  using ConvertOpToLLVMPattern<Op>::ConvertOpToLLVMPattern;
};
/// rt.kernel, rt.string_constant: RtKernelToLLVM.cpp.
void populateRtKernelToLLVMPatterns(const LLVMTypeConverter &converter,
                                    RewritePatternSet &patterns);

} // namespace onnxc

#endif
