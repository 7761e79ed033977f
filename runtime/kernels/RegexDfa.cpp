// The automaton of regex.h made deterministic, as far as texts need it: a state of this one is a set of the other's
// states, and what a class of characters leads to is found when it first occurs.
#include <stdlib.h>

#include "regex.h"
#include "text.h"

using namespace onnxc_k;

namespace {

// Above all characters; malformed text may lead here.
constexpr uint32_t kNoCharacter = 0x110000;
// Integers for all states together, and the least and most of these.
constexpr int32_t kRoom = 1 << 18, kLeastStates = 16, kMostStates = 1024;

// Adds pc and all that is reachable from it without a character. The end of the text is a state: whether it is there
// shows when the text ends.
void close(RegexDfa &dfa, int32_t pc, bool atBegin, bool atEnd, int32_t *list, int32_t &size) {
  while (dfa.mark[pc] != dfa.step) {
    dfa.mark[pc] = dfa.step;
    const RegexInst &inst = dfa.regex.insts[pc];
    switch (inst.op) {
    case RegexInst::Split:
      close(dfa, inst.next, atBegin, atEnd, list, size);
      pc = inst.other;
      continue;
    case RegexInst::Begin:
      if (!atBegin)
        return;
      pc = inst.next;
      continue;
    case RegexInst::End:
      if (!atEnd) {
        list[size++] = pc;
        return;
      }
      pc = inst.next;
      continue;
    case RegexInst::Class:
    case RegexInst::Match:
      list[size++] = pc;
      return;
    default: // a jump; word boundaries have no such automaton
      pc = inst.next;
      continue;
    }
  }
}

// Whether the text may end in a state.
bool acceptsAtEnd(RegexDfa &dfa, const int32_t *list, int32_t size, bool atBegin) {
  int32_t *reached = dfa.work, count = 0;
  ++dfa.step;
  for (int32_t i = 0; i < size; ++i)
    close(dfa, list[i], atBegin, /*atEnd=*/true, reached, count);
  for (int32_t i = 0; i < count; ++i)
    if (dfa.regex.insts[reached[i]].op == RegexInst::Match)
      return true;
  return false;
}

uint32_t hashOf(const int32_t *list, int32_t size) {
  uint32_t hash = 2166136261u;
  for (int32_t i = 0; i < size; ++i)
    hash = (hash ^ static_cast<uint32_t>(list[i])) * 16777619u;
  return hash;
}

void forget(RegexDfa &dfa) {
  dfa.numStates = 0;
  memset(dfa.table, 0xff, static_cast<size_t>(dfa.capacity) * 2 * sizeof(int32_t));
}

// The state that the list at its end stands for becomes one.
int32_t addState(RegexDfa &dfa, int32_t size, bool atBegin) {
  int32_t state = dfa.numStates++;
  const int32_t *list = dfa.sets + static_cast<int64_t>(state) * dfa.regex.numInsts;
  dfa.sizes[state] = size;
  dfa.accepts[state] = acceptsAtEnd(dfa, list, size, atBegin);
  memset(dfa.next + static_cast<int64_t>(state) * dfa.numClasses, 0xff,
         static_cast<size_t>(dfa.numClasses) * sizeof(int32_t));
  return state;
}

int32_t addStart(RegexDfa &dfa) {
  int32_t size = 0;
  ++dfa.step;
  close(dfa, 0, /*atBegin=*/true, /*atEnd=*/false, dfa.sets, size);
  return addState(dfa, size, true);
}

// Where a class of characters leads from a state.
int32_t advance(RegexDfa &dfa, int32_t state, int32_t chars) {
  const Regex &regex = dfa.regex;
  int64_t stride = regex.numInsts;
  int32_t *list = dfa.sets + dfa.numStates * stride, size = 0; // there is always room for one more
  ++dfa.step;
  for (int32_t i = 0; i < dfa.sizes[state]; ++i) {
    const RegexInst &inst = regex.insts[dfa.sets[state * stride + i]];
    if (inst.op == RegexInst::Class && inClass(regex, inst, dfa.firsts[chars]))
      close(dfa, inst.next, false, false, list, size);
  }
  uint32_t mask = static_cast<uint32_t>(dfa.capacity) * 2 - 1, slot = hashOf(list, size) & mask;
  for (; dfa.table[slot] >= 0; slot = (slot + 1) & mask) {
    int32_t other = dfa.table[slot];
    if (dfa.sizes[other] == size &&
        memcmp(dfa.sets + other * stride, list, static_cast<size_t>(size) * sizeof(int32_t)) == 0)
      return dfa.next[static_cast<int64_t>(state) * dfa.numClasses + chars] = other;
  }
  if (dfa.numStates + 1 < dfa.capacity) {
    dfa.table[slot] = dfa.numStates;
    int32_t added = addState(dfa, size, false);
    return dfa.next[static_cast<int64_t>(state) * dfa.numClasses + chars] = added;
  }
  // Full: begin anew with the start and this one.
  memcpy(dfa.kept, list, static_cast<size_t>(size) * sizeof(int32_t));
  forget(dfa);
  addStart(dfa);
  memcpy(dfa.sets + stride, dfa.kept, static_cast<size_t>(size) * sizeof(int32_t));
  dfa.table[hashOf(dfa.kept, size) & mask] = 1;
  return addState(dfa, size, false);
}

int32_t classOf(const RegexDfa &dfa, uint32_t c) {
  int32_t low = 0, high = dfa.numClasses;
  while (high - low > 1) {
    int32_t middle = (low + high) / 2;
    (dfa.firsts[middle] <= c ? low : high) = middle;
  }
  return low;
}

} // namespace

