// Products with weights of 2, 4 or 8 bits in blocks along their rows, each block with a scale and a zero point.
// The weights are read once, as they are packed, and become numbers in registers: a product of few rows is as
// fast as memory gives the codes.
//
// Inputs: A [..., K], B [N, blocks, bytes], scales [N, blocks], zero points [N, blocks] in bytes or f32 (or
// none: half of the codes' range), bias [N] (or none).
#include "common.h"
#include "cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

using namespace onnxc_k;

namespace {

struct Product {
  const float *a; // [m][blocks * block], zeros behind K, in the order of `arrange`
  const uint8_t *b;
  const float *scales;
  const uint8_t *byteZeros;
  const float *realZeros;
  const float *bias;
  float *y;
  int64_t m, n, k, block, blocks, blockBytes, bits;

  float zero(int64_t at) const {
    return byteZeros ? static_cast<float>(byteZeros[at]) : realZeros ? realZeros[at] : static_cast<float>(1 << (bits - 1));
  }
  int64_t rowSize() const { return blocks * block; }
};

// ---- all widths, all CPUs ----

constexpr int64_t kLanes = 8, kRows = 4, kPiece = 64;
typedef float Lanes __attribute__((vector_size(sizeof(float) * kLanes)));

inline Lanes loadLanes(const float *p) {
  Lanes v;
  memcpy(&v, p, sizeof v);
  return v;
}

template <int64_t bits>
__attribute__((always_inline)) inline void unpack(const uint8_t *from, float *to, int64_t count, float scale, float shift) {
  constexpr int64_t perByte = 8 / bits;
  for (int64_t i = 0; i < count / perByte; ++i)
    for (int64_t p = 0; p < perByte; ++p)
      to[i * perByte + p] = static_cast<float>((from[i] >> (p * bits)) & ((1 << bits) - 1)) * scale - shift;
}

template <int64_t bits> __attribute__((always_inline)) inline void columns(const Product &x, int64_t begin, int64_t end) {
  float weights[kPiece];
  int64_t piece = x.block < kPiece ? x.block : kPiece;
  for (int64_t n = begin; n < end; ++n)
    for (int64_t first = 0; first < x.m; first += kRows) {
      int64_t rows = x.m - first < kRows ? x.m - first : kRows;
      Lanes sums[kRows] = {};
      for (int64_t block = 0; block < x.blocks; ++block) {
        int64_t at = n * x.blocks + block;
        float scale = x.scales[at], shift = x.zero(at) * scale;
        for (int64_t k = 0; k < x.block; k += piece) {
          unpack<bits>(x.b + at * x.blockBytes + k * bits / 8, weights, piece, scale, shift);
          const float *a = x.a + first * x.rowSize() + block * x.block + k;
          for (int64_t r = 0; r < rows; ++r)
            for (int64_t l = 0; l < piece; l += kLanes)
              sums[r] += loadLanes(weights + l) * loadLanes(a + r * x.rowSize() + l);
        }
      }
      for (int64_t r = 0; r < rows; ++r) {
        float sum = x.bias ? x.bias[n] : 0;
        for (int64_t l = 0; l < kLanes; ++l)
          sum += sums[r][l];
        x.y[(first + r) * x.n + n] = sum;
      }
    }
}

__attribute__((always_inline)) inline void anyColumnsBody(const Product &x, int64_t begin, int64_t end) {
  if (x.bits == 8)
    columns<8>(x, begin, end);
  else if (x.bits == 4)
    columns<4>(x, begin, end);
  else
    columns<2>(x, begin, end);
}
ONNXC_VERSIONS(void, anyColumns, (const Product &x, int64_t begin, int64_t end), (x, begin, end))

// ---- 4 bits with AVX-512 ----

// The 16 numbers that a block's codes stand for are in one register, from which its codes select. A byte holds two
// codes, so 16 bytes give the weights of 16 even and of 16 odd places: A is arranged alike.
constexpr int64_t kPairs = 32;

#if defined(__x86_64__)
#define ONNXC_WIDE __attribute__((target("arch=x86-64-v4"), always_inline)) inline

template <int64_t rows, int64_t width> ONNXC_WIDE void tile(const Product &x, int64_t row, int64_t column) {
  __m512 sums[rows][width];
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < width; ++c)
      sums[r][c] = _mm512_setzero_ps();
  const __m512 codes = _mm512_set_ps(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const float *a = x.a + row * x.rowSize();
  for (int64_t block = 0; block < x.blocks; ++block) {
    __m512 numbers[width];
    const uint8_t *bytes[width];
    for (int64_t c = 0; c < width; ++c) {
      int64_t at = (column + c) * x.blocks + block;
      __m512 scale = _mm512_set1_ps(x.scales[at]);
      numbers[c] = _mm512_mul_ps(_mm512_sub_ps(codes, _mm512_set1_ps(x.zero(at))), scale);
      bytes[c] = x.b + at * x.blockBytes;
    }
    for (int64_t k = 0; k < x.block; k += kPairs, a += kPairs)
      for (int64_t c = 0; c < width; ++c) {
        __m512i pair = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes[c] + k / 2)));
        __m512 even = _mm512_permutexvar_ps(pair, numbers[c]);
        __m512 odd = _mm512_permutexvar_ps(_mm512_srli_epi32(pair, 4), numbers[c]);
        for (int64_t r = 0; r < rows; ++r) {
          sums[r][c] = _mm512_fmadd_ps(even, _mm512_loadu_ps(a + r * x.rowSize()), sums[r][c]);
          sums[r][c] = _mm512_fmadd_ps(odd, _mm512_loadu_ps(a + r * x.rowSize() + 16), sums[r][c]);
        }
      }
  }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < width; ++c)
      x.y[(row + r) * x.n + column + c] = _mm512_reduce_add_ps(sums[r][c]) + (x.bias ? x.bias[column + c] : 0);
}

