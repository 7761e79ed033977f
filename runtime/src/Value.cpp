// Values hold the C ABI's form of themselves, so that a run passes them on as they are.
#include "Types.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <tuple>

using namespace onnxc;

Error::~Error() = default;

struct Value::Rep {
  onnxc_value abi{};
  std::vector<int64_t> shape;
  int64_t count = 0;           // elements of a tensor
  std::shared_ptr<void> owner; // of the tensor's data
  std::vector<Value> items;
  std::vector<onnxc_value> abiItems;
  // A copy's items are made from the C ABI's form when they are first asked for.
  bool itemsAreLate = false;
  std::once_flag madeItems;
};

namespace {

// What empty tensors point to: models take a null pointer as "no tensor".
alignas(64) char emptyData[64];

[[noreturn]] void invalid(const std::string &message) {
  throw Error(ErrorCode::InvalidArgument, message);
}

struct StringStorage {
  std::unique_ptr<onnxc_string[]> views;
  std::unique_ptr<char[]> chars;
};

std::shared_ptr<StringStorage> copyStrings(int64_t count, const onnxc_string *strings) {
  size_t total = 0;
  for (int64_t i = 0; i < count; ++i)
    total += strings[i].size;
  auto storage = std::make_shared<StringStorage>();
  storage->views = std::make_unique<onnxc_string[]>(count + 1);
  storage->chars = std::make_unique<char[]>(total + 1);
  char *at = storage->chars.get();
  for (int64_t i = 0; i < count; ++i) {
    if (strings[i].size)
      std::memcpy(at, strings[i].data, strings[i].size);
    storage->views[i] = {at, strings[i].size};
    at += strings[i].size;
  }
  return storage;
}

bool isContiguous(const DLTensor &t) {
  if (!t.strides)
    return true;
  int64_t expected = 1;
  for (int i = t.ndim - 1; i >= 0; --i) {
    if (t.shape[i] == 0)
      return true;
    if (t.shape[i] != 1 && t.strides[i] != expected)
      return false;
    expected *= t.shape[i];
  }
  return true;
}

/// Copies a strided tensor into row-major order.
void gather(const DLTensor &t, size_t size, int dim, const char *from, char *&to) {
  if (dim == t.ndim) {
    std::memcpy(to, from, size);
    to += size;
    return;
  }
  for (int64_t i = 0; i < t.shape[dim]; ++i)
    gather(t, size, dim + 1, from + i * t.strides[dim] * static_cast<int64_t>(size), to);
}

/// Checks a DLTensor from outside and returns a tensor over its data; `owner` frees it.
Value fromTensor(const DLTensor &t, ElementType type, std::shared_ptr<void> owner) {
  if (t.device.device_type != kDLCPU && t.device.device_type != kDLCUDAHost)
    invalid("the tensor is not in CPU memory (DLPack device type " +
            std::to_string(t.device.device_type) + ")");
  if (t.ndim < 0 || t.ndim > ONNXC_MAX_RANK || (t.ndim && !t.shape))
    invalid("a tensor of rank " + std::to_string(t.ndim) + "; at most " +
            std::to_string(ONNXC_MAX_RANK) + " is supported");
  std::vector<int64_t> shape(t.shape, t.shape + t.ndim);
  char *data = static_cast<char *>(t.data) + (t.data ? t.byte_offset : 0);
  if (isContiguous(t))
    return Value::tensor(type, std::move(shape), data, std::move(owner));
  Value copy = Value::tensor(type, std::move(shape));
  if (copy.numElements()) {
    char *to = static_cast<char *>(copy.data());
    gather(t, elementSize(type), 0, data, to);
  }
  return copy;
}

template <typename Managed> Value takeManaged(Managed *managed, bool padded) {
  if (!managed)
    invalid("a null DLPack tensor");
  std::shared_ptr<void> owner(managed, [](void *p) {
    auto *m = static_cast<Managed *>(p);
    if (m->deleter)
      m->deleter(m);
  });
  const DLTensor &t = managed->dl_tensor;
  ElementType type = fromDLDataType(t.dtype);
  if (type == ElementType::Undefined)
    invalid("ONNX has no element type for DLPack type code " + std::to_string(t.dtype.code) +
            ", " + std::to_string(t.dtype.bits) + " bits, " + std::to_string(t.dtype.lanes) +
            " lanes");
  if (t.dtype.bits < 8 && !padded)
    invalid(std::string("a packed ") + elementTypeName(type) +
            " tensor; one byte per element is expected");
  return fromTensor(t, type, std::move(owner));
}

/// A DLPack tensor that shares and keeps alive a Value.
template <typename Managed> struct Exported {
  Managed managed;
  Value value;
};

template <typename Managed> Managed *exportManaged(const Value &value) {
  if (!value.isTensor() || value.elementType() == ElementType::String)
    invalid("DLPack has only tensors of numbers");
  auto *exported = new Exported<Managed>{{}, value};
  exported->managed.dl_tensor = value.abi().tensor;
  exported->managed.manager_ctx = exported;
  exported->managed.deleter = [](Managed *m) {
    delete static_cast<Exported<Managed> *>(m->manager_ctx);
  };
  return &exported->managed;
}

/// Copies sequences and maps from outside into one block of memory, with all that they point to. Maps in
/// a sequence that have the same keys share the copy of these.
class Copier {
public:
  /// The copy and the memory that it lies in.
  std::pair<onnxc_value, std::shared_ptr<void>> copy(const onnxc_value &value) {
    onnxc_value result{};
    visit(value, result); // only counts
    block = allocateAligned(used);
    used = 0;
    keysFrom = nullptr;
    visit(value, result);
    return {result, std::move(block)};
  }

private:
  template <typename T> T *take(size_t count) {
    char *at = static_cast<char *>(block.get());
    T *result = at ? reinterpret_cast<T *>(at + used) : nullptr;
    used += (count * sizeof(T) + 15) / 16 * 16;
    return result;
  }

