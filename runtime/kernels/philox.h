// Philox4x32-10, a counter-based generator (Salmon et al., 2011): element i of a random tensor depends
// on the seed and on i only, so the order of the threads does not matter.
#ifndef ONNXC_KERNELS_PHILOX_H
#define ONNXC_KERNELS_PHILOX_H

#include <stdint.h>

namespace onnxc_k {

struct Philox {
  uint64_t key;

  struct Block {
    uint32_t words[4];
  };
  Block block(uint64_t counter) const {
    uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32), c2 = 0, c3 = 0;
    uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      uint64_t p0 = uint64_t(0xD2511F53u) * c0, p1 = uint64_t(0xCD9E8D57u) * c2;
      c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
      c1 = static_cast<uint32_t>(p1);
      c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
      c3 = static_cast<uint32_t>(p0);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
  }
  // In [0, 1), with 53 random bits; two of each block.
  double uniform(uint64_t i) const {
    return uniform(block(i / 2), i % 2);
  }
  static double uniform(const Block &b, uint64_t half) {
    return static_cast<double>((uint64_t(b.words[2 * half]) << 32 | b.words[2 * half + 1]) >> 11) * 0x1p-53;
  }
};

} // namespace onnxc_k

#endif
