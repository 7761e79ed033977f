// RegexFullMatch: runs the automaton of regex.h over each string.
#include "regex.h"

using namespace onnxc_k;

namespace {

// What the instance keeps of a pattern.
struct Matcher {
  Regex regex;
  RegexDfa dfa;
  bool hasDfa;
};

Matcher &matcherOf(onnxc_ctx *ctx, const onnxc_attrs *attrs) {
  if (auto *kept = static_cast<Matcher *>(onnxc_kept(ctx, attrs)))
    return *kept;
  const onnxc_str *pattern = onnxc_attr_string(attrs, "pattern");
  if (!pattern)
    onnxc_fail(ctx, "RegexFullMatch: there is no pattern");
  auto *matcher = scratch<Matcher>(ctx, 1);
  matcher->regex = compileRegex(ctx, *pattern);
  keepRegex(ctx, matcher->regex);
  matcher->hasDfa = makeRegexDfa(ctx, matcher->regex, matcher->dfa);
  onnxc_keep(ctx, attrs, matcher);
  return *matcher;
}

} // namespace

ONNXC_KERNEL(RegexFullMatch) {
  const onnxc_tensor &x = in[0];
  Matcher &matcher = matcherOf(ctx, attrs);
  auto *to = static_cast<uint8_t *>(prepareOut(ctx, out[0], Dims(x)));
  int64_t n = onnxc_num_elements(&x);
  if (matcher.hasDfa) {
    for (int64_t i = 0; i < n; ++i)
      to[i] = regexFullMatch(matcher.dfa, *dataOf<Str>(x)[i]);
    return 0;
  }
  auto *work = scratch<int32_t>(ctx, int64_t(matcher.regex.numInsts) * 4);
  for (int64_t i = 0; i < n; ++i)
    to[i] = regexLongestMatch(matcher.regex, *dataOf<Str>(x)[i], 0, work) == dataOf<Str>(x)[i]->size;
  onnxc_free(ctx, work);
  return 0;
}
