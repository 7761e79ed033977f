// NonMaxSuppression: greedy by falling score, each (batch, class) on its own.
#include <algorithm>
#include <math.h>

#include "cpu.h"

using namespace onnxc_k;

namespace {

struct Box {
  float y1, x1, y2, x2, area;
};

Box loadBox(const float *b, bool center) {
  Box box;
  if (center) { // x, y of the centre, width, height
    box = {b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2, 0};
  } else { // any two opposite corners
    box = {std::min(b[0], b[2]), std::min(b[1], b[3]), std::max(b[0], b[2]), std::max(b[1], b[3]), 0};
  }
  box.area = (box.y2 - box.y1) * (box.x2 - box.x1);
  return box;
}

// The boxes that were chosen so far, a row for each of their numbers.
struct Chosen {
  float *y1, *x1, *y2, *x2, *area;
  int64_t count;

  void add(const Box &box) {
    y1[count] = box.y1;
    x1[count] = box.x1;
    y2[count] = box.y2;
    x2[count] = box.x2;
    area[count++] = box.area;
  }
};

// Boxes that are compared at a time. There is room for whole blocks of them, with areas of zero behind the last.
constexpr int64_t kAtATime = 32;

// Whether one of the chosen boxes covers too much of this one.
__attribute__((always_inline)) inline bool isCoveredBody(const Chosen &chosen, const Box &box, float threshold) {
  for (int64_t from = 0; from < chosen.count; from += kAtATime) {
    int32_t any = 0;
    for (int64_t i = from; i < from + kAtATime; ++i) {
      float y2 = box.y2 < chosen.y2[i] ? box.y2 : chosen.y2[i], y1 = box.y1 > chosen.y1[i] ? box.y1 : chosen.y1[i];
      float x2 = box.x2 < chosen.x2[i] ? box.x2 : chosen.x2[i], x1 = box.x1 > chosen.x1[i] ? box.x1 : chosen.x1[i];
      float height = y2 - y1, width = x2 - x1, intersection = height * width;
      any |= (height > 0) & (width > 0) & (chosen.area[i] > 0) &
             (intersection > threshold * (box.area + chosen.area[i] - intersection));
    }
    if (any)
      return box.area > 0;
  }
  return false;
}
ONNXC_VERSIONS(bool, isCovered, (const Chosen &chosen, const Box &box, float threshold), (chosen, box, threshold))

// The score and the place of a box as one number: smaller for a higher score, then for a smaller place. NaN comes where
// compareNumbers has it.
uint64_t rankOf(float score, int64_t place) {
  uint32_t bits = 0;
  score += 0.0f; // no negative zero
  if (score != score)
    score = NAN;
  memcpy(&bits, &score, sizeof(bits));
  bits = bits >> 31 ? bits : ~bits & 0x7fffffff;
  return static_cast<uint64_t>(bits) << 32 | static_cast<uint32_t>(place);
}

// Sorts ranks with rising places by their scores; uses `other`, of the same size. Returns the one that is sorted.
uint64_t *sortRanks(uint64_t *ranks, int64_t count, uint64_t *other) {
  constexpr int kDigits = 4;
  if (count < 128) {
    std::sort(ranks, ranks + count);
    return ranks;
  }
  uint32_t starts[kDigits][256] = {};
  auto digitOf = [](uint64_t rank, int digit) { return rank >> (32 + 8 * digit) & 255; };
  for (int64_t i = 0; i < count; ++i)
    for (int digit = 0; digit < kDigits; ++digit)
      ++starts[digit][digitOf(ranks[i], digit)];
  for (int digit = 0; digit < kDigits; ++digit) {
    uint32_t *start = starts[digit], before = 0;
    if (start[digitOf(ranks[0], digit)] == count)
      continue; // all have the same
    for (int value = 0; value < 256; ++value) {
      uint32_t here = start[value];
      start[value] = before;
      before += here;
    }
    for (int64_t i = 0; i < count; ++i)
      other[start[digitOf(ranks[i], digit)]++] = ranks[i];
    std::swap(ranks, other);
  }
  return ranks;
}

} // namespace

