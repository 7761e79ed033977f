// ai.onnx.ml LinearClassifier and LinearRegressor.
#include "cpu.h"
#include "mlScores.h"

using namespace onnxc_k;

namespace {

struct LinearModel {
  const double *coefficients;
  AttrArray<float> intercepts;
  int64_t columns, targets;
};

// Rows that are worked on together: their exponentials fill vectors.
constexpr int64_t kRowsOfBlock = 64;

// scores[n, t] = x[n] . coefficients[t] + intercepts[t], with four partial sums.
__attribute__((always_inline)) inline void linearScoresBody(const LinearModel &model, const double *x, int64_t rows,
                                                            double *scores) {
  for (int64_t n = 0; n < rows; ++n, x += model.columns)
    for (int64_t t = 0; t < model.targets; ++t) {
      const double *coefficients = model.coefficients + t * model.columns;
      double sums[4] = {t < model.intercepts.size ? static_cast<double>(model.intercepts[t]) : 0};
      int64_t c = 0;
      for (; c + 4 <= model.columns; c += 4)
        for (int64_t lane = 0; lane < 4; ++lane)
          sums[lane] += x[c + lane] * coefficients[c + lane];
      for (; c < model.columns; ++c)
        sums[0] += x[c] * coefficients[c];
      *scores++ = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
}
ONNXC_VERSIONS(void, linearScores, (const LinearModel &model, const double *x, int64_t rows, double *scores),
               (model, x, rows, scores))

// Calls each(first, count, scores) for the blocks of rows, on all threads.
template <typename Each>
void forBlocks(onnxc_ctx *ctx, const onnxc_tensor &x, const Rows &rows, const LinearModel &model, Each each) {
  parallelFor(ctx, rows.count, static_cast<double>(model.targets * rows.columns), [=](int64_t begin, int64_t end) {
    auto *block = scratch<double>(ctx, kRowsOfBlock * (model.columns + model.targets));
    double *scores = block + kRowsOfBlock * model.columns;
    for (int64_t n = begin; n < end; n += kRowsOfBlock) {
      int64_t count = end - n < kRowsOfBlock ? end - n : kRowsOfBlock;
      loadDoubles(ctx, x, n * rows.columns, count * rows.columns, block);
      linearScores(model, block, count, scores);
      each(n, count, scores);
    }
    onnxc_free(ctx, block);
  });
}

// In double, as the instance keeps them.
const double *coefficientsOf(onnxc_ctx *ctx, const onnxc_attrs *attrs, const AttrArray<float> &coefficients) {
  if (auto *kept = static_cast<const double *>(onnxc_kept(ctx, attrs)))
    return kept;
  auto *converted = scratch<double>(ctx, coefficients.size);
  for (int64_t i = 0; i < coefficients.size; ++i)
    converted[i] = static_cast<double>(coefficients[i]);
  onnxc_keep(ctx, attrs, converted);
  return converted;
}

LinearModel loadModel(onnxc_ctx *ctx, const onnxc_attrs *attrs, int64_t targets, int64_t columns) {
  AttrArray<float> coefficients = attrFloats(attrs, "coefficients");
  if (coefficients.size < targets * columns)
    onnxc_fail(ctx, "there are %lld coefficients; %lld targets of %lld columns need more",
               static_cast<long long>(coefficients.size), static_cast<long long>(targets),
               static_cast<long long>(columns));
  return {coefficientsOf(ctx, attrs, coefficients), attrFloats(attrs, "intercepts"), columns, targets};
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
  forBlocks(ctx, x, rows, model, [=](int64_t n, int64_t count, double *scores) {
    applyPostTransform(transform, scores, targets, count);
    storeScores(out[0], n * targets, scores, count * targets);
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
  forBlocks(ctx, x, rows, model, [=](int64_t n, int64_t count, double *scores) {
    for (int64_t i = 0; wantsLabels && i < count; ++i) {
      const double *row = scores + i * targets;
      giveLabel(ctx, labels, out[0], n + i, targets == 1 ? (binary && row[0] > 0) : argMax(row, targets));
    }
    if (!wantsScores)
      return;
    if (!binary) {
      applyPostTransform(transform, scores, targets, count);
      storeScores(out[1], n * targets, scores, count * targets);
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      double both[2] = {scores[i]};
      expandBinary(transform, SecondClass::Complement, both);
      storeScores(out[1], (n + i) * 2, both, 2);
    }
  });
  return 0;
}
