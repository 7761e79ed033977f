// Checks a run's inputs against the model's signature and turns them into what generated
// code reads. Strings and the tensors of sequences and maps are copied: outputs may
// share them and must outlive the caller's inputs.
#include <string.h>

#include "context.h"

using namespace onnxc_rt;

namespace {

// What absent or empty inputs point to: never NULL, aligned.
alignas(kAlign) char emptyData[kAlign];
const int64_t kNoDims[1] = {0};

[[noreturn]] void reject(onnxc_ctx *ctx, int32_t index, const char *what, const char *expected,
                         const char *got) {
  failWith(ctx, ONNXC_INVALID_ARGUMENT, "input '%s' (%d): %s: expected %s, got %s",
           onnxc_generated_desc.inputs[index].name, index, what, expected, got);
}

const char *kindName(int32_t kind) {
  switch (kind) {
  case ONNXC_NONE: return "none";
  case ONNXC_TENSOR: return "a tensor";
  case ONNXC_SEQUENCE: return "a sequence";
  case ONNXC_MAP: return "a map";
  }
  return "an unknown kind of value";
}

// Checks what every tensor must satisfy and returns its data.
char *checkTensor(onnxc_ctx *ctx, int32_t index, const onnxc_value &value, int32_t elemType) {
  const DLTensor &t = value.tensor;
  if (value.elem_type != elemType)
    reject(ctx, index, "wrong element type", elemTypeName(elemType), elemTypeName(value.elem_type));
  if (t.ndim < 0 || t.ndim > ONNXC_MAX_RANK || (t.ndim > 0 && !t.shape))
    reject(ctx, index, "wrong rank", "a shape of at most 32 dimensions", "another");
  int device = static_cast<int>(t.device.device_type);
  if (device != 0 && device != kDLCPU && device != kDLCUDAHost)
    reject(ctx, index, "wrong device", "memory of the CPU", "memory of another device");
  bool empty = false;
  for (int32_t i = 0; i < t.ndim; ++i) {
    if (t.shape[i] < 0)
      reject(ctx, index, "wrong shape", "sizes of at least 0", shapeText(t.ndim, t.shape).text);
    empty |= t.shape[i] == 0;
  }
  tensorBytes(ctx, elemType, t.ndim, t.shape); // refuses an overflow
  if (empty)
    return emptyData;
  if (t.strides) {
    int64_t stride = 1;
    for (int32_t i = t.ndim - 1; i >= 0; --i) {
      if (t.shape[i] != 1 && t.strides[i] != stride)
        reject(ctx, index, "wrong strides", "a contiguous row-major tensor", shapeText(t.ndim, t.strides).text);
      stride *= t.shape[i];
    }
  }
  if (!t.data)
    reject(ctx, index, "no data", shapeText(t.ndim, t.shape).text, "a NULL pointer");
  char *data = static_cast<char *>(t.data) + t.byte_offset;
  // Complex numbers are aligned as their parts.
  int64_t align = elemType == ONNXC_COMPLEX64 ? 4 : elemType == ONNXC_COMPLEX128 ? 8 : onnxc_elem_size(elemType);
  if (reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(align) != 0)
    reject(ctx, index, "wrong alignment", "data aligned to its elements", "unaligned data");
  return data;
}

// onnxc_string[] as an array of handles.
void *takeStrings(onnxc_ctx *ctx, const char *data, int64_t count) {
  auto *strings = reinterpret_cast<const onnxc_string *>(data);
  auto **handles = static_cast<const onnxc_str **>(onnxc_alloc(ctx, count * 8));
  for (int64_t i = 0; i < count; ++i)
    handles[i] = onnxc_new_string(ctx, strings[i].data, static_cast<int64_t>(strings[i].size));
  return handles;
}

int64_t numElements(const DLTensor &t) {
  int64_t count = 1;
  for (int32_t i = 0; i < t.ndim; ++i)
    count *= t.shape[i];
  return count;
}

struct Span {
  const char *begin, *end;
};

bool startsWith(Span span, const char *word) {
  size_t size = strlen(word);
  return static_cast<size_t>(span.end - span.begin) >= size && memcmp(span.begin, word, size) == 0;
}

// "seq(T)" -> "T"
Span inside(Span type) {
  while (type.begin != type.end && *type.begin != '(')
    ++type.begin;
  if (type.begin != type.end) {
    ++type.begin;
    --type.end;
  }
  return type;
}

int32_t elemTypeNamed(Span name) {
  for (int32_t type = 1; type <= ONNXC_INT2; ++type) {
    const char *candidate = elemTypeName(type);
    if (startsWith(name, candidate) && strlen(candidate) == static_cast<size_t>(name.end - name.begin))
      return type;
  }
  return ONNXC_UNDEFINED;
}

onnxc_object *takeTensor(onnxc_ctx *ctx, int32_t index, const onnxc_value &value, int32_t elemType) {
  if (value.kind != ONNXC_TENSOR)
    reject(ctx, index, "wrong kind of value", "a tensor", kindName(value.kind));
  char *data = checkTensor(ctx, index, value, elemType);
  onnxc_tensor t = {data, value.tensor.shape, value.tensor.ndim, elemType};
  if (elemType == ONNXC_STRING)
    t.data = takeStrings(ctx, data, numElements(value.tensor));
  return onnxc_new_tensor_object(ctx, &t);
}

// A value of a type as the metadata writes it, e.g. "seq(map(int64,tensor(float)))".
onnxc_object *takeValue(onnxc_ctx *ctx, int32_t index, const onnxc_value &value, Span type) {
  if (startsWith(type, "optional")) {
    if (value.kind == ONNXC_NONE)
      return onnxc_new_object(ctx, ONNXC_NONE, ONNXC_UNDEFINED, 0);
    return takeValue(ctx, index, value, inside(type));
  }
  if (startsWith(type, "tensor"))
    return takeTensor(ctx, index, value, elemTypeNamed(inside(type)));
  if (startsWith(type, "seq")) {
    if (value.kind != ONNXC_SEQUENCE)
      reject(ctx, index, "wrong kind of value", "a sequence", kindName(value.kind));
    Span itemType = inside(type);
    int32_t elemType = startsWith(itemType, "tensor") ? elemTypeNamed(inside(itemType)) : ONNXC_UNDEFINED;
    auto count = static_cast<int64_t>(value.count);
    onnxc_object *object = onnxc_new_object(ctx, ONNXC_SEQUENCE, elemType, count);
    for (int64_t i = 0; i < count; ++i)
      object->items[i] = takeValue(ctx, index, value.items[i], itemType);
    return object;
  }
  if (startsWith(type, "map")) {
    if (value.kind != ONNXC_MAP || value.count != 2 || !value.items)
      reject(ctx, index, "wrong kind of value", "a map", kindName(value.kind));
    Span key = inside(type), item = key;
    while (key.begin != item.begin || item.begin != item.end) {
      if (item.begin == item.end || *item.begin == ',')
        break;
      ++item.begin;
    }
    key.end = item.begin;
    if (item.begin != item.end)
      ++item.begin;
    // Values of a map are one tensor of rank 1, for tensor(T) as for T.
    int32_t itemType = startsWith(item, "tensor") ? elemTypeNamed(inside(item)) : elemTypeNamed(item);
    onnxc_object *object = onnxc_new_object(ctx, ONNXC_MAP, ONNXC_UNDEFINED, 2);
    object->items[0] = takeTensor(ctx, index, value.items[0], elemTypeNamed(key));
    object->items[1] = takeTensor(ctx, index, value.items[1], itemType);
    const onnxc_tensor &keys = object->items[0]->tensor, &values = object->items[1]->tensor;
    if (keys.rank != 1 || values.rank != 1 || keys.dims[0] != values.dims[0])
      reject(ctx, index, "wrong map", "keys and values of rank 1 and the same size",
             shapeText(values.rank, values.dims).text);
    return object;
  }
  reject(ctx, index, "wrong type", onnxc_generated_desc.inputs[index].type_str, "a type of another model");
}

struct Symbol {
  int32_t input, dim; // where it was first seen
  int64_t size;       // -1: not yet
};

void checkShape(onnxc_ctx *ctx, int32_t index, const DLTensor &t, Symbol *symbols) {
  const onnxc_arg_desc &desc = onnxc_generated_desc.inputs[index];
  if (desc.rank < 0)
    return;
  if (t.ndim != desc.rank)
    failWith(ctx, ONNXC_INVALID_ARGUMENT, "input '%s' (%d): wrong rank: expected %d, got %d (shape %s)",
             desc.name, index, desc.rank, t.ndim, shapeText(t.ndim, t.shape).text);
  for (int32_t i = 0; i < desc.rank; ++i) {
    int64_t expected = desc.dims[i], got = t.shape[i];
    if (expected >= 0 && got != expected)
      failWith(ctx, ONNXC_INVALID_ARGUMENT,
               "input '%s' (%d): wrong size of dimension %d: expected %lld, got %lld (shape %s)", desc.name,
               index, i, static_cast<long long>(expected), static_cast<long long>(got),
               shapeText(t.ndim, t.shape).text);
    if (expected > -2)
      continue;
    Symbol &symbol = symbols[-expected - 2];
    if (symbol.size < 0) {
      symbol = {index, i, got};
    } else if (symbol.size != got) {
      failWith(ctx, ONNXC_INVALID_ARGUMENT,
               "input '%s' (%d): wrong size of dimension %d: expected %lld, as dimension %d of input '%s', "
               "got %lld",
               desc.name, index, i, static_cast<long long>(symbol.size), symbol.dim,
               onnxc_generated_desc.inputs[symbol.input].name, static_cast<long long>(got));
    }
  }
}

} // namespace

