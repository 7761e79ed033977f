// Runs the automaton of regex.h.
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

} // namespace

int64_t onnxc_k::regexLongestMatch(const Regex &regex, const onnxc_str &text, int64_t begin, int32_t *work) {
  int32_t n = regex.numInsts, step = 1;
  memset(work, 0, static_cast<size_t>(n) * 4 * sizeof(int32_t));
  States now = {work, work + n}, next = {work + 2 * n, work + 3 * n};
  int64_t at = begin, end = -1;
  uint32_t previous = 0, current = 0;
  int64_t after = 0;
  auto peek = [&] {
    after = at;
    if (at < text.size)
      current = nextCodePoint(text.data, text.size, &after);
  };
  auto where = [&] {
    return Position{at == 0, at == text.size, at > 0 && isWord(previous), at < text.size && isWord(current)};
  };
  if (begin > 0) {
    int64_t last = begin - 1; // the code point before: its first byte is no continuation
    while (last > 0 && (text.data[last] & 0xC0) == 0x80)
      --last;
    previous = nextCodePoint(text.data, text.size, &last);
  }
  peek();
  addState(regex, now, 0, step, where());
  while (true) {
    for (int32_t i = 0; i < now.size; ++i)
      if (regex.insts[now.list[i]].op == RegexInst::Match)
        end = at;
    if (at >= text.size || now.size == 0)
      return end;
    uint32_t c = current;
    at = after;
    previous = c;
    peek();
    ++step;
    next.size = 0;
    for (int32_t i = 0; i < now.size; ++i) {
      const RegexInst &inst = regex.insts[now.list[i]];
      if (inst.op == RegexInst::Class && inClass(regex, inst, c))
        addState(regex, next, inst.next, step, where());
    }
    States swapped = now;
    now = next;
    next = swapped;
  }
}
