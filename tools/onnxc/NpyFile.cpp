#include "NpyFile.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ConvertUTF.h"

#include <algorithm>
#include <cstring>

using namespace onnxc;
using llvm::StringRef;

namespace {

struct Code {
  onnxc_elem_type type;
  const char *name; // as the runtime writes the element type
  const char *descr;
};

// Types without a form of NumPy's own are saved as void of their size.
constexpr Code codes[] = {
    {ONNXC_FLOAT, "float", "<f4"},
    {ONNXC_UINT8, "uint8", "|u1"},
    {ONNXC_INT8, "int8", "|i1"},
    {ONNXC_UINT16, "uint16", "<u2"},
    {ONNXC_INT16, "int16", "<i2"},
    {ONNXC_INT32, "int32", "<i4"},
    {ONNXC_INT64, "int64", "<i8"},
    {ONNXC_BOOL, "bool", "|b1"},
    {ONNXC_FLOAT16, "float16", "<f2"},
    {ONNXC_DOUBLE, "double", "<f8"},
    {ONNXC_UINT32, "uint32", "<u4"},
    {ONNXC_UINT64, "uint64", "<u8"},
    {ONNXC_COMPLEX64, "complex64", "<c8"},
    {ONNXC_COMPLEX128, "complex128", "<c16"},
    {ONNXC_BFLOAT16, "bfloat16", "<V2"},
    {ONNXC_FLOAT8E4M3FN, "float8e4m3fn", "|V1"},
    {ONNXC_FLOAT8E4M3FNUZ, "float8e4m3fnuz", "|V1"},
    {ONNXC_FLOAT8E5M2, "float8e5m2", "|V1"},
    {ONNXC_FLOAT8E5M2FNUZ, "float8e5m2fnuz", "|V1"},
    {ONNXC_UINT4, "uint4", "|V1"},
    {ONNXC_INT4, "int4", "|V1"},
    {ONNXC_FLOAT4E2M1, "float4e2m1", "|V1"},
    {ONNXC_FLOAT8E8M0, "float8e8m0", "|V1"},
    {ONNXC_UINT2, "uint2", "|V1"},
    {ONNXC_INT2, "int2", "|V1"},
};

/// ml_dtypes keeps types below a byte in the lower bits; in memory ours are sign- or
/// zero-extended.
void extend(onnxc_elem_type type, char *data, int64_t count) {
  bool isSigned = type == ONNXC_INT4 || type == ONNXC_INT2;
  unsigned unused = type == ONNXC_INT2 || type == ONNXC_UINT2 ? 6 : 4;
  for (int64_t i = 0; i < count; ++i) {
    auto shifted = static_cast<uint8_t>(data[i] << unused);
    data[i] = isSigned ? static_cast<int8_t>(shifted) >> unused : shifted >> unused;
  }
}

bool isBelowAByte(onnxc_elem_type type) {
  return type == ONNXC_INT4 || type == ONNXC_UINT4 || type == ONNXC_INT2 || type == ONNXC_UINT2 ||
         type == ONNXC_FLOAT4E2M1;
}

/// The text after 'key': in the header's dictionary.
StringRef entry(StringRef header, StringRef key) {
  size_t at = header.find(("'" + key + "'").str());
  if (at == StringRef::npos)
    return {};
  StringRef rest = header.drop_front(at + key.size() + 2).ltrim();
  return rest.consume_front(":") ? rest.ltrim() : StringRef();
}

std::string fromUtf32(StringRef bytes) {
  std::string text;
  for (size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    uint32_t c;
    std::memcpy(&c, bytes.data() + i, 4);
    char buffer[4], *end = buffer;
    if (c && llvm::ConvertCodePointToUTF8(c, end))
      text.append(buffer, end);
  }
  return text;
}

/// Copies Fortran order into row-major order.
void transpose(const std::vector<int64_t> &dims, size_t size, const char *from, char *to,
               int64_t count) {
  std::vector<int64_t> index(dims.size());
  for (int64_t i = 0; i < count; ++i, to += size) {
    int64_t at = 0;
    for (size_t d = dims.size(); d-- > 0;)
      at = at * dims[d] + index[d];
    std::memcpy(to, from + at * size, size);
    for (size_t d = dims.size(); d-- > 0;) {
      if (++index[d] < dims[d])
        break;
      index[d] = 0;
    }
  }
}

} // namespace

