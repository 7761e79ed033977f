// What libraries of custom operators declare, as schemas of the onnx library.
#include "onnxc/Schema/CustomOperators.h"

#include "CustomInference.h"

#include "onnxc/Dialect/Onnx/IR/Onnx.h"

#include "mlir/IR/DialectInterface.h"
#include "mlir/IR/MLIRContext.h"
#include "onnx/defs/schema.h"

using ::onnx::OpSchema;

namespace onnxc {
namespace {

constexpr int32_t maxParameters = 1 << 16;

std::string checkParameters(const char *what, int32_t count, const onnxc_op_param *params) {
  if (count < 0 || count > maxParameters || (count > 0 && !params))
    return std::string("has no proper list of ") + what;
  for (int32_t i = 0; i < count; ++i) {
    const onnxc_op_param &param = params[i];
    std::string which = std::string(what) + " " + std::to_string(i);
    if (!param.types)
      return which + " allows no element type";
    if (param.presence < ONNXC_OP_REQUIRED || param.presence > ONNXC_OP_VARIADIC)
      return which + " has an unknown presence";
    if (param.presence == ONNXC_OP_VARIADIC && (i + 1 != count || param.min < 0 || param.min > maxParameters))
      return which + " is variadic: only the last can be, with min 0 or more";
  }
  return "";
}

std::string checkAttributes(int32_t count, const onnxc_op_attr_decl *attrs) {
  if (count < 0 || count > maxParameters || (count > 0 && !attrs))
    return "has no proper list of attributes";
  for (int32_t i = 0; i < count; ++i)
    if (!attrs[i].name || !*attrs[i].name || attrs[i].kind < ONNXC_OP_INT || attrs[i].kind > ONNXC_OP_TENSOR)
      return "has an attribute without a name or of an unknown kind";
  return "";
}

std::string checkOperator(const onnxc_op *op) {
  if (!op || op->struct_size < sizeof(onnxc_op))
    return "declares an operator whose struct_size is not set";
  if (!op->domain || !*op->domain || !op->name || !*op->name)
    return "declares an operator without a domain or a name";
  std::string who = std::string("declares ") + op->domain + "::" + op->name + ", which ";
  auto &known = ::onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  if (std::string(op->domain).rfind("ai.onnx", 0) == 0 && (known.count(op->domain) || !strcmp(op->domain, "ai.onnx")))
    return who + "is in a domain of ONNX's own";
  if (op->since_version < 1)
    return who + "has a since_version below 1";
  if (!op->infer || !op->compute)
    return who + "has no infer or no compute";
  for (std::string wrong : {checkParameters("inputs", op->num_inputs, op->inputs),
                            checkParameters("outputs", op->num_outputs, op->outputs),
                            checkAttributes(op->num_attrs, op->attrs)})
    if (!wrong.empty())
      return who + wrong;
  if (op->num_outputs == 0)
    return who + "has no outputs";
  return "";
}

::onnx::AttributeProto::AttributeType attributeType(int32_t kind) {
  using ::onnx::AttributeProto;
  switch (kind) {
  case ONNXC_OP_INT:
    return AttributeProto::INT;
  case ONNXC_OP_FLOAT:
    return AttributeProto::FLOAT;
  case ONNXC_OP_STRING:
    return AttributeProto::STRING;
  case ONNXC_OP_INTS:
    return AttributeProto::INTS;
  case ONNXC_OP_FLOATS:
    return AttributeProto::FLOATS;
  case ONNXC_OP_STRINGS:
    return AttributeProto::STRINGS;
  default:
    return AttributeProto::TENSOR;
  }
}

std::shared_ptr<const OpSchema> makeSchema(const onnxc_op &op) {
  auto schema = std::make_shared<OpSchema>(op.name, __FILE__, __LINE__);
  schema->SetDomain(op.domain).SinceVersion(op.since_version);
  auto option = [](const onnxc_op_param &param) {
    return param.presence == ONNXC_OP_REQUIRED   ? OpSchema::Single
           : param.presence == ONNXC_OP_OPTIONAL ? OpSchema::Optional
                                                 : OpSchema::Variadic;
  };
  // The libraries' types are checked with better messages than the schema's (CustomInference.cpp).
  int types = 0;
  auto typeName = [&] {
    std::string name = "T" + std::to_string(types++);
    schema->TypeConstraint(name, OpSchema::all_tensor_types_ir13(), "");
    return name;
  };
  for (int32_t i = 0; i < op.num_inputs; ++i)
    schema->Input(i, op.inputs[i].name ? op.inputs[i].name : "", "", typeName(), option(op.inputs[i]),
                  /*is_homogeneous=*/false, op.inputs[i].min);
  for (int32_t i = 0; i < op.num_outputs; ++i)
    schema->Output(i, op.outputs[i].name ? op.outputs[i].name : "", "", typeName(), option(op.outputs[i]),
                   /*is_homogeneous=*/false, op.outputs[i].min);
  for (int32_t i = 0; i < op.num_attrs; ++i)
    schema->Attr(op.attrs[i].name, "", attributeType(op.attrs[i].kind), op.attrs[i].required != 0);
  schema->TypeAndShapeInferenceFunction([&op](::onnx::InferenceContext &ctx) { inferCustom(op, ctx); });
  schema->Finalize();
  return schema;
}

struct CustomOperatorsInterface : mlir::DialectInterface::Base<CustomOperatorsInterface> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CustomOperatorsInterface)
  explicit CustomOperatorsInterface(mlir::Dialect *dialect) : Base(dialect) {}
  mutable std::shared_ptr<const CustomOperators> operators;
};

} // namespace

