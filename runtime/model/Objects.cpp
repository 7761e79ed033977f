// Strings, objects, attributes and allocated kernel outputs (runtime/kernels/kernel.h).
#include <string.h>

#include "context.h"

using namespace onnxc_rt;

extern "C" {

void onnxc_alloc_out(onnxc_ctx *ctx, onnxc_tensor *out, int32_t rank, const int64_t *dims) {
  int64_t bytes = tensorBytes(ctx, out->elem_type, rank, dims);
  auto *copy = static_cast<int64_t *>(poolAllocSmall(ctx, (rank + 1) * 8));
  if (rank > 0)
    memcpy(copy, dims, static_cast<size_t>(rank) * 8);
  out->data = onnxc_alloc(ctx, bytes);
  out->rank = rank;
  out->dims = copy;
}

const onnxc_str *onnxc_new_string(onnxc_ctx *ctx, const char *data, int64_t size) {
  if (size < 0)
    failWith(ctx, ONNXC_INVALID_ARGUMENT, "a string is too long");
  auto *string =
      static_cast<onnxc_str *>(poolAllocSmall(ctx, static_cast<int64_t>(sizeof(onnxc_str)) + size));
  auto *copy = reinterpret_cast<char *>(string + 1);
  if (size > 0)
    memcpy(copy, data, static_cast<size_t>(size));
  string->size = size;
  string->data = copy;
  return string;
}

onnxc_object *onnxc_new_object(onnxc_ctx *ctx, int32_t kind, int32_t elemType, int64_t count) {
  int64_t bytes = 0;
  if (__builtin_mul_overflow(count, int64_t(sizeof(onnxc_object *)), &bytes) ||
      __builtin_add_overflow(bytes, int64_t(sizeof(onnxc_object)), &bytes))
    failWith(ctx, ONNXC_OUT_OF_MEMORY, "a sequence is too long");
  auto *object = static_cast<onnxc_object *>(poolAllocSmall(ctx, bytes));
  memset(object, 0, sizeof(onnxc_object));
  object->kind = kind;
  object->elem_type = elemType;
  object->count = count;
  object->items = reinterpret_cast<onnxc_object **>(object + 1);
  return object;
}

onnxc_object *onnxc_new_tensor_object(onnxc_ctx *ctx, const onnxc_tensor *t) {
  onnxc_object *object = onnxc_new_object(ctx, ONNXC_TENSOR, t->elem_type, 0);
  object->tensor.elem_type = t->elem_type;
  onnxc_alloc_out(ctx, &object->tensor, t->rank, t->dims);
  int64_t bytes = tensorBytes(ctx, t->elem_type, t->rank, t->dims);
  if (bytes > 0)
    memcpy(object->tensor.data, t->data, static_cast<size_t>(bytes));
  return object;
}

const onnxc_attr *onnxc_find_attr(const onnxc_attrs *attrs, const char *name) {
  for (int64_t i = 0; attrs && i < attrs->count; ++i)
    if (strcmp(attrs->items[i].name, name) == 0)
      return &attrs->items[i];
  return nullptr;
}

int64_t onnxc_attr_int(const onnxc_attrs *attrs, const char *name, int64_t fallback) {
  const onnxc_attr *attr = onnxc_find_attr(attrs, name);
  return attr && attr->kind == ONNXC_ATTR_INT ? *static_cast<const int64_t *>(attr->data) : fallback;
}

float onnxc_attr_float(const onnxc_attrs *attrs, const char *name, float fallback) {
  const onnxc_attr *attr = onnxc_find_attr(attrs, name);
  return attr && attr->kind == ONNXC_ATTR_FLOAT ? *static_cast<const float *>(attr->data) : fallback;
}

const onnxc_str *onnxc_attr_string(const onnxc_attrs *attrs, const char *name) {
  const onnxc_attr *attr = onnxc_find_attr(attrs, name);
  return attr && attr->kind == ONNXC_ATTR_STRING ? static_cast<const onnxc_str *>(attr->data) : nullptr;
}

} // extern "C"
