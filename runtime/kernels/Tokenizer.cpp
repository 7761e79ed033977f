// com.microsoft.Tokenizer: strings cut into tokens at separators, into those that an expression describes, or into
// characters. Rows are filled up to the longest.
#include "regex.h"
#include "text.h"

using namespace onnxc_k;

namespace {

int64_t countCodePoints(const onnxc_str &text) {
  int64_t count = 0;
  for (int64_t at = 0; at < text.size; ++count)
    nextCodePoint(text.data, text.size, &at);
  return count;
}

int64_t afterCodePoint(const onnxc_str &text, int64_t at) {
  if (at >= text.size)
    return at + 1;
  nextCodePoint(text.data, text.size, &at);
  return at;
}

struct Expression {
  Regex regex;
  int32_t *work;

  // The first match that begins at `from` or later, the longest of those that begin there.
  bool search(const onnxc_str &text, int64_t from, int64_t &begin, int64_t &end) const {
    for (begin = from; begin <= text.size; begin = afterCodePoint(text, begin))
      if ((end = regexLongestMatch(regex, text, begin, work)) >= 0)
        return true;
    return false;
  }
};

// The separators, or the tokens, where they are not characters: the instance keeps them.
struct Expressions {
  Expression *list;
  int64_t count;
};

const Expressions &expressionsOf(onnxc_ctx *ctx, const onnxc_attrs *attrs, const onnxc_str *patterns, int64_t count) {
  if (auto *kept = static_cast<const Expressions *>(onnxc_kept(ctx, attrs)))
    return *kept;
  auto *made = scratch<Expressions>(ctx, 1);
  *made = {scratch<Expression>(ctx, count), count};
  onnxc_keep(ctx, nullptr, made->list);
  for (int64_t e = 0; e < count; ++e) {
    Regex regex = compileRegex(ctx, patterns[e]);
    made->list[e] = {regex, scratch<int32_t>(ctx, int64_t(regex.numInsts) * 4)};
    onnxc_keep(ctx, nullptr, made->list[e].work);
    keepRegex(ctx, regex);
  }
  onnxc_keep(ctx, attrs, made);
  return *made;
}

// Where tokens go: pieces of the inputs, which are not empty and do not overlap.
struct Tokens {
  onnxc_str *pieces;
  int64_t count, least; // code points of a token

  void add(const onnxc_str &text, int64_t begin, int64_t end) {
    onnxc_str piece = {end - begin, text.data + begin};
    if (end > begin && countCodePoints(piece) >= least)
      pieces[count++] = piece;
  }
};

void cutCharacters(const onnxc_str &text, Tokens &to) {
  for (int64_t at = 0; at < text.size;) {
    int64_t begin = at;
    nextCodePoint(text.data, text.size, &at);
    to.add(text, begin, at);
  }
}

void findTokens(const Expression &token, const onnxc_str &text, Tokens &to) {
  int64_t begin, end;
  for (int64_t from = 0; token.search(text, from, begin, end); from = end > begin ? end : afterCodePoint(text, begin))
    to.add(text, begin, end);
}

void cutAt(const Expression &separator, const onnxc_str &text, Tokens &to) {
  int64_t from = 0, begin, end;
  while (separator.search(text, from, begin, end)) {
    to.add(text, from, begin);
    from = end > begin ? end : afterCodePoint(text, begin);
  }
  to.add(text, from, text.size);
}

} // namespace

ONNXC_KERNEL(Tokenizer) {
  const onnxc_tensor &x = in[0];
  int64_t n = onnxc_num_elements(&x), bytes = 0, marks = onnxc_attr_int(attrs, "mark", 0) != 0 ? 1 : 0;
  int64_t least = onnxc_attr_int(attrs, "mincharnum", 1);
  AttrArray<onnxc_str> separators = attrStrings(attrs, "separators");
  const onnxc_str *pattern = onnxc_attr_string(attrs, "tokenexp"), *pad = onnxc_attr_string(attrs, "pad_value");
  static const onnxc_str kEmpty = {0, ""}, kBegin = {1, "\x02"}, kEnd = {1, "\x03"};
  bool characters = separators.size == 1 && separators[0].size == 0;
  if (separators.size == 0 && !pattern)
    onnxc_fail(ctx, "Tokenizer: needs separators or tokenexp");
  for (int64_t i = 0; i < n; ++i)
    bytes += dataOf<Str>(x)[i]->size;

  bool cuts = separators.size > 0;
  const Expressions &expressions = expressionsOf(ctx, attrs, cuts ? separators.data : pattern,
                                                 characters ? 0 : cuts ? separators.size : 1);
  // A row's tokens move between two lists, one separator after the other.
  auto *pieces = scratch<onnxc_str>(ctx, bytes), *other = scratch<onnxc_str>(ctx, bytes);
  auto *counts = scratch<int64_t>(ctx, n);
  int64_t used = 0, most = 0;
  for (int64_t i = 0; i < n; ++i) {
    const onnxc_str &text = *dataOf<Str>(x)[i];
    Tokens row = {pieces + used, 0, least};
    if (characters) {
      cutCharacters(text, row);
    } else if (!cuts) {
      findTokens(expressions.list[0], text, row);
    } else {
      row.add(text, 0, text.size);
      for (int64_t e = 0; e < expressions.count; ++e) {
        Tokens cut = {other, 0, least};
        for (int64_t k = 0; k < row.count; ++k)
          cutAt(expressions.list[e], row.pieces[k], cut);
        memcpy(row.pieces, cut.pieces, static_cast<size_t>(cut.count) * sizeof(onnxc_str));
        row.count = cut.count;
      }
    }
    counts[i] = row.count;
    used += row.count;
    most = row.count > most ? row.count : most;
  }

  Dims dims(x);
  int64_t columns = most > 0 ? most + 2 * marks : 0;
  dims.push(columns);
  auto *to = static_cast<Str *>(prepareOut(ctx, out[0], dims));
  const onnxc_str *piece = pieces;
  for (int64_t i = 0; i < n; ++i, to += columns) {
    int64_t k = 0;
    if (marks && columns > 0)
      to[k++] = &kBegin;
    for (int64_t t = 0; t < counts[i]; ++t, ++piece)
      to[k++] = onnxc_new_string(ctx, piece->data, piece->size);
    if (marks && columns > 0)
      to[k++] = &kEnd;
    for (Str filler = pad ? pad : &kEmpty; k < columns; ++k)
      to[k] = onnxc_new_string(ctx, filler->data, filler->size);
  }
  onnxc_free(ctx, pieces);
  onnxc_free(ctx, other);
  onnxc_free(ctx, counts);
  return 0;
}
