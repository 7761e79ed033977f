// A matcher of RE2's syntax, without Unicode classes (\p) and multi-line mode: the pattern becomes a
// program of a nondeterministic automaton, all of whose states are followed at once
// (Thompson, 1968), so time is linear in the text.
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

// Ends the run if the pattern is malformed or uses what is not supported.
Regex compileRegex(onnxc_ctx *ctx, const onnxc_str &pattern);
// The end of the longest match that begins at the byte `begin`, -1 if there is none. work: 4 * numInsts integers.
int64_t regexLongestMatch(const Regex &regex, const onnxc_str &text, int64_t begin, int32_t *work);

} // namespace onnxc_k

#endif
