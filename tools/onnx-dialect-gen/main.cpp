// Prints the TableGen of the onnx dialect's operations from the schemas of the
// linked onnx library: one Onnx_Op for each live operator at its newest version.
// The conventions are those of docs/architecture.md.
#include "onnx/defs/schema.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>

using onnx::AttributeProto;
using onnx::OpSchema;

namespace {

// How a domain shows in the mnemonic and in the class name.
struct DomainPrefix {
  const char *mnemonic;
  const char *className;
};
const std::map<std::string, DomainPrefix> domains = {
    {"", {"", ""}},
    {"ai.onnx.ml", {"ml.", "ML"}},
    {"ai.onnx.preview", {"preview.", "Preview"}},
    {"ai.onnx.preview.training", {"training.", "Training"}},
};

std::string quote(const std::string &text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      out += '\\';
    out += c;
  }
  return out + "\"";
}

// A name as ODS turns it into an accessor's: X_scale -> XScale.
std::string accessorName(const std::string &name) {
  std::string out;
  bool upper = true;
  for (char c : name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out += upper ? static_cast<char>(std::toupper(c)) : c;
    upper = false;
  }
  return out;
}

// The bits of TypeSet (OnnxOpInfo.h): for each kind of type, the element types
// (onnx::TensorProto::DataType) that it may hold.
class TypeSet {
public:
  void add(std::string type) {
    type.erase(std::remove(type.begin(), type.end(), ' '), type.end());
    if (auto inner = strip(type, "optional(seq(tensor(", ")))"))
      bits[3] |= element(*inner);
    else if (auto inner = strip(type, "optional(tensor(", "))"))
      bits[2] |= element(*inner);
    else if (auto inner = strip(type, "seq(tensor(", "))"))
      bits[1] |= element(*inner);
    else if (auto inner = strip(type, "tensor(", ")"))
      bits[0] |= element(*inner);
    else if (auto inner = strip(type, "seq(map(", "))"))
      addMap(*inner, 6);
    else if (auto inner = strip(type, "map(", ")"))
      addMap(*inner, 4);
    else
      throw std::runtime_error("unknown type " + type);
  }

  std::string str() const {
    std::string out = "{";
    for (uint32_t b : bits)
      out += (out.size() > 1 ? ", " : "") + std::to_string(b) + "u";
    return out + "}";
  }

private:
  uint32_t bits[8] = {};

  static std::optional<std::string> strip(const std::string &type, const std::string &prefix,
                                          const std::string &suffix) {
    if (type.size() < prefix.size() + suffix.size() || type.compare(0, prefix.size(), prefix) ||
        type.compare(type.size() - suffix.size(), suffix.size(), suffix))
      return std::nullopt;
    return type.substr(prefix.size(), type.size() - prefix.size() - suffix.size());
  }

  static uint32_t element(const std::string &name) {
    std::string upper;
    for (char c : name)
      upper += static_cast<char>(std::toupper(c));
    onnx::TensorProto::DataType value;
    if (!onnx::TensorProto::DataType_Parse(upper, &value) || value >= 32)
      throw std::runtime_error("unknown element type " + name);
    return uint32_t(1) << value;
  }

  void addMap(const std::string &keyAndValue, int slot) {
    size_t comma = keyAndValue.find(',');
    std::string key = keyAndValue.substr(0, comma), value = keyAndValue.substr(comma + 1);
    if (auto inner = strip(value, "tensor(", ")"))
      value = *inner;
    if (key != "int64" && key != "string")
      throw std::runtime_error("unknown key type " + key);
    bits[slot + (key == "string")] |= element(value);
  }
};

std::string cppFloat(float value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.9g", value);
  std::string out = text;
  if (out.find_first_of(".e") == std::string::npos)
    out += ".0";
  return out + "f";
}

