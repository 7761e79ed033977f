// The quick form of tree ensembles: see mlTree.h. A step down a tree is a chain of loads, so eight
// go down side by side: eight rows of one tree, or one row of eight trees. There is no branch
// that depends on the data; a leaf leads to itself.
#include <algorithm>

#include "mlTree.h"

using namespace onnxc_k;

namespace {

constexpr int64_t kLanes = 8;
constexpr uint32_t kMissingTracksTrue = 1u << 31;

template <typename T> struct FlatNode {
  T split;
  uint32_t feature; // with kMissingTracksTrue
  int32_t next[2];  // where the comparison is false, true
};

template <TreeMode mode, typename T> bool compare(T x, T split) {
  switch (mode) {
  case TreeMode::Leq: return x <= split;
  case TreeMode::Lt: return x < split;
  case TreeMode::Gte: return x >= split;
  default: return x > split;
  }
}

// From at[i], a node, to the leaf that rows[i] ends in. None is above level `sure`.
template <TreeMode mode, bool missing, typename T>
void descend(const FlatNode<T> *nodes, int32_t numInner, const T *const *rows, int32_t *at, int32_t sure) {
  auto step = [&](int64_t lane) {
    const FlatNode<T> &node = nodes[at[lane]];
    T x = rows[lane][missing ? node.feature & ~kMissingTracksTrue : node.feature];
    bool isTrue = compare<mode>(x, node.split);
    if constexpr (missing)
      isTrue |= (x != x) & (node.feature >> 31);
    at[lane] = node.next[isTrue];
  };
  for (int32_t level = 0; level < sure; ++level)
    for (int64_t lane = 0; lane < kLanes; ++lane)
      step(lane);
  for (;;) {
    int32_t least = at[0];
    for (int64_t lane = 1; lane < kLanes; ++lane)
      least = std::min(least, at[lane]);
    if (least >= numInner)
      return;
    for (int64_t lane = 0; lane < kLanes; ++lane)
      step(lane);
  }
}

void addLeaf(const TreeEnsemble &trees, int64_t leaf, double *scores, bool *scored) {
  const FlatTrees &flat = *trees.flat;
  if (flat.values) {
    const double *values = flat.values + leaf * trees.numTargets;
    for (int64_t t = 0; t < trees.numTargets; ++t)
      scores[t] += values[t];
    return;
  }
  addLeafWeights(trees, trees.leaves[flat.leaves[leaf]], scores, scored);
}

template <TreeMode mode, bool missing, typename T>
void evaluate(const TreeEnsemble &trees, const T *rows, int64_t stride, int64_t count, double *scores, bool *scored) {
  const FlatTrees &flat = *trees.flat;
  auto *nodes = static_cast<const FlatNode<T> *>(flat.nodes);
  int64_t targets = trees.numTargets;
  const T *lanes[kLanes];
  int32_t at[kLanes];
  if (count == 1) {
    for (const T *&lane : lanes)
      lane = rows;
    for (int64_t r = 0; r < trees.numRoots; r += kLanes) {
      int64_t used = std::min(kLanes, trees.numRoots - r);
      int32_t sure = flat.sure[r];
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        int64_t tree = r + std::min(lane, used - 1);
        at[lane] = flat.roots[tree];
        sure = std::min(sure, flat.sure[tree]);
      }
      descend<mode, missing>(nodes, flat.numInner, lanes, at, sure);
      for (int64_t lane = 0; lane < used; ++lane)
        addLeaf(trees, at[lane] - flat.numInner, scores, scored);
    }
    return;
  }
  // A tree stays in the cache while all rows go down.
  for (int64_t r = 0; r < trees.numRoots; ++r)
    for (int64_t begin = 0; begin < count; begin += kLanes) {
      int64_t used = std::min(kLanes, count - begin);
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        lanes[lane] = rows + (begin + std::min(lane, used - 1)) * stride;
        at[lane] = flat.roots[r];
      }
      descend<mode, missing>(nodes, flat.numInner, lanes, at, flat.sure[r]);
      for (int64_t lane = 0; lane < used; ++lane)
        addLeaf(trees, at[lane] - flat.numInner, scores + (begin + lane) * targets,
                scored + (begin + lane) * targets);
    }
}

