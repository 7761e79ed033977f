// Between tensors and the objects behind handles.
#ifndef ONNXC_KERNELS_OBJECTS_H
#define ONNXC_KERNELS_OBJECTS_H

#include "common.h"

namespace onnxc_k {

// The object that a 0-d handle tensor holds.
inline onnxc_object *objectOf(const onnxc_tensor &t) { return *dataOf<onnxc_object *>(t); }

// A value as an object: a tensor is copied, a handle's object is shared.
inline onnxc_object *toObject(onnxc_ctx *ctx, const onnxc_tensor &t) {
  return t.elem_type == ONNXC_HANDLE ? objectOf(t) : onnxc_new_tensor_object(ctx, &t);
}

inline void giveHandle(onnxc_ctx *ctx, onnxc_tensor &out, onnxc_object *object) {
  *static_cast<onnxc_object **>(prepareOut(ctx, out, Dims())) = object;
}

// An object as a value of the output's type.
inline void giveObject(onnxc_ctx *ctx, const char *kernel, onnxc_tensor &out, onnxc_object *object) {
  if (out.elem_type == ONNXC_HANDLE) {
    giveHandle(ctx, out, object);
    return;
  }
  const onnxc_tensor &t = object->tensor;
  if (object->kind != ONNXC_TENSOR || t.elem_type != out.elem_type)
    onnxc_fail(ctx, "%s: the element is not a tensor of the expected type", kernel);
  void *to = prepareOut(ctx, out, Dims(t));
  int64_t bytes = onnxc_num_elements(&t) * onnxc_elem_size(t.elem_type);
  if (bytes > 0)
    memcpy(to, t.data, static_cast<size_t>(bytes));
}

} // namespace onnxc_k

#endif
