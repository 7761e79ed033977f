// ai.onnx.ml SVMClassifier and SVMRegressor: libsvm's decision functions, votes and pairwise
// coupled probabilities (Wu, Lin and Weng, 2004).
#include <math.h>

#include "cpu.h"
#include "mlScores.h"
#include "vectorExp.h"

using namespace onnxc_k;

namespace {

enum class SvmKernel { Linear, Poly, Rbf, Sigmoid };

// Support vectors side by side: kLanes of them are worked on at once.
constexpr int64_t kLanes = 16;

struct Svm {
  SvmKernel kernel;
  double gamma, coef0, degree;
  AttrArray<float> vectors, coefficients, rho;
  int64_t numVectors, columns;
  const double *turned; // [groups of kLanes vectors][columns][kLanes]
};

// The vectors in the order of kernelValues, kept for later runs.
const double *turnVectors(onnxc_ctx *ctx, const onnxc_attrs *attrs, const Svm &svm) {
  if (auto *kept = static_cast<const double *>(onnxc_kept(ctx, attrs)))
    return kept;
  int64_t groups = (svm.numVectors + kLanes - 1) / kLanes;
  auto *turned = scratch<double>(ctx, groups * kLanes * svm.columns + 1);
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t c = 0; c < svm.columns; ++c)
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        int64_t v = group * kLanes + lane;
        turned[(group * svm.columns + c) * kLanes + lane] =
            v < svm.numVectors ? static_cast<double>(svm.vectors[v * svm.columns + c]) : 0;
      }
  onnxc_keep(ctx, attrs, turned);
  return turned;
}

Svm loadSvm(onnxc_ctx *ctx, const onnxc_attrs *attrs, int64_t numVectors, int64_t columns) {
  Svm svm = {};
  svm.kernel = attrIs(attrs, "kernel_type", "POLY")      ? SvmKernel::Poly
               : attrIs(attrs, "kernel_type", "RBF")     ? SvmKernel::Rbf
               : attrIs(attrs, "kernel_type", "SIGMOID") ? SvmKernel::Sigmoid
                                                         : SvmKernel::Linear;
  AttrArray<float> params = attrFloats(attrs, "kernel_params");
  svm.gamma = params.size > 0 ? static_cast<double>(params[0]) : 0;
  svm.coef0 = params.size > 1 ? static_cast<double>(params[1]) : 0;
  svm.degree = params.size > 2 ? static_cast<double>(params[2]) : 0;
  svm.vectors = attrFloats(attrs, "support_vectors");
  svm.coefficients = attrFloats(attrs, "coefficients");
  svm.rho = attrFloats(attrs, "rho");
  svm.numVectors = numVectors;
  svm.columns = columns;
  if (numVectors < 0 || svm.vectors.size < numVectors * columns || svm.rho.size == 0)
    onnxc_fail(ctx, "the attributes of the support vector machine are too short");
  svm.turned = turnVectors(ctx, attrs, svm);
  return svm;
}

double finishKernel(const Svm &svm, double product) {
  switch (svm.kernel) {
  case SvmKernel::Poly: return pow(svm.gamma * product + svm.coef0, svm.degree);
  case SvmKernel::Sigmoid: return tanh(svm.gamma * product + svm.coef0);
  default: return product;
  }
}

// For RBF the kernel's values, else the products that finishKernel takes; `to` has room for whole groups.
__attribute__((always_inline)) inline void productsBody(const Svm &svm, const double *x, double *to) {
  for (int64_t v = 0; v < svm.numVectors; v += kLanes) {
    const double *vectors = svm.turned + v * svm.columns;
    double sums[kLanes] = {};
    if (svm.kernel == SvmKernel::Rbf) {
      for (int64_t c = 0; c < svm.columns; ++c)
        for (int64_t lane = 0; lane < kLanes; ++lane) {
          double difference = x[c] - vectors[c * kLanes + lane];
          sums[lane] += difference * difference;
        }
      for (int64_t lane = 0; lane < kLanes; ++lane)
        to[v + lane] = vectorExp(-svm.gamma * sums[lane]);
      continue;
    }
    for (int64_t c = 0; c < svm.columns; ++c)
      for (int64_t lane = 0; lane < kLanes; ++lane)
        sums[lane] += x[c] * vectors[c * kLanes + lane];
    for (int64_t lane = 0; lane < kLanes; ++lane)
      to[v + lane] = sums[lane];
  }
}
ONNXC_VERSIONS(void, products, (const Svm &svm, const double *x, double *to), (svm, x, to))

void kernelValues(const Svm &svm, const double *x, double *to) {
  products(svm, x, to);
  if (svm.kernel == SvmKernel::Poly || svm.kernel == SvmKernel::Sigmoid)
    for (int64_t v = 0; v < svm.numVectors; ++v)
      to[v] = finishKernel(svm, to[v]);
}
int64_t kernelSpace(const Svm &svm) { return (svm.numVectors + kLanes - 1) / kLanes * kLanes; }

