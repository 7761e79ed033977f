// Determinant and inverse of square matrices, by LU decomposition with partial pivoting.
#include <math.h>

#include "common.h"

using namespace onnxc_k;

namespace {

// Matrices of x: [..., n, n].
int64_t squareSize(onnxc_ctx *ctx, const char *kernel, const onnxc_tensor &x) {
  if (x.rank < 2 || x.dims[x.rank - 1] != x.dims[x.rank - 2])
    onnxc_fail(ctx, "%s: the input is not made of square matrices", kernel);
  return x.dims[x.rank - 1];
}

// Brings column to the pivot form; false if the matrix is singular. Rows have the given width.
bool pivot(double *a, int64_t n, int64_t width, int64_t column, double *sign) {
  int64_t best = column;
  for (int64_t r = column + 1; r < n; ++r)
    if (fabs(a[r * width + column]) > fabs(a[best * width + column]))
      best = r;
  if (a[best * width + column] == 0)
    return false;
  if (best == column)
    return true;
  *sign = -*sign;
  for (int64_t c = 0; c < width; ++c) {
    double t = a[best * width + c];
    a[best * width + c] = a[column * width + c];
    a[column * width + c] = t;
  }
  return true;
}

double determinant(double *a, int64_t n) {
  double result = 1, sign = 1;
  for (int64_t c = 0; c < n; ++c) {
    if (!pivot(a, n, n, c, &sign))
      return 0;
    result *= a[c * n + c];
    for (int64_t r = c + 1; r < n; ++r) {
      double factor = a[r * n + c] / a[c * n + c];
      for (int64_t k = c; k < n; ++k)
        a[r * n + k] -= factor * a[c * n + k];
    }
  }
  return result * sign;
}

} // namespace

ONNXC_KERNEL(Det) {
  const onnxc_tensor &x = in[0];
  int64_t n = squareSize(ctx, "Det", x);
  Dims dims(x);
  dims.rank -= 2;
  void *to = prepareOut(ctx, out[0], dims);
  dispatchFloat(ctx, "Det", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    const T *from = dataOf<T>(x);
    parallelFor(ctx, dims.count(), static_cast<double>(n * n * n), [=](int64_t begin, int64_t end) {
      auto *matrix = scratch<double>(ctx, n * n);
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t k = 0; k < n * n; ++k)
          matrix[k] = static_cast<double>(from[i * n * n + k]);
        static_cast<T *>(to)[i] = static_cast<T>(static_cast<Acc<T>>(determinant(matrix, n)));
      }
      onnxc_free(ctx, matrix);
    });
  });
  return 0;
}

ONNXC_KERNEL(Inverse) {
  const onnxc_tensor &x = in[0];
  int64_t n = squareSize(ctx, "Inverse", x);
  Dims dims(x);
  void *to = prepareOut(ctx, out[0], dims);
  dispatchFloat(ctx, "Inverse", x.elem_type, [&](auto tag) {
    using T = typename decltype(tag)::Type;
    const T *from = dataOf<T>(x);
    int64_t width = 2 * n;
    parallelFor(ctx, dims.product(0, dims.rank - 2), static_cast<double>(2 * n * n * n), [=](int64_t begin, int64_t end) {
      auto *both = scratch<double>(ctx, n * width); // the matrix beside the identity
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t r = 0; r < n; ++r)
          for (int64_t c = 0; c < n; ++c) {
            both[r * width + c] = static_cast<double>(from[(i * n + r) * n + c]);
            both[r * width + n + c] = r == c;
          }
        double sign = 1;
        for (int64_t c = 0; c < n; ++c) {
          if (!pivot(both, n, width, c, &sign))
            onnxc_fail(ctx, "Inverse: matrix %lld is singular", static_cast<long long>(i));
          double scale = 1 / both[c * width + c];
          for (int64_t k = 0; k < width; ++k)
            both[c * width + k] *= scale;
          for (int64_t r = 0; r < n; ++r) {
            double factor = both[r * width + c];
            for (int64_t k = 0; r != c && k < width; ++k)
              both[r * width + k] -= factor * both[c * width + k];
          }
        }
        for (int64_t r = 0; r < n; ++r)
          for (int64_t c = 0; c < n; ++c)
            static_cast<T *>(to)[(i * n + r) * n + c] = static_cast<T>(static_cast<Acc<T>>(both[r * width + n + c]));
      }
      onnxc_free(ctx, both);
    });
  });
  return 0;
}
