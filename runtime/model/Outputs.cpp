// Hands a run's outputs to the caller: their memory, and the conversion of strings, sequences,
// maps and optionals. All but the caller's and the host's buffers is pool memory, which
// stays until the instance's next run.
#include <string.h>

#include "context.h"

using namespace onnxc_rt;

namespace {

int64_t *copyDims(onnxc_ctx *ctx, int32_t rank, const int64_t *dims) {
  auto *copy = static_cast<int64_t *>(poolAllocSmall(ctx, (rank + 1) * 8));
  if (rank > 0)
    memcpy(copy, dims, static_cast<size_t>(rank) * 8);
  return copy;
}

void describe(onnxc_ctx *ctx, onnxc_value &value, int32_t elemType, int32_t rank, const int64_t *dims, void *data) {
  value.kind = ONNXC_TENSOR;
  value.elem_type = elemType;
  value.tensor.data = data;
  value.tensor.device = {kDLCPU, 0};
  value.tensor.ndim = rank;
  value.tensor.dtype = dlDataType(elemType);
  value.tensor.shape = copyDims(ctx, rank, dims);
  value.tensor.strides = nullptr;
  value.tensor.byte_offset = 0;
  value.count = 0;
  value.items = nullptr;
}

// Storage of an output's elements: strings are onnxc_string outside.
int64_t outsideBytes(onnxc_ctx *ctx, int32_t elemType, int32_t rank, const int64_t *dims) {
  int64_t bytes = tensorBytes(ctx, elemType, rank, dims);
  return elemType == ONNXC_STRING ? bytes / 8 * static_cast<int64_t>(sizeof(onnxc_string)) : bytes;
}

// The caller's buffer, which must fit.
void *callersBuffer(onnxc_ctx *ctx, int32_t index, const onnxc_value &value, int32_t elemType, int32_t rank,
                    const int64_t *dims) {
  const char *name = onnxc_generated_desc.outputs[index].name;
  const DLTensor &t = value.tensor;
  if (value.kind != ONNXC_TENSOR || value.elem_type != elemType)
    failWith(ctx, ONNXC_INVALID_ARGUMENT,
             "output '%s' (%d): wrong element type of the given buffer: expected %s, got %s", name, index,
             elemTypeName(elemType), value.kind == ONNXC_TENSOR ? elemTypeName(value.elem_type) : "no tensor");
  bool fits = t.ndim == rank;
  int64_t stride = 1;
  for (int32_t i = rank - 1; fits && i >= 0; --i) {
    fits = t.shape && t.shape[i] == dims[i] && (!t.strides || dims[i] <= 1 || t.strides[i] == stride);
    stride *= dims[i];
  }
  if (!fits)
    failWith(ctx, ONNXC_INVALID_ARGUMENT,
             "output '%s' (%d): wrong shape of the given buffer: expected %s (contiguous), got %s", name, index,
             shapeText(rank, dims).text,
             t.ndim >= 0 && t.ndim <= ONNXC_MAX_RANK && (t.shape || !t.ndim) ? shapeText(t.ndim, t.shape).text
                                                                             : "no shape");
  return static_cast<char *>(t.data) + t.byte_offset;
}

void *outputMemory(onnxc_ctx *ctx, int32_t index, int32_t elemType, int32_t rank, const int64_t *dims) {
  onnxc_value &value = ctx->outputValues[index];
  int64_t bytes = outsideBytes(ctx, elemType, rank, dims);
  const onnxc_host *host = ctx->host;
  ctx->outputs[index].set = true;
  if (value.tensor.data) {
    void *data = callersBuffer(ctx, index, value, elemType, rank, dims);
    describe(ctx, value, elemType, rank, dims, data);
    return data;
  }
  describe(ctx, value, elemType, rank, dims, nullptr);
  if (host && host->allocate_output && elemType != ONNXC_STRING) {
    value.tensor.data =
        host->allocate_output(host->user, ctx->options ? ctx->options->run_user : nullptr, index, &value.tensor);
    if (!value.tensor.data && bytes > 0)
      failWith(ctx, ONNXC_OUT_OF_MEMORY, "output '%s' (%d): the host gives no memory for shape %s",
               onnxc_generated_desc.outputs[index].name, index, shapeText(rank, dims).text);
  }
  if (!value.tensor.data)
    value.tensor.data = ctx->outputs[index].lent = onnxc_alloc(ctx, bytes);
  return value.tensor.data;
}

void giveStrings(const void *handles, int64_t count, void *to) {
  auto *from = static_cast<const onnxc_str *const *>(handles);
  auto *strings = static_cast<onnxc_string *>(to);
  for (int64_t i = 0; i < count; ++i)
    strings[i] = {from[i]->data, static_cast<size_t>(from[i]->size)};
}

void giveObject(onnxc_ctx *ctx, const onnxc_object &object, onnxc_value &value) {
  memset(&value, 0, sizeof(value));
  value.kind = object.kind;
  if (object.kind == ONNXC_TENSOR) {
    const onnxc_tensor &t = object.tensor;
    void *data = t.data;
    if (t.elem_type == ONNXC_STRING) {
      int64_t count = onnxc_num_elements(&t);
      data = poolAllocSmall(ctx, count * static_cast<int64_t>(sizeof(onnxc_string)));
      giveStrings(t.data, count, data);
    }
    describe(ctx, value, t.elem_type, t.rank, t.dims, data);
    return;
  }
  value.count = static_cast<size_t>(object.count);
  value.items =
      static_cast<onnxc_value *>(poolAllocSmall(ctx, object.count * static_cast<int64_t>(sizeof(onnxc_value))));
  // An item that is the one before's too, as the keys of maps in a sequence, is described once.
  const onnxc_object *before = nullptr;
  for (int64_t i = 0; i < object.count; ++i) {
    const onnxc_object &item = *object.items[i];
    if (item.kind == ONNXC_MAP && before && before->items[0] == item.items[0]) {
      onnxc_value &map = value.items[i];
      memset(&map, 0, sizeof(map));
      map.kind = ONNXC_MAP;
      map.count = 2;
      map.items = static_cast<onnxc_value *>(poolAllocSmall(ctx, 2 * static_cast<int64_t>(sizeof(onnxc_value))));
      map.items[0] = value.items[i - 1].items[0];
      giveObject(ctx, *item.items[1], map.items[1]);
    } else {
      giveObject(ctx, item, value.items[i]);
    }
    before = item.kind == ONNXC_MAP ? &item : nullptr;
  }
}

} // namespace

