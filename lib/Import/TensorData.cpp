#include "TensorData.h"

#include <cstring>

namespace onnxc::importer {

uint64_t rawByteCount(int32_t elementType, int64_t count) {
  return (uint64_t(count) * elementBits(elementType) + 7) / 8;
}

namespace {

bool isSubByte(int32_t type) { return elementBits(type) && elementBits(type) < 8; }

// How many entries the typed field must have, and how many it has.
struct FieldSize {
  const char *field;
  uint64_t expected, actual;
};

FieldSize typedFieldSize(const TensorProto &tensor, int64_t count) {
  uint64_t n = uint64_t(count);
  switch (tensor.data_type()) {
  case TensorProto::FLOAT:
    return {"float_data", n, uint64_t(tensor.float_data_size())};
  case TensorProto::COMPLEX64:
    return {"float_data", 2 * n, uint64_t(tensor.float_data_size())};
  case TensorProto::DOUBLE:
    return {"double_data", n, uint64_t(tensor.double_data_size())};
  case TensorProto::COMPLEX128:
    return {"double_data", 2 * n, uint64_t(tensor.double_data_size())};
  case TensorProto::INT64:
    return {"int64_data", n, uint64_t(tensor.int64_data_size())};
  case TensorProto::UINT32:
  case TensorProto::UINT64:
    return {"uint64_data", n, uint64_t(tensor.uint64_data_size())};
  case TensorProto::STRING:
    return {"string_data", n, uint64_t(tensor.string_data_size())};
  case TensorProto::FLOAT6E2M3:
  case TensorProto::FLOAT6E3M2:
    return {"int32_data", n, uint64_t(tensor.int32_data_size())};
  default: {
    unsigned bits = elementBits(tensor.data_type());
    uint64_t perEntry = bits < 8 ? 8 / bits : 1;
    return {"int32_data", (n + perEntry - 1) / perEntry, uint64_t(tensor.int32_data_size())};
  }
  }
}

template <typename T, typename Field>
std::string convertField(const Field &field) {
  std::string out(size_t(field.size()) * sizeof(T), '\0');
  size_t at = 0;
  for (auto entry : field) {
    T value = T(entry);
    std::memcpy(out.data() + at, &value, sizeof(T));
    at += sizeof(T);
  }
  return out;
}

template <typename Field>
std::string_view viewField(const Field &field) {
  return {reinterpret_cast<const char *>(field.data()), size_t(field.size()) * sizeof(*field.data())};
}

void normaliseBools(TensorBytes &result) {
  bool clean = true;
  for (char c : result.bytes)
    clean &= c == 0 || c == 1;
  if (clean)
    return;
  std::string fixed(result.bytes);
  for (char &c : fixed)
    c = c != 0;
  result.storage = std::move(fixed);
  result.bytes = result.storage;
}

} // namespace

int64_t checkTensor(const TensorProto &tensor, int64_t maxBytes) {
  int32_t type = tensor.data_type();
  if (type != TensorProto::STRING && elementBits(type) == 0)
    fail("tensor '" + tensor.name() + "' has the invalid element type " + elementTypeName(type));
  if (tensor.has_segment())
    fail("tensor '" + tensor.name() + "' is a segment of a tensor, which is not supported");
  int64_t count = checkedElementCount(tensor.dims(), elementBits(type), maxBytes, tensor.name());
  if (isExternal(tensor)) {
    if (type == TensorProto::STRING)
      fail("tensor '" + tensor.name() + "' has strings in external data");
    return count;
  }
  if (tensor.has_raw_data() && type == TensorProto::STRING)
    fail("tensor '" + tensor.name() + "' has strings in raw_data");
  FieldSize size = tensor.has_raw_data()
                       ? FieldSize{"raw_data bytes", rawByteCount(type, count), tensor.raw_data().size()}
                       : typedFieldSize(tensor, count);
  if (size.actual != size.expected) {
    std::string shape;
    for (int64_t dim : tensor.dims())
      shape += (shape.empty() ? "" : "x") + std::to_string(dim);
    fail("tensor '" + tensor.name() + "' of type " + elementTypeName(type) + " and shape [" + shape +
         "] needs " + std::to_string(size.expected) + " " + size.field + ", it has " +
         std::to_string(size.actual));
  }
  return count;
}

TensorBytes tensorBytes(const TensorProto &tensor, ExternalDataReader &external) {
  int32_t type = tensor.data_type();
  int64_t count = 1;
  for (int64_t dim : tensor.dims())
    count *= dim;
  TensorBytes result;
  if (isExternal(tensor) || tensor.has_raw_data()) {
    if (isExternal(tensor)) {
      ExternalBytes read = external.read(tensor, rawByteCount(type, count));
      result.bytes = read.bytes;
      result.file = std::move(read.file);
    } else {
      result.bytes = tensor.raw_data();
    }
    if (isSubByte(type)) {
      result.storage = unpackElements(result.bytes, type, uint64_t(count));
      result.bytes = result.storage;
    } else if (type == TensorProto::BOOL) {
      normaliseBools(result);
    }
    return result;
  }

  switch (type) {
  case TensorProto::FLOAT:
  case TensorProto::COMPLEX64:
    result.bytes = viewField(tensor.float_data());
    return result;
  case TensorProto::DOUBLE:
  case TensorProto::COMPLEX128:
    result.bytes = viewField(tensor.double_data());
    return result;
  case TensorProto::INT64:
    result.bytes = viewField(tensor.int64_data());
    return result;
  case TensorProto::UINT64:
    result.bytes = viewField(tensor.uint64_data());
    return result;
  case TensorProto::INT32:
    result.bytes = viewField(tensor.int32_data());
    return result;
  case TensorProto::UINT32:
    result.storage = convertField<uint32_t>(tensor.uint64_data());
    break;
  default:
    if (elementBits(type) == 16)
      result.storage = convertField<uint16_t>(tensor.int32_data());
    else if (elementBits(type) == 2 || elementBits(type) == 4)
      result.storage = unpackElements(convertField<uint8_t>(tensor.int32_data()), type, uint64_t(count));
    else
      result.storage = convertField<uint8_t>(tensor.int32_data());
    break;
  }
  result.bytes = result.storage;
  if (type == TensorProto::BOOL)
    normaliseBools(result);
  return result;
}

template <typename T>
static std::vector<double> toDoubles(std::string_view bytes) {
  std::vector<double> out(bytes.size() / sizeof(T));
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    out[i] = double(value);
  }
  return out;
}

