// TfIdfVectorizer: counts n-grams with skips. The pool's n-grams are sorted by length and content,
// so each window is found by binary search.
#include <algorithm>

#include "common.h"

using namespace onnxc_k;

namespace {

struct Gram {
  int64_t begin, length, id; // of the pool; id counts n-grams in the pool's order
};

struct Matcher {
  const onnxc_tensor &x;
  AttrArray<onnxc_str> strings;
  AttrArray<int64_t> ints;
  bool isString;

  int compareItem(int64_t pool, int64_t element) const {
    if (isString)
      return compareStrings(strings[pool], *dataOf<Str>(x)[element]);
    return compareNumbers(ints[pool], intAt(x, element));
  }
  // The n-gram against the window of the input at begin with a step.
  int compareWindow(const Gram &gram, int64_t length, int64_t begin, int64_t step) const {
    if (gram.length != length)
      return gram.length < length ? -1 : 1;
    for (int64_t i = 0; i < length; ++i)
      if (int order = compareItem(gram.begin + i, begin + i * step))
        return order;
    return 0;
  }
  bool less(const Gram &a, const Gram &b) const {
    if (a.length != b.length)
      return a.length < b.length;
    for (int64_t i = 0; i < a.length; ++i) {
      int order = isString ? compareStrings(strings[a.begin + i], strings[b.begin + i])
                           : compareNumbers(ints[a.begin + i], ints[b.begin + i]);
      if (order != 0)
        return order < 0;
    }
    return a.id < b.id;
  }
};

} // namespace

ONNXC_KERNEL(TfIdfVectorizer) {
  const onnxc_tensor &x = in[0];
  if (x.rank > 2)
    onnxc_fail(ctx, "TfIdfVectorizer: the input has rank %d", x.rank);
  AttrArray<int64_t> starts = attrInts(attrs, "ngram_counts"), indexes = attrInts(attrs, "ngram_indexes");
  AttrArray<float> weights = attrFloats(attrs, "weights");
  Matcher matcher = {x, attrStrings(attrs, "pool_strings"), attrInts(attrs, "pool_int64s"), x.elem_type == ONNXC_STRING};
  int64_t poolSize = matcher.isString ? matcher.strings.size : matcher.ints.size;
  int64_t minLength = onnxc_attr_int(attrs, "min_gram_length", 1), maxLength = onnxc_attr_int(attrs, "max_gram_length", 1);
  int64_t maxSkip = onnxc_attr_int(attrs, "max_skip_count", 0);
  bool useCount = !attrIs(attrs, "mode", "IDF"), useWeight = !attrIs(attrs, "mode", "TF") && weights.size > 0;

  auto *grams = scratch<Gram>(ctx, indexes.size);
  int64_t numGrams = 0, width = 0;
  for (int64_t n = 1; n <= starts.size; ++n) {
    int64_t end = n < starts.size ? starts[n] : poolSize;
    if (starts[n - 1] < 0 || end > poolSize || (end - starts[n - 1]) % n != 0)
      onnxc_fail(ctx, "TfIdfVectorizer: ngram_counts do not fit the pool");
    for (int64_t begin = starts[n - 1]; begin < end; begin += n) {
      if (numGrams == indexes.size)
        onnxc_fail(ctx, "TfIdfVectorizer: there are fewer ngram_indexes than n-grams");
      grams[numGrams] = {begin, n, numGrams};
      ++numGrams;
    }
  }
  for (int64_t i = 0; i < indexes.size; ++i) {
    if (indexes[i] < 0)
      onnxc_fail(ctx, "TfIdfVectorizer: an n-gram index is negative");
    width = std::max(width, indexes[i] + 1);
  }
  if (useWeight && weights.size < numGrams)
    onnxc_fail(ctx, "TfIdfVectorizer: there are fewer weights than n-grams");
  std::sort(grams, grams + numGrams, [&](const Gram &a, const Gram &b) { return matcher.less(a, b); });

  Dims dims;
  if (x.rank == 2)
    dims.push(x.dims[0]);
  dims.push(width);
  auto *to = static_cast<float *>(prepareOut(ctx, out[0], dims));
  int64_t rows = x.rank == 2 ? x.dims[0] : 1, columns = x.rank == 0 ? 1 : x.dims[x.rank - 1];
  memset(to, 0, static_cast<size_t>(rows * width) * sizeof(float));
  for (int64_t row = 0; row < rows; ++row, to += width)
    for (int64_t n = minLength; n <= maxLength; ++n)
      for (int64_t step = 1; step <= (n == 1 ? 1 : maxSkip + 1); ++step)
        for (int64_t begin = 0; begin + (n - 1) * step < columns; ++begin) {
          int64_t at = row * columns + begin;
          Gram *found = std::lower_bound(grams, grams + numGrams, at, [&](const Gram &gram, int64_t window) {
            return matcher.compareWindow(gram, n, window, step) < 0;
          });
          if (found == grams + numGrams || matcher.compareWindow(*found, n, at, step) != 0)
            continue;
          float weight = useWeight ? weights[found->id] : 1;
          float &result = to[indexes[found->id]];
          result = useCount ? result + weight : weight;
        }
  onnxc_free(ctx, grams);
  return 0;
}