extern "C" void *onnxc_output(onnxc_ctx *ctx, int32_t index, int32_t rank, const int64_t *dims) {
  return outputMemory(ctx, index, onnxc_generated_desc.outputs[index].elem_type, rank, dims);
}

extern "C" void onnxc_set_output(onnxc_ctx *ctx, int32_t index, int32_t rank, const int64_t *dims, void *data) {
  const onnxc_arg_desc &desc = onnxc_generated_desc.outputs[index];
  if (desc.kind == ONNXC_TENSOR) {
    void *to = outputMemory(ctx, index, desc.elem_type, rank, dims);
    int64_t bytes = tensorBytes(ctx, desc.elem_type, rank, dims);
    if (desc.elem_type == ONNXC_STRING)
      giveStrings(data, bytes / 8, to);
    else if (bytes > 0 && to != data)
      memmove(to, data, static_cast<size_t>(bytes));
    return;
  }
  ctx->outputs[index].set = true;
  giveObject(ctx, **static_cast<const onnxc_object *const *>(data), ctx->outputValues[index]);
}

// A caller may pass the values of its last run again: what they point to then is the
// pool's, not a buffer of the caller.
void onnxc_rt::startOutputs(onnxc_ctx *ctx) {
  for (int32_t i = 0; i < onnxc_generated_desc.num_outputs; ++i) {
    Output &output = ctx->outputs[i];
    if (ctx->outputValues && output.lent && ctx->outputValues[i].tensor.data == output.lent)
      ctx->outputValues[i].tensor.data = nullptr;
    output = {false, nullptr};
  }
}

void onnxc_rt::finishOutputs(onnxc_ctx *ctx) {
  for (int32_t i = 0; i < onnxc_generated_desc.num_outputs; ++i)
    if (!ctx->outputs[i].set)
      failWith(ctx, ONNXC_RUNTIME_ERROR, "output '%s' (%d) was not computed", onnxc_generated_desc.outputs[i].name,
               i);
}
