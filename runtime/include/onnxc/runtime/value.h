/* Values that go into and come out of a model: tensors, sequences, maps and
 * absent optionals. A Value is a handle: copies share the same data, which is kept
 * alive by the last of them. Not synchronised: a tensor that one thread writes
 * must not be read by another at the same time.
 */
#ifndef ONNXC_RUNTIME_VALUE_H
#define ONNXC_RUNTIME_VALUE_H

#include "onnxc/runtime/abi.h"
#include "onnxc/runtime/export.h"

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace onnxc {

enum class ErrorCode : int32_t {
  InvalidArgument = ONNXC_INVALID_ARGUMENT, // a wrong name, type, rank, size or option
  RuntimeError = ONNXC_RUNTIME_ERROR,       // a check inside the model failed
  OutOfMemory = ONNXC_OUT_OF_MEMORY,
  Unsupported = ONNXC_UNSUPPORTED, // by this machine or this version of the runtime
  Cancelled = ONNXC_CANCELLED,
  LoadFailed = ONNXC_LOAD_FAILED, // no such file, or not a compiled model
};

/// What every function of the C++ interface throws.
class ONNXC_API Error : public std::runtime_error {
public:
  Error(ErrorCode code, const std::string &message) : std::runtime_error(message), errorCode(code) {}
  ~Error() override;
  ErrorCode code() const { return errorCode; }

private:
  ErrorCode errorCode;
};

/// The same values as onnx.TensorProto.DataType. Types below a byte (int4, uint4,
/// int2, uint2, float4e2m1) take one byte an element in memory.
enum class ElementType : int32_t {
  Undefined = 0, Float = 1, Uint8 = 2, Int8 = 3, Uint16 = 4, Int16 = 5, Int32 = 6, Int64 = 7,
  String = 8, Bool = 9, Float16 = 10, Double = 11, Uint32 = 12, Uint64 = 13, Complex64 = 14,
  Complex128 = 15, BFloat16 = 16, Float8E4M3FN = 17, Float8E4M3FNUZ = 18, Float8E5M2 = 19,
  Float8E5M2FNUZ = 20, Uint4 = 21, Int4 = 22, Float4E2M1 = 23, Float8E8M0 = 24, Uint2 = 25, Int2 = 26
};

/// ONNX's name of a type, as in "tensor(float)"; "undefined" if it has none.
ONNXC_API const char *elementTypeName(ElementType type);
/// The type of that name, or Undefined.
ONNXC_API ElementType elementTypeFromName(std::string_view name);
/// Bytes that an element takes in memory; 0 for Undefined.
ONNXC_API size_t elementSize(ElementType type);

template <typename T> struct ElementTypeOf;
#define ONNXC_ELEMENT_TYPE(T, E)                                                                   \
  template <> struct ElementTypeOf<T> { static constexpr ElementType value = ElementType::E; }
ONNXC_ELEMENT_TYPE(float, Float);
ONNXC_ELEMENT_TYPE(double, Double);
ONNXC_ELEMENT_TYPE(int8_t, Int8);
ONNXC_ELEMENT_TYPE(uint8_t, Uint8);
ONNXC_ELEMENT_TYPE(int16_t, Int16);
ONNXC_ELEMENT_TYPE(uint16_t, Uint16);
ONNXC_ELEMENT_TYPE(int32_t, Int32);
ONNXC_ELEMENT_TYPE(uint32_t, Uint32);
ONNXC_ELEMENT_TYPE(int64_t, Int64);
ONNXC_ELEMENT_TYPE(uint64_t, Uint64);
ONNXC_ELEMENT_TYPE(bool, Bool);
#undef ONNXC_ELEMENT_TYPE

enum class ValueKind : int32_t {
  None = ONNXC_NONE,
  Tensor = ONNXC_TENSOR,
  Sequence = ONNXC_SEQUENCE,
  Map = ONNXC_MAP
};

class ONNXC_API Value {
public:
  /// An absent optional.
  Value() = default;

  /// A tensor with its own memory, 64-byte aligned and not initialised; strings are empty.
  static Value tensor(ElementType type, std::vector<int64_t> shape);
  /// A tensor over `data`, contiguous and row-major. It is not copied: it must live as
  /// long as the value, or be owned by `owner`.
  static Value tensor(ElementType type, std::vector<int64_t> shape, void *data,
                      std::shared_ptr<void> owner = nullptr);
  template <typename T> static Value tensor(std::vector<int64_t> shape, T *data) {
    return tensor(ElementTypeOf<std::remove_const_t<T>>::value, std::move(shape),
                  const_cast<std::remove_const_t<T> *>(data));
  }
  /// A string tensor; the strings are copied.
  static Value strings(std::vector<int64_t> shape, const std::vector<std::string_view> &strings);
  static Value sequence(std::vector<Value> items);
  /// `keys` and `values` are tensors of rank 1 and of one length.
  static Value map(Value keys, Value values);
  /// A value of the C ABI, without copying what it points to.
  static Value borrow(const onnxc_value &value);
  /// As borrow(), but copies everything.
  static Value copy(const onnxc_value &value);

  /// Takes over a tensor of the DLPack protocol without copying; a tensor whose
  /// strides are not those of a contiguous one is copied. Calls its deleter. CPU only.
  static Value fromDLPack(DLManagedTensorVersioned *tensor);
  static Value fromDLPack(DLManagedTensor *tensor);
  /// This tensor for another library, which shares the memory. Not for strings.
  DLManagedTensorVersioned *toDLPack() const;
  DLManagedTensor *toDLPackUnversioned() const;

  ValueKind kind() const;
  bool isTensor() const { return kind() == ValueKind::Tensor; }
  bool isNone() const { return kind() == ValueKind::None; }

  // Of a tensor; others give Undefined, an empty shape, null and 0.
  ElementType elementType() const;
  const std::vector<int64_t> &shape() const;
  int64_t numElements() const;
  size_t sizeInBytes() const;
  void *data() const;
  /// Checks the element type (throws InvalidArgument).
  template <typename T> T *data() const {
    return static_cast<T *>(checkedData(ElementTypeOf<std::remove_const_t<T>>::value));
  }
  /// Element i of a string tensor.
  std::string_view stringAt(int64_t i) const;

  /// The items of a sequence; keys and values of a map.
  const std::vector<Value> &items() const;

  /// The value in the form of the C ABI; valid as long as this value.
  const onnxc_value &abi() const;

private:
  struct Rep;
  explicit Value(std::shared_ptr<Rep> rep) : rep(std::move(rep)) {}
  void *checkedData(ElementType type) const;
  std::shared_ptr<Rep> rep;
};

} // namespace onnxc
#endif
