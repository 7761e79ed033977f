// RegexFullMatch: the longest match of each string is all of it.
#include "regex.h"

using namespace onnxc_k;

ONNXC_KERNEL(RegexFullMatch) {
  const onnxc_tensor &x = in[0];
  const onnxc_str *pattern = onnxc_attr_string(attrs, "pattern");
  if (!pattern)
    onnxc_fail(ctx, "RegexFullMatch: there is no pattern");
  Regex regex = compileRegex(ctx, *pattern);
  auto *work = scratch<int32_t>(ctx, int64_t(regex.numInsts) * 4);
  auto *to = static_cast<uint8_t *>(prepareOut(ctx, out[0], Dims(x)));
  for (int64_t i = 0; i < onnxc_num_elements(&x); ++i)
    to[i] = regexLongestMatch(regex, *dataOf<Str>(x)[i], 0, work) == dataOf<Str>(x)[i]->size;
  onnxc_free(ctx, work);
  onnxc_free(ctx, regex.insts);
  onnxc_free(ctx, regex.ranges);
  return 0;
}
