// ai.onnx.ml LinearClassifier and LinearRegressor.
#include <algorithm>

#include "cpu.h"
#include "mlScores.h"
#include "turn.h"

using namespace onnxc_k;

namespace {

struct LinearModel {
  const double *coefficients;
  AttrArray<float> intercepts;
  int64_t columns, targets;
};

// Rows that are worked on together, a lane each: scores are [targets][kRowsOfBlock].
constexpr int64_t kRowsOfBlock = 32;

// scores[t][n] = x[.][n] . coefficients[t] + intercepts[t].
__attribute__((always_inline)) inline void linearScoresBody(const LinearModel &model, const double *x, double *scores) {
  for (int64_t t = 0; t < model.targets; ++t, scores += kRowsOfBlock) {
    double sums[kRowsOfBlock], first = t < model.intercepts.size ? static_cast<double>(model.intercepts[t]) : 0;
    for (int64_t lane = 0; lane < kRowsOfBlock; ++lane)
      sums[lane] = first;
    for (int64_t c = 0; c < model.columns; ++c) {
      double coefficient = model.coefficients[t * model.columns + c];
      for (int64_t lane = 0; lane < kRowsOfBlock; ++lane)
        sums[lane] += x[c * kRowsOfBlock + lane] * coefficient;
    }
    for (int64_t lane = 0; lane < kRowsOfBlock; ++lane)
      scores[lane] = sums[lane];
  }
}
ONNXC_VERSIONS(void, linearScores, (const LinearModel &model, const double *x, double *scores), (model, x, scores))

// Rows of floats as columns of a block of doubles; `between` has space for one of floats.
__attribute__((always_inline)) inline void turnRowsBody(const float *rows, int64_t count, int64_t columns, float *between,
                                                        double *block) {
  turn(rows, columns, count, columns, between, kRowsOfBlock);
  for (int64_t i = 0; i < columns * kRowsOfBlock; ++i)
    block[i] = static_cast<double>(between[i]);
}
ONNXC_VERSIONS(void, turnRows, (const float *rows, int64_t count, int64_t columns, float *between, double *block),
               (rows, count, columns, between, block))

// Calls each(first, count, scores) for the blocks of rows, on all threads.
template <typename Each>
void forBlocks(onnxc_ctx *ctx, const onnxc_tensor &x, const Rows &rows, const LinearModel &model, Each each) {
  parallelFor(ctx, rows.count, static_cast<double>(model.targets * rows.columns) / 4, [=](int64_t begin, int64_t end) {
    int64_t size = kRowsOfBlock * model.columns;
    auto *block = scratch<double>(ctx, 2 * size + kRowsOfBlock * model.targets);
    double *between = block + size, *scores = between + size;
    memset(block, 0, static_cast<size_t>(2 * size) * sizeof(double)); // also rows that are not there
    for (int64_t n = begin; n < end; n += kRowsOfBlock) {
      int64_t count = std::min(kRowsOfBlock, end - n);
      if (x.elem_type == ONNXC_FLOAT) { // nearly always
        turnRows(dataOf<float>(x) + n * rows.columns, count, rows.columns, reinterpret_cast<float *>(between), block);
      } else {
        loadDoubles(ctx, x, n * rows.columns, count * rows.columns, between);
        turn(between, rows.columns, count, rows.columns, block, kRowsOfBlock);
      }
      linearScores(model, block, scores);
      each(n, count, scores);
    }
    onnxc_free(ctx, block);
  });
}

// The first target with the highest score of each row.
__attribute__((always_inline)) inline void argMaxRowsBody(const double *scores, int64_t targets, int64_t *best) {
  double most[kRowsOfBlock];
  for (int64_t i = 0; i < kRowsOfBlock; ++i) {
    most[i] = scores[i];
    best[i] = 0;
  }
  for (int64_t t = 1; t < targets; ++t)
    for (int64_t i = 0; i < kRowsOfBlock; ++i) {
      double score = scores[t * kRowsOfBlock + i];
      best[i] = score > most[i] ? t : best[i];
      most[i] = score > most[i] ? score : most[i];
    }
}
ONNXC_VERSIONS(void, argMaxRows, (const double *scores, int64_t targets, int64_t *best), (scores, targets, best))

// Writes the columns of a block as rows of scores from row n on.
void storeRows(const onnxc_tensor &out, int64_t n, const double *scores, int64_t targets, int64_t count) {
  for (int64_t t = 0; t < targets; ++t)
    for (int64_t i = 0; i < count; ++i)
      storeScore(out, (n + i) * targets + t, scores[t * kRowsOfBlock + i]);
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
    applyPostTransform(transform, scores, targets, count, kRowsOfBlock);
    storeRows(out[0], n, scores, targets, count);
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
    if (wantsLabels) {
      int64_t best[kRowsOfBlock];
      argMaxRows(scores, targets, best);
      for (int64_t i = 0; i < count; ++i)
        giveLabel(ctx, labels, out[0], n + i, targets == 1 ? (binary && scores[i] > 0) : best[i]);
    }
    if (!wantsScores)
      return;
    if (!binary) {
      applyPostTransform(transform, scores, targets, count, kRowsOfBlock);
      storeRows(out[1], n, scores, targets, count);
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      double both[2] = {scores[i]};
      expandBinary(transform, SecondClass::Complement, both);
      storeScore(out[1], (n + i) * 2, both[0]);
      storeScore(out[1], (n + i) * 2 + 1, both[1]);
    }
  });
  return 0;
}
