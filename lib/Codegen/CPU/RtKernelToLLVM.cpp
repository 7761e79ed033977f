// Lowering of kernel calls and string constants: tensors become structs on the stack,
// attributes and strings read-only data (runtime/kernels/kernel.h).
#include "RtBuilder.h"

using namespace mlir;

namespace onnxc {
namespace {

/// onnxc_str {size, data} in read-only data.
Value stringStruct(RtBuilder &x, LLVM::LLVMStructType type, Value undef, StringRef value,
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
  template <typename Fn> static Value make(RtBuilder &x, Type type, Fn build) {
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
  template <typename Fn> static Value array(RtBuilder &x, Type element, size_t count, Fn elementAt) {
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

  static Value strings(RtBuilder &x, ArrayRef<StringRef> values) {
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

struct StringConstantLowering : RtPattern<rt::StringConstantOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(rt::StringConstantOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast<MemRefType>(op.getType());
    if (!type)
      return failure();
    RtBuilder x(rewriter, op);
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

struct KernelLowering : RtPattern<rt::KernelOp> {
  using RtPattern::RtPattern;

  /// The onnxc_attrs of a call, or a null pointer.
  static Value attributes(RtBuilder &x, DictionaryAttr attrs) {
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

  static Value payload(RtBuilder &x, Attribute value, int64_t &kind, int64_t &count) {
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
    RtBuilder x(rewriter, op);
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

void populateRtKernelToLLVMPatterns(const LLVMTypeConverter &converter,
                                    RewritePatternSet &patterns) {
  patterns.add<StringConstantLowering, KernelLowering>(converter);
}

} // namespace onnxc
