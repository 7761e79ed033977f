// Scores of ai.onnx.ml models: post_transform and the second column of binary classifiers.
#ifndef ONNXC_KERNELS_MLSCORES_H
#define ONNXC_KERNELS_MLSCORES_H

#include "common.h"

namespace onnxc_k {

enum class PostTransform { None, Softmax, Logistic, SoftmaxZero, Probit };

PostTransform postTransformOf(onnxc_ctx *ctx, const onnxc_attrs *attrs);
// Works on `count` scores of each row: score i of row n is scores[i * step + n]. With a step of 1 it is one row.
void applyPostTransform(PostTransform transform, double *scores, int64_t count, int64_t rows = 1, int64_t step = 1);

// Both columns of a classifier that has one score for two classes, as ONNX Runtime writes them: a
// probability's complement, or a margin's negation. scores[0] is the score.
enum class SecondClass { Complement, Negation };
void expandBinary(PostTransform transform, SecondClass second, double *scores);

// Class labels, strings or integers, as they are written to an output.
struct ClassLabels {
  AttrArray<onnxc_str> strings;
  AttrArray<int64_t> ints;
  int64_t size() const { return strings.size ? strings.size : ints.size; }
};
inline ClassLabels classLabels(const onnxc_attrs *attrs, const char *strings, const char *ints) {
  return {attrStrings(attrs, strings), attrInts(attrs, ints)};
}
// Writes label i as element n of the label output.
void giveLabel(onnxc_ctx *ctx, const ClassLabels &labels, const onnxc_tensor &out, int64_t n, int64_t i);

// Rows and columns of a model's input: [N, C]; [C] is one row.
struct Rows {
  int64_t count, columns;
};
Rows rowsOf(onnxc_ctx *ctx, const onnxc_tensor &x);

// count elements from begin on, as double.
void loadDoubles(onnxc_ctx *ctx, const onnxc_tensor &x, int64_t begin, int64_t count, double *to);
// Element i of a float or double output.
inline void storeScore(const onnxc_tensor &out, int64_t i, double value) {
  if (out.elem_type == ONNXC_DOUBLE)
    dataOf<double>(out)[i] = value;
  else
    dataOf<float>(out)[i] = static_cast<float>(value);
}

inline int64_t argMax(const double *scores, int64_t count) {
  int64_t best = 0;
  for (int64_t i = 1; i < count; ++i)
    if (scores[i] > scores[best])
      best = i;
  return best;
}

} // namespace onnxc_k

#endif
