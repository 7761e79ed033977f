// See mlScores.h.
#include <math.h>

#include "cpu.h"
#include "mlScores.h"
#include "vectorExp.h"

using namespace onnxc_k;

PostTransform onnxc_k::postTransformOf(onnxc_ctx *ctx, const onnxc_attrs *attrs) {
  if (!onnxc_attr_string(attrs, "post_transform") || attrIs(attrs, "post_transform", "NONE"))
    return PostTransform::None;
  if (attrIs(attrs, "post_transform", "SOFTMAX"))
    return PostTransform::Softmax;
  if (attrIs(attrs, "post_transform", "LOGISTIC"))
    return PostTransform::Logistic;
  if (attrIs(attrs, "post_transform", "SOFTMAX_ZERO"))
    return PostTransform::SoftmaxZero;
  if (attrIs(attrs, "post_transform", "PROBIT"))
    return PostTransform::Probit;
  const onnxc_str *name = onnxc_attr_string(attrs, "post_transform");
  onnxc_fail(ctx, "post_transform '%.*s' is not known", static_cast<int>(name->size), name->data);
}

// The inverse of the standard normal distribution function: a rational start
// (Abramowitz and Stegun 26.2.23), then Newton steps.
static double probit(double p) {
  if (p <= 0)
    return -INFINITY;
  if (p >= 1)
    return INFINITY;
  double q = p < 0.5 ? p : 1 - p, t = sqrt(-2 * log(q));
  double x = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                     (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  for (int i = 0; i < 4; ++i) {
    double upper = 0.5 * erfc(x * M_SQRT1_2); // decreasing in x
    x += (upper - q) * sqrt(2 * M_PI) * exp(x * x / 2);
  }
  return p < 0.5 ? -x : x;
}

__attribute__((always_inline)) inline void logisticAllBody(double *x, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    x[i] = 1 / (1 + vectorExp(-x[i]));
}
ONNXC_VERSIONS(void, logisticAll, (double *x, int64_t count), (x, count))

__attribute__((always_inline)) inline void softmaxRowBody(double *scores, int64_t count) {
  double max = -INFINITY, sum = 0;
  for (int64_t i = 0; i < count; ++i)
    max = scores[i] > max ? scores[i] : max;
  for (int64_t i = 0; i < count; ++i)
    scores[i] = vectorExp(scores[i] - max);
  for (int64_t i = 0; i < count; ++i)
    sum += scores[i];
  for (int64_t i = 0; i < count; ++i)
    scores[i] /= sum;
}
ONNXC_VERSIONS(void, softmaxRow, (double *scores, int64_t count), (scores, count))

// Rows whose sums are kept at a time.
constexpr int64_t kRowsAtOnce = 32;

__attribute__((always_inline)) inline void softmaxRowsBody(double *scores, int64_t count, int64_t rows, int64_t step) {
  double max[kRowsAtOnce], sum[kRowsAtOnce];
  for (int64_t n = 0; n < rows; ++n) {
    max[n] = -INFINITY;
    sum[n] = 0;
  }
  for (int64_t i = 0; i < count; ++i)
    for (int64_t n = 0; n < rows; ++n)
      max[n] = scores[i * step + n] > max[n] ? scores[i * step + n] : max[n];
  for (int64_t i = 0; i < count; ++i)
    for (int64_t n = 0; n < rows; ++n) {
      double power = vectorExp(scores[i * step + n] - max[n]);
      scores[i * step + n] = power;
      sum[n] += power;
    }
  for (int64_t i = 0; i < count; ++i)
    for (int64_t n = 0; n < rows; ++n)
      scores[i * step + n] /= sum[n];
}
ONNXC_VERSIONS(void, softmaxRows, (double *scores, int64_t count, int64_t rows, int64_t step), (scores, count, rows, step))

// SOFTMAX_ZERO leaves out scores that are zero.
static void softmaxOfNonZeros(double *scores, int64_t count, int64_t step) {
  double max = -INFINITY, sum = 0;
  for (int64_t i = 0; i < count; ++i)
    max = scores[i * step] > max ? scores[i * step] : max;
  for (int64_t i = 0; i < count; ++i) {
    double &score = scores[i * step];
    if (fabs(score) <= 1e-7)
      continue;
    score = exp(score - max);
    sum += score;
  }
  for (int64_t i = 0; i < count && sum > 0; ++i)
    scores[i * step] /= sum;
}

void onnxc_k::applyPostTransform(PostTransform transform, double *scores, int64_t count, int64_t rows, int64_t step) {
  switch (transform) {
  case PostTransform::None:
    return;
  case PostTransform::Logistic:
    if (step == 1)
      return logisticAll(scores, count);
    for (int64_t i = 0; i < count; ++i)
      logisticAll(scores + i * step, rows);
    return;
  case PostTransform::Probit:
    for (int64_t i = 0; i < count; ++i)
      for (int64_t n = 0; n < rows; ++n)
        scores[i * step + n] = probit(scores[i * step + n]);
    return;
  case PostTransform::Softmax:
    if (step == 1)
      return softmaxRow(scores, count);
    for (int64_t n = 0; n < rows; n += kRowsAtOnce)
      softmaxRows(scores + n, count, rows - n < kRowsAtOnce ? rows - n : kRowsAtOnce, step);
    return;
  case PostTransform::SoftmaxZero:
    for (int64_t n = 0; n < rows; ++n)
      softmaxOfNonZeros(scores + n, count, step);
    return;
  }
}

void onnxc_k::expandBinary(PostTransform transform, SecondClass second, double *scores) {
  double score = scores[0];
  if (transform == PostTransform::Logistic) {
    scores[0] = -score;
    scores[1] = score;
    applyPostTransform(transform, scores, 2);
    return;
  }
  if (transform == PostTransform::Probit)
    applyPostTransform(transform, &score, 1);
  scores[0] = second == SecondClass::Complement ? 1 - score : -score;
  scores[1] = score;
}

void onnxc_k::giveLabel(onnxc_ctx *ctx, const ClassLabels &labels, const onnxc_tensor &out, int64_t n,
                        int64_t i) {
  if (out.elem_type == ONNXC_STRING) {
    if (i >= labels.strings.size)
      onnxc_fail(ctx, "class %lld has no label", static_cast<long long>(i));
    dataOf<Str>(out)[n] = &labels.strings[i];
  } else {
    if (i >= labels.ints.size)
      onnxc_fail(ctx, "class %lld has no label", static_cast<long long>(i));
    dataOf<int64_t>(out)[n] = labels.ints[i];
  }
}

Rows onnxc_k::rowsOf(onnxc_ctx *ctx, const onnxc_tensor &x) {
  if (x.rank == 0)
    return {1, 1};
  if (x.rank == 1)
    return {1, x.dims[0]};
  if (x.rank != 2)
    onnxc_fail(ctx, "the input has rank %d; [N, C] is expected", x.rank);
  return {x.dims[0], x.dims[1]};
}

void onnxc_k::loadDoubles(onnxc_ctx *ctx, const onnxc_tensor &x, int64_t begin, int64_t count, double *to) {
  if (x.elem_type == ONNXC_FLOAT) { // nearly always
    const float *from = dataOf<float>(x) + begin;
    for (int64_t i = 0; i < count; ++i)
      to[i] = static_cast<double>(from[i]);
    return;
  }
  dispatchNumber(ctx, "ai.onnx.ml", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    const T *from = dataOf<T>(x) + begin;
    for (int64_t i = 0; i < count; ++i)
      to[i] = static_cast<double>(from[i]);
  });
}
