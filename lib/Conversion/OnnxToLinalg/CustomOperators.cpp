//===- CustomOperators.cpp - Operators that libraries declare -------------===//
//
// A node of such an operator becomes a call of the kernel "Custom" (runtime/model/CustomOps.cpp), which calls the
// library. The attributes that the kernel gets beside the node's own:
//   onnxc.op       the operator's place in the module attribute onnxc.custom_operators
//   onnxc.name     the node's name
//   onnxc.inputs   the number of inputs; after them come the tensors of tensor attributes,
//   onnxc.tensors  whose names these are
//   onnxc.shapes   of each output the rank (-1: it is not used) and its sizes: -1 if any will do, -2 - (i * 32 + d)
//                  if it is the size of dimension d of input i
//
//===----------------------------------------------------------------------===//
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/CustomOperators.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "onnxc/Schema/CustomOperators.h"
#include "onnxc/Schema/InferTypes.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace onnxc {

void listCustomOperators(ModuleOp module) {
  Builder b(module.getContext());
  SmallVector<Attribute> list;
  module.walk([&](onnx::CustomOp op) {
    auto version = op->getAttrOfType<IntegerAttr>(kCustomVersionAttr);
    if (!version)
      return;
    auto entry = b.getDictionaryAttr({b.getNamedAttr("domain", op.getDomainNameAttr()),
                                      b.getNamedAttr("name", op.getOpTypeAttr()),
                                      b.getNamedAttr("since_version", version)});
    auto *found = llvm::find(list, entry);
    op->setAttr("onnxc.op", b.getI64IntegerAttr(found - list.begin()));
    if (found == list.end())
      list.push_back(entry);
  });
  if (!list.empty())
    module->setAttr(kCustomOperatorsAttr, b.getArrayAttr(list));
}

SmallVector<DimAnalysis::Dims>
customShapes(onnx::CustomOp op, llvm::function_ref<ArrayRef<DimAnalysis::Dim>(Value)> shapeOf) {
  SmallVector<DimAnalysis::Dims> shapes;
  if (!op->hasAttr(kCustomVersionAttr))
    return shapes;
  SymbolicInference symbols;
  symbols.shapeOf = [&](Value value) -> std::optional<SymbolicDims> {
    if (!isa<RankedTensorType>(value.getType()))
      return std::nullopt;
    SymbolicDims dims;
    for (DimAnalysis::Dim dim : shapeOf(value))
      dims.push_back(DimAnalysis::isConstant(dim) ? SymbolicDim::known(dim) : SymbolicDim::symbol(dim));
    return dims;
  };
  SmallVector<Type> found;
  if (failed(inferTypes(op, found, &symbols)))
    return shapes;
  for (const SymbolicDims &inferred : symbols.resultShapes) {
    DimAnalysis::Dims &dims = shapes.emplace_back();
    for (SymbolicDim dim : inferred)
      dims.push_back(dim.isKnown() ? dim.getValue() : dim.isSymbol() ? dim.getSymbol() : -1);
  }
  return shapes;
}

namespace {

struct CustomPattern : OnnxPattern<onnx::CustomOp> {
  using Base::Base;

  LogicalResult matchAndRewrite(onnx::CustomOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    auto version = op->getAttrOfType<IntegerAttr>(kCustomVersionAttr);
    if (!version)
      return failure();
    const CustomOperators *libraries = customOperators(op.getContext());
    const CustomOperators::Operator *declared =
        libraries ? libraries->find(op.getDomainName().str(), op.getOpType().str(), version.getInt()) : nullptr;
    if (!declared)
      return refuse(op, "operator " + op.getOpType() + " of domain " + op.getDomainName() +
                            " is declared by none of the libraries that are given (--custom-ops)");
    Location loc = op.getLoc();

    SmallVector<Value> inputs, results;
    SmallVector<int64_t> elemTypes, shapes;
    auto absent = [&]() -> Value { return tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{0}, b.getI8Type()); };
    SmallVector<Value> given(adaptor.getInputs());
    while (!given.empty() && onnx::isNone(op.getInputs()[given.size() - 1]))
      given.pop_back();
    for (auto [i, value] : llvm::enumerate(given)) {
      Type original = op.getInputs()[i].getType();
      if (!isa<TensorType, NoneType>(original))
        return refuse(op, "has an input that is not a tensor");
      bool has = !isa<NoneType>(original);
      inputs.push_back(has ? value : absent());
      elemTypes.push_back(has ? onnxElemType(original) : 0);
    }
    auto attrs = attributes(op, given.size(), b, inputs, elemTypes);
    if (failed(attrs))
      return failure();

