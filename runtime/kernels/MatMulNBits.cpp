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

// ---- 4 and 8 bits with AVX-512 ----

// Weights come in pieces of 32, as two vectors. With 4 bits the first has the even places and the second the odd
// ones, which share bytes; A is arranged alike.
constexpr int64_t kPairs = 32;

#if defined(__x86_64__)
#define ONNXC_WIDE __attribute__((target("arch=x86-64-v4"), always_inline)) inline

// One column's codes of one block.
template <int64_t bits> struct Codes;

// The 16 numbers that the codes stand for are in one register, from which the codes select.
template <> struct Codes<4> {
  __m512 numbers;
  const uint8_t *bytes;
  ONNXC_WIDE void start(const Product &x, int64_t at) {
    // Less the zero point that holds where none is given.
    __m512 all = _mm512_set_ps(7, 6, 5, 4, 3, 2, 1, 0, -1, -2, -3, -4, -5, -6, -7, -8);
    if (x.byteZeros || x.realZeros)
      all = _mm512_sub_ps(all, _mm512_set1_ps(x.zero(at) - 8));
    numbers = _mm512_mul_ps(all, _mm512_set1_ps(x.scales[at]));
    bytes = x.b + at * x.blockBytes;
  }
  ONNXC_WIDE void read(int64_t k, __m512 &first, __m512 &second) const {
    __m512i pair = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes + k / 2)));
    first = _mm512_permutexvar_ps(pair, numbers);
    second = _mm512_permutexvar_ps(_mm512_srli_epi32(pair, 4), numbers);
  }
};

template <> struct Codes<8> {
  __m512 scale, shift;
  const uint8_t *bytes;
  ONNXC_WIDE void start(const Product &x, int64_t at) {
    scale = _mm512_set1_ps(x.scales[at]);
    shift = _mm512_set1_ps(x.zero(at) * x.scales[at]);
    bytes = x.b + at * x.blockBytes;
  }
  ONNXC_WIDE __m512 half(int64_t k) const {
    __m512i codes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes + k)));
    return _mm512_fmsub_ps(_mm512_cvtepi32_ps(codes), scale, shift);
  }
  ONNXC_WIDE void read(int64_t k, __m512 &first, __m512 &second) const {
    first = half(k);
    second = half(k + 16);
  }
};

// Few rows: the weights are used as soon as they are read.
template <int64_t bits, int64_t rows, int64_t width> ONNXC_WIDE void tile(const Product &x, int64_t row, int64_t column) {
  __m512 sums[rows][width];
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < width; ++c)
      sums[r][c] = _mm512_setzero_ps();
  const float *a = x.a + row * x.rowSize();
  for (int64_t block = 0; block < x.blocks; ++block) {
    Codes<bits> codes[width];
    for (int64_t c = 0; c < width; ++c)
      codes[c].start(x, (column + c) * x.blocks + block);
    for (int64_t k = 0; k < x.block; k += kPairs, a += kPairs)
      for (int64_t c = 0; c < width; ++c) {
        __m512 first, second;
        codes[c].read(k, first, second);
        for (int64_t r = 0; r < rows; ++r) {
          sums[r][c] = _mm512_fmadd_ps(first, _mm512_loadu_ps(a + r * x.rowSize()), sums[r][c]);
          sums[r][c] = _mm512_fmadd_ps(second, _mm512_loadu_ps(a + r * x.rowSize() + 16), sums[r][c]);
        }
      }
  }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < width; ++c)
      x.y[(row + r) * x.n + column + c] = _mm512_reduce_add_ps(sums[r][c]) + (x.bias ? x.bias[column + c] : 0);
}

constexpr int64_t kTileWidth = 4;

// Many rows: a piece of some tiles' columns becomes numbers in the first-level cache, which all rows of a group use; a
// few rows of A pass by all of the tiles before the next come. The sums wait in memory meanwhile.
constexpr int64_t kManyRows = 6, kGroupRows = 48, kPanelRows = 6, kPanelPlaces = 256, kPanelTiles = 4;
constexpr int64_t kTileWeights = kPanelPlaces * kTileWidth, kRowSums = kTileWidth * 16;

