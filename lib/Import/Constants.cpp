#include "Constants.h"

#include "TensorData.h"

#include "onnxc/Dialect/Onnx/IR/Onnx.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <cstring>

using namespace mlir;

namespace onnxc::importer {

// As docs/architecture.md says.
static constexpr size_t resourceThreshold = 1024;
static constexpr size_t blobAlignment = 64;

static bool isSubByte(Type type) { return type.isIntOrFloat() && type.getIntOrFloatBitWidth() < 8; }

static ElementsAttr smallElements(RankedTensorType type, std::string_view bytes) {
  Type element = type.getElementType();
  if (element.isInteger(1)) {
    SmallVector<bool> values;
    for (char c : bytes)
      values.push_back(c != 0);
    return DenseElementsAttr::get(type, ArrayRef<bool>(values));
  }
  std::string masked;
  if (isSubByte(element)) {
    // MLIR keeps the unused bits of an element zero.
    unsigned mask = (1u << element.getIntOrFloatBitWidth()) - 1;
    masked = bytes;
    for (char &c : masked)
      c = char(uint8_t(c) & mask);
    bytes = masked;
  }
  int64_t count = type.getNumElements();
  size_t size = count ? bytes.size() / size_t(count) : 0;
  bool splat = count > 1;
  for (size_t i = size; splat && i < bytes.size(); i += size)
    splat = std::memcmp(bytes.data(), bytes.data() + i, size) == 0;
  return DenseElementsAttr::getFromRawBuffer(type, ArrayRef<char>(bytes.data(), splat ? size : bytes.size()));
}

static AsmResourceBlob makeBlob(TensorBytes &data) {
  ArrayRef<char> bytes(data.bytes.data(), data.bytes.size());
  bool aligned = reinterpret_cast<uintptr_t>(bytes.data()) % blobAlignment == 0;
  if (data.file && aligned && data.storage.empty())
    return AsmResourceBlob(bytes, blobAlignment,
                           [file = data.file](void *, size_t, size_t) mutable { file.reset(); },
                           /*dataIsMutable=*/false);
  return HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes, blobAlignment, /*dataIsMutable=*/false);
}

ElementsAttr toElementsAttr(TensorProto &tensor, ExternalDataReader &external, MLIRContext *context) {
  Type element = onnx::fromOnnxElementType(context, tensor.data_type());
  if (!element)
    fail("tensor '" + tensor.name() + "' has the element type " + elementTypeName(tensor.data_type()) +
         ", which is not supported");
  auto type = RankedTensorType::get(SmallVector<int64_t>(tensor.dims().begin(), tensor.dims().end()), element);
  if (tensor.data_type() == TensorProto::STRING) {
    SmallVector<StringRef> strings;
    for (const std::string &s : tensor.string_data())
      strings.push_back(s);
    return DenseStringElementsAttr::get(type, strings);
  }
  TensorBytes data = tensorBytes(tensor, external);
  if (data.bytes.size() <= resourceThreshold)
    return smallElements(type, data.bytes);
  std::string name = tensor.name().empty() ? "constant" : tensor.name();
  auto attr = DenseResourceElementsAttr::get(type, name, makeBlob(data));
  // The second copy of the weights goes as soon as possible.
  data = TensorBytes();
  delete tensor.release_raw_data();
  google::protobuf::RepeatedField<float>().Swap(tensor.mutable_float_data());
  google::protobuf::RepeatedField<int32_t>().Swap(tensor.mutable_int32_data());
  google::protobuf::RepeatedField<int64_t>().Swap(tensor.mutable_int64_data());
  google::protobuf::RepeatedField<double>().Swap(tensor.mutable_double_data());
  google::protobuf::RepeatedField<uint64_t>().Swap(tensor.mutable_uint64_data());
  return attr;
}

TensorProto fromElementsAttr(ElementsAttr value, const std::string &name) {
  TensorProto tensor;
  tensor.set_name(name);
  Type element = value.getElementType();
  tensor.set_data_type(onnx::toOnnxElementType(element));
  for (int64_t dim : value.getShapedType().getShape())
    tensor.add_dims(dim);
  if (auto strings = dyn_cast<DenseStringElementsAttr>(value)) {
    for (StringRef s : strings.getValues<StringRef>())
      tensor.add_string_data(s.str());
    return tensor;
  }
  if (isSubByte(element) && !element.isInteger(1))
    fail("attribute '" + name + "' holds a tensor of a type below a byte, which is not supported here");
  std::string bytes;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      fail("attribute '" + name + "' refers to data that is not present");
    bytes.assign(blob->getData().data(), blob->getData().size());
  } else if (element.isInteger(1)) {
    for (bool b : cast<DenseElementsAttr>(value).getValues<bool>())
      bytes += char(b);
  } else if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    ArrayRef<char> raw = dense.getRawData();
    for (int64_t i = 0, n = dense.isSplat() ? dense.getNumElements() : 1; i < n; ++i)
      bytes.append(raw.data(), raw.size());
  } else {
    fail("attribute '" + name + "' holds its elements in a form that is not supported here");
  }
  tensor.set_raw_data(std::move(bytes));
  return tensor;
}

} // namespace onnxc::importer
