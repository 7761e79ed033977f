// String operators: StringConcat, StringSplit, StringNormalizer, Equal of strings.
#include "text.h"

using namespace onnxc_k;

namespace {

// Calls f(i, a, b) for each element of two broadcast tensors.
template <typename F>
void forBroadcast(onnxc_ctx *ctx, const onnxc_tensor &a, const onnxc_tensor &b, Dims &dims, F f) {
  dims.rank = a.rank > b.rank ? a.rank : b.rank;
  int64_t strideA[ONNXC_MAX_RANK], strideB[ONNXC_MAX_RANK], sizeA = 1, sizeB = 1;
  for (int32_t d = dims.rank - 1; d >= 0; --d) {
    int32_t da = d - (dims.rank - a.rank), db = d - (dims.rank - b.rank);
    int64_t na = da >= 0 ? a.dims[da] : 1, nb = db >= 0 ? b.dims[db] : 1;
    if (na != nb && na != 1 && nb != 1)
      onnxc_fail(ctx, "the shapes of two string tensors can't be broadcast: %lld and %lld in dimension %d",
                 static_cast<long long>(na), static_cast<long long>(nb), d);
    dims.sizes[d] = na == 1 ? nb : na;
    strideA[d] = na == 1 ? 0 : sizeA;
    strideB[d] = nb == 1 ? 0 : sizeB;
    sizeA *= na;
    sizeB *= nb;
  }
  int64_t count = dims.count(), position[ONNXC_MAX_RANK] = {}, ia = 0, ib = 0;
  f.prepare();
  for (int64_t i = 0; i < count; ++i) {
    f.element(i, *dataOf<Str>(a)[ia], *dataOf<Str>(b)[ib]);
    for (int32_t d = dims.rank - 1; d >= 0; --d) {
      ia += strideA[d];
      ib += strideB[d];
      if (++position[d] < dims.sizes[d])
        break;
      position[d] = 0;
      ia -= strideA[d] * dims.sizes[d];
      ib -= strideB[d] * dims.sizes[d];
    }
  }
}

} // namespace

ONNXC_KERNEL(StringConcat) {
  struct Body {
    onnxc_ctx *ctx;
    onnxc_tensor &out;
    Dims &dims;
    Str *to;
    void prepare() { to = static_cast<Str *>(prepareOut(ctx, out, dims)); }
    void element(int64_t i, const onnxc_str &a, const onnxc_str &b) {
      // Built in place: the pool's strings are ours until they are shared.
      auto *joined = static_cast<onnxc_str *>(static_cast<void *>(
          scratch<char>(ctx, static_cast<int64_t>(sizeof(onnxc_str)) + a.size + b.size)));
      auto *text = reinterpret_cast<char *>(joined + 1);
      memcpy(text, a.data, static_cast<size_t>(a.size));
      memcpy(text + a.size, b.data, static_cast<size_t>(b.size));
      *joined = {a.size + b.size, text};
      to[i] = joined;
    }
  };
  Dims dims;
  forBroadcast(ctx, in[0], in[1], dims, Body{ctx, out[0], dims, nullptr});
  return 0;
}

ONNXC_KERNEL(StringEqual) {
  struct Body {
    onnxc_ctx *ctx;
    onnxc_tensor &out;
    Dims &dims;
    uint8_t *to;
    void prepare() { to = static_cast<uint8_t *>(prepareOut(ctx, out, dims)); }
    void element(int64_t i, const onnxc_str &a, const onnxc_str &b) { to[i] = equalStrings(a, b); }
  };
  Dims dims;
  forBroadcast(ctx, in[0], in[1], dims, Body{ctx, out[0], dims, nullptr});
  return 0;
}