// The ODS constraint of an attribute, or nothing if it is a region.
std::optional<std::string> attributeConstraint(const OpSchema::Attribute &attr) {
  const AttributeProto &dflt = attr.default_value;
  bool hasDefault = dflt.type() != AttributeProto::UNDEFINED;
  std::string type, value;
  switch (attr.type) {
  case AttributeProto::INT:
    type = "I64Attr";
    value = std::to_string(dflt.i());
    break;
  case AttributeProto::FLOAT:
    type = "F32Attr";
    value = cppFloat(dflt.f());
    break;
  case AttributeProto::STRING:
    type = "StrAttr";
    value = quote(dflt.s());
    break;
  case AttributeProto::INTS:
    type = "DenseI64ArrayAttr";
    for (int64_t i : dflt.ints())
      value += (value.empty() ? "" : ", ") + std::to_string(i);
    value = "{" + value + "}";
    break;
  case AttributeProto::FLOATS:
    type = "DenseF32ArrayAttr";
    for (float f : dflt.floats())
      value += (value.empty() ? "" : ", ") + cppFloat(f);
    value = "{" + value + "}";
    break;
  case AttributeProto::STRINGS:
    type = "StrArrayAttr";
    for (const std::string &s : dflt.strings())
      value += (value.empty() ? "" : ", ") + quote(s);
    value = "{" + value + "}";
    break;
  case AttributeProto::TENSOR:
    type = "ElementsAttr";
    break;
  case AttributeProto::TYPE_PROTO:
    type = "TypeAttr";
    break;
  case AttributeProto::GRAPH:
    return std::nullopt;
  default:
    throw std::runtime_error("attribute " + attr.name + " has a type that the dialect lacks");
  }
  if (attr.required)
    return type;
  if (hasDefault && attr.type == AttributeProto::STRING)
    return "DefaultValuedStrAttr<" + type + ", " + quote(dflt.s()) + ">";
  if (hasDefault)
    return "DefaultValuedAttr<" + type + ", " + quote(value) + ">";
  return "OptionalAttr<" + type + ">";
}

class OpPrinter {
public:
  OpPrinter(const OpSchema &schema, std::ostream &os) : schema(schema), os(os) {}

  void print() {
    const DomainPrefix &prefix = domains.at(schema.domain());
    for (const auto &[name, attr] : schema.attributes())
      attributes.emplace(name, &attr);

    std::string className = prefix.className + schema.Name() + "Op";
    os << "def Onnx_" << className << " : Onnx_Op<" << quote(prefix.mnemonic + schema.Name())
       << ", [" << traits() << "]> {\n"
       << "  let summary = " << quote("ONNX " + schema.Name() + ", version " +
                                      std::to_string(schema.SinceVersion()))
       << ";\n";
    printDescription();
    os << "  let arguments = (ins";
    const char *separator = "\n    ";
    for (const auto &input : schema.inputs())
      separator = printValue(input, input.GetName(), separator);
    for (const auto &[name, attr] : attributes)
      if (std::optional<std::string> constraint = attributeConstraint(*attr)) {
        takeAccessor(name);
        os << separator << *constraint << ":$" << name;
        separator = ",\n    ";
      }
    os << ");\n  let results = (outs";
    separator = "\n    ";
    for (const auto &output : schema.outputs()) {
      std::string name = output.GetName();
      if (accessors.count(accessorName(name)))
        name = "result_" + name;
      separator = printValue(output, name, separator);
    }
    os << ");\n";
    printRegions();
    printInfo(className);
    os << "}\n\n";
  }

private:
  const OpSchema &schema;
  std::ostream &os;
  std::map<std::string, const OpSchema::Attribute *> attributes;
  std::set<std::string> accessors;

  void takeAccessor(const std::string &name) {
    if (!accessors.insert(accessorName(name)).second)
      throw std::runtime_error("two parts of " + schema.Name() + " are named " + name);
  }

  std::string traits() const {
    for (const auto &[name, attr] : attributes)
      if (attr->type == AttributeProto::GRAPH)
        return "RecursiveMemoryEffects";
    if (schema.GetNodeDeterminism() == OpSchema::NodeDeterminism::NonDeterministic)
      return "";
    return "Pure";
  }

  void printDescription() {
    std::string doc = schema.doc() ? schema.doc() : "";
    for (size_t at = 0; (at = doc.find("}]", at)) != std::string::npos; ++at)
      doc.replace(at, 2, "} ]");
    os << "  let description = [{" << doc << "}];\n";
  }