    // An output that is not used and stands before one that is takes a type without elements.
    SmallVector<Value> wanted(op->getResults());
    while (!wanted.empty() && onnx::isNone(wanted.back()))
      wanted.pop_back();
    SmallVector<Type> resultTypes;
    for (Value result : wanted) {
      if (onnx::isNone(result)) {
        resultTypes.push_back(RankedTensorType::get({0}, b.getI8Type()));
        elemTypes.push_back(0);
        shapes.push_back(-1);
        continue;
      }
      auto type = dyn_cast_or_null<RankedTensorType>(types().convertType(result.getType()));
      if (!type || !isa<TensorType>(result.getType()))
        return refuse(op, "has a result whose rank its library does not know");
      resultTypes.push_back(type);
      elemTypes.push_back(onnxElemType(result.getType()));
      shapes.push_back(type.getRank());
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        shapes.push_back(sizeOf(op, result, dim));
    }
    // Where all sizes are known the memory is planned, else the kernel allocates.
    SmallVector<Value> inits;
    if (llvm::all_of(resultTypes, [](Type type) { return cast<ShapedType>(type).hasStaticShape(); }))
      for (Type type : resultTypes)
        inits.push_back(tensor::EmptyOp::create(b, loc, cast<RankedTensorType>(type), ValueRange{}));

    attrs->set("onnxc.op", op->getAttr("onnxc.op"));
    attrs->set("onnxc.name", b.getStringAttr(nodeName(op)));
    attrs->set("onnxc.inputs", b.getI64IntegerAttr(given.size()));
    attrs->set("onnxc.shapes", b.getDenseI64ArrayAttr(shapes));
    auto call = rt::KernelOp::create(b, loc, resultTypes, b.getStringAttr("Custom"), inputs, inits,
                                     b.getDenseI64ArrayAttr(elemTypes), attrs->getDictionary(b.getContext()),
                                     (declared->op->flags & ONNXC_OP_HAS_EFFECTS) != 0);
    SmallVector<Value> values(call.getResults());
    values.resize(op->getNumResults());
    for (auto [value, result] : llvm::zip(values, op->getResults()))
      if (onnx::isNone(result))
        value = Value();
    replaceOp(b, types(), op, values);
    return success();
  }

private:
  static StringRef nodeName(Operation *op) {
    auto loc = dyn_cast<NameLoc>(op->getLoc());
    return loc ? loc.getName().getValue().split(':').second : StringRef();
  }

  /// The node's own attributes; tensors become inputs.
  FailureOr<NamedAttrList> attributes(onnx::CustomOp op, size_t numInputs, OpBuilder &b, SmallVector<Value> &inputs,
                                      SmallVector<int64_t> &elemTypes) const {
    NamedAttrList attrs;
    SmallVector<StringRef> tensors;
    for (NamedAttribute attr : op.getAttrs()) {
      Attribute value = attr.getValue();
      if (auto elements = dyn_cast<ElementsAttr>(value);
          elements && !isa<DenseI64ArrayAttr, DenseF32ArrayAttr>(value)) {
        Value constant = storageConstant(b, op.getLoc(), types(), elements);
        if (!constant)
          return refuse(op, "has a tensor attribute whose data does not fit its type");
        inputs.push_back(constant);
        elemTypes.push_back(onnxElemType(elements.getShapedType()));
        tensors.push_back(attr.getName().getValue());
      } else {
        attrs.push_back(attr);
      }
    }
    if (!tensors.empty())
      attrs.set("onnxc.tensors", b.getStrArrayAttr(tensors));
    return attrs;
  }

  int64_t sizeOf(onnx::CustomOp op, Value result, int64_t dim) const {
    if (auto type = cast<RankedTensorType>(types().convertType(result.getType())); !type.isDynamicDim(dim))
      return type.getDimSize(dim);
    for (auto [i, input] : llvm::enumerate(op.getInputs()))
      if (auto type = dyn_cast<RankedTensorType>(input.getType()))
        for (int64_t d = 0; d < std::min<int64_t>(type.getRank(), 32); ++d)
          if (types().dims()->equal(result, dim, input, d))
            return -2 - (static_cast<int64_t>(i) * 32 + d);
    return -1;
  }
};

} // namespace

void populateCustomPatterns(RewritePatternSet &patterns, OnnxTypeConverter &types) {
  addPatterns<CustomPattern>(patterns, types);
}

} // namespace onnxc
