// The artefact's metadata, and its signature as data for runtime/model.
#include "onnxc/Target/SharedObject/SharedObject.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "onnxc/Dialect/Onnx/IR/Onnx.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/JSON.h"

using namespace mlir;

namespace onnxc {
namespace {

/// As ONNX Runtime writes element types.
const char *elementName(Type type) {
  // By onnx::TensorProto::DataType.
  static const char *const names[] = {
      "undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64",
      "string", "bool", "float16", "double", "uint32", "uint64", "complex64",
      "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
      "float8e5m2fnuz", "uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2"};
  int32_t number = onnx::toOnnxElementType(type);
  return number > 0 && number < static_cast<int32_t>(std::size(names)) ? names[number] : names[0];
}

std::string typeName(Type type) {
  if (auto tensor = dyn_cast<TensorType>(type))
    return std::string("tensor(") + elementName(tensor.getElementType()) + ")";
  if (auto sequence = dyn_cast<onnx::SeqType>(type))
    return "seq(" + typeName(sequence.getElementType()) + ")";
  if (auto optional = dyn_cast<onnx::OptType>(type))
    return "optional(" + typeName(optional.getElementType()) + ")";
  if (auto map = dyn_cast<onnx::MapType>(type))
    return std::string("map(") + elementName(map.getKeyType()) + "," +
           typeName(map.getValueType()) + ")";
  return elementName(type);
}

StringRef dimName(DictionaryAttr attrs, int64_t dim) {
  auto names = attrs.getAs<ArrayAttr>("onnx.dim_params");
  if (!names || dim >= static_cast<int64_t>(names.size()))
    return "";
  auto name = dyn_cast<StringAttr>(names[dim]);
  return name ? name.getValue() : StringRef();
}

Type valueType(DictionaryAttr attrs) {
  auto type = attrs.getAs<TypeAttr>("onnx.type");
  return type ? type.getValue() : Type();
}

StringRef text(Operation *op, StringRef name) {
  auto attr = op->getAttrOfType<StringAttr>(name);
  return attr ? attr.getValue() : StringRef();
}

int64_t number(Operation *op, StringRef name) {
  auto attr = op->getAttrOfType<IntegerAttr>(name);
  return attr ? attr.getInt() : 0;
}

/// JSON wants UTF-8; a model may hold anything.
std::string utf8(StringRef value) {
  return llvm::json::isUTF8(value) ? value.str() : llvm::json::fixUTF8(value);
}

void writeValues(llvm::json::OStream &json, StringRef key, ArrayAttr values) {
  json.attributeArray(key, [&] {
    for (Attribute value : values) {
      auto attrs = cast<DictionaryAttr>(value);
      Type type = valueType(attrs);
      json.object([&] {
        auto name = attrs.getAs<StringAttr>("onnx.name");
        json.attribute("name", name ? utf8(name.getValue()) : "");
        json.attribute("type", type ? typeName(type) : "");
        auto tensor = dyn_cast_or_null<RankedTensorType>(type);
        json.attribute("elem_type", tensor ? onnx::toOnnxElementType(tensor.getElementType()) : 0);
        if (!tensor)
          return;
        json.attributeArray("shape", [&] {
          for (int64_t dim = 0; dim < tensor.getRank(); ++dim) {
            if (!tensor.isDynamicDim(dim))
              json.value(tensor.getDimSize(dim));
            else if (StringRef symbol = dimName(attrs, dim); !symbol.empty())
              json.value(utf8(symbol));
            else
              json.value(nullptr);
          }
        });
      });
    }
  });
}

} // namespace

std::string writeMetadata(ModuleOp module, ArrayRef<Variant> variants, StringRef options,
                          const CustomTable &customs) {
  std::string result;
  llvm::raw_string_ostream os(result);
  llvm::json::OStream json(os);
  json.object([&] {
    json.attribute("abi", 1);
    json.attribute("producer", utf8(text(module, "onnx.producer_name")));
    json.attribute("producer_version", utf8(text(module, "onnx.producer_version")));
    json.attribute("graph_name", utf8(text(module, "onnx.graph_name")));
    json.attribute("domain", utf8(text(module, "onnx.domain")));
    json.attribute("description", utf8(text(module, "onnx.doc_string")));
    json.attribute("model_version", number(module, "onnx.model_version"));
    json.attribute("ir_version", number(module, "onnx.ir_version"));
    json.attributeObject("opsets", [&] {
      if (auto opsets = module->getAttrOfType<DictionaryAttr>("onnx.opset_imports"))
        for (NamedAttribute opset : opsets)
          if (auto version = dyn_cast<IntegerAttr>(opset.getValue()))
            json.attribute(opset.getName().strref(), version.getInt());
    });
    json.attributeObject("metadata_props", [&] {
      if (auto props = module->getAttrOfType<DictionaryAttr>("onnx.metadata_props"))
        for (NamedAttribute prop : props)
          if (auto value = dyn_cast<StringAttr>(prop.getValue()))
            json.attribute(utf8(prop.getName().strref()), utf8(value.getValue()));
    });
    writeValues(json, "inputs", module->getAttrOfType<ArrayAttr>("onnxc.inputs"));
    writeValues(json, "outputs", module->getAttrOfType<ArrayAttr>("onnxc.outputs"));
    json.attributeObject("target", [&] {
      json.attribute("triple", variants.front().target.triple);
      json.attributeArray("cpus", [&] {
        for (const Variant &variant : variants)
          json.value(variant.target.cpu);
      });
    });
    if (!customs.operators.empty())
      json.attributeArray("custom_operators", [&] {
        for (const CustomTable::Operator &op : customs.operators)
          json.object([&] {
            const CustomTable::Library &library = customs.libraries[op.library];
            json.attribute("domain", utf8(op.domain));
            json.attribute("name", utf8(op.name));
            json.attribute("since_version", op.sinceVersion);
            json.attribute("library", utf8(library.name));
            json.attribute("loaded", library.entry.empty());
          });
      });
    json.attribute("compiler", "onnxc 0.1.0");
    json.attribute("options", utf8(options));
    json.attributeObject("planned_memory", [&] {
      int64_t arena = 0;
      for (const Variant &variant : variants)
        arena = std::max(arena, variant.arenaBytes);
      json.attribute("arena_bytes", arena);
      json.attribute("arena_bound_bytes", number(module, "onnxc.arena_bound_bytes"));
      json.attribute("weights_bytes", number(module, "onnxc.weights_bytes"));
      auto dynamic = module->getAttrOfType<BoolAttr>("onnxc.dynamic_memory");
      json.attribute("dynamic", dynamic && dynamic.getValue());
    });
  });
  return result;
}

LogicalResult emitDescriptor(ModuleOp module, StringRef metadata, ArrayRef<Variant> variants,
                             std::string &object, const CustomTable &customs) {
  // Built in the LLVM dialect so that it takes the same way as the code.
  MLIRContext *context = module.getContext();
  OpBuilder b(context);
  Location loc = module.getLoc();
  OwningOpRef<ModuleOp> holder = ModuleOp::create(loc);
  auto pointer = LLVM::LLVMPointerType::get(context);
  Type i32 = b.getI32Type(), i64 = b.getI64Type();
  b.setInsertionPointToStart(holder->getBody());
  unsigned next = 0;

  auto bytes = [&](StringRef value) {
    std::string data = value.str();
    data.push_back('\0');
    auto global = LLVM::GlobalOp::create(b, loc, LLVM::LLVMArrayType::get(b.getI8Type(), data.size()),
                                         true, LLVM::Linkage::Private,
                                         "desc_" + std::to_string(next++), b.getStringAttr(data));
    return global.getSymName().str();
  };
  auto built = [&](Type type, StringRef name, LLVM::Linkage linkage,
                   llvm::function_ref<Value()> build) {
    auto global = LLVM::GlobalOp::create(b, loc, type, true, linkage, name, Attribute(), 8);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(b.createBlock(&global.getInitializerRegion()));
    LLVM::ReturnOp::create(b, loc, build());
    return global;
  };
  auto constant = [&](Type type, int64_t value) -> Value {
    return LLVM::ConstantOp::create(b, loc, type, b.getIntegerAttr(type, value));
  };
  auto address = [&](StringRef symbol) -> Value {
    if (symbol.empty())
      return LLVM::ZeroOp::create(b, loc, pointer);
    return LLVM::AddressOfOp::create(b, loc, pointer, symbol);
  };
  auto insert = [&](Value all, Value value, ArrayRef<int64_t> at) -> Value {
    return LLVM::InsertValueOp::create(b, loc, all, value, at);
  };

  auto argType = LLVM::LLVMStructType::getLiteral(context, {pointer, i32, i32, i32, pointer, pointer});
  llvm::StringMap<int64_t> symbols;
  auto signature = [&](StringRef attrName, StringRef symbolName) -> std::string {
    auto values = module->getAttrOfType<ArrayAttr>(attrName);
    if (!values || values.empty())
      return "";
    struct Arg {
      std::string name, dims, typeName;
      int64_t kind, elemType, rank;
    };
    SmallVector<Arg> args;
    for (Attribute value : values) {
      auto attrs = cast<DictionaryAttr>(value);
      Type type = valueType(attrs);
      Arg arg;
      auto name = attrs.getAs<StringAttr>("onnx.name");
      arg.name = bytes(name ? name.getValue() : StringRef());
      arg.typeName = bytes(type ? typeName(type) : std::string());
      arg.kind = 1;
      arg.elemType = 0;
      arg.rank = -1;
      if (auto optional = dyn_cast_or_null<onnx::OptType>(type)) {
        arg.kind = 0x100;
        type = optional.getElementType();
        arg.kind |= isa<onnx::SeqType>(type) ? 2 : isa<onnx::MapType>(type) ? 3 : 1;
      } else if (isa_and_nonnull<onnx::SeqType>(type)) {
        arg.kind = 2;
      } else if (isa_and_nonnull<onnx::MapType>(type)) {
        arg.kind = 3;
      }
      if (auto tensor = dyn_cast_or_null<TensorType>(type))
        arg.elemType = onnx::toOnnxElementType(tensor.getElementType());
      if (auto tensor = dyn_cast_or_null<RankedTensorType>(type)) {
        arg.rank = tensor.getRank();
        SmallVector<int64_t> dims;
        for (int64_t dim = 0; dim < tensor.getRank(); ++dim) {
          if (!tensor.isDynamicDim(dim))
            dims.push_back(tensor.getDimSize(dim));
          else if (StringRef symbol = dimName(attrs, dim); !symbol.empty())
            dims.push_back(-2 - symbols.try_emplace(symbol, symbols.size()).first->second);
          else
            dims.push_back(-1);
        }
        if (!dims.empty()) {
          auto global = LLVM::GlobalOp::create(
              b, loc, LLVM::LLVMArrayType::get(i64, dims.size()), true, LLVM::Linkage::Private,
              "desc_" + std::to_string(next++), b.getI64TensorAttr(dims));
          arg.dims = global.getSymName().str();
        }
      }
      args.push_back(arg);
    }
    auto type = LLVM::LLVMArrayType::get(argType, args.size());
    built(type, symbolName, LLVM::Linkage::Private, [&]() -> Value {
      Value all = LLVM::UndefOp::create(b, loc, type);
      for (auto [i, arg] : llvm::enumerate(args)) {
        auto at = static_cast<int64_t>(i);
        all = insert(all, address(arg.name), {at, 0});
        all = insert(all, constant(i32, arg.kind), {at, 1});
        all = insert(all, constant(i32, arg.elemType), {at, 2});
        all = insert(all, constant(i32, arg.rank), {at, 3});
        all = insert(all, address(arg.dims), {at, 4});
        all = insert(all, address(arg.typeName), {at, 5});
      }
      return all;
    });
    return symbolName.str();
  };
  std::string inputs = signature("onnxc.inputs", "desc_inputs");
  std::string outputs = signature("onnxc.outputs", "desc_outputs");
  // A table of structs; returns its symbol, "" if it is empty.
  auto table = [&](LLVM::LLVMStructType type, StringRef name, size_t size,
                   llvm::function_ref<void(size_t, llvm::function_ref<void(Value)>)> fields) {
    if (size == 0)
      return std::string();
    auto array = LLVM::LLVMArrayType::get(type, size);
    built(array, name, LLVM::Linkage::Private, [&]() -> Value {
      Value all = LLVM::UndefOp::create(b, loc, array);
      for (size_t i = 0; i < size; ++i) {
        int64_t field = 0;
        fields(i, [&](Value value) { all = insert(all, value, {int64_t(i), field++}); });
      }
      return all;
    });
    return name.str();
  };
  auto regionType = LLVM::LLVMStructType::getLiteral(context, {pointer, i32});
  auto featureType = LLVM::LLVMStructType::getLiteral(context, {pointer, i32, i32, i32, i32});
  auto variantType = LLVM::LLVMStructType::getLiteral(
      context, {pointer, pointer, i64, pointer, i64, pointer, i64, i64});
  struct Tables {
    std::string cpu, regions, features;
    int64_t numRegions, numFeatures;
    uint64_t state;
  };
  SmallVector<Tables> tables;
  for (const Variant &variant : variants) {
    std::string suffix = std::to_string(tables.size());
    SmallVector<CpuFeature> features = requiredFeatures(variant.target);
    SmallVector<std::string> nodes, names;
    SmallVector<bool> parallel;
    if (variant.regions)
      for (auto region : variant.regions.getAsRange<DictionaryAttr>()) {
        nodes.push_back(bytes(region.getAs<StringAttr>("nodes").getValue()));
        parallel.push_back(region.getAs<BoolAttr>("parallel").getValue());
      }
    for (const CpuFeature &feature : features)
      names.push_back(bytes(feature.name));
    Tables entry;
    entry.cpu = bytes(variant.target.cpu);
    entry.regions = table(regionType, "desc_regions" + suffix, nodes.size(), [&](size_t i, auto add) {
      add(address(nodes[i]));
      add(constant(i32, parallel[i]));
    });
    entry.features = table(featureType, "desc_features" + suffix, names.size(), [&](size_t i, auto add) {
      add(address(names[i]));
      add(constant(i32, features[i].leaf));
      add(constant(i32, features[i].subleaf));
      add(constant(i32, features[i].reg));
      add(constant(i32, features[i].bit));
    });
    entry.numRegions = nodes.size();
    entry.numFeatures = names.size();
    entry.state = requiredState(features);
    auto main = LLVM::LLVMFuncOp::create(b, loc, "onnxc_generated_main" + variant.suffix,
                                         LLVM::LLVMFunctionType::get(i32, {pointer}));
    main.setVisibility_(LLVM::Visibility::Hidden);
    tables.push_back(entry);
  }
  std::string all = table(variantType, "desc_variants", variants.size(), [&](size_t i, auto add) {
    add(address(tables[i].cpu));
    add(address("onnxc_generated_main" + variants[i].suffix));
    add(constant(i64, variants[i].arenaBytes));
    add(address(tables[i].regions));
    add(constant(i64, tables[i].numRegions));
    add(address(tables[i].features));
    add(constant(i64, tables[i].numFeatures));
    add(constant(i64, tables[i].state));
  });
  std::string json = bytes(metadata);
  auto count = [&](StringRef name) {
    auto values = module->getAttrOfType<ArrayAttr>(name);
    return values ? static_cast<int64_t>(values.size()) : 0;
  };
  auto descType = LLVM::LLVMStructType::getLiteral(
      context, {pointer, i64, i32, i32, pointer, pointer, i64, pointer, i64});
  auto desc = built(descType, "onnxc_generated_desc", LLVM::Linkage::External, [&]() -> Value {
    Value value = LLVM::UndefOp::create(b, loc, descType);
    value = insert(value, address(json), {0});
    value = insert(value, constant(i64, metadata.size()), {1});
    value = insert(value, constant(i32, count("onnxc.inputs")), {2});
    value = insert(value, constant(i32, count("onnxc.outputs")), {3});
    value = insert(value, address(inputs), {4});
    value = insert(value, address(outputs), {5});
    value = insert(value, constant(i64, 64), {6});
    value = insert(value, address(all), {7});
    value = insert(value, constant(i64, variants.size()), {8});
    return value;
  });
  desc.setVisibility_(LLVM::Visibility::Hidden);
  if (!customs.operators.empty()) {
    auto libraryType = LLVM::LLVMStructType::getLiteral(context, {pointer, pointer});
    auto opType = LLVM::LLVMStructType::getLiteral(context, {i32, i32, pointer, pointer});
    SmallVector<std::string> names, domains, opNames;
    for (const CustomTable::Library &library : customs.libraries) {
      names.push_back(bytes(library.name));
      if (library.entry.empty())
        continue;
      auto entry = LLVM::LLVMFuncOp::create(b, loc, library.entry, LLVM::LLVMFunctionType::get(pointer, {i32}));
      entry.setVisibility_(LLVM::Visibility::Hidden);
    }
    for (const CustomTable::Operator &op : customs.operators) {
      domains.push_back(bytes(op.domain));
      opNames.push_back(bytes(op.name));
    }
    std::string libraries =
        table(libraryType, "desc_custom_libraries", names.size(), [&](size_t i, auto add) {
          add(address(names[i]));
          add(address(customs.libraries[i].entry));
        });
    std::string ops = table(opType, "desc_custom_ops", domains.size(), [&](size_t i, auto add) {
      add(constant(i32, customs.operators[i].library));
      add(constant(i32, customs.operators[i].sinceVersion));
      add(address(domains[i]));
      add(address(opNames[i]));
    });
    auto customType = LLVM::LLVMStructType::getLiteral(context, {i64, i64, pointer, pointer});
    auto custom = built(customType, "onnxc_generated_custom", LLVM::Linkage::External, [&]() -> Value {
      Value value = LLVM::UndefOp::create(b, loc, customType);
      value = insert(value, constant(i64, names.size()), {0});
      value = insert(value, constant(i64, domains.size()), {1});
      value = insert(value, address(libraries), {2});
      return insert(value, address(ops), {3});
    });
    custom.setVisibility_(LLVM::Visibility::Hidden);
  }
  SmallVector<std::string> buffers;
  if (failed(emitCode(*holder, variants.front().target, 0, CodeFormat::Object, buffers)))
    return failure();
  object = std::move(buffers.front());
  return success();
}

} // namespace onnxc
