// Evaluation of layers on constants: what exporters leave of weights that are normalised or computed in each run, and of
// tables of positions. All sums are in double.
#include "onnxc/Dialect/Onnx/Transforms/Attributes.h"
#include "onnxc/Dialect/Onnx/Transforms/Evaluate.h"
#include "llvm/ADT/StringSwitch.h"
#include <cmath>

using namespace mlir;

namespace onnxc::onnx {

using namespace detail;

namespace {

/// Scalar products that are worth the compiler's time.
constexpr int64_t kMostProducts = 1 << 27;

std::vector<double> valuesOf(const HostTensor &x) {
  std::vector<double> values(x.getNumElements());
  x.load(0, values.size(), values.data());
  return values;
}

HostTensor tensorOf(Type element, ArrayRef<int64_t> shape, ArrayRef<double> values) {
  HostTensor result = HostTensor::zeros(element, shape);
  result.store(0, values.size(), values.data());
  return result;
}

//===-- BatchNormalization --------------------------------------------------===//

/// Inputs X [N, C, ...], scale, B, input_mean, input_var [C].
LogicalResult evalBatchNormalization(Operation *op, HostOperands in, const EvaluateLimits &, HostResults &out) {
  if (in.size() != 5 || !llvm::all_of(in, [](const auto &x) { return x && isWideFloat(*x); }) ||
      in[0]->getRank() < 2)
    return failure();
  ArrayRef<int64_t> shape = in[0]->getShape();
  int64_t images = shape[0], channels = shape[1], size = 1;
  for (int64_t dim : shape.drop_front(2))
    size *= dim;
  for (const auto &parameter : in.drop_front())
    if (parameter->getNumElements() != channels)
      return failure();
  bool training = intAttr(op, "training_mode", 0) != 0;
  double epsilon = floatAttr(op, "epsilon", 1e-5), momentum = floatAttr(op, "momentum", 0.9);
  if (training && images * size == 0)
    return failure();
  std::vector<double> x = valuesOf(*in[0]), scale = valuesOf(*in[1]), bias = valuesOf(*in[2]),
                      mean = valuesOf(*in[3]), var = valuesOf(*in[4]);
  std::vector<double> runningMean = mean, runningVar = var;
  for (int64_t c = 0; c < channels; ++c) {
    auto forEach = [&](auto visit) {
      for (int64_t n = 0; n < images; ++n)
        for (int64_t i = 0; i < size; ++i)
          visit(x[(n * channels + c) * size + i]);
    };
    if (training) {
      double count = static_cast<double>(images * size), sum = 0, squares = 0;
      forEach([&](double value) { sum += value; });
      mean[c] = sum / count;
      forEach([&](double value) { squares += (value - mean[c]) * (value - mean[c]); });
      var[c] = squares / count;
      runningMean[c] = runningMean[c] * momentum + mean[c] * (1 - momentum);
      runningVar[c] = runningVar[c] * momentum + var[c] * (1 - momentum);
    }
    double factor = scale[c] / std::sqrt(var[c] + epsilon);
    forEach([&](double &value) { value = (value - mean[c]) * factor + bias[c]; });
  }
  out.push_back(tensorOf(in[0]->getElementType(), shape, x));
  for (unsigned i = 1; i < op->getNumResults(); ++i)
    out.push_back(tensorOf(in[3]->getElementType(), {channels}, i == 1 ? runningMean : runningVar));
  return success();
}

//===-- MatMul, Gemm --------------------------------------------------------===//

/// a [m, k] and b [k, n], each with strides of its rows and columns.
void multiply(const double *a, int64_t rowA, int64_t columnA, const double *b, int64_t rowB, int64_t columnB, int64_t m,
              int64_t n, int64_t k, double *to) {
  std::fill(to, to + m * n, 0.0);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t p = 0; p < k; ++p) {
      double factor = a[i * rowA + p * columnA];
      for (int64_t j = 0; j < n; ++j)
        to[i * n + j] += factor * b[p * rowB + j * columnB];
    }
}

LogicalResult evalMatMul(Operation *, HostOperands in, const EvaluateLimits &limits, HostResults &out) {
  if (!isPresent(in, 1) || !isWideFloat(*in[0]) || !isWideFloat(*in[1]) || in[0]->getRank() < 2 ||
      in[1]->getRank() < 2)
    return failure();
  ArrayRef<int64_t> a = in[0]->getShape(), b = in[1]->getShape();
  int64_t m = a[a.size() - 2], k = a.back(), n = b.back();
  auto batch = broadcastShapes(a.drop_back(2), b.drop_back(2));
  if (!batch || b[b.size() - 2] != k)
    return failure();
  SmallVector<SmallVector<int64_t>> strides{broadcastStrides(a.drop_back(2), *batch),
                                            broadcastStrides(b.drop_back(2), *batch)};
  SmallVector<int64_t> shape(*batch);
  int64_t count = ShapedType::getNumElements(shape);
  shape.append({m, n});
  if (!fits(limits, in, shape, in[0]->getElementBytes()) ||
      static_cast<double>(count) * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) >
          kMostProducts)
    return failure();
  std::vector<double> x = valuesOf(*in[0]), y = valuesOf(*in[1]), result(count * m * n);
  SmallVector<int64_t> own = rowMajorStrides(*batch);
  for (int64_t at = 0; at < count; ++at) {
    int64_t fromA = 0, fromB = 0;
    for (size_t d = 0; d < batch->size(); ++d) {
      int64_t index = at / own[d] % (*batch)[d];
      fromA += index * strides[0][d];
      fromB += index * strides[1][d];
    }
    multiply(&x[fromA * m * k], k, 1, &y[fromB * k * n], n, 1, m, n, k, &result[at * m * n]);
  }
  out.push_back(tensorOf(in[0]->getElementType(), shape, result));
  return success();
}