template <int64_t rows>
ONNXC_WIDE void panelTile(const float *a, int64_t rowSize, const float *weights, int64_t vectors, float *sums) {
  __m512 held[rows][kTileWidth];
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < kTileWidth; ++c)
      held[r][c] = _mm512_load_ps(sums + (r * kTileWidth + c) * 16);
  for (int64_t v = 0; v < vectors; ++v) {
    __m512 w[kTileWidth];
    for (int64_t c = 0; c < kTileWidth; ++c)
      w[c] = _mm512_load_ps(weights + (v * kTileWidth + c) * 16);
    for (int64_t r = 0; r < rows; ++r) {
      __m512 value = _mm512_loadu_ps(a + r * rowSize + v * 16);
      for (int64_t c = 0; c < kTileWidth; ++c)
        held[r][c] = _mm512_fmadd_ps(value, w[c], held[r][c]);
    }
  }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < kTileWidth; ++c)
      _mm512_store_ps(sums + (r * kTileWidth + c) * 16, held[r][c]);
}

// The numbers of one column's places [from, from + places), every 16 of them beside those of the tile's others.
template <int64_t bits>
ONNXC_WIDE void decode(const Product &x, int64_t column, int64_t from, int64_t places, float *to) {
  Codes<bits> codes;
  for (int64_t k = 0; k < places; k += kPairs) {
    int64_t inBlock = (from + k) % x.block;
    if (k == 0 || inBlock == 0)
      codes.start(x, column * x.blocks + (from + k) / x.block);
    __m512 first, second;
    codes.read(inBlock, first, second);
    _mm512_store_ps(to + k * kTileWidth, first);
    _mm512_store_ps(to + (k + 16) * kTileWidth, second);
  }
}

template <int64_t bits> ONNXC_WIDE void panel(const Product &x, int64_t column, int64_t tiles) {
  alignas(64) float weights[kPanelTiles * kTileWeights], sums[kPanelTiles * kGroupRows * kRowSums];
  for (int64_t group = 0; group < x.m; group += kGroupRows) {
    int64_t rows = x.m - group < kGroupRows ? x.m - group : kGroupRows;
    memset(sums, 0, sizeof sums);
    for (int64_t from = 0; from < x.rowSize(); from += kPanelPlaces) {
      int64_t places = x.rowSize() - from < kPanelPlaces ? x.rowSize() - from : kPanelPlaces;
      for (int64_t c = 0; c < tiles * kTileWidth; ++c)
        decode<bits>(x, column + c, from, places, weights + c / kTileWidth * kTileWeights + c % kTileWidth * 16);
      const float *a = x.a + group * x.rowSize() + from;
      for (int64_t row = 0; row < rows;) {
        bool whole = row + kPanelRows <= rows;
        for (int64_t t = 0; t < tiles; ++t) {
          float *to = sums + (t * kGroupRows + row) * kRowSums;
          if (whole)
            panelTile<kPanelRows>(a + row * x.rowSize(), x.rowSize(), weights + t * kTileWeights, places / 16, to);
          else
            panelTile<1>(a + row * x.rowSize(), x.rowSize(), weights + t * kTileWeights, places / 16, to);
        }
        row += whole ? kPanelRows : 1;
      }
    }
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < tiles * kTileWidth; ++c) {
        const float *sum = sums + (c / kTileWidth * kGroupRows + r) * kRowSums + c % kTileWidth * 16;
        x.y[(group + r) * x.n + column + c] =
            _mm512_reduce_add_ps(_mm512_load_ps(sum)) + (x.bias ? x.bias[column + c] : 0);
      }
  }
}

template <int64_t bits, int64_t width> ONNXC_WIDE void rowsOf(const Product &x, int64_t column) {
  constexpr int64_t tileRows = 4;
  int64_t row = 0;
  for (; row + tileRows <= x.m; row += tileRows)
    tile<bits, tileRows, width>(x, row, column);
  for (; row < x.m; ++row)
    tile<bits, 1, width>(x, row, column);
}

template <int64_t bits>
__attribute__((target("arch=x86-64-v4"))) void wideColumnsOf(const Product &x, int64_t begin, int64_t end) {
  int64_t column = begin;
  while (column + kTileWidth <= end) {
    int64_t tiles = 1;
    if (x.m >= kManyRows) {
      tiles = (end - column) / kTileWidth < kPanelTiles ? (end - column) / kTileWidth : kPanelTiles;
      panel<bits>(x, column, tiles);
    } else {
      rowsOf<bits, kTileWidth>(x, column);
    }
    column += tiles * kTileWidth;
  }
  for (; column < end; ++column)
    rowsOf<bits, 1>(x, column);
}

void wideColumns(const Product &x, int64_t begin, int64_t end) {
  if (x.bits == 4)
    wideColumnsOf<4>(x, begin, end);
  else
    wideColumnsOf<8>(x, begin, end);
}

bool isWide(const Product &x) { return cpuLevel() >= 4 && x.bits != 2 && x.block % kPairs == 0; }
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
  arrange(dataOf<const float>(a), arranged, x.m, x.k, x.rowSize(), wide && x.bits == 4);
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
