#include "Metadata.h"

#include <nlohmann/json.hpp>

using namespace onnxc;
using Json = nlohmann::json;

namespace {

ElementType tensorElementType(const std::string &type) {
  constexpr std::string_view prefix = "tensor(";
  if (!type.starts_with(prefix) || !type.ends_with(")"))
    return ElementType::Undefined;
  return elementTypeFromName(
      std::string_view(type).substr(prefix.size(), type.size() - prefix.size() - 1));
}

std::vector<ValueInfo> parseValues(const Json &list) {
  std::vector<ValueInfo> values;
  for (const Json &item : list) {
    ValueInfo info;
    info.name = item.at("name").get<std::string>();
    info.type = item.at("type").get<std::string>();
    info.elementType = tensorElementType(info.type);
    auto shape = item.find("shape");
    info.hasRank = shape != item.end() && shape->is_array();
    if (info.hasRank)
      for (const Json &dim : *shape) {
        Dimension d;
        if (dim.is_number_integer())
          d.size = dim.get<int64_t>();
        else if (dim.is_string())
          d.symbol = dim.get<std::string>();
        info.shape.push_back(std::move(d));
      }
    values.push_back(std::move(info));
  }
  return values;
}

} // namespace

ParsedMetadata onnxc::parseMetadata(const std::string &text) {
  ParsedMetadata parsed;
  try {
    Json json = Json::parse(text);
    parsed.inputs = parseValues(json.at("inputs"));
    parsed.outputs = parseValues(json.at("outputs"));
    ModelMetadata &m = parsed.model;
    m.producer = json.value("producer", "");
    m.graphName = json.value("graph_name", "");
    m.domain = json.value("domain", "");
    m.description = json.value("description", "");
    m.modelVersion = json.value("model_version", int64_t(0));
    m.irVersion = json.value("ir_version", int64_t(0));
    m.opsets = json.value("opsets", m.opsets);
    m.custom = json.value("metadata_props", m.custom);
    m.compiler = json.value("compiler", "");
    Json target = json.value("target", Json::object());
    m.targetTriple = target.value("triple", "");
    m.targetCpus = target.value("cpus", m.targetCpus);
    Json memory = json.value("planned_memory", Json::object());
    m.arenaBytes = memory.value("arena_bytes", int64_t(0));
    m.weightsBytes = memory.value("weights_bytes", int64_t(0));
    m.arenaIsDynamic = memory.value("dynamic", false);
  } catch (const Json::exception &e) {
    throw Error(ErrorCode::LoadFailed, std::string("the model's metadata is malformed: ") + e.what());
  }
  return parsed;
}