  void visit(const onnxc_value &from, onnxc_value &to) {
    if (from.kind == ONNXC_NONE)
      return;
    to.kind = from.kind;
    if (from.kind == ONNXC_TENSOR)
      return visitTensor(from, to);
    if (from.kind != ONNXC_SEQUENCE && from.kind != ONNXC_MAP)
      invalid("a value of unknown kind " + std::to_string(from.kind));
    if (from.count && !from.items)
      invalid("a sequence or map without items");
    if (from.kind == ONNXC_MAP && from.count != 2)
      invalid("a map consists of keys and values");
    auto *items = take<onnxc_value>(from.count);
    to.items = items;
    to.count = from.count;
    for (size_t i = 0; i < from.count; ++i) {
      onnxc_value item{};
      if (from.kind == ONNXC_MAP && i == 0)
        visitKeys(from.items[i], item);
      else
        visit(from.items[i], item);
      if (items)
        items[i] = item;
    }
  }

  void visitKeys(const onnxc_value &from, onnxc_value &to) {
    const DLTensor &t = from.tensor;
    bool isSame = keysFrom && from.kind == ONNXC_TENSOR && from.elem_type == keys.elem_type &&
                  t.data == keysFrom && t.ndim == 1 && keys.tensor.ndim == 1 && t.shape &&
                  t.shape[0] == keysCount;
    if (!isSame) {
      to = {};
      visit(from, to);
      keys = to;
      keysFrom = from.kind == ONNXC_TENSOR && t.ndim == 1 && t.shape ? t.data : nullptr;
      keysCount = keysFrom ? t.shape[0] : 0;
    }
    to = keys;
  }

  void visitTensor(const onnxc_value &from, onnxc_value &to) {
    auto type = static_cast<ElementType>(from.elem_type);
    const DLTensor &t = from.tensor;
    int64_t count = 0;
    bool fits = t.ndim >= 0 && t.ndim <= ONNXC_MAX_RANK && (t.ndim == 0 || t.shape) && elementSize(type) != 0 &&
                countElements(t.shape, t.ndim, elementSize(type), count) && (count == 0 || t.data);
    if (!fits || !isContiguous(t))
      invalid("a tensor that a model gave is not a contiguous tensor");
    to.elem_type = from.elem_type;
    to.tensor = t;
    to.tensor.strides = nullptr;
    to.tensor.byte_offset = 0;
    auto *shape = take<int64_t>(t.ndim);
    to.tensor.shape = shape;
    if (shape)
      std::copy_n(t.shape, t.ndim, shape);
    const char *data = static_cast<const char *>(t.data) + t.byte_offset;
    auto *bytes = take<char>(count * elementSize(type));
    to.tensor.data = bytes;
    if (bytes && count)
      std::memcpy(bytes, data, count * elementSize(type));
    if (type != ElementType::String)
      return;
    auto *strings = reinterpret_cast<onnxc_string *>(bytes);
    for (int64_t i = 0; i < count; ++i) {
      const onnxc_string &s = reinterpret_cast<const onnxc_string *>(data)[i];
      char *chars = take<char>(s.size);
      if (!chars)
        continue;
      if (s.size)
        std::memcpy(chars, s.data, s.size);
      strings[i].data = chars;
    }
  }

