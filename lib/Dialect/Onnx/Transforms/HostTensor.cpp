// The elements of a constant in memory: reading attributes of every form,
// conversion of elements, and writing attributes.
#include "onnxc/Dialect/Onnx/Transforms/HostTensor.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/APFloat.h"
#include <cstring>

using namespace mlir;

namespace onnxc::onnx {

static constexpr int64_t kInlineBytes = 1024;
static constexpr size_t kBlobAlignment = 64;

SmallVector<int64_t> rowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t i = static_cast<int64_t>(shape.size()) - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

int64_t HostTensor::elementBytes(Type type) {
  if (auto complexType = dyn_cast<ComplexType>(type))
    return 2 * elementBytes(complexType.getElementType());
  if (!type.isIntOrFloat())
    return 0;
  unsigned bytes = llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
  return llvm::isPowerOf2_32(bytes) && bytes <= 8 ? bytes : 0;
}

static int64_t product(ArrayRef<int64_t> shape) {
  int64_t result = 1;
  for (int64_t dim : shape)
    result *= dim;
  return result;
}

HostTensor HostTensor::zeros(Type elementType, ArrayRef<int64_t> shape) {
  HostTensor t;
  t.elementType = elementType;
  t.shape.assign(shape.begin(), shape.end());
  t.numElements = product(shape);
  t.bytesPerElement = elementBytes(elementType);
  size_t bytes = std::max<int64_t>(t.getNumBytes(), 1);
  t.owned = std::shared_ptr<char>(
      static_cast<char *>(llvm::allocate_buffer(bytes, kBlobAlignment)),
      [bytes](char *data) { llvm::deallocate_buffer(data, bytes, kBlobAlignment); });
  std::memset(t.owned.get(), 0, bytes);
  t.begin = t.owned.get();
  return t;
}

HostTensor HostTensor::reshaped(ArrayRef<int64_t> newShape) const {
  assert(product(newShape) == numElements && "reshape changes the size");
  HostTensor t = *this;
  t.shape.assign(newShape.begin(), newShape.end());
  return t;
}

std::optional<HostTensor> HostTensor::read(Attribute attr) {
  auto elements = dyn_cast_or_null<ElementsAttr>(attr);
  if (!elements)
    return std::nullopt;
  ShapedType type = elements.getShapedType();
  if (!type.hasStaticShape() || elementBytes(type.getElementType()) == 0)
    return std::nullopt;
  HostTensor t;
  t.elementType = type.getElementType();
  t.shape.assign(type.getShape().begin(), type.getShape().end());
  t.numElements = type.getNumElements();
  t.bytesPerElement = elementBytes(t.elementType);

  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    const AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || static_cast<int64_t>(blob->getData().size()) != t.getNumBytes())
      return std::nullopt;
    t.begin = blob->getData().data();
    return t;
  }
  auto dense = dyn_cast<DenseElementsAttr>(attr);
  if (!dense || isa<DenseStringElementsAttr>(attr))
    return std::nullopt;
  ArrayRef<char> raw = dense.getRawData();
  bool isBool = t.elementType.isInteger(1);
  if (!isBool && !dense.isSplat() && static_cast<int64_t>(raw.size()) == t.getNumBytes()) {
    t.begin = raw.data();
    return t;
  }
  HostTensor copy = zeros(t.elementType, t.shape);
  char *out = copy.mutableData();
  if (isBool) {
    for (bool value : dense.getValues<bool>())
      *out++ = value;
  } else if (dense.isSplat()) {
    for (int64_t i = 0; i < t.numElements; ++i, out += t.bytesPerElement)
      std::memcpy(out, raw.data(), t.bytesPerElement);
  } else {
    return std::nullopt;
  }
  return copy;
}

bool HostTensor::isFloat() const { return isa<FloatType>(elementType); }
bool HostTensor::isInteger() const { return isa<IntegerType>(elementType); }