// Of a row and a plane.
double kernelValue(const Svm &svm, const double *x, const float *y) {
  double sum = 0;
  for (int64_t c = 0; c < svm.columns; ++c) {
    double other = static_cast<double>(y[c]), difference = x[c] - other;
    sum += svm.kernel == SvmKernel::Rbf ? difference * difference : x[c] * other;
  }
  return svm.kernel == SvmKernel::Rbf ? exp(-svm.gamma * sum) : finishKernel(svm, sum);
}

double sigmoidProbability(double score, double a, double b) {
  double p = 1 / (1 + exp(a * score + b));
  return fmin(fmax(p, 1e-7), 1 - 1e-7);
}

// Class probabilities from pairwise ones, r[i][j] = P(i | i or j); q is k*k scratch, qp k.
void coupleProbabilities(int64_t k, const double *r, double *q, double *qp, double *p) {
  for (int64_t t = 0; t < k; ++t) {
    p[t] = 1.0 / static_cast<double>(k);
    q[t * k + t] = 0;
    for (int64_t j = 0; j < k; ++j) {
      if (j == t)
        continue;
      q[t * k + t] += r[j * k + t] * r[j * k + t];
      q[t * k + j] = -r[j * k + t] * r[t * k + j];
    }
  }
  int64_t limit = k > 100 ? k : 100;
  for (int64_t iteration = 0; iteration < limit; ++iteration) {
    double pQp = 0, worst = 0;
    for (int64_t t = 0; t < k; ++t) {
      qp[t] = 0;
      for (int64_t j = 0; j < k; ++j)
        qp[t] += q[t * k + j] * p[j];
      pQp += p[t] * qp[t];
    }
    for (int64_t t = 0; t < k; ++t)
      worst = fmax(worst, fabs(qp[t] - pQp));
    if (worst < 0.005 / static_cast<double>(k))
      return;
    for (int64_t t = 0; t < k; ++t) {
      double diff = (-qp[t] + pQp) / q[t * k + t];
      p[t] += diff;
      pQp = (pQp + diff * (diff * q[t * k + t] + 2 * qp[t])) / (1 + diff) / (1 + diff);
      for (int64_t j = 0; j < k; ++j) {
        qp[j] = (qp[j] + diff * q[t * k + j]) / (1 + diff);
        p[j] /= 1 + diff;
      }
    }
  }
}

} // namespace

ONNXC_KERNEL(SVMRegressor) {
  const onnxc_tensor &x = in[0];
  Rows rows = rowsOf(ctx, x);
  int64_t numVectors = onnxc_attr_int(attrs, "n_supports", 0);
  Svm svm = loadSvm(ctx, attrs, numVectors, rows.columns);
  if (svm.coefficients.size < (numVectors > 0 ? numVectors : rows.columns))
    onnxc_fail(ctx, "SVMRegressor: coefficients are missing");
  bool oneClass = onnxc_attr_int(attrs, "one_class", 0) != 0;
  PostTransform transform = postTransformOf(ctx, attrs);
  Dims dims;
  dims.push(rows.count);
  dims.push(1);
  prepareOut(ctx, out[0], dims);
  double cost = static_cast<double>((numVectors + 1) * (rows.columns + 8)) / 4;
  parallelFor(ctx, rows.count, cost, [=](int64_t begin, int64_t end) {
    auto *row = scratch<double>(ctx, rows.columns + kernelSpace(svm));
    double *kernels = row + rows.columns;
    for (int64_t n = begin; n < end; ++n) {
      loadDoubles(ctx, x, n * rows.columns, rows.columns, row);
      kernelValues(svm, row, kernels);
      double sum = static_cast<double>(svm.rho[0]);
      for (int64_t v = 0; v < numVectors; ++v)
        sum += static_cast<double>(svm.coefficients[v]) * kernels[v];
      if (numVectors == 0) // the coefficients are the plane itself
        sum += kernelValue(svm, row, svm.coefficients.data);
      if (oneClass)
        sum = sum > 0 ? 1 : -1;
      else
        applyPostTransform(transform, &sum, 1);
      storeScore(out[0], n, sum);
    }
    onnxc_free(ctx, row);
  });
  return 0;
}

namespace {

struct SvmClassifier {
  Svm svm;
  AttrArray<int64_t> perClass;
  AttrArray<float> probA, probB;
  int64_t classes, pairs;
};

// One score for each pair of classes, and the votes of the pairs.
void pairScores(const SvmClassifier &model, const double *kernels, double *scores, int64_t *votes) {
  const Svm &svm = model.svm;
  for (int64_t c = 0; c < model.classes; ++c)
    votes[c] = 0;
  int64_t pair = 0, beginI = 0;
  for (int64_t i = 0; i < model.classes; ++i) {
    int64_t beginJ = beginI + model.perClass[i];
    for (int64_t j = i + 1; j < model.classes; ++j, ++pair) {
      double sum = static_cast<double>(svm.rho[pair]);
      const float *coefI = svm.coefficients.data + (j - 1) * svm.numVectors;
      const float *coefJ = svm.coefficients.data + i * svm.numVectors;
      for (int64_t v = beginI; v < beginI + model.perClass[i]; ++v)
        sum += static_cast<double>(coefI[v]) * kernels[v];
      for (int64_t v = beginJ; v < beginJ + model.perClass[j]; ++v)
        sum += static_cast<double>(coefJ[v]) * kernels[v];
      scores[pair] = sum;
      ++votes[sum > 0 ? i : j];
      beginJ += model.perClass[j];
    }
    beginI += model.perClass[i];
  }
}

void probabilities(const SvmClassifier &model, const double *pairScore, double *work, double *scores) {
  int64_t k = model.classes, pair = 0;
  double *r = work, *q = work + k * k, *qp = q + k * k;
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = i + 1; j < k; ++j, ++pair) {
      double p = sigmoidProbability(pairScore[pair], static_cast<double>(model.probA[pair]),
                                    static_cast<double>(model.probB[pair]));
      r[i * k + j] = p;
      r[j * k + i] = 1 - p;
    }
  coupleProbabilities(k, r, q, qp, scores);
}

} // namespace

