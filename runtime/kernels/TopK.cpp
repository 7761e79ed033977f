// TopK. An element and its index become one integer whose order is the result's, so that NaN, ties and
// the direction need no thought afterwards. Candidates above a threshold are collected and thinned out;
// what is left is sorted.
#include <algorithm>

#include "cpu.h"

using namespace onnxc_k;

namespace {

// Signed integers in the order of the numbers: NaN is greatest, zeros are equal.
inline int32_t orderOf(float x) {
  int32_t bits;
  x += 0.0f;
  memcpy(&bits, &x, sizeof(bits));
  return x != x ? INT32_MAX : bits ^ (bits >> 31 & INT32_MAX);
}
inline int64_t orderOf(double x) {
  int64_t bits;
  x += 0.0;
  memcpy(&bits, &x, sizeof(bits));
  return x != x ? INT64_MAX : bits ^ (bits >> 63 & INT64_MAX);
}
inline int32_t orderOf(F16 x) { return orderOf(static_cast<float>(x)); }
inline int32_t orderOf(BF16 x) { return orderOf(static_cast<float>(x)); }
inline int32_t orderOf(int8_t x) { return x; }
inline int32_t orderOf(uint8_t x) { return x; }
inline int32_t orderOf(int16_t x) { return x; }
inline int32_t orderOf(uint16_t x) { return x; }
inline int32_t orderOf(int32_t x) { return x; }
inline int32_t orderOf(uint32_t x) { return static_cast<int32_t>(x ^ 1u << 31); }
inline int64_t orderOf(int64_t x) { return x; }
inline int64_t orderOf(uint64_t x) { return static_cast<int64_t>(x ^ uint64_t(1) << 63); }

// The greater key first, of equal keys the lower index.
struct Narrow {
  using Key = int32_t;
  using Entry = int64_t;
  static Entry entry(Key key, int64_t i) { return static_cast<int64_t>(key) * (int64_t(1) << 32) + (UINT32_MAX - i); }
  static Key key(Entry e) { return static_cast<Key>(e >> 32); }
  static int64_t index(Entry e) { return UINT32_MAX - (e & UINT32_MAX); }
};
struct Wide {
  using Key = int64_t;
  using Entry = __int128;
  static Entry entry(int64_t key, int64_t i) {
    return static_cast<Entry>(key) * (static_cast<Entry>(1) << 64) + static_cast<uint64_t>(INT64_MAX - i);
  }
  static Key key(Entry e) { return static_cast<Key>(e >> 64); }
  static int64_t index(Entry e) { return INT64_MAX - static_cast<int64_t>(static_cast<uint64_t>(e)); }
};

constexpr int64_t kBlock = 16;
// So few are kept in order all the time.
constexpr int64_t kFew = 32;

typedef int32_t KeyVector __attribute__((vector_size(64), aligned(4)));
typedef int64_t EntryVector __attribute__((vector_size(64), aligned(8)));
constexpr int64_t kEntries = 8;

template <typename Key> __attribute__((always_inline)) inline bool anyAbove(const Key *keys, Key threshold) {
  int count = 0;
  for (int64_t j = 0; j < kBlock; ++j)
    count += keys[j] > threshold;
  return count != 0;
}
template <> __attribute__((always_inline)) inline bool anyAbove(const int32_t *keys, int32_t threshold) {
  auto above = *reinterpret_cast<const KeyVector *>(keys) > threshold;
  above |= __builtin_shufflevector(above, above, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  above |= __builtin_shufflevector(above, above, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  above |= __builtin_shufflevector(above, above, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  return (above[0] | above[1]) != 0;
}

// The first entries so far, in order. insert() puts one among the first `count` of them, of at most k.
template <typename Form> struct FewInOrder {
  using Entry = typename Form::Entry;
  Entry now[kFew];
  __attribute__((always_inline)) Entry operator[](int64_t i) const { return now[i]; }
  __attribute__((always_inline)) void insert(Entry entry, int64_t count, int64_t) {
    for (; count > 0 && now[count - 1] < entry; --count)
      now[count] = now[count - 1];
    now[count] = entry;
  }
};
// Each new entry is compared with all at once, without a branch: what comes after it moves on.
template <> struct FewInOrder<Narrow> {
  int64_t space[kEntries + kFew], *now = space + kEntries; // behind one that comes before all others
  __attribute__((always_inline)) FewInOrder() {
    now[-1] = INT64_MAX;
    for (int64_t i = 0; i < kFew; ++i)
      now[i] = INT64_MIN;
  }
  __attribute__((always_inline)) int64_t operator[](int64_t i) const { return now[i]; }
  __attribute__((always_inline)) void insert(int64_t entry, int64_t, int64_t k) {
    for (int64_t i = (k - 1) / kEntries * kEntries; i >= 0; i -= kEntries) {
      auto here = *reinterpret_cast<const EntryVector *>(now + i), before = *reinterpret_cast<const EntryVector *>(now + i - 1);
      auto added = EntryVector{} + entry, moved = before < added ? before : added;
      *reinterpret_cast<EntryVector *>(now + i) = here > moved ? here : moved;
    }
  }
};

template <typename Form>
__attribute__((always_inline)) inline void chooseFewBody(const typename Form::Key *keys, int64_t n, int64_t k,
                                                         typename Form::Entry *chosen) {
  FewInOrder<Form> few;
  for (int64_t i = 0; i < k; ++i)
    few.insert(Form::entry(keys[i], i), i, k);
  auto threshold = Form::key(few[k - 1]);
  for (int64_t i = k; i < n; i += kBlock) {
    int64_t end = std::min(i + kBlock, n);
    if (end - i == kBlock && !anyAbove(keys + i, threshold))
      continue;
    for (int64_t j = i; j < end; ++j)
      if (keys[j] > threshold) {
        few.insert(Form::entry(keys[j], j), k - 1, k);
        threshold = Form::key(few[k - 1]);
      }
  }
  for (int64_t i = 0; i < k; ++i)
    chosen[i] = few[i];
}
__attribute__((always_inline)) inline void chooseFewNarrowBody(const int32_t *keys, int64_t n, int64_t k, int64_t *chosen) {
  chooseFewBody<Narrow>(keys, n, k, chosen);
}
ONNXC_VERSIONS(void, chooseFewNarrow, (const int32_t *keys, int64_t n, int64_t k, int64_t *chosen), (keys, n, k, chosen))
void chooseFew(const int32_t *keys, int64_t n, int64_t k, int64_t *chosen) { chooseFewNarrow(keys, n, k, chosen); }
void chooseFew(const int64_t *keys, int64_t n, int64_t k, __int128 *chosen) { chooseFewBody<Wide>(keys, n, k, chosen); }

__attribute__((always_inline)) inline void orderFloatsBody(const float *from, int64_t n, int32_t flip, int32_t *keys) {
  for (int64_t i = 0; i < n; ++i)
    keys[i] = orderOf(from[i]) ^ flip;
}
ONNXC_VERSIONS(void, orderFloats, (const float *from, int64_t n, int32_t flip, int32_t *keys), (from, n, flip, keys))
__attribute__((always_inline)) inline void orderLanesBody(const float *from, int64_t step, int64_t n, int32_t flip,
                                                          int32_t *keys) {
  for (int64_t i = 0; i < n; ++i)
    for (int64_t row = 0; row < kBlock; ++row)
      keys[i * kBlock + row] = orderOf(from[i * step + row]) ^ flip;
}
ONNXC_VERSIONS(void, orderLanes, (const float *from, int64_t step, int64_t n, int32_t flip, int32_t *keys),
               (from, step, n, flip, keys))
template <typename T, typename Key> void orderRow(const T *from, int64_t n, Key flip, Key *keys) {
  if constexpr (__is_same(T, float) && __is_same(Key, int32_t))
    return orderFloats(from, n, flip, keys);
  for (int64_t i = 0; i < n; ++i)
    keys[i] = orderOf(from[i]) ^ flip;
}

// So few are chosen of kBlock neighbouring rows at a time, a lane each.
constexpr int64_t kVeryFew = 4;

// keys [n, kBlock]; chosen [kBlock, k].
template <int k>
__attribute__((always_inline)) inline void chooseLanesOf(const int32_t *keys, int64_t n, int64_t *chosen) {
  KeyVector best[k] = {}, places[k] = {};
  for (int64_t i = 0; i < n; ++i) {
    auto key = *reinterpret_cast<const KeyVector *>(keys + i * kBlock), place = KeyVector{} + static_cast<int32_t>(i);
    KeyVector moves = {};
#pragma clang loop unroll(full)
    for (int level = 0; level < k; ++level) {
      KeyVector previous = best[level], previousPlace = places[level];
      moves |= key > previous; // an entry that moves on comes before those after it
      if (i <= level)
        moves = KeyVector{} - 1;
      best[level] = moves ? key : previous;
      places[level] = moves ? place : previousPlace;
      key = moves ? previous : key;
      place = moves ? previousPlace : place;
    }
  }
  for (int level = 0; level < k; ++level)
    for (int64_t row = 0; row < kBlock; ++row)
      chosen[row * k + level] = Narrow::entry(best[level][row], places[level][row]);
}
__attribute__((always_inline)) inline void chooseLanesBody(const int32_t *keys, int64_t n, int64_t k, int64_t *chosen) {
  switch (k) {
  case 1: return chooseLanesOf<1>(keys, n, chosen);
  case 2: return chooseLanesOf<2>(keys, n, chosen);
  case 3: return chooseLanesOf<3>(keys, n, chosen);
  default: return chooseLanesOf<kVeryFew>(keys, n, chosen);
  }
}
ONNXC_VERSIONS(void, chooseLanes, (const int32_t *keys, int64_t n, int64_t k, int64_t *chosen), (keys, n, k, chosen))

// The k first of keys into `chosen`, which has space for capacity(k, n) entries.
int64_t capacity(int64_t k, int64_t n) { return std::min(2 * k + 64, n) + kBlock; }
template <typename Form> void choose(const typename Form::Key *keys, int64_t n, int64_t k, typename Form::Entry *chosen) {
  using Entry = typename Form::Entry;
  auto before = [](Entry a, Entry b) { return a > b; };
  int64_t count = 0, i = 0, full = capacity(k, n) - kBlock;
  for (; i < n && count < k; ++i)
    chosen[count++] = Form::entry(keys[i], i);
  if (i < n) {
    auto threshold = Form::key(*std::max_element(chosen, chosen + k, before));
    auto add = [&](int64_t at) {
      chosen[count] = Form::entry(keys[at], at);
      count += keys[at] > threshold; // an equal key with a higher index is never wanted
    };
    auto thin = [&] {
      std::nth_element(chosen, chosen + k - 1, chosen + count, before);
      threshold = Form::key(chosen[k - 1]);
      count = k;
    };
    for (; i + kBlock <= n; i += kBlock) {
      if (!anyAbove(keys + i, threshold))
        continue;
      for (int64_t j = 0; j < kBlock; ++j)
        add(i + j);
      if (count > full)
        thin();
    }
    for (; i < n; ++i) {
      add(i);
      if (count > full)
        thin();
    }
    if (count > k)
      thin();
  }
  std::sort(chosen, chosen + k, before);
}

template <typename Form, typename T>
void topK(onnxc_ctx *ctx, const onnxc_tensor &x, int64_t axis, int64_t k, bool largest, T *values, int64_t *indices) {
  using Key = typename Form::Key;
  Dims dims(x);
  int64_t n = dims.sizes[axis], inner = dims.product(static_cast<int32_t>(axis) + 1, dims.rank);
  int64_t outer = dims.product(0, static_cast<int32_t>(axis));
  // Neighbouring rows of an inner axis are read together.
  int64_t group = std::min<int64_t>(inner, kBlock), groups = (inner + group - 1) / group;
  bool inLanes = __is_same(Form, Narrow) && inner > 1 && k > 0 && k <= kVeryFew && n <= INT32_MAX;
  const T *data = dataOf<const T>(x);
  Key flip = largest ? 0 : -1;
  parallelFor(ctx, outer * groups, static_cast<double>(group * (n + 4 * k)), [=](int64_t begin, int64_t end) {
    int64_t keySpace = n * (inLanes ? kBlock : group);
    auto *keys = scratch<Key>(ctx, keySpace);
    if (inLanes && group < kBlock)
      memset(keys, 0, static_cast<size_t>(keySpace) * sizeof(Key));
    auto *entries = scratch<typename Form::Entry>(ctx, inLanes ? k * kBlock : capacity(k, n));
    for (int64_t block = begin; block < end; ++block) {
      int64_t first = block % groups * group, rows = std::min(group, inner - first);
      const T *from = data + block / groups * n * inner + first;
      bool isWhole = __is_same(T, float) && inLanes && rows == kBlock;
      if (inner == 1)
        orderRow(from, n, flip, keys);
      else if (isWhole)
        orderLanes(reinterpret_cast<const float *>(from), inner, n, static_cast<int32_t>(flip), reinterpret_cast<int32_t *>(keys));
      else
        for (int64_t i = 0; i < n; ++i)
          for (int64_t row = 0; row < rows; ++row)
            keys[inLanes ? i * kBlock + row : row * n + i] = orderOf(from[i * inner + row]) ^ flip;
      if (inLanes)
        chooseLanes(reinterpret_cast<const int32_t *>(keys), n, k, reinterpret_cast<int64_t *>(entries));
      for (int64_t row = 0; row < rows; ++row) {
        auto *chosen = inLanes ? entries + row * k : entries;
        if (!inLanes && k > 0 && k <= kFew)
          chooseFew(keys + row * n, n, k, chosen);
        else if (!inLanes)
          choose<Form>(keys + row * n, n, k, chosen);
        int64_t to = block / groups * k * inner + first + row;
        for (int64_t i = 0; i < k; ++i) {
          int64_t index = Form::index(chosen[i]);
          if (values)
            values[to + i * inner] = from[index * inner + row];
          if (indices)
            indices[to + i * inner] = index;
        }
      }
    }
    onnxc_free(ctx, entries);
    onnxc_free(ctx, keys);
  });
}

} // namespace

ONNXC_KERNEL(TopK) {
  const onnxc_tensor &x = in[0];
  if (x.rank == 0)
    onnxc_fail(ctx, "TopK: the input is a scalar");
  int64_t axis = normalizeAxis(ctx, onnxc_attr_int(attrs, "axis", -1), x.rank);
  int64_t k = onnxc_num_elements(&in[1]) > 0 ? intAt(in[1], 0) : 0;
  if (k < 0 || k > x.dims[axis])
    onnxc_fail(ctx, "TopK: k is %lld, the axis has %lld elements", static_cast<long long>(k),
               static_cast<long long>(x.dims[axis]));
  Dims dims(x);
  dims.sizes[axis] = k;
  void *values = isPresent(numOut, out, 0) ? prepareOut(ctx, out[0], dims) : nullptr;
  auto *indices = static_cast<int64_t *>(isPresent(numOut, out, 1) ? prepareOut(ctx, out[1], dims) : nullptr);
  bool largest = onnxc_attr_int(attrs, "largest", 1) != 0;
  if (dims.count() == 0)
    return 0;
  auto run = [&](auto tag) {
    using T = typename decltype(tag)::Type;
    bool narrow = sizeof(T) <= 4 && x.dims[axis] < UINT32_MAX;
    if constexpr (sizeof(T) <= 4) {
      if (narrow)
        return topK<Narrow, T>(ctx, x, axis, k, largest, static_cast<T *>(values), indices);
    }
    topK<Wide, T>(ctx, x, axis, k, largest, static_cast<T *>(values), indices);
  };
  switch (x.elem_type) {
  case ONNXC_FLOAT16: run(TypeTag<F16>()); break;
  case ONNXC_BFLOAT16: run(TypeTag<BF16>()); break;
  case ONNXC_FLOAT: run(TypeTag<float>()); break;
  case ONNXC_DOUBLE: run(TypeTag<double>()); break;
  default:
    dispatchInt(ctx, "TopK", x.elem_type, run);
  }
  return 0;
}