  std::shared_ptr<void> block; // none while counting
  size_t used = 0;
  onnxc_value keys{};
  const void *keysFrom = nullptr;
  int64_t keysCount = 0;
};

} // namespace

std::shared_ptr<void> onnxc::allocateAligned(size_t bytes) {
  void *data = std::aligned_alloc(64, bytes / 64 * 64 + 64);
  if (!data)
    throw Error(ErrorCode::OutOfMemory,
                "out of memory: a tensor of " + std::to_string(bytes) + " bytes");
  return std::shared_ptr<void>(data, std::free);
}

Value Value::tensor(ElementType type, std::vector<int64_t> shape, void *data,
                    std::shared_ptr<void> owner) {
  auto rep = std::make_shared<Rep>();
  if (elementSize(type) == 0)
    invalid("a tensor needs an element type");
  if (shape.size() > ONNXC_MAX_RANK)
    invalid("a tensor of rank " + std::to_string(shape.size()) + "; at most " +
            std::to_string(ONNXC_MAX_RANK) + " is supported");
  if (!countElements(shape.data(), shape.size(), elementSize(type), rep->count))
    invalid("a tensor of shape " + shapeString(shape.data(), shape.size()) +
            " has a negative or too large size");
  if (rep->count && !data)
    invalid("a tensor of shape " + shapeString(shape.data(), shape.size()) + " without data");
  rep->shape = std::move(shape);
  rep->owner = std::move(owner);
  rep->abi.kind = ONNXC_TENSOR;
  rep->abi.elem_type = static_cast<int32_t>(type);
  rep->abi.tensor.data = data ? data : emptyData;
  rep->abi.tensor.device = {kDLCPU, 0};
  rep->abi.tensor.ndim = static_cast<int32_t>(rep->shape.size());
  rep->abi.tensor.dtype = toDLDataType(type);
  rep->abi.tensor.shape = rep->shape.data();
  return Value(std::move(rep));
}

Value Value::tensor(ElementType type, std::vector<int64_t> shape) {
  size_t size = elementSize(type);
  int64_t count;
  if (!countElements(shape.data(), shape.size(), size, count))
    invalid("a tensor of shape " + shapeString(shape.data(), shape.size()) +
            " has a negative or too large size");
  if (type == ElementType::String)
    return strings(std::move(shape), std::vector<std::string_view>(count));
  std::shared_ptr<void> memory = allocateAligned(static_cast<size_t>(count) * size);
  void *data = memory.get();
  return tensor(type, std::move(shape), data, std::move(memory));
}

Value Value::strings(std::vector<int64_t> shape, const std::vector<std::string_view> &strings) {
  int64_t count;
  if (!countElements(shape.data(), shape.size(), sizeof(onnxc_string), count) ||
      count != static_cast<int64_t>(strings.size()))
    invalid(std::to_string(strings.size()) + " strings for a tensor of shape " +
            shapeString(shape.data(), shape.size()));
  std::vector<onnxc_string> views;
  views.reserve(strings.size());
  for (std::string_view s : strings)
    views.push_back({s.data(), s.size()});
  auto storage = copyStrings(count, views.data());
  void *data = storage->views.get();
  return tensor(ElementType::String, std::move(shape), data, std::move(storage));
}

Value Value::sequence(std::vector<Value> items) {
  auto rep = std::make_shared<Rep>();
  rep->abiItems.reserve(items.size());
  for (const Value &item : items)
    rep->abiItems.push_back(item.abi());
  rep->items = std::move(items);
  rep->abi.kind = ONNXC_SEQUENCE;
  rep->abi.count = rep->abiItems.size();
  rep->abi.items = rep->abiItems.data();
  return Value(std::move(rep));
}

Value Value::map(Value keys, Value values) {
  if (!keys.isTensor() || keys.shape().size() != 1 || !values.isTensor() ||
      values.shape() != keys.shape())
    invalid("a map is made of keys and values, two tensors of rank 1 and of equal size");
  Value result = sequence({std::move(keys), std::move(values)});
  result.rep->abi.kind = ONNXC_MAP;
  return result;
}