bool onnxc::readNpy(StringRef file, StringRef type, ValueStore &store, onnxc_value &value,
                    std::string &error) {
  auto fail = [&](const llvm::Twine &message) {
    error = message.str();
    return false;
  };
  if (file.size() < 10 || !file.starts_with("\x93NUMPY"))
    return fail("not a .npy file");
  size_t lengthBytes = file[6] == 1 ? 2 : 4, length = 0;
  if (file.size() < 8 + lengthBytes)
    return fail("the file is truncated");
  std::memcpy(&length, file.data() + 8, lengthBytes);
  if (file.size() - 8 - lengthBytes < length)
    return fail("the file is truncated");
  StringRef header = file.substr(8 + lengthBytes, length);
  StringRef data = file.substr(8 + lengthBytes + length);

  StringRef descr = entry(header, "descr");
  if (!descr.consume_front("'"))
    return fail("arrays with fields are not supported");
  descr = descr.take_until([](char c) { return c == '\''; });
  bool isFortran = entry(header, "fortran_order").starts_with("True");
  StringRef shape = entry(header, "shape");
  std::vector<int64_t> dims;
  if (!shape.consume_front("("))
    return fail("not a .npy file");
  shape = shape.take_until([](char c) { return c == ')'; });
  while (!(shape = shape.ltrim(" ,")).empty()) {
    int64_t dim;
    if (shape.consumeInteger(10, dim) || dim < 0)
      return fail("not a .npy file");
    dims.push_back(dim);
  }

  // Strings: of a fixed number of UTF-32 or byte characters, padded with zeros.
  StringRef width = descr.drop_front(std::min<size_t>(2, descr.size()));
  char kind = descr.size() > 1 ? descr[1] : '\0';
  size_t fileSize = 0;
  auto elemType = ONNXC_UNDEFINED;
  if (kind == 'U' || kind == 'S') {
    if (width.getAsInteger(10, fileSize) || fileSize > 1u << 28)
      return fail("unknown type '" + descr + "'");
    fileSize *= kind == 'U' ? 4 : 1;
    elemType = ONNXC_STRING;
  } else {
    std::string native = descr.str();
    if (native.size() > 2 && native[0] != '>')
      native[0] = width == "1" ? '|' : '<';
    for (const Code &code : codes) {
      bool named = type == ("tensor(" + StringRef(code.name) + ")").str();
      // ml_dtypes saves its types as void, or as '<f1'.
      bool isOpaque = (kind == 'V' || descr.ends_with("f1")) && width == StringRef(code.descr + 2);
      if (code.descr[1] == 'V' ? !isOpaque || !named : native != code.descr)
        continue;
      elemType = code.type;
      fileSize = storageSize(elemType);
    }
    if (elemType == ONNXC_UNDEFINED)
      return fail("NumPy's type '" + descr + "' is not supported for an input of type " + type);
  }
  int64_t count = countElements(dims.data(), dims.size(), std::max(fileSize, storageSize(elemType)));
  if (count < 0 || dims.size() > ONNXC_MAX_RANK ||
      data.size() < static_cast<uint64_t>(count) * fileSize)
    return fail("the file is truncated");

  std::string reordered;
  if (isFortran && dims.size() > 1) {
    reordered.resize(static_cast<size_t>(count) * fileSize);
    transpose(dims, fileSize, data.data(), reordered.data(), count);
    data = reordered;
  }
  value = store.tensor(elemType, dims);
  if (elemType != ONNXC_STRING) {
    std::memcpy(value.tensor.data, data.data(), static_cast<size_t>(count) * fileSize);
    if (isBelowAByte(elemType))
      extend(elemType, static_cast<char *>(value.tensor.data), count);
    return true;
  }
  auto *strings = static_cast<onnxc_string *>(value.tensor.data);
  for (int64_t i = 0; i < count; ++i) {
    StringRef item = data.substr(i * fileSize, fileSize);
    strings[i] = store.string(kind == 'U' ? fromUtf32(item) : item.rtrim('\0').str());
  }
  return true;
}

bool onnxc::encodeNpy(const onnxc_value &value, std::string &file, std::string &error) {
  auto fail = [&](const char *message) {
    error = message;
    return false;
  };
  if (value.kind != ONNXC_TENSOR)
    return fail("only tensors can be saved as .npy; use .pb");
  const DLTensor &t = value.tensor;
  auto type = static_cast<onnxc_elem_type>(value.elem_type);
  size_t size = storageSize(type);
  int64_t count = countElements(t.shape, t.ndim, size);
  std::string descr, strings;
  StringRef data(static_cast<const char *>(t.data), count * size);
  if (type == ONNXC_STRING) {
    std::vector<std::vector<llvm::UTF32>> decoded(count);
    size_t width = 1;
    for (int64_t i = 0; i < count; ++i) {
      const onnxc_string &s = static_cast<const onnxc_string *>(t.data)[i];
      auto &to = decoded[i];
      to.resize(s.size + 1);
      auto *from = reinterpret_cast<const llvm::UTF8 *>(s.data);
      llvm::UTF32 *at = to.data();
      if (s.size && llvm::ConvertUTF8toUTF32(&from, from + s.size, &at, at + s.size,
                                             llvm::strictConversion) != llvm::conversionOK)
        return fail("a string that is not UTF-8 can't be saved as .npy; use .pb");
      to.resize(at - to.data());
      width = std::max(width, to.size());
    }
    for (auto &to : decoded) {
      to.resize(width);
      strings.append(reinterpret_cast<const char *>(to.data()), width * 4);
    }
    data = strings;
    descr = "<U" + std::to_string(width);
  } else {
    for (const Code &code : codes)
      if (code.type == type)
        descr = code.descr;
  }
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (";
  for (int i = 0; i < t.ndim; ++i)
    header += std::to_string(t.shape[i]) + (t.ndim == 1 || i + 1 < t.ndim ? ", " : "");
  header += "), }";
  // The data begins at a multiple of 64.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  file = "\x93NUMPY";
  file += '\1';
  file += '\0';
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  file += header;
  file += data;
  if (type == ONNXC_INT4 || type == ONNXC_INT2)
    for (char &c : llvm::MutableArrayRef<char>(file.data() + file.size() - count, count))
      c &= type == ONNXC_INT4 ? 0x0f : 0x03;
  return true;
}