constexpr int64_t kTileRows = 4, kTileWidth = 4;

template <int64_t width> ONNXC_WIDE void rowsOf(const Product &x, int64_t column) {
  int64_t row = 0;
  for (; row + kTileRows <= x.m; row += kTileRows)
    tile<kTileRows, width>(x, row, column);
  for (; row < x.m; ++row)
    tile<1, width>(x, row, column);
}

__attribute__((target("arch=x86-64-v4"))) void wideColumns(const Product &x, int64_t begin, int64_t end) {
  int64_t column = begin;
  for (; column + kTileWidth <= end; column += kTileWidth)
    rowsOf<kTileWidth>(x, column);
  for (; column < end; ++column)
    rowsOf<1>(x, column);
}

bool isWide(const Product &x) { return cpuLevel() >= 4 && x.bits == 4 && x.block % kPairs == 0; }
#else
void wideColumns(const Product &, int64_t, int64_t) {}
bool isWide(const Product &) { return false; }
#endif

// A with whole blocks; in pieces of 16 even places, then the 16 odd ones, if `pairs`.
void arrange(const float *from, float *to, int64_t m, int64_t k, int64_t size, bool pairs) {
  for (int64_t r = 0; r < m; ++r, from += k, to += size) {
    memset(to + k / kPairs * kPairs, 0, sizeof(float) * static_cast<size_t>(size - k / kPairs * kPairs));
    if (!pairs) {
      memcpy(to, from, sizeof(float) * static_cast<size_t>(k));
      continue;
    }
    for (int64_t i = 0; i < k; ++i)
      to[i / kPairs * kPairs + (i % 2) * (kPairs / 2) + i % kPairs / 2] = from[i];
  }
}

} // namespace

ONNXC_KERNEL(MatMulNBits) {
  const onnxc_tensor &a = in[0];
  Product x = {};
  x.bits = onnxc_attr_int(attrs, "bits", 4);
  x.block = onnxc_attr_int(attrs, "block_size", 32);
  x.n = onnxc_attr_int(attrs, "N", 0);
  x.k = onnxc_attr_int(attrs, "K", 0);
  x.blocks = (x.k + x.block - 1) / x.block;
  x.blockBytes = x.block * x.bits / 8;
  if (a.rank < 1 || a.dims[a.rank - 1] != x.k)
    onnxc_fail(ctx, "MatMulNBits: the last dimension of A is not K");
  Dims dims(a);
  x.m = dims.product(0, dims.rank - 1);
  dims.sizes[dims.rank - 1] = x.n;
  x.y = static_cast<float *>(prepareOut(ctx, out[0], dims));
  x.b = dataOf<const uint8_t>(in[1]);
  x.scales = dataOf<const float>(in[2]);
  if (isPresent(numIn, in, 3)) {
    if (in[3].elem_type == 1)
      x.realZeros = dataOf<const float>(in[3]);
    else
      x.byteZeros = dataOf<const uint8_t>(in[3]);
  }
  if (isPresent(numIn, in, 4))
    x.bias = dataOf<const float>(in[4]);
  bool wide = isWide(x);
  float *arranged = scratch<float>(ctx, x.m * x.rowSize());
  arrange(dataOf<const float>(a), arranged, x.m, x.k, x.rowSize(), wide);
  x.a = arranged;
  // Ranges of columns begin at multiples of the tiles' width, so that threads do not change the sums.
  constexpr int64_t width = 4;
  double cost = static_cast<double>(width * x.rowSize()) * (0.05 + 0.03 * static_cast<double>(x.m));
  parallelFor(ctx, (x.n + width - 1) / width, cost, [&](int64_t begin, int64_t end) {
    int64_t last = end * width < x.n ? end * width : x.n;
    if (wide)
      wideColumns(x, begin * width, last);
    else
      anyColumns(x, begin * width, last);
  });
  onnxc_free(ctx, arranged);
  return 0;
}