  const char *printValue(const OpSchema::FormalParameter &param, const std::string &name,
                         const char *separator) {
    takeAccessor(name);
    bool variadic = param.GetOption() == OpSchema::Variadic;
    os << separator << (variadic ? "Variadic<AnyType>:$" : "AnyType:$") << name;
    return ",\n    ";
  }

  // In the reverse order of their names: then_branch before else_branch.
  void printRegions() {
    const char *separator = "  let regions = (region\n    ";
    for (auto it = attributes.rbegin(); it != attributes.rend(); ++it)
      if (const auto &[name, attr] = *it; attr->type == AttributeProto::GRAPH) {
        takeAccessor(name);
        os << separator << (attr->required ? "SizedRegion<1>:$" : "AnyRegion:$") << name;
        separator = ",\n    ";
      }
    if (*separator == ',')
      os << ");\n";
  }

  void printParams(const char *array, const std::vector<OpSchema::FormalParameter> &params) {
    if (params.empty())
      return;
    os << "      static constexpr ParamInfo " << array << "[] = {\n";
    for (const auto &param : params) {
      static const char *const options[] = {"Single", "Optional", "Variadic"};
      TypeSet types;
      auto constraint = schema.typeConstraintMap().find(param.GetTypeStr());
      bool isVariable = constraint != schema.typeConstraintMap().end();
      if (isVariable)
        for (const std::string *type : constraint->second.first)
          types.add(*type);
      else
        types.add(param.GetTypeStr());
      os << "          {" << quote(param.GetName()) << ", ParamInfo::" << options[param.GetOption()]
         << ", " << quote(isVariable ? param.GetTypeStr() : "") << ", "
         << (param.GetIsHomogeneous() ? "true" : "false") << ", " << param.GetMinArity() << ", "
         << types.str() << "},\n";
    }
    os << "      };\n";
  }

  void printInfo(const std::string &className) {
    os << "  let extraClassDefinition = [{\n"
       << "    const ::onnxc::onnx::OpInfo &$cppClass::getOnnxInfo() {\n";
    printParams("inputs", schema.inputs());
    printParams("outputs", schema.outputs());
    bool hasFunction = schema.HasFunction() || schema.HasContextDependentFunction();
    os << "      static constexpr OpInfo info = {" << quote(schema.Name()) << ", "
       << quote(schema.domain()) << ", " << schema.SinceVersion() << ", "
       << (hasFunction ? "true" : "false") << ", " << (schema.inputs().empty() ? "{}" : "inputs")
       << ", " << (schema.outputs().empty() ? "{}" : "outputs") << "};\n"
       << "      return info;\n    }\n  }];\n";
  }
};

} // namespace

// --deprecated: the deprecated operators of ai.onnx.ml instead, which are what
// most converters still write.
int main(int argc, char **argv) try {
  bool deprecated = argc > 1 && std::string(argv[1]) == "--deprecated";
  auto isWanted = [&](const OpSchema &schema) {
    if (deprecated)
      return schema.deprecated() && schema.domain() == "ai.onnx.ml";
    // The forms of Constant are one operation that OnnxDialect.td defines.
    return !schema.deprecated() && domains.count(schema.domain()) && schema.Name() != "Constant";
  };
  std::map<std::string, OpSchema> schemas;
  for (OpSchema &schema : onnx::OpSchemaRegistry::get_all_schemas())
    if (isWanted(schema))
      schemas.emplace(schema.domain() + "." + schema.Name(), std::move(schema));

  std::ostringstream os;
  os << "// Generated by onnx-dialect-gen.\n"
     << "include \"onnxc/Dialect/Onnx/IR/OnnxDialect.td\"\n\n";
  for (const auto &[key, schema] : schemas)
    OpPrinter(schema, os).print();
  std::cout << os.str();
  return 0;
} catch (const std::exception &e) {
  std::cerr << "onnx-dialect-gen: " << e.what() << "\n";
  return 1;
}