namespace {

bool isSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// The first c from `from` on, `end` where there is none: eight characters at a time, quicker than a call where it is near.
int64_t findChar(const char *text, int64_t from, int64_t end, char c) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
  constexpr int64_t kNear = 64;
  for (int64_t far = from + kNear; from + 8 <= end; from += 8) {
    if (from >= far) {
      const void *found = memchr(text + from, c, static_cast<size_t>(end - from));
      return found ? static_cast<const char *>(found) - text : end;
    }
    uint64_t word = 0;
    memcpy(&word, text + from, 8);
    word ^= kOnes * static_cast<unsigned char>(c);
    if (uint64_t zeros = (word - kOnes) & ~word & kHigh)
      return from + __builtin_ctzll(zeros) / 8;
  }
  while (from < end && text[from] != c)
    ++from;
  return from;
}

// Calls piece(begin, end) for each piece of text, as Python's str.split. An empty
// delimiter splits at runs of white space.
template <typename F> void splitString(const onnxc_str &text, const onnxc_str &delimiter, int64_t maxSplit, F piece) {
  int64_t at = 0, splits = 0;
  if (delimiter.size == 0) {
    while (true) {
      while (at < text.size && isSpace(text.data[at]))
        ++at;
      if (at == text.size)
        return;
      int64_t end = at;
      if (splits++ == maxSplit) {
        end = text.size;
      } else {
        while (end < text.size && !isSpace(text.data[end]))
          ++end;
      }
      piece(at, end);
      at = end;
    }
  }
  for (int64_t from = at; splits != maxSplit && from + delimiter.size <= text.size;) {
    // The next place where the delimiter may begin.
    int64_t last = text.size - delimiter.size + 1, end = findChar(text.data, from, last, delimiter.data[0]);
    if (end == last)
      break;
    if (delimiter.size > 1 &&
        memcmp(text.data + end, delimiter.data, static_cast<size_t>(delimiter.size)) != 0) {
      from = end + 1;
      continue;
    }
    piece(at, end);
    at = from = end + delimiter.size;
    ++splits;
  }
  piece(at, text.size);
}

} // namespace

ONNXC_KERNEL(StringSplit) {
  const onnxc_tensor &x = in[0];
  static const onnxc_str kEmpty = {0, ""};
  const onnxc_str *given = onnxc_attr_string(attrs, "delimiter");
  const onnxc_str &delimiter = given ? *given : kEmpty;
  int64_t maxSplit = onnxc_attr_int(attrs, "maxsplit", -1), n = onnxc_num_elements(&x), most = 0;
  auto *counts = scratch<int64_t>(ctx, n);
  for (int64_t i = 0; i < n; ++i) {
    counts[i] = 0;
    splitString(*dataOf<Str>(x)[i], delimiter, maxSplit, [&](int64_t, int64_t) { ++counts[i]; });
    most = counts[i] > most ? counts[i] : most;
  }
  Dims dims(x);
  if (isPresent(numOut, out, 1))
    memcpy(prepareOut(ctx, out[1], dims), counts, static_cast<size_t>(n) * 8);
  dims.push(most);
  auto *to = static_cast<Str *>(prepareOut(ctx, out[0], dims));
  // All pieces in one allocation: they have no characters that the texts have not.
  int64_t pieces = 0, bytes = 0;
  for (int64_t i = 0; i < n; ++i) {
    pieces += counts[i];
    bytes += dataOf<Str>(x)[i]->size;
  }
  auto *strings = static_cast<onnxc_str *>(
      static_cast<void *>(scratch<char>(ctx, pieces * static_cast<int64_t>(sizeof(onnxc_str)) + bytes)));
  auto *copy = reinterpret_cast<char *>(strings + pieces);
  for (int64_t i = 0; i < n; ++i, to += most) {
    const onnxc_str &text = *dataOf<Str>(x)[i];
    memcpy(copy, text.data, static_cast<size_t>(text.size));
    int64_t k = 0;
    splitString(text, delimiter, maxSplit, [&](int64_t begin, int64_t end) {
      *strings = {end - begin, copy + begin};
      to[k++] = strings++;
    });
    copy += text.size;
    while (k < most)
      to[k++] = &kEmpty;
  }
  onnxc_free(ctx, counts);
  return 0;
}

