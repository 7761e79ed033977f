// Transposition of matrices, in blocks that stay in registers. Always inlined: for functions with versions (cpu.h).
#ifndef ONNXC_KERNELS_TURN_H
#define ONNXC_KERNELS_TURN_H

#include <utility>

#include "common.h"

namespace onnxc_k {

constexpr int64_t kTurnedAtOnce = 16;

typedef float TurnVector __attribute__((vector_size(64), aligned(4)));

// Exchanges the lanes of two rows whose numbers differ in the bit `distance`.
template <int distance, int... lanes>
__attribute__((always_inline)) inline void turnPair(TurnVector &a, TurnVector &b,
                                                    std::integer_sequence<int, lanes...>) {
  TurnVector low = __builtin_shufflevector(a, b, (lanes & distance ? 16 + lanes - distance : lanes)...);
  b = __builtin_shufflevector(a, b, (lanes & distance ? 16 + lanes : lanes + distance)...);
  a = low;
}
template <int distance> __attribute__((always_inline)) inline void turnStage(TurnVector (&rows)[kTurnedAtOnce]) {
#pragma clang loop unroll(full)
  for (int i = 0; i < kTurnedAtOnce; ++i)
    if (!(i & distance))
      turnPair<distance>(rows[i], rows[i + distance], std::make_integer_sequence<int, kTurnedAtOnce>());
}

// to[c * toStep + r] = from[r * fromStep + c] for r < rows, c < columns.
template <typename T, typename A>
__attribute__((always_inline)) inline void turn(const T *__restrict from, int64_t fromStep, int64_t rows, int64_t columns,
                                                A *__restrict to, int64_t toStep) {
  constexpr int64_t n = kTurnedAtOnce;
  if constexpr (__is_same(T, float) && __is_same(A, float))
    if (rows >= n && columns >= n) {
      // The last blocks of rows and columns begin so early that they are whole.
      for (int64_t row = 0; row < rows; row += n)
        for (int64_t column = 0; column < columns; column += n) {
          int64_t r = row < rows - n ? row : rows - n, c = column < columns - n ? column : columns - n;
          TurnVector block[n];
#pragma clang loop unroll(full)
          for (int64_t i = 0; i < n; ++i)
            block[i] = *reinterpret_cast<const TurnVector *>(from + (r + i) * fromStep + c);
          turnStage<1>(block);
          turnStage<2>(block);
          turnStage<4>(block);
          turnStage<8>(block);
#pragma clang loop unroll(full)
          for (int64_t i = 0; i < n; ++i)
            *reinterpret_cast<TurnVector *>(to + (c + i) * toStep + r) = block[i];
        }
      return;
    }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      to[c * toStep + r] = static_cast<A>(from[r * fromStep + c]);
}

} // namespace onnxc_k

#endif
