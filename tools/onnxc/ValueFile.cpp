#include "ValueFile.h"

#include "NpyFile.h"
#include "ProtoReader.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace onnxc;
using llvm::StringRef;

onnxc_value ValueStore::tensor(onnxc_elem_type type, const std::vector<int64_t> &dims) {
  int64_t count = countElements(dims.data(), dims.size(), storageSize(type));
  shapes.push_back(dims);
  buffers.emplace_back(static_cast<size_t>(count) * storageSize(type) + 8);
  return onnxc_tensor_value(type, static_cast<int32_t>(dims.size()), shapes.back().data(),
                            buffers.back().data());
}

onnxc_string ValueStore::string(StringRef text) {
  buffers.emplace_back(text.begin(), text.end());
  return {buffers.back().data(), text.size()};
}

onnxc_value ValueStore::sequence(const std::vector<onnxc_value> &values) {
  items.push_back(values);
  onnxc_value value{};
  value.kind = ONNXC_SEQUENCE;
  value.count = values.size();
  value.items = items.back().data();
  return value;
}

size_t onnxc::storageSize(onnxc_elem_type type) {
  switch (type) {
  case ONNXC_UNDEFINED:
    return 0;
  case ONNXC_FLOAT:
  case ONNXC_INT32:
  case ONNXC_UINT32:
    return 4;
  case ONNXC_INT64:
  case ONNXC_UINT64:
  case ONNXC_DOUBLE:
  case ONNXC_COMPLEX64:
    return 8;
  case ONNXC_UINT16:
  case ONNXC_INT16:
  case ONNXC_FLOAT16:
  case ONNXC_BFLOAT16:
    return 2;
  case ONNXC_STRING:
  case ONNXC_COMPLEX128:
    return 16;
  default:
    return type <= ONNXC_INT2 ? 1 : 0;
  }
}

int64_t onnxc::countElements(const int64_t *dims, size_t rank, size_t elementSize) {
  int64_t count = 1, bytes;
  for (size_t i = 0; i < rank; ++i)
    if (dims[i] < 0 || __builtin_mul_overflow(count, dims[i], &count))
      return -1;
  if (__builtin_mul_overflow(count, static_cast<int64_t>(elementSize), &bytes) || bytes > (int64_t(1) << 46))
    return -1;
  return count;
}

namespace {

/// Bits of an element in TensorProto's raw form; less than 8: packed.
unsigned packedBits(onnxc_elem_type type) {
  switch (type) {
  case ONNXC_UINT4:
  case ONNXC_INT4:
  case ONNXC_FLOAT4E2M1:
    return 4;
  case ONNXC_UINT2:
  case ONNXC_INT2:
    return 2;
  default:
    return 8 * static_cast<unsigned>(storageSize(type));
  }
}

/// Element i of packed bits, as it is stored: sign- or zero-extended to a byte.
char unpack(onnxc_elem_type type, StringRef bytes, int64_t i) {
  unsigned bits = packedBits(type), perByte = 8 / bits;
  auto byte = static_cast<unsigned char>(bytes[i / perByte]);
  unsigned value = byte >> (i % perByte * bits) & ((1u << bits) - 1);
  bool isSigned = type == ONNXC_INT4 || type == ONNXC_INT2;
  if (isSigned && value >> (bits - 1))
    value |= ~0u << bits;
  return static_cast<char>(value);
}

struct Reader {
  ValueStore &store;
  std::string &error;

  bool fail(const llvm::Twine &message) {
    if (error.empty())
      error = message.str();
    return false;
  }

  bool readTensor(StringRef bytes, onnxc_value &value, std::string *name) {
    std::vector<int64_t> dims;
    uint64_t type = 0;
    StringRef raw;
    bool hasRaw = false, ok = true;
    std::vector<StringRef> strings;
    // Numbers of the typed fields, as bits.
    std::vector<uint64_t> numbers;
    auto take = [&](uint64_t bits) { numbers.push_back(bits); };
    ProtoReader r(bytes);
    while (r.next()) {
      switch (r.field()) {
      case 1:
        ok &= r.forEachNumber(0, [&](uint64_t d) { dims.push_back(static_cast<int64_t>(d)); });
        break;
      case 2:
        type = r.value();
        break;
      case 4:
        ok &= r.forEachNumber(4, take);
        break;
      case 5:
      case 7:
      case 11:
        ok &= r.forEachNumber(0, take);
        break;
      case 6:
        strings.push_back(r.bytes());
        break;
      case 8:
        if (name)
          *name = r.bytes().str();
        break;
      case 9:
        raw = r.bytes();
        hasRaw = true;
        break;
      case 10:
        ok &= r.forEachNumber(8, take);
        break;
      case 14:
        if (r.value() == 1)
          return fail("the tensor's data is in another file");
        break;
      }
    }
    if (r.failed() || !ok)
      return fail("not a TensorProto");
    auto elemType = static_cast<onnxc_elem_type>(type);
    size_t size = type <= ONNXC_INT2 ? storageSize(elemType) : 0;
    if (size == 0)
      return fail("a tensor of unknown element type " + llvm::Twine(type));
    int64_t count = countElements(dims.data(), dims.size(), size);
    if (count < 0 || dims.size() > ONNXC_MAX_RANK)
      return fail("a tensor of impossible shape");
    return fill(elemType, dims, count, hasRaw, raw, strings, numbers, value);
  }