int32_t onnxc_rt::countSymbols() {
  int64_t count = 0;
  for (int32_t i = 0; i < onnxc_generated_desc.num_inputs; ++i) {
    const onnxc_arg_desc &desc = onnxc_generated_desc.inputs[i];
    for (int32_t d = 0; d < desc.rank; ++d)
      if (-desc.dims[d] - 1 > count)
        count = -desc.dims[d] - 1;
  }
  return static_cast<int32_t>(count);
}

void onnxc_rt::takeInputs(onnxc_ctx *ctx) {
  const onnxc_model_desc &model = onnxc_generated_desc;
  if ((model.num_inputs > 0 && !ctx->inputValues) || (model.num_outputs > 0 && !ctx->outputValues))
    failWith(ctx, ONNXC_INVALID_ARGUMENT, "inputs and outputs must not be NULL");
  auto *symbols = static_cast<Symbol *>(onnxc_alloc(ctx, ctx->numSymbols * static_cast<int64_t>(sizeof(Symbol))));
  for (int32_t i = 0; i < ctx->numSymbols; ++i)
    symbols[i] = {0, 0, -1};
  for (int32_t i = 0; i < model.num_inputs; ++i) {
    const onnxc_arg_desc &desc = model.inputs[i];
    const onnxc_value &value = ctx->inputValues[i];
    Input &input = ctx->inputs[i];
    if (desc.kind != ONNXC_TENSOR) {
      auto **cell = static_cast<onnxc_object **>(onnxc_alloc(ctx, 8));
      *cell = takeValue(ctx, i, value, {desc.type_str, desc.type_str + strlen(desc.type_str)});
      input = {cell, kNoDims};
      continue;
    }
    if (value.kind != ONNXC_TENSOR)
      reject(ctx, i, "wrong kind of value", "a tensor", kindName(value.kind));
    char *data = checkTensor(ctx, i, value, desc.elem_type);
    checkShape(ctx, i, value.tensor, symbols);
    input.data = desc.elem_type == ONNXC_STRING ? takeStrings(ctx, data, numElements(value.tensor)) : data;
    input.dims = value.tensor.ndim ? value.tensor.shape : kNoDims;
  }
  onnxc_free(ctx, symbols);
}

extern "C" void *onnxc_input_data(onnxc_ctx *ctx, int32_t i) { return ctx->inputs[i].data; }
extern "C" const int64_t *onnxc_input_dims(onnxc_ctx *ctx, int32_t i) { return ctx->inputs[i].dims; }
