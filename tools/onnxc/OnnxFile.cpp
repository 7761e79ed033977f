// Field numbers are those of onnx.proto.
#include "OnnxFile.h"

#include "ProtoReader.h"
#include "ValueFile.h"

#include <map>
#include <set>

using namespace onnxc;
using llvm::StringRef;
namespace json = llvm::json;

namespace {

// Deeper types are taken for garbage.
constexpr int deepestType = 16;

json::Value text(StringRef bytes) { return json::fixUTF8(bytes); }

std::string elementName(uint64_t type) {
  constexpr const char *names[] = {
      "undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string",
      "bool", "float16", "double", "uint32", "uint64", "complex64", "complex128", "bfloat16",
      "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4", "int4",
      "float4e2m1", "float8e8m0", "uint2", "int2"};
  return names[type < std::size(names) ? type : 0];
}

struct Summary {
  bool ok = true;
  std::map<std::string, int64_t> operators;
  std::set<std::string> initializers;
  int64_t weightsBytes = 0;
  bool hasExternalData = false;
  std::string graphName;
  std::vector<StringRef> inputs, outputs;

  /// A field of a message; the last if there are several.
  StringRef bytesOf(StringRef message, unsigned field) {
    StringRef found;
    for (ProtoReader r(message); next(r);)
      if (r.field() == field)
        found = r.bytes();
    return found;
  }
  bool next(ProtoReader &r) {
    bool more = r.next();
    ok &= !r.failed();
    return more;
  }

  std::string typeName(StringRef type, json::Value &shape, int depth = 0) {
    if (depth > deepestType)
      ok = false;
    if (!ok)
      return "";
    json::Value ignored = nullptr;
    for (ProtoReader r(type); next(r);) {
      switch (r.field()) {
      case 1:
      case 8: {
        uint64_t element = 0;
        for (ProtoReader t(r.bytes()); next(t);) {
          if (t.field() == 1)
            element = t.value();
          else if (t.field() == 2)
            shape = dims(t.bytes());
        }
        return (r.field() == 1 ? "tensor(" : "sparse_tensor(") + elementName(element) + ")";
      }
      case 4:
        return "seq(" + typeName(bytesOf(r.bytes(), 1), ignored, depth + 1) + ")";
      case 9:
        return "optional(" + typeName(bytesOf(r.bytes(), 1), ignored, depth + 1) + ")";
      case 5: {
        uint64_t key = 0;
        std::string value;
        for (ProtoReader m(r.bytes()); next(m);) {
          if (m.field() == 1)
            key = m.value();
          else if (m.field() == 2)
            value = typeName(m.bytes(), ignored, depth + 1);
        }
        return "map(" + elementName(key) + "," + value + ")";
      }
      }
    }
    return "undefined";
  }

  json::Array dims(StringRef shape) {
    json::Array result;
    for (ProtoReader r(shape); next(r);) {
      if (r.field() != 1)
        continue;
      json::Value dim = nullptr;
      for (ProtoReader d(r.bytes()); next(d);) {
        if (d.field() == 1)
          dim = d.asInt();
        else if (d.field() == 2 && !d.bytes().empty())
          dim = text(d.bytes());
      }
      result.push_back(std::move(dim));
    }
    return result;
  }

  json::Array values(const std::vector<StringRef> &infos, bool skipInitializers) {
    json::Array result;
    for (StringRef info : infos) {
      StringRef name, type;
      for (ProtoReader r(info); next(r);) {
        if (r.field() == 1)
          name = r.bytes();
        else if (r.field() == 2)
          type = r.bytes();
      }
      if (skipInitializers && initializers.count(name.str()))
        continue;
      json::Value shape = nullptr;
      std::string typeText = typeName(type, shape);
      result.push_back(
          json::Object{{"name", text(name)}, {"type", typeText}, {"shape", std::move(shape)}});
    }
    return result;
  }

  void addInitializer(StringRef tensor) {
    std::vector<int64_t> shape;
    uint64_t type = 0;
    for (ProtoReader r(tensor); next(r);) {
      if (r.field() == 1)
        ok &= r.forEachNumber(0, [&](uint64_t d) { shape.push_back(static_cast<int64_t>(d)); });
      else if (r.field() == 2)
        type = r.value();
      else if (r.field() == 8)
        initializers.insert(r.bytes().str());
      else if (r.field() == 14)
        hasExternalData |= r.value() == 1;
    }
    size_t size = type <= ONNXC_INT2 ? storageSize(static_cast<onnxc_elem_type>(type)) : 0;
    weightsBytes += std::max<int64_t>(0, countElements(shape.data(), shape.size(), size)) * size;
  }

  void addNode(StringRef node) {
    std::string name, domain;
    for (ProtoReader r(node); next(r);) {
      if (r.field() == 4)
        name = r.bytes().str();
      else if (r.field() == 7)
        domain = r.bytes().str();
    }
    bool isStandard = domain.empty() || domain == "ai.onnx";
    ++operators[isStandard ? name : domain + "." + name];
  }

  void readGraph(StringRef graph) {
    for (ProtoReader r(graph); next(r);) {
      switch (r.field()) {
      case 1:
        addNode(r.bytes());
        break;
      case 2:
        graphName = r.bytes().str();
        break;
      case 5:
        addInitializer(r.bytes());
        break;
      case 11:
        inputs.push_back(r.bytes());
        break;
      case 12:
        outputs.push_back(r.bytes());
        break;
      }
    }
  }
};

} // namespace

bool onnxc::summariseOnnx(StringRef file, json::Object &result) {
  Summary s;
  json::Object opsets, properties;
  bool hasGraph = false;
  for (const char *key : {"producer", "domain", "description"})
    result[key] = "";
  for (ProtoReader r(file); s.next(r);) {
    switch (r.field()) {
    case 1:
      result["ir_version"] = r.asInt();
      break;
    case 2:
      result["producer"] = text(r.bytes());
      break;
    case 4:
      result["domain"] = text(r.bytes());
      break;
    case 5:
      result["model_version"] = r.asInt();
      break;
    case 6:
      result["description"] = text(r.bytes());
      break;
    case 7:
      s.readGraph(r.bytes());
      hasGraph = true;
      break;
    case 8: {
      StringRef domain;
      int64_t version = 0;
      for (ProtoReader o(r.bytes()); s.next(o);) {
        if (o.field() == 1)
          domain = o.bytes();
        else if (o.field() == 2)
          version = o.asInt();
      }
      opsets[domain.empty() ? "ai.onnx" : json::fixUTF8(domain)] = version;
      break;
    }
    case 14:
      properties[json::fixUTF8(s.bytesOf(r.bytes(), 1))] = text(s.bytesOf(r.bytes(), 2));
      break;
    }
  }
  json::Object operators;
  for (const auto &[name, count] : s.operators)
    operators[json::fixUTF8(name)] = count;
  result["graph_name"] = text(s.graphName);
  result["opsets"] = std::move(opsets);
  result["metadata_props"] = std::move(properties);
  result["inputs"] = s.values(s.inputs, /*skipInitializers=*/true);
  result["outputs"] = s.values(s.outputs, false);
  result["operators"] = std::move(operators);
  result["weights_bytes"] = s.weightsBytes;
  result["external_data"] = s.hasExternalData;
  return s.ok && hasGraph;
}
