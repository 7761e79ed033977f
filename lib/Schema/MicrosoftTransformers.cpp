// Type inference of com.microsoft operators: normalization, attention, and quantized ones.
#include "MicrosoftInference.h"

using ::onnx::getAttribute;
using ::onnx::InferenceContext;
using ::onnx::TensorProto;

namespace onnxc::microsoft {

//===-- Normalization -------------------------------------------------------===//

/// Statistics have the input's shape with ones from the axis on.
static void statistics(InferenceContext &ctx, size_t output, int64_t axis) {
  int32_t type = ctx.getInputType(0) ? ctx.getInputType(0)->tensor_type().elem_type() : 0;
  setElem(ctx, output, type == TensorProto::DOUBLE ? TensorProto::DOUBLE : TensorProto::FLOAT);
  const Shape *in = shapeOf(ctx, 0);
  if (!in)
    return;
  Shape shape = *in;
  for (int64_t i = axis < 0 ? axis + in->dim_size() : axis; i >= 0 && i < in->dim_size(); ++i)
    *shape.mutable_dim(int(i)) = knownDim(1);
  setShape(ctx, output, shape);
}

void layerNormalization(InferenceContext &ctx) {
  likeFirst(ctx);
  statistics(ctx, 1, getAttribute(ctx, "axis", -1));
  statistics(ctx, 2, getAttribute(ctx, "axis", -1));
}

void simplifiedNormalization(InferenceContext &ctx) {
  elemFrom(ctx, 1, 0);
  if (const Shape *shape = shapeOf(ctx, 0))
    setShape(ctx, 0, *shape);
  statistics(ctx, 1, getAttribute(ctx, "axis", -1));
}

void skipNormalization(InferenceContext &ctx) {
  likeFirst(ctx);
  statistics(ctx, 1, -1);
  statistics(ctx, 2, -1);
  elemFrom(ctx, 0, 3);
  if (const Shape *shape = shapeOf(ctx, 0))
    setShape(ctx, 3, *shape);
}

/// input_ids [batch, sequence], ..., gamma [hidden] at 5; the tables may be quantized.
void embedding(InferenceContext &ctx) {
  const Shape *ids = shapeOf(ctx, 0);
  setElem(ctx, 1, TensorProto::INT32);
  bool quantized = ctx.getNumInputs() > 9;
  for (size_t output : {0, 2}) {
    if (quantized)
      setElem(ctx, output, TensorProto::FLOAT);
    else
      elemFrom(ctx, 2, output);
    setShape(ctx, output, {dimOf(ids, 0), dimOf(ids, 1), dimOf(shapeOf(ctx, 5), 0)});
  }
  setShape(ctx, 1, {dimOf(ids, 0)});
}

//===-- Attention -----------------------------------------------------------===//

/// `bias` is the position of a vector of all hidden sizes.
static void packedAttention(InferenceContext &ctx, size_t real, Dim hidden, size_t past) {
  elemFrom(ctx, real, 0);
  elemFrom(ctx, real, 1);
  const Shape *in = shapeOf(ctx, 0);
  setShape(ctx, 0, {dimOf(in, 0), dimOf(in, 1), hidden});
  Dim total = shapeOf(ctx, past) ? unknownDim() : dimOf(in, 1);
  int64_t heads = getAttribute(ctx, "num_heads", 0);
  setShape(ctx, 1, {knownDim(2), dimOf(in, 0), knownDim(heads), total, over(hidden, heads)});
}

void attention(InferenceContext &ctx) {
  Dim hidden = over(dimOf(shapeOf(ctx, 1), 1), 3);
  if (const auto *sizes = ctx.getAttribute("qkv_hidden_sizes"); sizes && sizes->ints_size() == 3)
    hidden = knownDim(sizes->ints(2));
  packedAttention(ctx, 0, hidden, 4);
}

void quantizedAttention(InferenceContext &ctx) {
  packedAttention(ctx, 3, over(dimOf(shapeOf(ctx, 1), 1), 3), 8);
}

void multiHeadAttention(InferenceContext &ctx) {
  for (size_t output = 0; output < 4; ++output)
    elemFrom(ctx, 0, output);
  const Shape *q = shapeOf(ctx, 0), *k = shapeOf(ctx, 1), *v = shapeOf(ctx, 2);
  int64_t heads = getAttribute(ctx, "num_heads", 0);
  Dim hidden, size;
  if (q && q->dim_size() == 5) {
    size = q->dim(4);
    hidden = times(size, heads);
  } else if (k && k->dim_size() == 5) {
    size = k->dim(4);
    hidden = times(size, heads);
  } else if (v && v->dim_size() == 4) {
    size = v->dim(3);
    hidden = times(size, heads);
  } else if (v) {
    hidden = dimOf(v, 2);
    size = over(hidden, heads);
  } else if (q && !k) {
    hidden = over(dimOf(q, 2), 3);
    size = over(hidden, heads);
  }
  setShape(ctx, 0, {dimOf(q, 0), dimOf(q, 1), hidden});
  for (size_t output : {1, 2})
    setShape(ctx, output, {dimOf(q, 0), knownDim(heads), unknownDim(), output == 2 ? size : unknownDim()});
  setShape(ctx, 3, {dimOf(q, 0), knownDim(heads), dimOf(q, 1), unknownDim()});
}

void groupQueryAttention(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  const Shape *q = shapeOf(ctx, 0);
  int64_t heads = getAttribute(ctx, "num_heads", 0);
  int64_t keyHeads = getAttribute(ctx, "kv_num_heads", 0);
  bool packed = ctx.getNumInputs() < 2 || !ctx.getInputType(1);
  Dim size = over(dimOf(q, 2), packed ? heads + 2 * keyHeads : heads);
  setShape(ctx, 0, {dimOf(q, 0), dimOf(q, 1), times(size, heads)});
  for (size_t output : {1, 2}) {
    elemFrom(ctx, ctx.getNumInputs() > 3 && ctx.getInputType(3) ? 3 : 0, output);
    setShape(ctx, output, {dimOf(q, 0), knownDim(keyHeads), unknownDim(), size});
  }
}

//===-- Quantized -----------------------------------------------------------===//

/// A, A_scale, A_zero, B, ...
void quantizedBinary(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  if (const Shape *a = shapeOf(ctx, 0), *b = shapeOf(ctx, 3); a && b)
    ::onnx::bidirectionalBroadcastShapeInference(*a, *b, *::onnx::getOutputShape(ctx, 0));
}

/// condition, X, its scale and zero point, Y, ...
void quantizedWhere(InferenceContext &ctx) {
  elemFrom(ctx, 1, 0);
  if (const Shape *c = shapeOf(ctx, 0), *x = shapeOf(ctx, 1), *y = shapeOf(ctx, 4); c && x && y)
    ::onnx::multidirectionalBroadcastShapeInference({c, x, y}, *::onnx::getOutputShape(ctx, 0));
}

/// Y_scale, Y_zero, then each part with its scale and zero point.
void quantizedConcat(InferenceContext &ctx) {
  elemFrom(ctx, 1, 0);
  const Shape *first = shapeOf(ctx, 2);
  if (!first)
    return;
  Shape shape = *first;
  int64_t axis = getAttribute(ctx, "axis", 0);
  axis = axis < 0 ? axis + shape.dim_size() : axis;
  if (axis < 0 || axis >= shape.dim_size())
    return;
  Dim sum = knownDim(0);
  for (size_t i = 2; i < ctx.getNumInputs(); i += 3) {
    Dim part = dimOf(shapeOf(ctx, i), int(axis));
    sum = sum.has_dim_value() && part.has_dim_value()
              ? knownDim(sum.dim_value() + part.dim_value())
              : unknownDim();
  }
  *shape.mutable_dim(int(axis)) = sum;
  setShape(ctx, 0, shape);
}

void reduceMean(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  const Shape *in = shapeOf(ctx, 0);
  const auto *axes = ctx.getAttribute("axes");
  if (!in)
    return;
  Shape shape;
  for (int i = 0; i < in->dim_size(); ++i) {
    bool reduced = !axes || axes->ints_size() == 0;
    for (int k = 0; axes && k < axes->ints_size(); ++k)
      reduced |= axes->ints(k) == i || axes->ints(k) + in->dim_size() == i;
    if (!reduced)
      *shape.add_dim() = in->dim(i);
    else if (getAttribute(ctx, "keepdims", 1) != 0)
      *shape.add_dim() = knownDim(1);
  }
  setShape(ctx, 0, shape);
}

void quantize(InferenceContext &ctx) {
  if (ctx.getNumInputs() > 2 && ctx.getInputType(2))
    elemFrom(ctx, 2, 0);
  else
    setElem(ctx, 0, TensorProto::UINT8);
  if (const Shape *shape = shapeOf(ctx, 0))
    setShape(ctx, 0, *shape);
}

void dequantize(InferenceContext &ctx) {
  elemFrom(ctx, 1, 0);
  if (const Shape *shape = shapeOf(ctx, 0))
    setShape(ctx, 0, *shape);
}

/// data, indices, scales, zero_points.
void gatherBlocks(InferenceContext &ctx) {
  elemFrom(ctx, 2, 0);
  const Shape *data = shapeOf(ctx, 0), *indices = shapeOf(ctx, 1);
  if (!data || !indices)
    return;
  int64_t axis = getAttribute(ctx, "gather_axis", 0);
  axis = axis < 0 ? axis + data->dim_size() : axis;
  int type = ctx.getInputType(0)->tensor_type().elem_type();
  int64_t packed = type == TensorProto::UINT8 ? 8 / std::max<int64_t>(getAttribute(ctx, "bits", 4), 1) : 1;
  Shape shape;
  for (int i = 0; i < data->dim_size(); ++i) {
    if (i == axis)
      for (const Dim &dim : indices->dim())
        *shape.add_dim() = dim;
    else
      *shape.add_dim() = i + 1 == data->dim_size() ? times(data->dim(i), packed) : data->dim(i);
  }
  if (packed == 1 && data->dim_size() > 0 && axis + 1 != data->dim_size())
    *shape.mutable_dim(shape.dim_size() - 1) = data->dim(data->dim_size() - 1);
  setShape(ctx, 0, shape);
}

/// X [steps, batch, input], ..., R [directions, hidden, 4 * hidden].
void quantizedLstm(InferenceContext &ctx) {
  for (size_t i = 0; i < ctx.getNumOutputs(); ++i)
    setElem(ctx, i, TensorProto::FLOAT);
  const Shape *x = shapeOf(ctx, 0), *r = shapeOf(ctx, 2);
  if (!x || !r || x->dim_size() != 3 || r->dim_size() != 3)
    return;
  setShape(ctx, 0, {x->dim(0), r->dim(0), x->dim(1), r->dim(1)});
  for (size_t i = 1; i < ctx.getNumOutputs(); ++i)
    setShape(ctx, i, {r->dim(0), x->dim(1), r->dim(1)});
}

} // namespace onnxc::microsoft
