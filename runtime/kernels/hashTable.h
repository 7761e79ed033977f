// Hash tables from keys to numbers, open addressing. Memory is the run's; keep() makes it the instance's.
#ifndef ONNXC_KERNELS_HASHTABLE_H
#define ONNXC_KERNELS_HASHTABLE_H

#include "common.h"

namespace onnxc_k {

inline uint64_t mixHash(uint64_t x) {
  x *= 0x9e3779b97f4a7c15u;
  return x ^ x >> 32;
}
inline uint64_t hashOf(uint64_t key) { return mixHash(key); }
inline uint64_t hashOf(const onnxc_str &key) {
  uint64_t hash = static_cast<uint64_t>(key.size), word = 0;
  int64_t i = 0;
  for (; i + 8 <= key.size; i += 8) {
    memcpy(&word, key.data + i, 8);
    hash = mixHash(hash ^ word);
  }
  word = 0;
  if (i < key.size)
    memcpy(&word, key.data + i, static_cast<size_t>(key.size - i));
  return mixHash(hash ^ word);
}
inline bool equalKeys(uint64_t a, uint64_t b) { return a == b; }
inline bool equalKeys(const onnxc_str &a, const onnxc_str &b) { return equalStrings(a, b); }

// Keys of type uint64_t or onnxc_str (whose characters are not copied); values are not negative.
template <typename Key> class HashTable {
public:
  HashTable() = default;
  // For at most count keys.
  HashTable(onnxc_ctx *ctx, int64_t count) {
    while (mask < 2 * count)
      mask = 2 * mask + 1;
    slots = scratch<Slot>(ctx, mask + 1);
    for (int64_t i = 0; i <= mask; ++i)
      slots[i].value = -1;
  }
  // The key's value, or -1.
  int64_t find(const Key &key) const {
    for (int64_t at = placeOf(key);; at = (at + 1) & mask)
      if (slots[at].value < 0 || equalKeys(slots[at].key, key))
        return slots[at].value;
  }
  // The value of a key that is there, else value after adding it.
  int64_t findOrAdd(const Key &key, int64_t value) {
    int64_t at = placeOf(key);
    for (; slots[at].value >= 0; at = (at + 1) & mask)
      if (equalKeys(slots[at].key, key))
        return slots[at].value;
    slots[at] = {key, value};
    return value;
  }
  void keep(onnxc_ctx *ctx) const { onnxc_keep(ctx, nullptr, slots); }

private:
  struct Slot {
    Key key;
    int64_t value;
  };
  int64_t placeOf(const Key &key) const { return static_cast<int64_t>(hashOf(key)) & mask; }

  Slot *slots = nullptr;
  int64_t mask = 3;
};

} // namespace onnxc_k

#endif
