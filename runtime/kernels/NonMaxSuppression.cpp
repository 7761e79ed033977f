// NonMaxSuppression: greedy by falling score, each (batch, class) on its own.
#include <algorithm>

#include "common.h"

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

bool overlaps(const Box &a, const Box &b, float threshold) {
  float height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  float width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  if (height <= 0 || width <= 0 || a.area <= 0 || b.area <= 0)
    return false;
  float intersection = height * width;
  return intersection > threshold * (a.area + b.area - intersection);
}

} // namespace

ONNXC_KERNEL(NonMaxSuppression) {
  const onnxc_tensor &boxes = in[0], &scores = in[1];
  if (boxes.rank != 3 || scores.rank != 3 || boxes.dims[2] != 4 || boxes.dims[0] != scores.dims[0] ||
      boxes.dims[1] != scores.dims[2])
    onnxc_fail(ctx, "NonMaxSuppression: boxes must be [batches, n, 4] and scores [batches, classes, n]");
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
    auto *candidates = scratch<int64_t>(ctx, n);
    auto *kept = scratch<Box>(ctx, limit);
    for (int64_t group = begin; group < end; ++group) {
      const float *score = scoreData + group * n;
      const float *box = boxData + group / classes * n * 4;
      int64_t numCandidates = 0, count = 0;
      for (int64_t i = 0; i < n; ++i)
        if (!hasScoreThreshold || score[i] > scoreThreshold)
          candidates[numCandidates++] = i;
      std::sort(candidates, candidates + numCandidates, [score](int64_t a, int64_t b) {
        int order = compareNumbers(score[a], score[b]);
        return order == 0 ? a < b : order > 0;
      });
      for (int64_t c = 0; c < numCandidates && count < limit; ++c) {
        Box current = loadBox(box + candidates[c] * 4, center);
        bool suppressed = false;
        for (int64_t i = 0; i < count && !suppressed; ++i)
          suppressed = overlaps(current, kept[i], iouThreshold);
        if (suppressed)
          continue;
        kept[count] = current;
        chosen[group * limit + count++] = candidates[c];
      }
      counts[group] = count;
    }
    onnxc_free(ctx, kept);
    onnxc_free(ctx, candidates);
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