std::optional<std::vector<double>> smallValues(const TensorProto &tensor) {
  if (isExternal(tensor))
    return std::nullopt;
  ExternalDataReader none("");
  switch (tensor.data_type()) {
  case TensorProto::FLOAT:
    return toDoubles<float>(tensorBytes(tensor, none).bytes);
  case TensorProto::DOUBLE:
    return toDoubles<double>(tensorBytes(tensor, none).bytes);
  case TensorProto::INT32:
    return toDoubles<int32_t>(tensorBytes(tensor, none).bytes);
  case TensorProto::INT64:
    return toDoubles<int64_t>(tensorBytes(tensor, none).bytes);
  default:
    return std::nullopt;
  }
}

TensorProto makeDense(const ::onnx::SparseTensorProto &sparse, int64_t maxBytes,
                      ExternalDataReader &external) {
  // A few values may claim any size: what would be allocated is bounded.
  constexpr int64_t maxDenseBytes = int64_t(1) << 31;
  const TensorProto &values = sparse.values(), &indices = sparse.indices();
  const std::string &name = values.name();
  int64_t valueCount = checkTensor(values, maxBytes);
  int64_t indexCount = checkTensor(indices, maxBytes);
  unsigned bits = elementBits(values.data_type());
  if (bits < 8)
    fail("sparse tensor '" + name + "' of type " + elementTypeName(values.data_type()) +
         " is not supported");
  if (indices.data_type() != TensorProto::INT64)
    fail("sparse tensor '" + name + "' has indices that are not INT64");
  int64_t rank = sparse.dims_size();
  bool linear = indices.dims_size() == 1;
  if (values.dims_size() != 1 || rank == 0 || indices.dims_size() < 1 || indices.dims_size() > 2 ||
      indices.dims(0) != valueCount || (!linear && indices.dims(1) != rank) ||
      indexCount != (linear ? valueCount : valueCount * rank))
    fail("sparse tensor '" + name + "' has values and indices of shapes that do not agree");
  int64_t count = checkedElementCount(sparse.dims(), bits, std::min(maxBytes, maxDenseBytes), name);

  TensorBytes valueBytes = tensorBytes(values, external), indexBytes = tensorBytes(indices, external);
  size_t size = bits / 8;
  std::string dense(size_t(count) * size, '\0');
  for (int64_t i = 0; i < valueCount; ++i) {
    int64_t at = 0;
    for (int64_t d = 0, n = linear ? 1 : rank; d < n; ++d) {
      int64_t index;
      std::memcpy(&index, indexBytes.bytes.data() + (i * n + d) * 8, 8);
      int64_t bound = linear ? count : sparse.dims(int(d));
      if (index < 0 || index >= bound)
        fail("sparse tensor '" + name + "' has the index " + std::to_string(index) + " out of range");
      at = linear ? index : at * bound + index;
    }
    std::memcpy(dense.data() + at * size, valueBytes.bytes.data() + i * size, size);
  }
  TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(values.data_type());
  for (int64_t dim : sparse.dims())
    tensor.add_dims(dim);
  tensor.set_raw_data(std::move(dense));
  return tensor;
}

} // namespace onnxc::importer