std::string CustomOperators::addLibrary(const std::string &path, const onnxc_op_library &table) {
  if (table.abi_version != ONNXC_CUSTOM_OP_ABI)
    return "is built for version " + std::to_string(table.abi_version) +
           " of the interface of custom operators, this onnxc has version " + std::to_string(ONNXC_CUSTOM_OP_ABI);
  if (table.struct_size < sizeof(onnxc_op_library) || table.num_ops < 1 || !table.ops)
    return "declares no operators";
  for (int32_t i = 0; i < table.num_ops; ++i) {
    const onnxc_op *op = table.ops[i];
    if (std::string wrong = checkOperator(op); !wrong.empty())
      return wrong;
    Operator entry{op, static_cast<unsigned>(libraries.size()), nullptr};
    auto [it, fresh] = operators[{op->domain, op->name}].try_emplace(op->since_version, entry);
    if (!fresh)
      return std::string("declares ") + op->domain + "::" + op->name + " version " +
             std::to_string(op->since_version) + ", which " +
             (it->second.library < libraries.size() ? libraries[it->second.library] + " declares" : "it declares") +
             " as well";
    it->second.schema = makeSchema(*op);
  }
  libraries.push_back(path);
  return "";
}

const CustomOperators::Operator *CustomOperators::find(const std::string &domain, const std::string &name,
                                                       int64_t version) const {
  auto versions = operators.find({domain, name});
  if (versions == operators.end())
    return nullptr;
  auto above = versions->second.upper_bound(version);
  return above == versions->second.begin() ? nullptr : &std::prev(above)->second;
}

int64_t CustomOperators::firstVersion(const std::string &domain, const std::string &name) const {
  auto versions = operators.find({domain, name});
  return versions == operators.end() ? 0 : versions->second.begin()->first;
}

std::string CustomOperators::paths() const {
  std::string text;
  for (const std::string &path : libraries)
    text += (text.empty() ? "" : ", ") + path;
  return text;
}

const CustomOperators *customOperators(mlir::MLIRContext *context) {
  auto *dialect = context->getLoadedDialect<onnx::OnnxDialect>();
  auto *interface = dialect ? dialect->getRegisteredInterface<CustomOperatorsInterface>() : nullptr;
  return interface ? interface->operators.get() : nullptr;
}

void setCustomOperators(mlir::MLIRContext &context, std::shared_ptr<const CustomOperators> operators) {
  auto *dialect = context.getOrLoadDialect<onnx::OnnxDialect>();
  if (!dialect->getRegisteredInterface<CustomOperatorsInterface>())
    dialect->addInterface<CustomOperatorsInterface>();
  dialect->getRegisteredInterface<CustomOperatorsInterface>()->operators = std::move(operators);
}

} // namespace onnxc