template <typename T>
void evaluateAs(const TreeEnsemble &trees, const T *rows, int64_t stride, int64_t count, double *scores, bool *scored) {
  auto run = [&](auto modeTag) {
    constexpr TreeMode mode = decltype(modeTag)::value;
    if (trees.flat->missing)
      evaluate<mode, true>(trees, rows, stride, count, scores, scored);
    else
      evaluate<mode, false>(trees, rows, stride, count, scores, scored);
  };
  switch (trees.flat->mode) {
  case TreeMode::Leq: return run(std::integral_constant<TreeMode, TreeMode::Leq>());
  case TreeMode::Lt: return run(std::integral_constant<TreeMode, TreeMode::Lt>());
  case TreeMode::Gte: return run(std::integral_constant<TreeMode, TreeMode::Gte>());
  default: return run(std::integral_constant<TreeMode, TreeMode::Gt>());
  }
}

// The inner nodes that are reached from the roots, each tree's level by level.
struct Order {
  int64_t *nodes;   // old number of each new one
  int64_t *numbers; // new number of each old one, -1 where not reached
  int64_t count;
};

Order orderNodes(onnxc_ctx *ctx, const TreeEnsemble &trees) {
  Order order = {scratch<int64_t>(ctx, trees.numNodes), scratch<int64_t>(ctx, trees.numNodes), 0};
  std::fill_n(order.numbers, trees.numNodes, int64_t(-1));
  int64_t next = 0;
  auto reach = [&](int64_t node) {
    if (node < 0 || order.numbers[node] >= 0)
      return;
    order.numbers[node] = order.count;
    order.nodes[order.count++] = node;
  };
  for (int64_t r = 0; r < trees.numRoots; ++r)
    for (reach(trees.roots[r]); next < order.count; ++next) {
      reach(trees.nodes[order.nodes[next]].whenFalse);
      reach(trees.nodes[order.nodes[next]].whenTrue);
    }
  return order;
}

template <typename T>
void fill(onnxc_ctx *ctx, const TreeEnsemble &trees, const Order &order, const int64_t *leafNumbers, FlatTrees &flat) {
  auto *nodes = scratch<FlatNode<T>>(ctx, order.count + flat.numLeaves);
  onnxc_keep(ctx, nullptr, nodes);
  flat.nodes = nodes;
  auto numberOf = [&](int64_t node) {
    return static_cast<int32_t>(node >= 0 ? order.numbers[node] : order.count + leafNumbers[~node]);
  };
  // Children come after their parents except where trees share nodes, so levels are counted from the end.
  auto *sure = scratch<int32_t>(ctx, order.count + flat.numLeaves);
  for (int64_t i = 0; i < flat.numLeaves; ++i) {
    auto self = static_cast<int32_t>(order.count + i);
    nodes[self] = {0, 0, {self, self}};
    sure[self] = 0;
  }
  for (int64_t i = order.count - 1; i >= 0; --i) {
    const TreeNode &node = trees.nodes[order.nodes[i]];
    int32_t whenFalse = numberOf(node.whenFalse), whenTrue = numberOf(node.whenTrue);
    nodes[i] = {static_cast<T>(node.split),
                static_cast<uint32_t>(node.feature) | (node.missingTracksTrue ? kMissingTracksTrue : 0),
                {whenFalse, whenTrue}};
    auto levels = [&](int32_t child) { return child > i ? sure[child] : 0; };
    sure[i] = 1 + std::min(levels(whenFalse), levels(whenTrue));
  }
  for (int64_t r = 0; r < trees.numRoots; ++r) {
    flat.roots[r] = numberOf(trees.roots[r]);
    flat.sure[r] = sure[flat.roots[r]];
  }
  onnxc_free(ctx, sure);
}

} // namespace