ONNXC_KERNEL(NonMaxSuppression) {
  const onnxc_tensor &boxes = in[0], &scores = in[1];
  if (boxes.rank != 3 || scores.rank != 3 || boxes.dims[2] != 4 || boxes.dims[0] != scores.dims[0] ||
      boxes.dims[1] != scores.dims[2])
    onnxc_fail(ctx, "NonMaxSuppression: boxes must be [batches, n, 4] and scores [batches, classes, n]");
  if (boxes.dims[1] > UINT32_MAX)
    onnxc_fail(ctx, "NonMaxSuppression: there are more than 2^32 boxes");
  int64_t n = boxes.dims[1], classes = scores.dims[1], groups = boxes.dims[0] * classes;
  auto has = [&](int32_t i) { return isPresent(numIn, in, i) && onnxc_num_elements(&in[i]) > 0; };
  int64_t limit = has(2) ? std::min(std::max<int64_t>(intAt(in[2], 0), 0), n) : 0;
  float iouThreshold = has(3) ? *dataOf<float>(in[3]) : 0;
  bool hasScoreThreshold = has(4);
  float scoreThreshold = hasScoreThreshold ? *dataOf<float>(in[4]) : 0;
  bool center = onnxc_attr_int(attrs, "center_point_box", 0) != 0;

  auto *counts = scratch<int64_t>(ctx, groups);
  auto *chosen = scratch<int64_t>(ctx, groups * limit);
  const float *boxData = dataOf<float>(boxes), *scoreData = dataOf<float>(scores);
  parallelFor(ctx, limit > 0 ? groups : 0, static_cast<double>(n) * 10, [=](int64_t begin, int64_t end) {
    auto *space = scratch<uint64_t>(ctx, 2 * (n + 1));
    int64_t room = (limit + kAtATime - 1) / kAtATime * kAtATime;
    auto *kept = scratch<float>(ctx, room * 5);
    for (int64_t group = begin; group < end; ++group) {
      const float *score = scoreData + group * n;
      const float *box = boxData + group / classes * n * 4;
      int64_t numCandidates = 0;
      for (int64_t i = 0; i < n; ++i) { // without a branch
        space[numCandidates] = rankOf(score[i], i);
        numCandidates += !hasScoreThreshold || score[i] > scoreThreshold;
      }
      const uint64_t *candidates = sortRanks(space, numCandidates, space + n + 1);
      memset(kept, 0, static_cast<size_t>(room * 5) * sizeof(float));
      Chosen boxesOfGroup = {kept, kept + room, kept + 2 * room, kept + 3 * room, kept + 4 * room, 0};
      for (int64_t c = 0; c < numCandidates && boxesOfGroup.count < limit; ++c) {
        auto place = static_cast<int64_t>(candidates[c] & UINT32_MAX);
        Box current = loadBox(box + place * 4, center);
        if (isCovered(boxesOfGroup, current, iouThreshold))
          continue;
        chosen[group * limit + boxesOfGroup.count] = place;
        boxesOfGroup.add(current);
      }
      counts[group] = boxesOfGroup.count;
    }
    onnxc_free(ctx, kept);
    onnxc_free(ctx, space);
  });

  int64_t total = 0;
  for (int64_t group = 0; limit > 0 && group < groups; ++group)
    total += counts[group];
  Dims dims;
  dims.push(total);
  dims.push(3);
  auto *to = static_cast<int64_t *>(prepareOut(ctx, out[0], dims));
  for (int64_t group = 0; limit > 0 && group < groups; ++group)
    for (int64_t i = 0; i < counts[group]; ++i, to += 3) {
      to[0] = group / classes;
      to[1] = group % classes;
      to[2] = chosen[group * limit + i];
    }
  onnxc_free(ctx, chosen);
  onnxc_free(ctx, counts);
  return 0;
}
