// Sequences. They are immutable; an append shares the item array of the sequence it extends when
// that has room and nobody else has appended to it, so that loops that
// collect values take linear time and memory.
#include "objects.h"

using namespace onnxc_k;

namespace {

// Behind an appendable item array; the sequence's unused tensor.data points to it.
struct Growth {
  int64_t used, capacity;
  onnxc_object *items[1];
};

onnxc_object *sequenceOf(onnxc_ctx *ctx, const char *kernel, const onnxc_tensor &t) {
  onnxc_object *sequence = objectOf(t);
  if (sequence->kind != ONNXC_SEQUENCE)
    onnxc_fail(ctx, "%s: the input is not a sequence", kernel);
  return sequence;
}

// position as given by operand i, in [0, limit).
int64_t positionOf(onnxc_ctx *ctx, const char *kernel, const onnxc_tensor &t, int64_t count, int64_t limit) {
  int64_t position = intAt(t, 0);
  int64_t normalized = position < 0 ? position + count : position;
  if (normalized < 0 || normalized >= limit)
    onnxc_fail(ctx, "%s: position %lld is out of range for a sequence of %lld", kernel,
               static_cast<long long>(position), static_cast<long long>(count));
  return normalized;
}

onnxc_object *append(onnxc_ctx *ctx, const onnxc_object *sequence, onnxc_object *item) {
  int64_t count = sequence->count;
  auto *growth = static_cast<Growth *>(sequence->tensor.data);
  if (!growth || growth->used != count || growth->used == growth->capacity) {
    int64_t capacity = count < 4 ? 8 : count * 2;
    auto *larger = reinterpret_cast<Growth *>(
        scratch<char>(ctx, static_cast<int64_t>(sizeof(Growth)) + capacity * static_cast<int64_t>(sizeof(void *))));
    if (count > 0)
      memcpy(larger->items, sequence->items, static_cast<size_t>(count) * sizeof(void *));
    larger->used = count;
    larger->capacity = capacity;
    growth = larger;
  }
  growth->items[growth->used++] = item;
  onnxc_object *result = onnxc_new_object(ctx, ONNXC_SEQUENCE, sequence->elem_type, 0);
  result->count = growth->used;
  result->items = growth->items;
  result->tensor.data = growth;
  return result;
}

} // namespace

ONNXC_KERNEL(SequenceConstruct) {
  int32_t elemType = numIn > 0 && in[0].elem_type != ONNXC_HANDLE ? in[0].elem_type : 0;
  onnxc_object *sequence = onnxc_new_object(ctx, ONNXC_SEQUENCE, elemType, numIn);
  for (int32_t i = 0; i < numIn; ++i)
    sequence->items[i] = toObject(ctx, in[i]);
  giveHandle(ctx, out[0], sequence);
  return 0;
}

ONNXC_KERNEL(SequenceEmpty) {
  auto elemType = static_cast<int32_t>(onnxc_attr_int(attrs, "dtype", ONNXC_FLOAT));
  giveHandle(ctx, out[0], onnxc_new_object(ctx, ONNXC_SEQUENCE, elemType, 0));
  return 0;
}

ONNXC_KERNEL(SequenceAt) {
  onnxc_object *sequence = sequenceOf(ctx, "SequenceAt", in[0]);
  int64_t position = positionOf(ctx, "SequenceAt", in[1], sequence->count, sequence->count);
  giveObject(ctx, "SequenceAt", out[0], sequence->items[position]);
  return 0;
}

ONNXC_KERNEL(SequenceInsert) {
  onnxc_object *sequence = sequenceOf(ctx, "SequenceInsert", in[0]);
  onnxc_object *item = toObject(ctx, in[1]);
  int64_t count = sequence->count;
  int64_t position =
      isPresent(numIn, in, 2) ? positionOf(ctx, "SequenceInsert", in[2], count, count + 1) : count;
  if (position == count) {
    giveHandle(ctx, out[0], append(ctx, sequence, item));
    return 0;
  }
  onnxc_object *result = onnxc_new_object(ctx, ONNXC_SEQUENCE, sequence->elem_type, count + 1);
  for (int64_t i = 0; i <= count; ++i)
    result->items[i] = i < position ? sequence->items[i] : i == position ? item : sequence->items[i - 1];
  giveHandle(ctx, out[0], result);
  return 0;
}

ONNXC_KERNEL(SequenceErase) {
  onnxc_object *sequence = sequenceOf(ctx, "SequenceErase", in[0]);
  int64_t count = sequence->count;
  if (count == 0)
    onnxc_fail(ctx, "SequenceErase: the sequence is empty");
  int64_t position = isPresent(numIn, in, 1) ? positionOf(ctx, "SequenceErase", in[1], count, count) : count - 1;
  onnxc_object *result = onnxc_new_object(ctx, ONNXC_SEQUENCE, sequence->elem_type, count - 1);
  for (int64_t i = 0; i < count - 1; ++i)
    result->items[i] = sequence->items[i < position ? i : i + 1];
  giveHandle(ctx, out[0], result);
  return 0;
}

ONNXC_KERNEL(SequenceLength) {
  *static_cast<int64_t *>(prepareOut(ctx, out[0], Dims())) = sequenceOf(ctx, "SequenceLength", in[0])->count;
  return 0;
}

