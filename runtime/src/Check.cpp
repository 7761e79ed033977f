#include "Check.h"

#include "Types.h"

#include <unordered_map>

using namespace onnxc;

namespace {

[[noreturn]] void invalid(const ValueInfo &info, const std::string &message) {
  throw Error(ErrorCode::InvalidArgument, "input '" + info.name + "': " + message);
}

/// "seq(tensor(float))" -> "tensor(float)"; empty if `type` is no such wrapper.
std::string_view unwrap(std::string_view type, std::string_view wrapper) {
  if (!type.starts_with(wrapper) || !type.ends_with(")"))
    return {};
  return type.substr(wrapper.size(), type.size() - wrapper.size() - 1);
}

/// Whether the value may stand where `type` is expected. An empty sequence
/// fits any sequence, since it has no element type of its own.
bool fits(std::string_view type, const Value &value) {
  if (std::string_view inner = unwrap(type, "optional("); !inner.empty())
    return value.isNone() || fits(inner, value);
  switch (value.kind()) {
  case ValueKind::None:
    return false;
  case ValueKind::Tensor:
    return type == typeString(value);
  case ValueKind::Sequence: {
    std::string_view inner = unwrap(type, "seq(");
    if (inner.empty())
      return false;
    for (const Value &item : value.items())
      if (!fits(inner, item))
        return false;
    return true;
  }
  case ValueKind::Map:
    return type == typeString(value);
  }
  return false;
}

} // namespace

std::string onnxc::shapeString(const ValueInfo &info) {
  if (!info.hasRank)
    return "[...]";
  std::string text = "[";
  for (const Dimension &d : info.shape) {
    if (text.size() > 1)
      text += ",";
    text += d.size >= 0 ? std::to_string(d.size) : d.symbol.empty() ? "?" : d.symbol;
  }
  return text + "]";
}

std::string onnxc::typeString(const Value &value) {
  switch (value.kind()) {
  case ValueKind::None:
    return "none";
  case ValueKind::Tensor:
    return std::string("tensor(") + elementTypeName(value.elementType()) + ")";
  case ValueKind::Sequence:
    return "seq(" + (value.items().empty() ? "" : typeString(value.items()[0])) + ")";
  case ValueKind::Map:
    return std::string("map(") + elementTypeName(value.items()[0].elementType()) + "," +
           typeString(value.items()[1]) + ")";
  }
  return "unknown";
}

void onnxc::checkInputs(const std::vector<ValueInfo> &infos, const std::vector<Value> &values) {
  struct Binding {
    int64_t size;
    size_t input, dim;
  };
  std::unordered_map<std::string_view, Binding> symbols;
  for (size_t i = 0; i < infos.size(); ++i) {
    const ValueInfo &info = infos[i];
    const Value &value = values[i];
    if (info.isTensor() ? !value.isTensor() || value.elementType() != info.elementType
                        : !fits(info.type, value))
      invalid(info, "expected " + info.type + ", got " + typeString(value));
    if (!value.isTensor() || !info.isTensor() || !info.hasRank)
      continue;
    const std::vector<int64_t> &shape = value.shape();
    auto got = [&] { return ", got " + shapeString(shape.data(), shape.size()); };
    if (shape.size() != info.shape.size())
      invalid(info, "expected rank " + std::to_string(info.shape.size()) + " " +
                        shapeString(info) + got() + " of rank " + std::to_string(shape.size()));
    for (size_t d = 0; d < shape.size(); ++d) {
      const Dimension &dim = info.shape[d];
      if (dim.size >= 0) {
        if (dim.size != shape[d])
          invalid(info, "expected shape " + shapeString(info) + got() + ": dimension " +
                            std::to_string(d) + " is " + std::to_string(shape[d]) +
                            " and not " + std::to_string(dim.size));
        continue;
      }
      if (dim.symbol.empty())
        continue;
      auto [at, isNew] = symbols.try_emplace(dim.symbol, Binding{shape[d], i, d});
      if (!isNew && at->second.size != shape[d])
        invalid(info, "expected shape " + shapeString(info) + got() + ": dimension " +
                          std::to_string(d) + ", '" + dim.symbol + "', is " +
                          std::to_string(shape[d]) + ", but it is " +
                          std::to_string(at->second.size) + " in dimension " +
                          std::to_string(at->second.dim) + " of input '" +
                          infos[at->second.input].name + "'");
    }
  }
}