namespace {

template <typename From, typename To>
void convertRange(const char *from, int64_t n, To *to) {
  for (int64_t i = 0; i < n; ++i) {
    From value;
    std::memcpy(&value, from + i * sizeof(From), sizeof(From));
    to[i] = static_cast<To>(value);
  }
}

template <typename To, typename From>
void writeRange(const From *from, int64_t n, char *to) {
  for (int64_t i = 0; i < n; ++i) {
    To value = static_cast<To>(from[i]);
    std::memcpy(to + i * sizeof(To), &value, sizeof(To));
  }
}

uint16_t bf16FromDouble(double value) {
  float f = static_cast<float>(value);
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  if (std::isnan(f))
    return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/// The value of an integer narrower than a byte, whose upper bits may hold anything.
int64_t extend(int64_t value, unsigned width, bool isUnsigned) {
  uint64_t mask = (uint64_t(1) << width) - 1;
  uint64_t low = static_cast<uint64_t>(value) & mask;
  if (!isUnsigned && (low >> (width - 1)) != 0)
    return static_cast<int64_t>(low | ~mask);
  return static_cast<int64_t>(low);
}

} // namespace

void HostTensor::load(int64_t start, int64_t n, double *out) const {
  const char *from = begin + start * bytesPerElement;
  if (elementType.isF32())
    return convertRange<float>(from, n, out);
  if (elementType.isF64())
    return convertRange<double>(from, n, out);
  if (elementType.isF16())
    return convertRange<_Float16>(from, n, out);
  if (elementType.isBF16()) {
    for (int64_t i = 0; i < n; ++i) {
      uint16_t half;
      std::memcpy(&half, from + i * 2, 2);
      uint32_t bits = static_cast<uint32_t>(half) << 16;
      float f;
      std::memcpy(&f, &bits, 4);
      out[i] = f;
    }
    return;
  }
  if (auto floatType = dyn_cast<FloatType>(elementType)) {
    for (int64_t i = 0; i < n; ++i) {
      unsigned width = floatType.getWidth();
      uint64_t bits = static_cast<uint8_t>(from[i]) & ((1u << width) - 1);
      APFloat value(floatType.getFloatSemantics(), APInt(width, bits));
      bool lost;
      value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
      out[i] = value.convertToDouble();
    }
    return;
  }
  bool isU64 = elementType.isUnsignedInteger(64);
  SmallVector<int64_t> buffer(n);
  load(start, n, buffer.data());
  for (int64_t i = 0; i < n; ++i)
    out[i] = isU64 ? static_cast<double>(static_cast<uint64_t>(buffer[i]))
                   : static_cast<double>(buffer[i]);
}

void HostTensor::load(int64_t start, int64_t n, int64_t *out) const {
  const char *from = begin + start * bytesPerElement;
  auto intType = dyn_cast<IntegerType>(elementType);
  if (!intType) {
    SmallVector<double> buffer(n);
    load(start, n, buffer.data());
    for (int64_t i = 0; i < n; ++i) {
      // Out of range conversions are undefined in C++ and in ONNX alike.
      double v = buffer[i];
      out[i] = v >= 9.2e18 ? INT64_MAX : v <= -9.2e18 || std::isnan(v) ? INT64_MIN
                                                                       : static_cast<int64_t>(v);
    }
    return;
  }
  bool isUnsigned = intType.isUnsigned();
  switch (intType.getWidth()) {
  case 8:
    return isUnsigned ? convertRange<uint8_t>(from, n, out) : convertRange<int8_t>(from, n, out);
  case 16:
    return isUnsigned ? convertRange<uint16_t>(from, n, out) : convertRange<int16_t>(from, n, out);
  case 32:
    return isUnsigned ? convertRange<uint32_t>(from, n, out) : convertRange<int32_t>(from, n, out);
  case 64:
    return convertRange<int64_t>(from, n, out);
  default:
    for (int64_t i = 0; i < n; ++i)
      out[i] = extend(from[i], intType.getWidth(), isUnsigned || intType.getWidth() == 1);
  }
}

void HostTensor::store(int64_t start, int64_t n, const double *values) {
  char *to = mutableData() + start * bytesPerElement;
  if (elementType.isF32())
    return writeRange<float>(values, n, to);
  if (elementType.isF64())
    return writeRange<double>(values, n, to);
  if (elementType.isF16())
    return writeRange<_Float16>(values, n, to);
  if (elementType.isBF16()) {
    for (int64_t i = 0; i < n; ++i) {
      uint16_t half = bf16FromDouble(values[i]);
      std::memcpy(to + i * 2, &half, 2);
    }
    return;
  }
  if (auto floatType = dyn_cast<FloatType>(elementType)) {
    for (int64_t i = 0; i < n; ++i) {
      APFloat value(values[i]);
      bool lost;
      value.convert(floatType.getFloatSemantics(), APFloat::rmNearestTiesToEven, &lost);
      to[i] = static_cast<char>(value.bitcastToAPInt().getZExtValue());
    }
    return;
  }
  SmallVector<int64_t> buffer(n);
  for (int64_t i = 0; i < n; ++i)
    buffer[i] = static_cast<int64_t>(values[i]);
  store(start, n, buffer.data());
}

void HostTensor::store(int64_t start, int64_t n, const int64_t *values) {
  char *to = mutableData() + start * bytesPerElement;
  auto intType = dyn_cast<IntegerType>(elementType);
  if (!intType) {
    SmallVector<double> buffer(values, values + n);
    return store(start, n, buffer.data());
  }
  unsigned width = intType.getWidth();
  switch (width) {
  case 8:
    return writeRange<int8_t>(values, n, to);
  case 16:
    return writeRange<int16_t>(values, n, to);
  case 32:
    return writeRange<int32_t>(values, n, to);
  case 64:
    return writeRange<int64_t>(values, n, to);
  default:
    for (int64_t i = 0; i < n; ++i)
      to[i] = static_cast<char>(width == 1 ? values[i] != 0 : values[i] & ((1 << width) - 1));
  }
}

SmallVector<int64_t> HostTensor::ints() const {
  SmallVector<int64_t> result(numElements);
  load(0, numElements, result.data());
  return result;
}

SmallVector<double> HostTensor::floats() const {
  SmallVector<double> result(numElements);
  load(0, numElements, result.data());
  return result;
}

ElementsAttr HostTensor::toAttr() const {
  auto type = RankedTensorType::get(shape, elementType);
  if (getNumBytes() > kInlineBytes) {
    ArrayRef<char> bytes(begin, getNumBytes());
    AsmResourceBlob blob =
        owned ? AsmResourceBlob(bytes, kBlobAlignment, [keep = owned](void *, size_t, size_t) {},
                                /*dataIsMutable=*/false)
              : HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes, kBlobAlignment);
    return DenseResourceElementsAttr::get(type, "folded", std::move(blob));
  }
  if (elementType.isInteger(1)) {
    SmallVector<bool> values;
    for (int64_t i = 0; i < numElements; ++i)
      values.push_back(begin[i] != 0);
    return DenseElementsAttr::get(type, ArrayRef<bool>(values));
  }
  return DenseElementsAttr::getFromRawBuffer(type, ArrayRef<char>(begin, getNumBytes()));
}

} // namespace onnxc::onnx
