// What all generated operations share: the textual form and the verifier that
// checks an operation against its schema.
#include "onnxc/Dialect/Onnx/IR/Onnx.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace onnxc::onnx;

ParseResult onnxc::onnx::detail::parseOnnxOp(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  FunctionType type;
  SMLoc operandsLoc = parser.getCurrentLocation();
  if (parser.parseOperandList(operands, OpAsmParser::Delimiter::Paren) ||
      parser.parseOptionalAttrDict(result.attributes) || parser.parseColonType(type) ||
      parser.resolveOperands(operands, type.getInputs(), operandsLoc, result.operands))
    return failure();
  result.addTypes(type.getResults());
  if (failed(parser.parseOptionalLParen()))
    return success();
  auto parseRegion = [&] { return parser.parseRegion(*result.addRegion()); };
  if (parser.parseCommaSeparatedList(parseRegion) || parser.parseRParen())
    return failure();
  return success();
}

void onnxc::onnx::detail::printOnnxOp(OpAsmPrinter &printer, Operation *op) {
  printer << '(' << op->getOperands() << ')';
  printer.printOptionalAttrDict(op->getAttrs());
  printer << " : ";
  printer.printFunctionalType(op);
  if (op->getNumRegions() == 0)
    return;
  printer << " (";
  llvm::interleaveComma(op->getRegions(), printer,
                        [&](Region &region) { printer.printRegion(region); });
  printer << ')';
}

namespace {

// The set of element types that the schema allows for a kind of type.
bool allows(uint32_t set, Type element) {
  int32_t number = toOnnxElementType(element);
  return number != 0 && (set >> number & 1);
}

Type elementOf(Type type) {
  auto tensor = dyn_cast<TensorType>(type);
  return tensor ? tensor.getElementType() : type;
}

bool allowsMap(uint32_t mapInt, uint32_t mapString, MapType map) {
  return allows(isa<StringType>(map.getKeyType()) ? mapString : mapInt,
                elementOf(map.getValueType()));
}

bool allowsType(const TypeSet &types, Type type) {
  if (auto tensor = dyn_cast<TensorType>(type))
    return allows(types.tensor, tensor.getElementType());
  if (auto seq = dyn_cast<SeqType>(type)) {
    if (auto map = dyn_cast<MapType>(seq.getElementType()))
      return allowsMap(types.seqMapInt, types.seqMapString, map);
    return allows(types.seq, elementOf(seq.getElementType()));
  }
  if (auto opt = dyn_cast<OptType>(type)) {
    if (auto seq = dyn_cast<SeqType>(opt.getElementType()))
      return allows(types.optSeq, elementOf(seq.getElementType()));
    return allows(types.opt, elementOf(opt.getElementType()));
  }
  if (auto map = dyn_cast<MapType>(type))
    return allowsMap(types.mapInt, types.mapString, map);
  return false;
}

// What the values of one type variable must share: everything but shapes.
Type withoutShapes(Type type) {
  if (auto tensor = dyn_cast<TensorType>(type))
    return UnrankedTensorType::get(tensor.getElementType());
  if (auto seq = dyn_cast<SeqType>(type))
    return SeqType::get(type.getContext(), withoutShapes(seq.getElementType()));
  if (auto opt = dyn_cast<OptType>(type))
    return OptType::get(type.getContext(), withoutShapes(opt.getElementType()));
  if (auto map = dyn_cast<MapType>(type))
    return MapType::get(type.getContext(), map.getKeyType(), withoutShapes(map.getValueType()));
  return type;
}

class SchemaVerifier {
public:
  SchemaVerifier(Operation *op) : op(op) {}

  LogicalResult verify(StringRef kind, ValueRange values, ArrayRef<ParamInfo> params) {
    if (!params.empty() && params.back().option == ParamInfo::Variadic &&
        values.size() < params.size() - 1 + params.back().minArity)
      return op->emitOpError("needs at least ")
             << params.back().minArity << " values for " << kind << " '" << params.back().name
             << "'";
    for (auto [i, value] : llvm::enumerate(values)) {
      const ParamInfo &param = params[std::min(i, params.size() - 1)];
      if (failed(verifyValue(kind, i, value, param)))
        return failure();
    }
    return success();
  }

private:
  Operation *op;
  llvm::SmallDenseMap<StringRef, Type> variables;

  LogicalResult verifyValue(StringRef kind, size_t position, Value value, const ParamInfo &param) {
    Type type = value.getType();
    if (isa<NoneType>(type)) {
      if (param.option == ParamInfo::Optional)
        return success();
      return op->emitOpError() << kind << " '" << param.name << "' is required";
    }
    if (!allowsType(param.types, type))
      return op->emitOpError() << kind << " '" << param.name << "' (number " << position
                               << ") cannot be of type " << type;
    if (param.typeVar.empty() || !param.homogeneous)
      return success();
    Type bound = withoutShapes(type);
    auto [entry, isNew] = variables.try_emplace(param.typeVar, bound);
    if (!isNew && entry->second != bound)
      return op->emitOpError() << kind << " '" << param.name << "' of type " << type
                               << " does not agree with the type of another value of '"
                               << param.typeVar << "', " << entry->second;
    return success();
  }
};

} // namespace

LogicalResult onnxc::onnx::detail::verifyOnnxOp(Operation *op, const OpInfo &info) {
  SchemaVerifier verifier(op);
  if (failed(verifier.verify("input", op->getOperands(), info.inputs)) ||
      failed(verifier.verify("output", op->getResults(), info.outputs)))
    return failure();
  for (Region &region : op->getRegions())
    if (!region.empty() && (region.front().empty() || !isa<YieldOp>(region.front().back())))
      return op->emitOpError("has a subgraph that does not end in onnx.Yield");
  return success();
}