ONNXC_KERNEL(SVMClassifier) {
  const onnxc_tensor &x = in[0];
  Rows rows = rowsOf(ctx, x);
  ClassLabels labels = classLabels(attrs, "classlabels_strings", "classlabels_ints");
  SvmClassifier model = {};
  model.perClass = attrInts(attrs, "vectors_per_class");
  model.probA = attrFloats(attrs, "prob_a");
  model.probB = attrFloats(attrs, "prob_b");
  bool linear = model.perClass.size == 0;
  int64_t numVectors = 0;
  for (int64_t c = 0; c < model.perClass.size; ++c) {
    if (model.perClass[c] < 0)
      onnxc_fail(ctx, "SVMClassifier: vectors_per_class is negative");
    numVectors += model.perClass[c];
  }
  model.svm = loadSvm(ctx, attrs, numVectors, rows.columns);
  model.classes = linear ? labels.size() : model.perClass.size;
  model.pairs = model.classes * (model.classes - 1) / 2;
  bool hasProbability = !linear && model.probA.size > 0;
  if (model.classes == 0 ||
      (linear ? model.svm.coefficients.size < model.classes * rows.columns
              : model.svm.coefficients.size < (model.classes - 1) * numVectors || model.svm.rho.size < model.pairs) ||
      (hasProbability && (model.probA.size < model.pairs || model.probB.size < model.pairs)))
    onnxc_fail(ctx, "SVMClassifier: the attributes are too short");
  PostTransform transform = postTransformOf(ctx, attrs);
  int64_t numScores = linear || hasProbability ? model.classes : model.pairs;
  // One decision value for two classes is written for both.
  bool binary = !linear && !hasProbability && model.classes == 2;
  int64_t columns = binary ? 2 : numScores;

  Dims dims;
  dims.push(rows.count);
  bool wantsLabels = isPresent(numOut, out, 0), wantsScores = isPresent(numOut, out, 1);
  if (wantsLabels)
    prepareOut(ctx, out[0], dims);
  dims.push(columns);
  if (wantsScores)
    prepareOut(ctx, out[1], dims);
  double cost = static_cast<double>((numVectors + model.classes) * (rows.columns + 8)) / 4;
  parallelFor(ctx, rows.count, cost, [=](int64_t begin, int64_t end) {
    int64_t k = model.classes;
    auto *row = scratch<double>(ctx, rows.columns + kernelSpace(model.svm) + model.pairs + columns + 2 * k * k + k);
    double *kernels = row + rows.columns, *pairScore = kernels + kernelSpace(model.svm), *scores = pairScore + model.pairs;
    double *work = scores + columns;
    auto *votes = scratch<int64_t>(ctx, k);
    for (int64_t n = begin; n < end; ++n) {
      loadDoubles(ctx, x, n * rows.columns, rows.columns, row);
      int64_t label = 0;
      if (linear) {
        for (int64_t c = 0; c < k; ++c)
          scores[c] = kernelValue(model.svm, row, model.svm.coefficients.data + c * rows.columns) +
                      static_cast<double>(model.svm.rho[0]);
        label = argMax(scores, k);
      } else {
        kernelValues(model.svm, row, kernels);
        pairScores(model, kernels, pairScore, votes);
        for (int64_t c = 1; c < k; ++c)
          if (votes[c] > votes[label])
            label = c;
        if (hasProbability) { // the label stays that of the votes
          probabilities(model, pairScore, work, scores);
        } else {
          for (int64_t p = 0; p < model.pairs; ++p)
            scores[p] = pairScore[p];
        }
      }
      // A positive decision value is for the first class, yet is written as the second's score.
      if (binary)
        expandBinary(transform, transform == PostTransform::None ? SecondClass::Negation : SecondClass::Complement,
                     scores);
      else
        applyPostTransform(transform, scores, columns);
      if (wantsLabels)
        giveLabel(ctx, labels, out[0], n, label);
      for (int64_t c = 0; wantsScores && c < columns; ++c)
        storeScore(out[1], n * columns + c, scores[c]);
    }
    onnxc_free(ctx, votes);
    onnxc_free(ctx, row);
  });
  return 0;
}