namespace {

enum class CaseChange { None, Lower, Upper };

// The size that a text has at most in another case: a code point takes at most 3 bytes where it took 2, or 4 where it
// took 4.
int64_t roomForCase(int64_t size) { return size * 2 + 4; }

// Writes the text in another case; returns its size.
int64_t changeCase(const onnxc_str &text, CaseChange change, char *to) {
  char first = change == CaseChange::Lower ? 'A' : 'a';
  int64_t size = 0;
  for (int64_t at = 0; at < text.size;) {
    // Up to 16 characters of ASCII at a time, without a branch.
    int64_t chunk = text.size - at < 16 ? text.size - at : 16;
    unsigned char any = 0;
    for (int64_t i = 0; i < chunk; ++i) {
      char c = text.data[at + i];
      any |= static_cast<unsigned char>(c);
      to[size + i] = static_cast<char>(c ^ (static_cast<unsigned char>(c - first) < 26 ? 0x20 : 0));
    }
    if (any < 0x80) {
      at += chunk;
      size += chunk;
      continue;
    }
    for (int64_t end = at + chunk; at < end;) {
      int64_t begin = at;
      uint32_t c = nextCodePoint(text.data, text.size, &at);
      if (at - begin == 1 && c >= 0x80) // not UTF-8: as it is
        to[size++] = text.data[begin];
      else
        size += putCodePoint(change == CaseChange::Lower ? toLower(c) : toUpper(c), to + size);
    }
  }
  return size;
}

Str changedCase(onnxc_ctx *ctx, Str text, CaseChange change) {
  if (change == CaseChange::None)
    return text;
  // Built in place: the pool's strings are ours until they are shared.
  auto *result = static_cast<onnxc_str *>(
      static_cast<void *>(scratch<char>(ctx, static_cast<int64_t>(sizeof(onnxc_str)) + roomForCase(text->size))));
  auto *to = reinterpret_cast<char *>(result + 1);
  *result = {changeCase(*text, change, to), to};
  return result;
}

} // namespace

ONNXC_KERNEL(StringNormalizer) {
  const onnxc_tensor &x = in[0];
  if (x.rank != 1 && !(x.rank == 2 && x.dims[0] == 1))
    onnxc_fail(ctx, "StringNormalizer: the input must be [C] or [1, C]");
  CaseChange change = attrIs(attrs, "case_change_action", "LOWER")   ? CaseChange::Lower
                      : attrIs(attrs, "case_change_action", "UPPER") ? CaseChange::Upper
                                                                     : CaseChange::None;
  bool sensitive = onnxc_attr_int(attrs, "is_case_sensitive", 0) != 0;
  CaseChange compareCase = sensitive ? CaseChange::None : CaseChange::Lower;
  AttrArray<onnxc_str> stopWords = attrStrings(attrs, "stopwords");
  auto *stops = scratch<Str>(ctx, stopWords.size);
  for (int64_t i = 0; i < stopWords.size; ++i)
    stops[i] = changedCase(ctx, &stopWords[i], compareCase);
  int64_t n = onnxc_num_elements(&x), kept = 0;
  auto *results = scratch<Str>(ctx, n + 1);
  for (int64_t i = 0; i < n; ++i) {
    Str text = dataOf<Str>(x)[i];
    bool stop = false;
    Str compared = stopWords.size > 0 ? changedCase(ctx, text, compareCase) : nullptr;
    for (int64_t s = 0; s < stopWords.size && !stop; ++s)
      stop = equalStrings(*stops[s], *compared);
    if (!stop)
      results[kept++] = compared && compareCase == change ? compared : changedCase(ctx, text, change);
  }
  static const onnxc_str kEmpty = {0, ""};
  if (kept == 0) // never an empty tensor
    results[kept++] = &kEmpty;
  Dims dims(x);
  dims.sizes[dims.rank - 1] = kept;
  memcpy(prepareOut(ctx, out[0], dims), results, static_cast<size_t>(kept) * 8);
  onnxc_free(ctx, results);
  onnxc_free(ctx, stops);
  return 0;
}
