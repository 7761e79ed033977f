// ai.onnx.ml LinearClassifier and LinearRegressor.
#include "mlScores.h"

using namespace onnxc_k;

namespace {

struct LinearModel {
  AttrArray<float> coefficients, intercepts;
  int64_t columns;
};

// scores[t] = x . coefficients[t] + intercepts[t], with four partial sums.
void linearScores(const LinearModel &model, const double *x, int64_t targets, double *scores) {
  for (int64_t t = 0; t < targets; ++t) {
    const float *coefficients = model.coefficients.data + t * model.columns;
    double sums[4] = {t < model.intercepts.size ? static_cast<double>(model.intercepts[t]) : 0};
    int64_t c = 0;
    for (; c + 4 <= model.columns; c += 4)
      for (int64_t lane = 0; lane < 4; ++lane)
        sums[lane] += x[c + lane] * static_cast<double>(coefficients[c + lane]);
    for (; c < model.columns; ++c)
      sums[0] += x[c] * static_cast<double>(coefficients[c]);
    scores[t] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
}

LinearModel loadModel(onnxc_ctx *ctx, const onnxc_attrs *attrs, int64_t targets, int64_t columns) {
  LinearModel model = {attrFloats(attrs, "coefficients"), attrFloats(attrs, "intercepts"), columns};
  if (model.coefficients.size < targets * columns)
    onnxc_fail(ctx, "there are %lld coefficients; %lld targets of %lld columns need more",
               static_cast<long long>(model.coefficients.size), static_cast<long long>(targets),
               static_cast<long long>(columns));
  return model;
}

} // namespace

ONNXC_KERNEL(LinearRegressor) {
  const onnxc_tensor &x = in[0];
  Rows rows = rowsOf(ctx, x);
  int64_t targets = onnxc_attr_int(attrs, "targets", 1);
  LinearModel model = loadModel(ctx, attrs, targets, rows.columns);
  PostTransform transform = postTransformOf(ctx, attrs);
  Dims dims;
  dims.push(rows.count);
  dims.push(targets);
  prepareOut(ctx, out[0], dims);
  parallelFor(ctx, rows.count, static_cast<double>(targets * rows.columns), [=](int64_t begin, int64_t end) {
    auto *row = scratch<double>(ctx, rows.columns + targets);
    double *scores = row + rows.columns;
    for (int64_t n = begin; n < end; ++n) {
      loadDoubles(ctx, x, n * rows.columns, rows.columns, row);
      linearScores(model, row, targets, scores);
      applyPostTransform(transform, scores, targets);
      for (int64_t t = 0; t < targets; ++t)
        storeScore(out[0], n * targets + t, scores[t]);
    }
    onnxc_free(ctx, row);
  });
  return 0;
}

ONNXC_KERNEL(LinearClassifier) {
  const onnxc_tensor &x = in[0];
  Rows rows = rowsOf(ctx, x);
  ClassLabels labels = classLabels(attrs, "classlabels_strings", "classlabels_ints");
  AttrArray<float> intercepts = attrFloats(attrs, "intercepts");
  int64_t targets = intercepts.size > 0 ? intercepts.size
                    : rows.columns > 0  ? attrFloats(attrs, "coefficients").size / rows.columns
                                        : labels.size();
  LinearModel model = loadModel(ctx, attrs, targets, rows.columns);
  PostTransform transform = postTransformOf(ctx, attrs);
  // One row of coefficients for two classes: the score of the second.
  bool binary = targets == 1 && labels.size() == 2;
  int64_t columns = binary ? 2 : targets;
  Dims dims;
  dims.push(rows.count);
  bool wantsLabels = isPresent(numOut, out, 0), wantsScores = isPresent(numOut, out, 1);
  if (wantsLabels)
    prepareOut(ctx, out[0], dims);
  dims.push(columns);
  if (wantsScores)
    prepareOut(ctx, out[1], dims);
  parallelFor(ctx, rows.count, static_cast<double>(targets * rows.columns), [=](int64_t begin, int64_t end) {
    auto *row = scratch<double>(ctx, rows.columns + columns);
    double *scores = row + rows.columns;
    for (int64_t n = begin; n < end; ++n) {
      loadDoubles(ctx, x, n * rows.columns, rows.columns, row);
      linearScores(model, row, targets, scores);
      if (wantsLabels)
        giveLabel(ctx, labels, out[0], n, targets == 1 ? (binary && scores[0] > 0) : argMax(scores, targets));
      if (binary)
        expandBinary(transform, SecondClass::Complement, scores);
      else
        applyPostTransform(transform, scores, targets);
      for (int64_t t = 0; wantsScores && t < columns; ++t)
        storeScore(out[1], n * columns + t, scores[t]);
    }
    onnxc_free(ctx, row);
  });
  return 0;
}
