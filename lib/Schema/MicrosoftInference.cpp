// Type inference of com.microsoft operators: elementwise ones, products, images and the like.
#include "MicrosoftInference.h"

using ::onnx::getAttribute;
using ::onnx::InferenceContext;
using ::onnx::TensorProto;

namespace onnxc::microsoft {

Dim times(const Dim &a, int64_t b) {
  return a.has_dim_value() ? knownDim(a.dim_value() * b) : unknownDim();
}
Dim over(const Dim &a, int64_t b) {
  return a.has_dim_value() && b > 0 ? knownDim(a.dim_value() / b) : unknownDim();
}
const Shape *shapeOf(InferenceContext &ctx, size_t input) {
  return ::onnx::hasInputShape(ctx, input) ? &::onnx::getInputShape(ctx, input) : nullptr;
}
void setShape(InferenceContext &ctx, size_t output, const Shape &shape) {
  if (output < ctx.getNumOutputs())
    ::onnx::updateOutputShape(ctx, output, shape);
}
void setShape(InferenceContext &ctx, size_t output, std::initializer_list<Dim> dims) {
  Shape shape;
  for (const Dim &dim : dims)
    *shape.add_dim() = dim;
  setShape(ctx, output, shape);
}
void elemFrom(InferenceContext &ctx, size_t input, size_t output) {
  if (output < ctx.getNumOutputs() && input < ctx.getNumInputs() && ctx.getInputType(input))
    ::onnx::propagateElemTypeFromInputToOutput(ctx, input, output);
}
void setElem(InferenceContext &ctx, size_t output, int32_t type) {
  if (output < ctx.getNumOutputs())
    ::onnx::updateOutputElemType(ctx, output, type);
}

static void like(InferenceContext &ctx, size_t input, size_t output) {
  elemFrom(ctx, input, output);
  if (const Shape *shape = shapeOf(ctx, input))
    setShape(ctx, output, *shape);
}

void likeFirst(InferenceContext &ctx) { like(ctx, 0, 0); }
void likeSecond(InferenceContext &ctx) { like(ctx, 1, 0); }

// As many tokens for each string as the one has that has most.
void tokens(InferenceContext &ctx) {
  setElem(ctx, 0, TensorProto::STRING);
  if (const Shape *shape = shapeOf(ctx, 0)) {
    Shape rows = *shape;
    rows.add_dim();
    setShape(ctx, 0, rows);
  }
}

void biasDropout(InferenceContext &ctx) {
  like(ctx, 0, 0);
  setElem(ctx, 1, TensorProto::BOOL);
  if (const Shape *shape = shapeOf(ctx, 0))
    setShape(ctx, 1, *shape);
}

void halfOfLast(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  const Shape *in = shapeOf(ctx, 0);
  if (!in || in->dim_size() == 0)
    return;
  Shape shape = *in;
  *shape.mutable_dim(shape.dim_size() - 1) = over(dimOf(in, -1), 2);
  setShape(ctx, 0, shape);
}

void sameRank(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  if (const Shape *in = shapeOf(ctx, 0)) {
    Shape shape;
    for (int i = 0; i < in->dim_size(); ++i)
      shape.add_dim();
    setShape(ctx, 0, shape);
  }
}

//===-- Products ------------------------------------------------------------===//

/// As the operand of a product after what the attributes say is done to it.
static Shape matrixShape(const Shape &in, bool swap, bool batch) {
  Shape shape = in;
  int rank = in.dim_size();
  if (rank < 2)
    return shape;
  for (int i = 0; batch && i + 1 < rank; ++i)
    *shape.mutable_dim(i) = in.dim(i + 2 < rank ? i + 1 : 0);
  if (swap)
    shape.mutable_dim(rank - 1)->Swap(shape.mutable_dim(rank - 2));
  return shape;
}

static void product(InferenceContext &ctx) {
  const Shape *a = shapeOf(ctx, 0), *b = shapeOf(ctx, 1);
  if (!a || !b || a->dim_size() == 0 || b->dim_size() == 0)
    return;
  auto flag = [&](const char *name) { return getAttribute(ctx, name, 0) != 0; };
  Shape x = matrixShape(*a, flag("transA"), flag("transBatchA"));
  Shape y = matrixShape(*b, flag("transB"), flag("transBatchB"));
  Shape xBatch, yBatch, result;
  for (int i = 0; i + 2 < x.dim_size(); ++i)
    *xBatch.add_dim() = x.dim(i);
  for (int i = 0; i + 2 < y.dim_size(); ++i)
    *yBatch.add_dim() = y.dim(i);
  ::onnx::bidirectionalBroadcastShapeInference(xBatch, yBatch, result);
  if (x.dim_size() > 1)
    *result.add_dim() = dimOf(&x, -2);
  if (y.dim_size() > 1)
    *result.add_dim() = dimOf(&y, -1);
  setShape(ctx, 0, result);
}

void matMul(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  product(ctx);
}
void matMulToInt32(InferenceContext &ctx) {
  setElem(ctx, 0, TensorProto::INT32);
  product(ctx);
}
void matMulToFloat(InferenceContext &ctx) {
  elemFrom(ctx, 2, 0);
  product(ctx);
}

void matMulOfBits(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  const Shape *in = shapeOf(ctx, 0);
  int64_t n = getAttribute(ctx, "N", 0);
  if (!in || in->dim_size() == 0 || n <= 0)
    return;
  Shape shape = *in;
  *shape.mutable_dim(shape.dim_size() - 1) = knownDim(n);
  setShape(ctx, 0, shape);
}

static void gemmShape(InferenceContext &ctx, size_t first, size_t second) {
  const Shape *a = shapeOf(ctx, first), *b = shapeOf(ctx, second);
  if (a && b && a->dim_size() == 2 && b->dim_size() == 2)
    setShape(ctx, 0, {a->dim(getAttribute(ctx, "transA", 0) ? 1 : 0),
                      b->dim(getAttribute(ctx, "transB", 0) ? 0 : 1)});
}

void gemm(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  gemmShape(ctx, 0, 1);
}

/// A, a_scale, a_zero, B, b_scale, b_zero, C, y_scale, y_zero.
void quantizedGemm(InferenceContext &ctx) {
  if (ctx.getNumInputs() > 8 && ctx.getInputType(8))
    elemFrom(ctx, 8, 0);
  else
    setElem(ctx, 0, TensorProto::FLOAT);
  gemmShape(ctx, 0, 3);
}

//===-- Images --------------------------------------------------------------===//

/// Spatial sizes are left to the operators that it becomes.
static void imageShape(InferenceContext &ctx, const Dim *channels) {
  const Shape *in = shapeOf(ctx, 0);
  if (!in || in->dim_size() < 3)
    return;
  bool last = getAttribute(ctx, "channels_last", 0) != 0;
  int rank = in->dim_size(), channelDim = last ? rank - 1 : 1;
  Shape shape;
  for (int i = 0; i < rank; ++i) {
    Dim *dim = shape.add_dim();
    if (i == 0)
      *dim = in->dim(0);
    else if (i == channelDim && channels)
      *dim = *channels;
  }
  setShape(ctx, 0, shape);
}

void convolution(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  Dim channels = dimOf(shapeOf(ctx, 1), 0);
  imageShape(ctx, &channels);
}

void quantizedConvolution(InferenceContext &ctx) {
  elemFrom(ctx, 7, 0);
  Dim channels = dimOf(shapeOf(ctx, 3), 0);
  imageShape(ctx, &channels);
}

void pool(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  imageShape(ctx, nullptr);
}

void globalPool(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  const Shape *in = shapeOf(ctx, 0);
  if (!in)
    return;
  Shape shape = *in;
  bool last = getAttribute(ctx, "channels_last", 0) != 0;
  int first = last ? 1 : 2, end = shape.dim_size() - (last ? 1 : 0);
  for (int i = first; i < end; ++i)
    shape.mutable_dim(i)->set_dim_value(1);
  setShape(ctx, 0, shape);
}

void gridSample(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  const Shape *x = shapeOf(ctx, 0), *grid = shapeOf(ctx, 1);
  setShape(ctx, 0, {dimOf(x, 0), dimOf(x, 1), dimOf(grid, 1), dimOf(grid, 2)});
}

void cropAndResize(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  setShape(ctx, 0, {dimOf(shapeOf(ctx, 1), 0), dimOf(shapeOf(ctx, 0), 1), unknownDim(), unknownDim()});
}

//===-- Others --------------------------------------------------------------===//

void someOfFirst(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  setShape(ctx, 0, {unknownDim()});
}

void unique(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  setElem(ctx, 1, TensorProto::INT64);
  setElem(ctx, 2, TensorProto::INT64);
  setShape(ctx, 0, {unknownDim()});
  setShape(ctx, 1, {dimOf(shapeOf(ctx, 0), 0)});
  setShape(ctx, 2, {unknownDim()});
}

void expandDims(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  if (const Shape *in = shapeOf(ctx, 0)) {
    Shape shape;
    for (int i = 0; i <= in->dim_size(); ++i)
      shape.add_dim();
    setShape(ctx, 0, shape);
  }
}

void gatherElements(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  const Shape *data = shapeOf(ctx, 0), *indices = shapeOf(ctx, 1);
  Dim count = dimOf(indices, -1);
  if (!data || !count.has_dim_value() || count.dim_value() > data->dim_size())
    return;
  Shape shape;
  for (int i = 0; i + 1 < indices->dim_size(); ++i)
    *shape.add_dim() = indices->dim(i);
  for (int i = int(count.dim_value()); i < data->dim_size(); ++i)
    *shape.add_dim() = data->dim(i);
  setShape(ctx, 0, shape);
}

void distances(InferenceContext &ctx) {
  elemFrom(ctx, 0, 0);
  setShape(ctx, 0, {dimOf(shapeOf(ctx, 0), 0), dimOf(shapeOf(ctx, 1), 0)});
}

} // namespace onnxc::microsoft