bool onnxc_k::makeRegexDfa(onnxc_ctx *ctx, const Regex &regex, RegexDfa &dfa) {
  for (int32_t pc = 0; pc < regex.numInsts; ++pc)
    if (regex.insts[pc].op == RegexInst::WordBoundary || regex.insts[pc].op == RegexInst::NotWordBoundary)
      return false;
  dfa = {};
  dfa.regex = regex;
  auto keep = [&](auto *data) {
    onnxc_keep(ctx, nullptr, data);
    return data;
  };
  // Characters that no range tells apart are a class.
  uint32_t *begins = keep(scratch<uint32_t>(ctx, int64_t(regex.numRanges) * 2 + 2)), *end = begins;
  *end++ = 0;
  *end++ = kNoCharacter;
  for (int32_t i = 0; i < regex.numRanges; ++i) {
    *end++ = regex.ranges[i].first;
    *end++ = regex.ranges[i].last + 1;
  }
  qsort(begins, static_cast<size_t>(end - begins), sizeof(uint32_t), [](const void *a, const void *b) {
    uint32_t x = *static_cast<const uint32_t *>(a), y = *static_cast<const uint32_t *>(b);
    return (x > y) - (x < y);
  });
  dfa.firsts = begins;
  for (const uint32_t *next = begins; next != end; ++next)
    if (dfa.numClasses == 0 || *next != begins[dfa.numClasses - 1])
      begins[dfa.numClasses++] = *next;
  for (uint32_t c = 0; c < 128; ++c)
    dfa.ascii[c] = classOf(dfa, c);
  int64_t n = regex.numInsts;
  dfa.capacity = kLeastStates;
  while (dfa.capacity < kMostStates && dfa.capacity * (n + dfa.numClasses) < kRoom)
    dfa.capacity *= 2;
  dfa.sets = keep(scratch<int32_t>(ctx, dfa.capacity * n));
  dfa.next = keep(scratch<int32_t>(ctx, static_cast<int64_t>(dfa.capacity) * dfa.numClasses));
  dfa.sizes = keep(scratch<int32_t>(ctx, dfa.capacity));
  dfa.accepts = keep(scratch<uint8_t>(ctx, dfa.capacity));
  dfa.table = keep(scratch<int32_t>(ctx, dfa.capacity * 2));
  dfa.mark = keep(scratch<int64_t>(ctx, n));
  memset(dfa.mark, 0, static_cast<size_t>(n) * sizeof(int64_t));
  dfa.work = keep(scratch<int32_t>(ctx, n));
  dfa.kept = keep(scratch<int32_t>(ctx, n));
  forget(dfa);
  addStart(dfa);
  return true;
}

bool onnxc_k::regexFullMatch(RegexDfa &dfa, const onnxc_str &text) {
  int32_t state = 0;
  for (int64_t at = 0; at < text.size;) {
    auto byte = static_cast<unsigned char>(text.data[at]);
    int32_t chars = 0;
    if (byte < 128) {
      chars = dfa.ascii[byte];
      ++at;
    } else {
      chars = classOf(dfa, nextCodePoint(text.data, text.size, &at));
    }
    int32_t next = dfa.next[static_cast<int64_t>(state) * dfa.numClasses + chars];
    state = next >= 0 ? next : advance(dfa, state, chars);
    if (dfa.sizes[state] == 0)
      return false;
  }
  return dfa.accepts[state];
}
