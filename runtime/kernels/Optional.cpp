// Optionals: an optional is its value's object, or an object of kind ONNXC_NONE.
#include "objects.h"

using namespace onnxc_k;

ONNXC_KERNEL(Optional) {
  onnxc_object *object =
      isPresent(numIn, in, 0) ? toObject(ctx, in[0]) : onnxc_new_object(ctx, ONNXC_NONE, ONNXC_UNDEFINED, 0);
  giveHandle(ctx, out[0], object);
  return 0;
}

ONNXC_KERNEL(OptionalGetElement) {
  onnxc_object *object = toObject(ctx, in[0]);
  if (object->kind == ONNXC_NONE)
    onnxc_fail(ctx, "OptionalGetElement: the optional has no element");
  giveObject(ctx, "OptionalGetElement", out[0], object);
  return 0;
}

ONNXC_KERNEL(OptionalHasElement) {
  bool has = isPresent(numIn, in, 0) && (in[0].elem_type != ONNXC_HANDLE || objectOf(in[0])->kind != ONNXC_NONE);
  *static_cast<uint8_t *>(prepareOut(ctx, out[0], Dims())) = has;
  return 0;
}
