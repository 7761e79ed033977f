// A matcher of RE2's syntax, without Unicode classes (\p) and multi-line mode: the pattern becomes a
// program of a nondeterministic automaton, all of whose states are followed at once
// (Thompson, 1968), so time is linear in the text. Without word boundaries the sets of states are remembered.
#ifndef ONNXC_KERNELS_REGEX_H
#define ONNXC_KERNELS_REGEX_H

#include "common.h"

namespace onnxc_k {

struct RegexRange {
  uint32_t first, last;
};

struct RegexInst {
  enum Op : uint8_t { Class, Split, Jump, Begin, End, WordBoundary, NotWordBoundary, Match } op;
  bool negated;         // Class
  int32_t ranges, count; // Class: its ranges
  int32_t next, other;  // Split has both
};

struct Regex {
  RegexInst *insts;
  int32_t numInsts;
  RegexRange *ranges;
  int32_t numRanges;
  int32_t capacity, rangeCapacity;
};

// The states of a deterministic automaton that texts have led to so far (RegexDfa.cpp). Not for several threads at once.
struct RegexDfa {
  Regex regex;
  int32_t numClasses;
  uint32_t *firsts; // the first character of each class
  int32_t ascii[128];
  int32_t capacity, numStates;
  int32_t *sets, *sizes; // insts of each state; state 0 is the start
  int32_t *next;         // of each state and class, -1: not known yet
  uint8_t *accepts;
  int32_t *table;        // states by their sets' hash, -1: free
  int64_t *mark, step;   // insts that are in the set which is being made
  int32_t *work, *kept;
};

// Whether a Class takes a character.
inline bool inClass(const Regex &regex, const RegexInst &inst, uint32_t c) {
  for (int32_t i = 0; i < inst.count; ++i) {
    const RegexRange &range = regex.ranges[inst.ranges + i];
    if (c >= range.first && c <= range.last)
      return !inst.negated;
  }
  return inst.negated;
}

// Ends the run if the pattern is malformed or uses what is not supported.
Regex compileRegex(onnxc_ctx *ctx, const onnxc_str &pattern);
// Lets it live as long as the instance.
inline void keepRegex(onnxc_ctx *ctx, const Regex &regex) {
  onnxc_keep(ctx, nullptr, regex.insts);
  if (regex.ranges)
    onnxc_keep(ctx, nullptr, regex.ranges);
}
// The end of the longest match that begins at the byte `begin`, -1 if there is none. work: 4 * numInsts integers.
int64_t regexLongestMatch(const Regex &regex, const onnxc_str &text, int64_t begin, int32_t *work);
// False: the pattern has word boundaries, for which there is none. What it takes is kept for later runs.
bool makeRegexDfa(onnxc_ctx *ctx, const Regex &regex, RegexDfa &dfa);
bool regexFullMatch(RegexDfa &dfa, const onnxc_str &text);

} // namespace onnxc_k

#endif