  bool fill(onnxc_elem_type type, const std::vector<int64_t> &dims, int64_t count, bool hasRaw,
            StringRef raw, const std::vector<StringRef> &strings,
            const std::vector<uint64_t> &numbers, onnxc_value &value) {
    size_t size = storageSize(type);
    auto wrongCount = [&](size_t got) {
      return fail("the tensor's shape has " + llvm::Twine(count) + " elements, its data " +
                  llvm::Twine(got));
    };
    // Checked before anything of the shape's size is allocated.
    unsigned bits = packedBits(type);
    auto rawBytes = static_cast<uint64_t>((static_cast<__int128>(count) * bits + 7) / 8);
    bool isComplex = type == ONNXC_COMPLEX64 || type == ONNXC_COMPLEX128;
    uint64_t expectedNumbers = bits < 8 ? rawBytes : isComplex ? 2 * count : count;
    if (type == ONNXC_STRING ? strings.size() != static_cast<size_t>(count)
        : hasRaw             ? raw.size() != rawBytes
                             : numbers.size() != expectedNumbers)
      return wrongCount(type == ONNXC_STRING ? strings.size()
                        : hasRaw             ? raw.size() * 8 / bits
                                             : numbers.size());
    value = store.tensor(type, dims);
    char *to = static_cast<char *>(value.tensor.data);
    if (type == ONNXC_STRING) {
      for (int64_t i = 0; i < count; ++i)
        reinterpret_cast<onnxc_string *>(to)[i] = store.string(strings[i]);
      return true;
    }
    std::string packed;
    if (bits < 8 && !hasRaw) {
      for (uint64_t n : numbers)
        packed.push_back(static_cast<char>(n));
      raw = packed;
      hasRaw = true;
    }
    if (bits < 8)
      for (int64_t i = 0; i < count; ++i)
        to[i] = unpack(type, raw, i);
    else if (hasRaw)
      std::memcpy(to, raw.data(), raw.size());
    else
      for (size_t i = 0, part = isComplex ? size / 2 : size; i < numbers.size(); ++i)
        std::memcpy(to + i * part, &numbers[i], part); // little endian
    return true;
  }

  bool readProto(StringRef bytes, StringRef type, onnxc_value &value, std::string *name) {
    if (type.starts_with("tensor("))
      return readTensor(bytes, value, name);
    bool isOptional = type.starts_with("optional(");
    if (!isOptional && !type.starts_with("seq("))
      return fail("values of type " + type + " can't be read from a file");
    StringRef inner = type.substr(type.find('(') + 1).drop_back();
    // The field that holds values of the inner type is the same in both messages.
    unsigned wanted = inner.starts_with("tensor(") ? 3 : inner.starts_with("seq(") ? 5 : 7;
    std::vector<onnxc_value> items;
    ProtoReader r(bytes);
    while (r.next()) {
      if (r.field() == 1 && name)
        *name = r.bytes().str();
      if (r.field() != wanted)
        continue;
      items.emplace_back();
      if (!readProto(r.bytes(), inner, items.back(), nullptr))
        return false;
    }
    if (r.failed())
      return fail(isOptional ? "not an OptionalProto" : "not a SequenceProto");
    if (!isOptional)
      value = store.sequence(items);
    else
      value = items.empty() ? onnxc_value{} : items[0];
    return true;
  }
};

// ---- writing ----

void putVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}
void putNumber(std::string &out, unsigned field, uint64_t value) {
  putVarint(out, field << 3);
  putVarint(out, value);
}
void putBytes(std::string &out, unsigned field, StringRef bytes) {
  putVarint(out, field << 3 | 2);
  putVarint(out, bytes.size());
  out += bytes;
}