LogicalResult evalGemm(Operation *op, HostOperands in, const EvaluateLimits &limits, HostResults &out) {
  if (!isPresent(in, 1) || !isWideFloat(*in[0]) || !isWideFloat(*in[1]) || in[0]->getRank() != 2 ||
      in[1]->getRank() != 2)
    return failure();
  bool turnA = intAttr(op, "transA", 0) != 0, turnB = intAttr(op, "transB", 0) != 0;
  ArrayRef<int64_t> a = in[0]->getShape(), b = in[1]->getShape();
  int64_t m = a[turnA], k = a[!turnA], n = b[!turnB];
  SmallVector<int64_t> shape{m, n};
  if (b[turnB] != k || !fits(limits, in, shape, in[0]->getElementBytes()) ||
      static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) > kMostProducts)
    return failure();
  std::vector<double> x = valuesOf(*in[0]), y = valuesOf(*in[1]), result(m * n);
  multiply(x.data(), turnA ? 1 : a[1], turnA ? a[1] : 1, y.data(), turnB ? 1 : b[1], turnB ? b[1] : 1, m, n, k,
           result.data());
  double alpha = floatAttr(op, "alpha", 1), beta = floatAttr(op, "beta", 1);
  for (double &value : result)
    value *= alpha;
  if (isPresent(in, 2)) {
    auto whole = broadcastShapes(in[2]->getShape(), shape);
    if (!whole || *whole != shape)
      return failure();
    SmallVector<int64_t> strides = broadcastStrides(in[2]->getShape(), shape);
    std::vector<double> c = valuesOf(*in[2]);
    for (int64_t i = 0; i < m * n; ++i)
      result[i] += beta * c[i / n * strides[0] + i % n * strides[1]];
  }
  out.push_back(tensorOf(in[0]->getElementType(), shape, result));
  return success();
}

//===-- Softmax -------------------------------------------------------------===//

LogicalResult evalSoftmax(Operation *op, HostOperands in, const EvaluateLimits &, HostResults &out) {
  auto axis = wrapAxis(intAttr(op, "axis", -1), in[0]->getRank());
  if (!isWideFloat(*in[0]) || !axis)
    return failure();
  ArrayRef<int64_t> shape = in[0]->getShape();
  int64_t size = shape[*axis], step = rowMajorStrides(shape)[*axis];
  std::vector<double> x = valuesOf(*in[0]);
  for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
    if (i / step % size != 0)
      continue;
    double largest = -HUGE_VAL, sum = 0;
    for (int64_t k = 0; k < size; ++k)
      largest = std::max(largest, x[i + k * step]);
    for (int64_t k = 0; k < size; ++k)
      sum += x[i + k * step] = std::exp(x[i + k * step] - largest);
    for (int64_t k = 0; k < size; ++k)
      x[i + k * step] /= sum;
  }
  out.push_back(tensorOf(in[0]->getElementType(), shape, x));
  return success();
}

} // namespace

EvaluateFn detail::lookupNetwork(StringRef name) {
  return llvm::StringSwitch<EvaluateFn>(name)
      .Case("onnx.BatchNormalization", evalBatchNormalization)
      .Case("onnx.MatMul", evalMatMul)
      .Case("onnx.Gemm", evalGemm)
      .Case("onnx.Softmax", evalSoftmax)
      .Default(nullptr);
}

} // namespace onnxc::onnx
