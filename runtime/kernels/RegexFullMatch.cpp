// RegexFullMatch: runs the automaton of regex.h over each string.
#include "regex.h"
#include "text.h"

using namespace onnxc_k;

namespace {

// The set of live states: insts in order of arrival, and a mark for each.
struct States {
  int32_t *list, *mark;
  int32_t size = 0;
};

bool isWord(uint32_t c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

struct Position {
  bool atBegin, atEnd, wordBefore, wordAfter;
};

// Adds pc and all that is reachable from it without a character.
void addState(const Regex &regex, States &states, int32_t pc, int32_t step, const Position &where) {
  while (states.mark[pc] != step) {
    states.mark[pc] = step;
    const RegexInst &inst = regex.insts[pc];
    switch (inst.op) {
    case RegexInst::Jump:
      pc = inst.next;
      continue;
    case RegexInst::Split:
      addState(regex, states, inst.next, step, where);
      pc = inst.other;
      continue;
    case RegexInst::Begin:
      if (!where.atBegin)
        return;
      pc = inst.next;
      continue;
    case RegexInst::End:
      if (!where.atEnd)
        return;
      pc = inst.next;
      continue;
    case RegexInst::WordBoundary:
    case RegexInst::NotWordBoundary:
      if ((where.wordBefore != where.wordAfter) != (inst.op == RegexInst::WordBoundary))
        return;
      pc = inst.next;
      continue;
    case RegexInst::Class:
    case RegexInst::Match:
      states.list[states.size++] = pc;
      return;
    }
  }
}

bool inClass(const Regex &regex, const RegexInst &inst, uint32_t c) {
  for (int32_t i = 0; i < inst.count; ++i) {
    const RegexRange &range = regex.ranges[inst.ranges + i];
    if (c >= range.first && c <= range.last)
      return !inst.negated;
  }
  return inst.negated;
}

} // namespace

bool onnxc_k::regexFullMatch(const Regex &regex, const onnxc_str &text, int32_t *work) {
  int32_t n = regex.numInsts, step = 1;
  memset(work, 0, static_cast<size_t>(n) * 4 * sizeof(int32_t));
  States now = {work, work + n}, next = {work + 2 * n, work + 3 * n};
  int64_t at = 0;
  uint32_t previous = 0, current = 0;
  int64_t after = 0;
  auto peek = [&] {
    after = at;
    if (at < text.size)
      current = nextCodePoint(text.data, text.size, &after);
  };
  auto where = [&](int64_t begin, int64_t end) {
    return Position{begin == 0, end == text.size, begin > 0 && isWord(previous), end < text.size && isWord(current)};
  };
  peek();
  addState(regex, now, 0, step, where(at, at));
  while (at < text.size && now.size > 0) {
    uint32_t c = current;
    at = after;
    previous = c;
    peek();
    ++step;
    next.size = 0;
    for (int32_t i = 0; i < now.size; ++i) {
      const RegexInst &inst = regex.insts[now.list[i]];
      if (inst.op == RegexInst::Class && inClass(regex, inst, c))
        addState(regex, next, inst.next, step, where(at, at));
    }
    States swapped = now;
    now = next;
    next = swapped;
  }
  if (at < text.size)
    return false;
  for (int32_t i = 0; i < now.size; ++i)
    if (regex.insts[now.list[i]].op == RegexInst::Match)
      return true;
  return false;
}

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
  onnxc_keep(ctx, nullptr, matcher->regex.insts);
  if (matcher->regex.ranges)
    onnxc_keep(ctx, nullptr, matcher->regex.ranges);
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
    to[i] = regexFullMatch(matcher.regex, *dataOf<Str>(x)[i], work);
  onnxc_free(ctx, work);
  return 0;
}