std::string packElements(const onnxc_value &value, int64_t count) {
  auto type = static_cast<onnxc_elem_type>(value.elem_type);
  StringRef data(static_cast<const char *>(value.tensor.data), count * storageSize(type));
  unsigned bits = packedBits(type);
  if (bits >= 8)
    return data.str();
  unsigned perByte = 8 / bits;
  std::string packed((count + perByte - 1) / perByte, '\0');
  for (int64_t i = 0; i < count; ++i)
    packed[i / perByte] |= static_cast<char>((data[i] & ((1 << bits) - 1)) << (i % perByte * bits));
  return packed;
}

std::string encode(StringRef name, const onnxc_value &value) {
  std::string out;
  switch (value.kind) {
  case ONNXC_TENSOR: {
    const DLTensor &t = value.tensor;
    int64_t count = countElements(t.shape, t.ndim, storageSize(static_cast<onnxc_elem_type>(value.elem_type)));
    for (int i = 0; i < t.ndim; ++i)
      putNumber(out, 1, static_cast<uint64_t>(t.shape[i]));
    putNumber(out, 2, static_cast<uint64_t>(value.elem_type));
    if (value.elem_type == ONNXC_STRING) {
      auto *strings = static_cast<const onnxc_string *>(t.data);
      for (int64_t i = 0; i < count; ++i)
        putBytes(out, 6, StringRef(strings[i].data, strings[i].size));
    } else {
      putBytes(out, 9, packElements(value, count));
    }
    putBytes(out, 8, name);
    break;
  }
  case ONNXC_SEQUENCE: {
    putBytes(out, 1, name);
    int32_t kind = value.count ? value.items[0].kind : ONNXC_TENSOR;
    // SequenceProto.DataType and the field of its values.
    unsigned field = kind == ONNXC_TENSOR ? 3 : kind == ONNXC_SEQUENCE ? 5 : 6;
    putNumber(out, 2, kind == ONNXC_TENSOR ? 1 : kind == ONNXC_SEQUENCE ? 3 : 4);
    for (size_t i = 0; i < value.count; ++i)
      putBytes(out, field, encode("", value.items[i]));
    break;
  }
  case ONNXC_MAP: {
    const onnxc_value &keys = value.items[0];
    putBytes(out, 1, name);
    putNumber(out, 2, static_cast<uint64_t>(keys.elem_type));
    for (int64_t i = 0; i < keys.tensor.shape[0]; ++i) {
      if (keys.elem_type == ONNXC_STRING) {
        const onnxc_string &s = static_cast<const onnxc_string *>(keys.tensor.data)[i];
        putBytes(out, 4, StringRef(s.data, s.size));
      } else {
        int64_t key = 0;
        std::memcpy(&key, static_cast<const char *>(keys.tensor.data) + i * storageSize(static_cast<onnxc_elem_type>(keys.elem_type)),
                    storageSize(static_cast<onnxc_elem_type>(keys.elem_type)));
        putNumber(out, 3, static_cast<uint64_t>(key));
      }
    }
    // The values of a map are one sequence with a tensor.
    onnxc_value values{};
    values.kind = ONNXC_SEQUENCE;
    values.count = 1;
    values.items = &value.items[1];
    putBytes(out, 5, encode("", values));
    break;
  }
  }
  return out;
}

} // namespace

bool onnxc::readValue(StringRef path, StringRef type, ValueStore &store, onnxc_value &value,
                      std::string &error, std::string *name) {
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file) {
    error = (path + ": " + file.getError().message()).str();
    return false;
  }
  std::string why;
  bool ok;
  if (path.ends_with(".npy"))
    ok = readNpy((*file)->getBuffer(), type, store, value, why);
  else if (path.ends_with(".pb"))
    ok = Reader{store, why}.readProto((*file)->getBuffer(), type, value, name);
  else
    ok = (why = "a value's file ends in .npy or .pb", false);
  if (!ok)
    error = (path + ": " + why).str();
  return ok;
}

bool onnxc::writeValue(StringRef path, StringRef name, const onnxc_value &value,
                       std::string &error) {
  std::string bytes, why;
  if (!path.ends_with(".npy"))
    bytes = encode(name, value);
  else if (!encodeNpy(value, bytes, why)) {
    error = (path + ": " + why).str();
    return false;
  }
  std::error_code code;
  llvm::raw_fd_ostream out(path, code);
  if (!code) {
    out << bytes;
    out.close();
    code = out.error();
    out.clear_error();
  }
  if (code)
    error = (path + ": " + code.message()).str();
  return !code;
}