ONNXC_KERNEL(SplitToSequence) {
  const onnxc_tensor &x = in[0];
  if (x.rank == 0)
    onnxc_fail(ctx, "SplitToSequence: the input is a scalar");
  auto axis = static_cast<int32_t>(normalizeAxis(ctx, onnxc_attr_int(attrs, "axis", 0), x.rank));
  bool hasSplit = isPresent(numIn, in, 1);
  bool squeeze = !hasSplit && !onnxc_attr_int(attrs, "keepdims", 1);
  int64_t n = x.dims[axis], chunk = 1, pieces = n;
  bool lengths = hasSplit && in[1].rank == 1;
  if (lengths) {
    pieces = in[1].dims[0];
  } else if (hasSplit) {
    chunk = intAt(in[1], 0);
    if (chunk <= 0)
      onnxc_fail(ctx, "SplitToSequence: split is %lld", static_cast<long long>(chunk));
    pieces = (n + chunk - 1) / chunk;
  }
  Dims dims(x);
  int64_t outer = dims.product(0, axis);
  int64_t inner = dims.product(axis + 1, dims.rank) * onnxc_elem_size(x.elem_type);
  onnxc_object *sequence = onnxc_new_object(ctx, ONNXC_SEQUENCE, x.elem_type, pieces);
  int64_t begin = 0;
  for (int64_t p = 0; p < pieces; ++p) {
    int64_t length = lengths ? intAt(in[1], p) : begin + chunk < n ? chunk : n - begin;
    if (length < 0 || length > n - begin)
      onnxc_fail(ctx, "SplitToSequence: the lengths do not fit the axis of %lld", static_cast<long long>(n));
    dims.sizes[axis] = length;
    Dims itemDims = dims;
    if (squeeze) {
      itemDims.rank = 0;
      for (int32_t d = 0; d < x.rank; ++d)
        if (d != axis)
          itemDims.push(dims.sizes[d]);
    }
    onnxc_object *item = onnxc_new_object(ctx, ONNXC_TENSOR, x.elem_type, 0);
    item->tensor.elem_type = x.elem_type;
    auto *to = static_cast<char *>(prepareOut(ctx, item->tensor, itemDims));
    for (int64_t o = 0; o < outer; ++o)
      memcpy(to + o * length * inner, dataOf<char>(x) + (o * n + begin) * inner, static_cast<size_t>(length * inner));
    sequence->items[p] = item;
    begin += length;
  }
  if (begin != n)
    onnxc_fail(ctx, "SplitToSequence: the lengths add up to %lld, the axis has %lld", static_cast<long long>(begin),
               static_cast<long long>(n));
  giveHandle(ctx, out[0], sequence);
  return 0;
}

ONNXC_KERNEL(ConcatFromSequence) {
  onnxc_object *sequence = sequenceOf(ctx, "ConcatFromSequence", in[0]);
  int64_t count = sequence->count;
  if (count == 0) {
    AttrArray<int64_t> shape = attrInts(attrs, "empty_dims");
    if (!onnxc_find_attr(attrs, "empty_dims"))
      onnxc_fail(ctx, "ConcatFromSequence: the sequence is empty");
    Dims dims;
    for (int64_t i = 0; i < shape.size; ++i)
      dims.push(shape[i] < 0 ? 0 : shape[i]);
    prepareOut(ctx, out[0], dims);
    return 0;
  }
  for (int64_t i = 0; i < count; ++i)
    if (sequence->items[i]->kind != ONNXC_TENSOR || sequence->items[i]->tensor.elem_type != out[0].elem_type)
      onnxc_fail(ctx, "ConcatFromSequence: item %lld is not a tensor of the expected type", static_cast<long long>(i));
  const onnxc_tensor &first = sequence->items[0]->tensor;
  bool newAxis = onnxc_attr_int(attrs, "new_axis", 0) != 0;
  auto axis = static_cast<int32_t>(
      normalizeAxis(ctx, onnxc_attr_int(attrs, "axis", 0), first.rank + static_cast<int64_t>(newAxis)));
  Dims dims;
  int64_t total = 0;
  for (int64_t i = 0; i < count; ++i) {
    const onnxc_tensor &t = sequence->items[i]->tensor;
    bool fits = t.rank == first.rank;
    for (int32_t d = 0; fits && d < t.rank; ++d)
      fits = t.dims[d] == first.dims[d] || (d == axis && !newAxis);
    if (!fits)
      onnxc_fail(ctx, "ConcatFromSequence: the shape of item %lld does not fit the first", static_cast<long long>(i));
    total += newAxis ? 1 : t.dims[axis];
  }
  for (int32_t d = 0; d < first.rank; ++d) {
    if (newAxis && d == axis)
      dims.push(total);
    dims.push(!newAxis && d == axis ? total : first.dims[d]);
  }
  if (newAxis && axis == first.rank)
    dims.push(total);
  auto *to = static_cast<char *>(prepareOut(ctx, out[0], dims));
  int64_t outer = dims.product(0, axis);
  int64_t inner = dims.product(axis + 1, dims.rank) * onnxc_elem_size(first.elem_type);
  int64_t begin = 0;
  for (int64_t i = 0; i < count; ++i) {
    const onnxc_tensor &t = sequence->items[i]->tensor;
    int64_t length = newAxis ? 1 : t.dims[axis];
    for (int64_t o = 0; o < outer; ++o)
      memcpy(to + (o * total + begin) * inner, dataOf<char>(t) + o * length * inner,
             static_cast<size_t>(length * inner));
    begin += length;
  }
  return 0;
}