Value Value::borrow(const onnxc_value &value) {
  switch (value.kind) {
  case ONNXC_NONE:
    return Value();
  case ONNXC_TENSOR:
    return fromTensor(value.tensor, static_cast<ElementType>(value.elem_type), nullptr);
  case ONNXC_SEQUENCE:
  case ONNXC_MAP: {
    if (value.count && !value.items)
      invalid("a sequence or map without items");
    std::vector<Value> items;
    for (size_t i = 0; i < value.count; ++i)
      items.push_back(borrow(value.items[i]));
    if (value.kind == ONNXC_SEQUENCE)
      return sequence(std::move(items));
    if (items.size() != 2)
      invalid("a map consists of keys and values");
    return map(std::move(items[0]), std::move(items[1]));
  }
  }
  invalid("a value of unknown kind " + std::to_string(value.kind));
}

Value Value::copy(const onnxc_value &value) {
  if (value.kind != ONNXC_SEQUENCE && value.kind != ONNXC_MAP) {
    Value view = borrow(value);
    if (!view.isTensor())
      return view;
    if (view.elementType() == ElementType::String) {
      auto storage = copyStrings(view.numElements(), static_cast<onnxc_string *>(view.data()));
      void *data = storage->views.get();
      return tensor(ElementType::String, view.shape(), data, std::move(storage));
    }
    Value result = tensor(view.elementType(), view.shape());
    if (view.sizeInBytes())
      std::memcpy(result.data(), view.data(), view.sizeInBytes());
    return result;
  }
  auto rep = std::make_shared<Rep>();
  std::tie(rep->abi, rep->owner) = Copier().copy(value);
  rep->itemsAreLate = true;
  return Value(std::move(rep));
}

Value Value::fromDLPack(DLManagedTensorVersioned *tensor) {
  if (tensor && tensor->version.major > DLPACK_MAJOR_VERSION)
    throw Error(ErrorCode::Unsupported,
                "a tensor of DLPack version " + std::to_string(tensor->version.major));
  return takeManaged(tensor,
                     tensor && tensor->flags & DLPACK_FLAG_BITMASK_IS_SUBBYTE_TYPE_PADDED);
}

Value Value::fromDLPack(DLManagedTensor *tensor) { return takeManaged(tensor, false); }

DLManagedTensorVersioned *Value::toDLPack() const {
  auto *managed = exportManaged<DLManagedTensorVersioned>(*this);
  managed->version = {DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION};
  managed->flags = managed->dl_tensor.dtype.bits < 8 ? DLPACK_FLAG_BITMASK_IS_SUBBYTE_TYPE_PADDED : 0;
  return managed;
}

DLManagedTensor *Value::toDLPackUnversioned() const {
  if (isTensor() && toDLDataType(elementType()).bits < 8)
    invalid("types below a byte need DLPack 1.0 or newer");
  return exportManaged<DLManagedTensor>(*this);
}

const onnxc_value &Value::abi() const {
  static const onnxc_value none{};
  return rep ? rep->abi : none;
}

ValueKind Value::kind() const { return static_cast<ValueKind>(abi().kind); }
ElementType Value::elementType() const { return static_cast<ElementType>(abi().elem_type); }
void *Value::data() const { return abi().tensor.data; }
int64_t Value::numElements() const { return rep ? rep->count : 0; }
size_t Value::sizeInBytes() const { return numElements() * elementSize(elementType()); }

const std::vector<int64_t> &Value::shape() const {
  static const std::vector<int64_t> none;
  return rep ? rep->shape : none;
}

const std::vector<Value> &Value::items() const {
  static const std::vector<Value> none;
  if (!rep || !rep->itemsAreLate)
    return rep ? rep->items : none;
  std::call_once(rep->madeItems, [this] {
    std::vector<Value> items;
    for (size_t i = 0; i < rep->abi.count; ++i) {
      const onnxc_value &item = rep->abi.items[i];
      if (item.kind == ONNXC_TENSOR) {
        items.push_back(fromTensor(item.tensor, static_cast<ElementType>(item.elem_type), rep->owner));
        continue;
      }
      auto inner = item.kind == ONNXC_NONE ? nullptr : std::make_shared<Rep>();
      if (inner) {
        inner->abi = item;
        inner->owner = rep->owner;
        inner->itemsAreLate = true;
      }
      items.push_back(Value(std::move(inner)));
    }
    rep->items = std::move(items);
  });
  return rep->items;
}

void *Value::checkedData(ElementType type) const {
  if (elementType() != type)
    invalid(std::string("data of type ") + elementTypeName(type) + " asked of a value of type " +
            elementTypeName(elementType()));
  return data();
}

std::string_view Value::stringAt(int64_t i) const {
  if (elementType() != ElementType::String || i < 0 || i >= numElements())
    invalid("no string " + std::to_string(i) + " in this value");
  const onnxc_string &s = static_cast<const onnxc_string *>(data())[i];
  return {s.data, s.size};
}
