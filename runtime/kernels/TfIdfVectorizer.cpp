// TfIdfVectorizer: counts n-grams with skips. The pool's n-grams form a tree whose edges are items,
// kept for later runs; windows of the input walk down it.
#include <algorithm>

#include "hashTable.h"

using namespace onnxc_k;

namespace {

struct Vectorizer {
  HashTable<onnxc_str> strings; // items by number
  HashTable<uint64_t> ints;
  int64_t *roots;            // the node of an n-gram's first item, by number, or -1
  HashTable<uint64_t> edges; // (node, item) to node
  int64_t *grams;            // the n-gram that ends at a node, or -1; of equal ones the first
  int64_t numItems, numNodes, numGrams, width;
};

const Vectorizer *load(onnxc_ctx *ctx, const onnxc_attrs *attrs, bool isString) {
  if (auto *kept = static_cast<const Vectorizer *>(onnxc_kept(ctx, attrs)))
    return kept;
  AttrArray<int64_t> starts = attrInts(attrs, "ngram_counts"), indexes = attrInts(attrs, "ngram_indexes");
  AttrArray<onnxc_str> strings = attrStrings(attrs, "pool_strings");
  AttrArray<int64_t> ints = attrInts(attrs, "pool_int64s");
  int64_t poolSize = isString ? strings.size : ints.size;
  Vectorizer v = {};
  if (isString)
    v.strings = HashTable<onnxc_str>(ctx, poolSize);
  else
    v.ints = HashTable<uint64_t>(ctx, poolSize);
  v.edges = HashTable<uint64_t>(ctx, poolSize);
  v.grams = scratch<int64_t>(ctx, poolSize + 1);
  std::fill_n(v.grams, poolSize + 1, int64_t(-1));
  v.roots = scratch<int64_t>(ctx, poolSize + 1);
  std::fill_n(v.roots, poolSize + 1, int64_t(-1));
  for (int64_t n = 1; n <= starts.size; ++n) {
    int64_t end = n < starts.size ? starts[n] : poolSize;
    if (starts[n - 1] < 0 || end > poolSize || (end - starts[n - 1]) % n != 0)
      onnxc_fail(ctx, "TfIdfVectorizer: ngram_counts do not fit the pool");
    for (int64_t begin = starts[n - 1]; begin < end; begin += n) {
      if (v.numGrams == indexes.size)
        onnxc_fail(ctx, "TfIdfVectorizer: there are fewer ngram_indexes than n-grams");
      int64_t node = 0;
      for (int64_t i = begin; i < begin + n; ++i) {
        int64_t item = isString ? v.strings.findOrAdd(strings[i], v.numItems)
                                : v.ints.findOrAdd(static_cast<uint64_t>(ints[i]), v.numItems);
        v.numItems += item == v.numItems;
        if (i > begin)
          node = v.edges.findOrAdd(static_cast<uint64_t>(node * poolSize + item), v.numNodes);
        else if ((node = v.roots[item]) < 0)
          node = v.roots[item] = v.numNodes;
        v.numNodes += node == v.numNodes;
      }
      if (v.grams[node] < 0)
        v.grams[node] = v.numGrams;
      ++v.numGrams;
    }
  }
  for (int64_t i = 0; i < indexes.size; ++i) {
    if (indexes[i] < 0)
      onnxc_fail(ctx, "TfIdfVectorizer: an n-gram index is negative");
    v.width = std::max(v.width, indexes[i] + 1);
  }
  auto *kept = scratch<Vectorizer>(ctx, 1);
  *kept = v;
  if (isString)
    v.strings.keep(ctx);
  else
    v.ints.keep(ctx);
  v.edges.keep(ctx);
  onnxc_keep(ctx, nullptr, v.grams);
  onnxc_keep(ctx, nullptr, v.roots);
  onnxc_keep(ctx, attrs, kept);
  return kept;
}

} // namespace

ONNXC_KERNEL(TfIdfVectorizer) {
  const onnxc_tensor &x = in[0];
  if (x.rank > 2)
    onnxc_fail(ctx, "TfIdfVectorizer: the input has rank %d", x.rank);
  bool isString = x.elem_type == ONNXC_STRING;
  const Vectorizer &vectorizer = *load(ctx, attrs, isString);
  AttrArray<int64_t> indexes = attrInts(attrs, "ngram_indexes");
  AttrArray<float> weights = attrFloats(attrs, "weights");
  int64_t poolSize = isString ? attrStrings(attrs, "pool_strings").size : attrInts(attrs, "pool_int64s").size;
  int64_t minLength = onnxc_attr_int(attrs, "min_gram_length", 1), maxLength = onnxc_attr_int(attrs, "max_gram_length", 1);
  int64_t maxSkip = onnxc_attr_int(attrs, "max_skip_count", 0);
  bool useCount = !attrIs(attrs, "mode", "IDF"), useWeight = !attrIs(attrs, "mode", "TF") && weights.size > 0;
  if (useWeight && weights.size < vectorizer.numGrams)
    onnxc_fail(ctx, "TfIdfVectorizer: there are fewer weights than n-grams");

  int64_t width = vectorizer.width;
  Dims dims;
  if (x.rank == 2)
    dims.push(x.dims[0]);
  dims.push(width);
  auto *result = static_cast<float *>(prepareOut(ctx, out[0], dims));
  int64_t rows = x.rank == 2 ? x.dims[0] : 1, columns = x.rank == 0 ? 1 : x.dims[x.rank - 1];
  double cost = static_cast<double>(columns * (maxLength - minLength + 1) * (maxSkip + 1)) * 4 + static_cast<double>(width) / 16;
  parallelFor(ctx, rows, cost, [=, &vectorizer, &x](int64_t first, int64_t last) {
    auto *items = scratch<int64_t>(ctx, columns);
    for (int64_t row = first; row < last; ++row) {
      float *to = result + row * width;
      memset(to, 0, static_cast<size_t>(width) * sizeof(float));
      for (int64_t i = 0; i < columns; ++i) {
        int64_t at = row * columns + i;
        items[i] = isString ? vectorizer.strings.find(*dataOf<Str>(x)[at])
                            : vectorizer.ints.find(static_cast<uint64_t>(intAt(x, at)));
      }
      for (int64_t step = 1; step <= maxSkip + 1; ++step)
        for (int64_t begin = 0; begin < columns; ++begin) {
          int64_t node = 0;
          for (int64_t n = 1, at = begin; n <= maxLength && at < columns; ++n, at += step) {
            if (items[at] < 0)
              break;
            node = n == 1 ? vectorizer.roots[items[at]]
                          : vectorizer.edges.find(static_cast<uint64_t>(node * poolSize + items[at]));
            if (node < 0)
              break;
            int64_t gram = vectorizer.grams[node];
            // Single items have no gaps to skip.
            if (gram < 0 || n < minLength || (n == 1 && step > 1))
              continue;
            float weight = useWeight ? weights[gram] : 1;
            float &sum = to[indexes[gram]];
            sum = useCount ? sum + weight : weight;
          }
        }
    }
    onnxc_free(ctx, items);
  });
  return 0;
}
