// MT19937 (Matsumoto and Nishimura, 1998), seeded and read as NumPy's RandomState does: with a seed, random operators
// give what onnx's reference evaluator gives. Element after element; unseeded tensors come from philox.h.
#ifndef ONNXC_KERNELS_MT19937_H
#define ONNXC_KERNELS_MT19937_H

#include <math.h>
#include <stdint.h>

namespace onnxc_k {

class Mt19937 {
public:
  explicit Mt19937(uint32_t seed) {
    for (uint32_t i = 0; i < size; ++i) {
      state[i] = seed;
      seed = 1812433253u * (seed ^ (seed >> 30)) + i + 1;
    }
  }

  uint32_t next() {
    if (at == size)
      refill();
    uint32_t y = state[at++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
  }
  // In [0, 1), with 53 random bits.
  double uniform() {
    uint32_t high = next() >> 5, low = next() >> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
  }
  // The polar method; of each pair the second comes first.
  double normal() {
    if (hasSpare) {
      hasSpare = false;
      return spare;
    }
    double x, y, square;
    do {
      x = 2 * uniform() - 1;
      y = 2 * uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square == 0);
    double factor = sqrt(-2 * log(square) / square);
    spare = factor * x;
    hasSpare = true;
    return factor * y;
  }
  // 1 with probability p: inversion of the binomial distribution of one trial.
  bool bernoulli(double p) {
    if (!(p > 0))
      return false;
    return p <= 0.5 ? exceeds(p) : !exceeds(1 - p);
  }

private:
  static constexpr uint32_t size = 624, shift = 397;
  uint32_t state[size];
  uint32_t at = size;
  double spare = 0;
  bool hasSpare = false;

  void refill() {
    for (uint32_t i = 0; i < size; ++i) {
      uint32_t y = (state[i] & 0x80000000u) | (state[(i + 1) % size] & 0x7fffffffu);
      state[i] = state[(i + shift) % size] ^ (y >> 1) ^ ((y & 1) ? 0x9908b0dfu : 0);
    }
    at = 0;
  }
  bool exceeds(double p) { return uniform() > exp(log(1 - p)); }
};

} // namespace onnxc_k

#endif