// NULL where nodes compare in different ways or there are too many of them.
const FlatTrees *onnxc_k::flattenTrees(onnxc_ctx *ctx, const TreeEnsemble &trees, bool floatInput) {
  FlatTrees flat = {};
  flat.mode = TreeMode::Leaf;
  flat.isFloat = floatInput;
  Order order = orderNodes(ctx, trees);
  auto *leafNumbers = scratch<int64_t>(ctx, trees.numLeaves);
  std::fill_n(leafNumbers, trees.numLeaves, int64_t(-1));
  flat.leaves = scratch<int64_t>(ctx, trees.numLeaves);
  auto noteLeaf = [&](int64_t node) {
    if (node >= 0 || leafNumbers[~node] >= 0)
      return;
    flat.leaves[flat.numLeaves] = ~node;
    leafNumbers[~node] = flat.numLeaves++;
  };
  bool fits = order.count + trees.numLeaves < INT32_MAX;
  for (int64_t r = 0; r < trees.numRoots; ++r)
    noteLeaf(trees.roots[r]);
  for (int64_t i = 0; i < order.count; ++i) {
    const TreeNode &node = trees.nodes[order.nodes[i]];
    flat.mode = i == 0 ? node.mode : flat.mode;
    fits &= node.mode == flat.mode && node.mode <= TreeMode::Gt && node.feature < kMissingTracksTrue;
    flat.isFloat &= node.split != node.split || static_cast<double>(static_cast<float>(node.split)) == node.split;
    flat.missing |= node.missingTracksTrue;
    noteLeaf(node.whenFalse);
    noteLeaf(node.whenTrue);
  }
  FlatTrees *kept = nullptr;
  if (fits) {
    flat.numInner = static_cast<int32_t>(order.count);
    flat.roots = scratch<int32_t>(ctx, trees.numRoots);
    flat.sure = scratch<int32_t>(ctx, trees.numRoots);
    if (flat.isFloat)
      fill<float>(ctx, trees, order, leafNumbers, flat);
    else
      fill<double>(ctx, trees, order, leafNumbers, flat);
    // One weight for each target in every leaf: they are added as rows.
    bool dense = trees.aggregate == TreeAggregate::Sum || trees.aggregate == TreeAggregate::Average;
    for (int64_t i = 0; i < flat.numLeaves && dense; ++i) {
      const TreeLeaf &leaf = trees.leaves[flat.leaves[i]];
      dense = leaf.end - leaf.begin == trees.numTargets;
      for (int64_t t = 0; t < trees.numTargets && dense; ++t)
        dense = trees.weights[leaf.begin + t].target == t;
    }
    if (dense) {
      flat.values = scratch<double>(ctx, flat.numLeaves * trees.numTargets);
      for (int64_t i = 0; i < flat.numLeaves; ++i)
        for (int64_t t = 0; t < trees.numTargets; ++t)
          flat.values[i * trees.numTargets + t] = trees.weights[trees.leaves[flat.leaves[i]].begin + t].weight;
      onnxc_keep(ctx, nullptr, flat.values);
    }
    kept = scratch<FlatTrees>(ctx, 1);
    *kept = flat;
    for (void *part : {static_cast<void *>(flat.roots), static_cast<void *>(flat.sure),
                       static_cast<void *>(flat.leaves), static_cast<void *>(kept)})
      onnxc_keep(ctx, nullptr, part);
  } else {
    onnxc_free(ctx, flat.leaves);
  }
  for (void *part : {order.nodes, order.numbers, leafNumbers})
    onnxc_free(ctx, part);
  return kept;
}

void onnxc_k::evaluateFlat(const TreeEnsemble &trees, const void *rows, int64_t stride, int64_t count, double *scores,
                           bool *scored) {
  if (trees.flat->isFloat)
    evaluateAs(trees, static_cast<const float *>(rows), stride, count, scores, scored);
  else
    evaluateAs(trees, static_cast<const double *>(rows), stride, count, scores, scored);
}
