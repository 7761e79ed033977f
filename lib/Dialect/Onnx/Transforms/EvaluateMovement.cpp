// Evaluation of operators that move elements: they work on bytes, whatever the type.
#include "onnxc/Dialect/Onnx/Transforms/Attributes.h"
#include "onnxc/Dialect/Onnx/Transforms/Evaluate.h"
#include "llvm/ADT/StringSwitch.h"
#include <cstring>

using namespace mlir;

namespace onnxc::onnx {

using namespace detail;

bool detail::fits(const EvaluateLimits &limits, HostOperands operands, ArrayRef<int64_t> shape,
                  int64_t elementBytes) {
  int64_t budget = 0;
  for (const std::optional<HostTensor> &operand : operands)
    budget += operand ? operand->getNumBytes() : 0;
  budget = std::max(budget, limits.growthBytes);
  int64_t bytes = elementBytes;
  for (int64_t dim : shape) {
    if (dim < 0)
      return false;
    if (dim == 0)
      return true;
  }
  for (int64_t dim : shape)
    if (bytes > budget || llvm::MulOverflow(bytes, dim, bytes))
      return false;
  return bytes <= budget;
}

std::optional<int64_t> detail::wrapAxis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return std::nullopt;
  return axis < 0 ? axis + rank : axis;
}

std::optional<SmallVector<int64_t>> detail::broadcastShapes(ArrayRef<int64_t> a,
                                                            ArrayRef<int64_t> b) {
  if (a.size() < b.size())
    std::swap(a, b);
  SmallVector<int64_t> result(a);
  size_t lead = a.size() - b.size();
  for (size_t i = 0; i < b.size(); ++i) {
    int64_t &dim = result[lead + i];
    if (dim == 1)
      dim = b[i];
    else if (b[i] != 1 && b[i] != dim)
      return std::nullopt;
  }
  return result;
}

SmallVector<int64_t> detail::broadcastStrides(ArrayRef<int64_t> shape, ArrayRef<int64_t> result) {
  SmallVector<int64_t> strides(result.size(), 0);
  SmallVector<int64_t> own = rowMajorStrides(shape);
  size_t lead = result.size() - shape.size();
  for (size_t i = 0; i < shape.size(); ++i)
    strides[lead + i] = shape[i] == 1 ? 0 : own[i];
  return strides;
}

void detail::forEachRow(ArrayRef<int64_t> shape, ArrayRef<SmallVector<int64_t>> strides,
                        llvm::function_ref<void(int64_t, ArrayRef<int64_t>)> fn) {
  if (llvm::is_contained(shape, 0))
    return;
  SmallVector<int64_t> offsets(strides.size(), 0);
  int64_t outer = static_cast<int64_t>(shape.size()) - 1;
  SmallVector<int64_t> index(std::max<int64_t>(outer, 0), 0);
  int64_t rowSize = shape.empty() ? 1 : shape.back();
  for (int64_t out = 0;; out += rowSize) {
    fn(out, offsets);
    int64_t d = outer - 1;
    for (; d >= 0; --d) {
      ++index[d];
      for (size_t k = 0; k < strides.size(); ++k)
        offsets[k] += strides[k][d];
      if (index[d] < shape[d])
        break;
      for (size_t k = 0; k < strides.size(); ++k)
        offsets[k] -= strides[k][d] * shape[d];
      index[d] = 0;
    }
    if (d < 0)
      return;
  }
}

namespace {

template <int64_t N>
void copyRow(char *to, const char *from, int64_t n, int64_t stride) {
  for (int64_t i = 0; i < n; ++i)
    std::memcpy(to + i * N, from + i * stride * N, N);
}

/// out[i...] = from[offset + sum(i * strides)].
HostTensor gatherStrided(const HostTensor &from, ArrayRef<int64_t> shape,
                         ArrayRef<int64_t> strides, int64_t offset = 0) {
  HostTensor out = HostTensor::zeros(from.getElementType(), shape);
  int64_t size = from.getElementBytes();
  int64_t n = shape.empty() ? 1 : shape.back();
  int64_t inner = strides.empty() ? 1 : strides.back();
  SmallVector<SmallVector<int64_t>> all = {SmallVector<int64_t>(strides)};
  forEachRow(shape, all, [&](int64_t index, ArrayRef<int64_t> offsets) {
    char *to = out.mutableData() + index * size;
    const char *source = from.data() + (offset + offsets[0]) * size;
    if (inner == 1)
      std::memcpy(to, source, n * size);
    else if (size == 4)
      copyRow<4>(to, source, n, inner);
    else if (size == 8)
      copyRow<8>(to, source, n, inner);
    else if (size == 2)
      copyRow<2>(to, source, n, inner);
    else if (size == 1)
      copyRow<1>(to, source, n, inner);
    else
      copyRow<16>(to, source, n, inner);
  });
  return out;
}

std::optional<SmallVector<int64_t>> normalizeAxes(ArrayRef<int64_t> axes, int64_t rank) {
  SmallVector<int64_t> result;
  for (int64_t axis : axes) {
    std::optional<int64_t> wrapped = wrapAxis(axis, rank);
    if (!wrapped || llvm::is_contained(result, *wrapped))
      return std::nullopt;
    result.push_back(*wrapped);
  }
  return result;
}

LogicalResult evalIdentity(Operation *, HostOperands in, const EvaluateLimits &, HostResults &out) {
  out.push_back(*in[0]);
  return success();
}

LogicalResult evalReshape(Operation *op, HostOperands in, const EvaluateLimits &,
                          HostResults &out) {
  if (!isPresent(in, 1))
    return failure();
  SmallVector<int64_t> shape = in[1]->ints();
  bool allowZero = intAttr(op, "allowzero", 0) != 0;
  int64_t known = 1, inferred = -1;
  for (auto [i, dim] : llvm::enumerate(shape)) {
    if (dim == 0 && !allowZero) {
      if (static_cast<int64_t>(i) >= in[0]->getRank())
        return failure();
      dim = in[0]->getShape()[i];
    }
    if (dim == -1 && inferred < 0)
      inferred = i;
    else if (dim < 0 || llvm::MulOverflow(known, dim, known))
      return failure();
  }
  if (inferred >= 0) {
    if (known == 0 || in[0]->getNumElements() % known != 0)
      return failure();
    shape[inferred] = in[0]->getNumElements() / known;
    known *= shape[inferred];
  }
  if (known != in[0]->getNumElements())
    return failure();
  out.push_back(in[0]->reshaped(shape));
  return success();
}

LogicalResult evalSqueeze(Operation *, HostOperands in, const EvaluateLimits &, HostResults &out) {
  SmallVector<int64_t> shape;
  std::optional<SmallVector<int64_t>> axes;
  if (isPresent(in, 1) && !(axes = normalizeAxes(in[1]->ints(), in[0]->getRank())))
    return failure();
  for (auto [i, dim] : llvm::enumerate(in[0]->getShape())) {
    bool drop = axes ? llvm::is_contained(*axes, static_cast<int64_t>(i)) : dim == 1;
    if (drop && dim != 1)
      return failure();
    if (!drop)
      shape.push_back(dim);
  }
  out.push_back(in[0]->reshaped(shape));
  return success();
}

LogicalResult evalUnsqueeze(Operation *, HostOperands in, const EvaluateLimits &,
                            HostResults &out) {
  if (!isPresent(in, 1))
    return failure();
  int64_t rank = in[0]->getRank() + in[1]->getNumElements();
  auto axes = normalizeAxes(in[1]->ints(), rank);
  if (!axes)
    return failure();
  SmallVector<int64_t> shape;
  ArrayRef<int64_t> rest = in[0]->getShape();
  for (int64_t i = 0; i < rank; ++i) {
    bool added = llvm::is_contained(*axes, i);
    shape.push_back(added ? 1 : rest.front());
    if (!added)
      rest = rest.drop_front();
  }
  out.push_back(in[0]->reshaped(shape));
  return success();
}

LogicalResult evalFlatten(Operation *op, HostOperands in, const EvaluateLimits &,
                          HostResults &out) {
  int64_t rank = in[0]->getRank(), axis = intAttr(op, "axis", 1);
  axis = axis < 0 ? axis + rank : axis;
  if (axis < 0 || axis > rank)
    return failure();
  int64_t outer = 1, inner = 1;
  for (auto [i, dim] : llvm::enumerate(in[0]->getShape()))
    (static_cast<int64_t>(i) < axis ? outer : inner) *= dim;
  out.push_back(in[0]->reshaped({outer, inner}));
  return success();
}

LogicalResult evalTranspose(Operation *op, HostOperands in, const EvaluateLimits &,
                            HostResults &out) {
  int64_t rank = in[0]->getRank();
  SmallVector<int64_t> perm;
  if (auto attr = intsAttr(op, "perm"))
    perm.assign(attr->begin(), attr->end());
  else
    for (int64_t i = rank - 1; i >= 0; --i)
      perm.push_back(i);
  auto checked = normalizeAxes(perm, rank);
  if (!checked || static_cast<int64_t>(perm.size()) != rank)
    return failure();
  SmallVector<int64_t> own = rowMajorStrides(in[0]->getShape()), shape, strides;
  for (int64_t axis : *checked) {
    shape.push_back(in[0]->getShape()[axis]);
    strides.push_back(own[axis]);
  }
  out.push_back(gatherStrided(*in[0], shape, strides));
  return success();
}

LogicalResult evalConcat(Operation *op, HostOperands in, const EvaluateLimits &,
                         HostResults &out) {
  int64_t rank = in[0]->getRank();
  auto axis = wrapAxis(intAttr(op, "axis", 0), rank);
  if (!axis)
    return failure();
  SmallVector<int64_t> shape(in[0]->getShape());
  shape[*axis] = 0;
  for (const std::optional<HostTensor> &part : in) {
    if (!part || part->getRank() != rank)
      return failure();
    for (int64_t d = 0; d < rank; ++d)
      if (d != *axis && part->getShape()[d] != shape[d])
        return failure();
    shape[*axis] += part->getShape()[*axis];
  }
  HostTensor result = HostTensor::zeros(in[0]->getElementType(), shape);
  int64_t outer = 1;
  for (int64_t d = 0; d < *axis; ++d)
    outer *= shape[d];
  char *to = result.mutableData();
  for (int64_t i = 0; i < outer; ++i)
    for (const std::optional<HostTensor> &part : in) {
      int64_t bytes = part->getNumBytes() / outer;
      std::memcpy(to, part->data() + i * bytes, bytes);
      to += bytes;
    }
  out.push_back(result);
  return success();
}

LogicalResult evalSlice(Operation *, HostOperands in, const EvaluateLimits &, HostResults &out) {
  if (!isPresent(in, 1) || !isPresent(in, 2))
    return failure();
  int64_t rank = in[0]->getRank();
  SmallVector<int64_t> starts = in[1]->ints(), ends = in[2]->ints(), axes, steps;
  if (isPresent(in, 3))
    axes = in[3]->ints();
  else
    axes = llvm::to_vector(llvm::seq<int64_t>(0, starts.size()));
  steps = isPresent(in, 4) ? in[4]->ints() : SmallVector<int64_t>(starts.size(), 1);
  auto checked = normalizeAxes(axes, rank);
  if (!checked || axes.size() != starts.size() || ends.size() != starts.size() ||
      steps.size() != starts.size())
    return failure();
  SmallVector<int64_t> shape(in[0]->getShape()), strides = rowMajorStrides(shape);
  int64_t offset = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    int64_t axis = (*checked)[i], dim = in[0]->getShape()[axis], step = steps[i];
    if (step == 0 || step == INT64_MIN)
      return failure();
    int64_t start = starts[i] < 0 ? starts[i] + dim : starts[i];
    int64_t end = ends[i] < 0 ? (ends[i] < -dim - 1 ? -1 : ends[i] + dim) : ends[i];
    if (step > 0) {
      start = std::clamp<int64_t>(start, 0, dim);
      end = std::clamp<int64_t>(end, 0, dim);
    } else {
      start = std::clamp<int64_t>(start, 0, std::max<int64_t>(dim - 1, 0));
      end = std::clamp<int64_t>(end, -1, std::max<int64_t>(dim - 1, -1));
    }
    int64_t distance = step > 0 ? end - start : start - end;
    int64_t length = distance <= 0 || dim == 0 ? 0 : 1 + (distance - 1) / std::abs(step);
    shape[axis] = length;
    offset += start * strides[axis];
    strides[axis] = length > 1 ? strides[axis] * step : 0; // a large step may overflow
  }
  if (llvm::is_contained(shape, 0))
    out.push_back(HostTensor::zeros(in[0]->getElementType(), shape));
  else
    out.push_back(gatherStrided(*in[0], shape, strides, offset));
  return success();
}

LogicalResult evalGather(Operation *op, HostOperands in, const EvaluateLimits &limits,
                         HostResults &out) {
  if (!isPresent(in, 1))
    return failure();
  auto axis = wrapAxis(intAttr(op, "axis", 0), in[0]->getRank());
  if (!axis)
    return failure();
  ArrayRef<int64_t> dataShape = in[0]->getShape();
  SmallVector<int64_t> shape(dataShape.take_front(*axis));
  llvm::append_range(shape, in[1]->getShape());
  llvm::append_range(shape, dataShape.drop_front(*axis + 1));
  if (!fits(limits, in, shape, in[0]->getElementBytes()))
    return failure();
  int64_t outer = 1, inner = in[0]->getElementBytes(), dim = dataShape[*axis];
  for (int64_t d : dataShape.take_front(*axis))
    outer *= d;
  for (int64_t d : dataShape.drop_front(*axis + 1))
    inner *= d;
  SmallVector<int64_t> indices = in[1]->ints();
  for (int64_t &index : indices) {
    index = index < 0 ? index + dim : index;
    if (index < 0 || index >= dim)
      return failure();
  }
  HostTensor result = HostTensor::zeros(in[0]->getElementType(), shape);
  char *to = result.mutableData();
  for (int64_t i = 0; i < outer; ++i)
    for (int64_t index : indices) {
      std::memcpy(to, in[0]->data() + (i * dim + index) * inner, inner);
      to += inner;
    }
  out.push_back(result);
  return success();
}

LogicalResult evalExpand(Operation *, HostOperands in, const EvaluateLimits &limits,
                         HostResults &out) {
  if (!isPresent(in, 1))
    return failure();
  auto shape = broadcastShapes(in[0]->getShape(), in[1]->ints());
  if (!shape || !fits(limits, in, *shape, in[0]->getElementBytes()))
    return failure();
  out.push_back(gatherStrided(*in[0], *shape, broadcastStrides(in[0]->getShape(), *shape)));
  return success();
}

LogicalResult evalTile(Operation *, HostOperands in, const EvaluateLimits &limits,
                       HostResults &out) {
  if (!isPresent(in, 1) || in[1]->getNumElements() != in[0]->getRank())
    return failure();
  SmallVector<int64_t> shape, view, strides, own = rowMajorStrides(in[0]->getShape());
  for (auto [i, repeats] : llvm::enumerate(in[1]->ints())) {
    int64_t dim = in[0]->getShape()[i], total;
    if (repeats < 0 || llvm::MulOverflow(repeats, dim, total))
      return failure();
    shape.push_back(total);
    view.append({repeats, dim});
    strides.append({0, own[i]});
  }
  if (!fits(limits, in, shape, in[0]->getElementBytes()))
    return failure();
  out.push_back(gatherStrided(*in[0], view, strides).reshaped(shape));
  return success();
}

LogicalResult evalSplit(Operation *op, HostOperands in, const EvaluateLimits &, HostResults &out) {
  auto axis = wrapAxis(intAttr(op, "axis", 0), in[0]->getRank());
  if (!axis)
    return failure();
  int64_t parts = op->getNumResults(), dim = in[0]->getShape()[*axis];
  SmallVector<int64_t> sizes;
  if (isPresent(in, 1)) {
    sizes = in[1]->ints();
  } else {
    int64_t chunk = llvm::divideCeil(dim, parts);
    for (int64_t i = 0; i < parts; ++i)
      sizes.push_back(std::clamp<int64_t>(dim - i * chunk, 0, chunk));
  }
  int64_t sum = 0;
  for (int64_t size : sizes) {
    if (size < 0 || size > dim - sum)
      return failure();
    sum += size;
  }
  if (static_cast<int64_t>(sizes.size()) != parts || sum != dim)
    return failure();
  SmallVector<int64_t> strides = rowMajorStrides(in[0]->getShape());
  int64_t start = 0;
  for (int64_t size : sizes) {
    SmallVector<int64_t> shape(in[0]->getShape());
    shape[*axis] = size;
    out.push_back(gatherStrided(*in[0], shape, strides, start * strides[*axis]));
    start += size;
  }
  return success();
}

LogicalResult evalConstantOfShape(Operation *op, HostOperands in, const EvaluateLimits &limits,
                                  HostResults &out) {
  SmallVector<int64_t> shape = in[0]->ints();
  std::optional<HostTensor> value;
  if (Attribute attr = op->getAttr("value"))
    value = HostTensor::read(attr);
  else
    value = HostTensor::zeros(Float32Type::get(op->getContext()), {1});
  if (!value || value->getNumElements() != 1 ||
      !fits(limits, in, shape, value->getElementBytes()))
    return failure();
  out.push_back(gatherStrided(*value, shape, SmallVector<int64_t>(shape.size(), 0)));
  return success();
}

LogicalResult evalWhere(Operation *, HostOperands in, const EvaluateLimits &limits,
                        HostResults &out) {
  if (!isPresent(in, 1) || !isPresent(in, 2))
    return failure();
  auto first = broadcastShapes(in[0]->getShape(), in[1]->getShape());
  auto shape = first ? broadcastShapes(*first, in[2]->getShape()) : std::nullopt;
  int64_t size = in[1]->getElementBytes();
  if (!shape || !fits(limits, in, *shape, size))
    return failure();
  HostTensor result = HostTensor::zeros(in[1]->getElementType(), *shape);
  SmallVector<SmallVector<int64_t>> strides;
  for (int i = 0; i < 3; ++i)
    strides.push_back(broadcastStrides(in[i]->getShape(), *shape));
  int64_t n = shape->empty() ? 1 : shape->back();
  auto inner = [&](int i) { return strides[i].empty() ? 0 : strides[i].back(); };
  forEachRow(*shape, strides, [&](int64_t index, ArrayRef<int64_t> offsets) {
    for (int64_t i = 0; i < n; ++i) {
      bool condition = in[0]->data()[offsets[0] + i * inner(0)] != 0;
      int k = condition ? 1 : 2;
      std::memcpy(result.mutableData() + (index + i) * size,
                  in[k]->data() + (offsets[k] + i * inner(k)) * size, size);
    }
  });
  out.push_back(result);
  return success();
}

LogicalResult evalNonZero(Operation *op, HostOperands in, const EvaluateLimits &limits,
                          HostResults &out) {
  if (in[0]->getNumBytes() > limits.growthBytes)
    return failure();
  int64_t rank = in[0]->getRank();
  SmallVector<int64_t> hits;
  for (int64_t i = 0; i < in[0]->getNumElements(); ++i) {
    double value;
    in[0]->load(i, 1, &value);
    if (value != 0)
      hits.push_back(i);
  }
  HostTensor result = HostTensor::zeros(IntegerType::get(op->getContext(), 64),
                                        {rank, static_cast<int64_t>(hits.size())});
  SmallVector<int64_t> strides = rowMajorStrides(in[0]->getShape());
  for (int64_t d = 0; d < rank; ++d)
    for (auto [i, hit] : llvm::enumerate(hits)) {
      int64_t index = hit / strides[d] % in[0]->getShape()[d];
      result.store(d * hits.size() + i, 1, &index);
    }
  out.push_back(result);
  return success();
}

} // namespace

EvaluateFn detail::lookupMovement(StringRef name) {
  return llvm::StringSwitch<EvaluateFn>(name)
      .Case("onnx.Identity", evalIdentity)
      .Case("onnx.Reshape", evalReshape)
      .Case("onnx.Squeeze", evalSqueeze)
      .Case("onnx.Unsqueeze", evalUnsqueeze)
      .Case("onnx.Flatten", evalFlatten)
      .Case("onnx.Transpose", evalTranspose)
      .Case("onnx.Concat", evalConcat)
      .Case("onnx.Slice", evalSlice)
      .Case("onnx.Gather", evalGather)
      .Case("onnx.Expand", evalExpand)
      .Case("onnx.Tile", evalTile)
      .Case("onnx.Split", evalSplit)
      .Case("onnx.ConstantOfShape", evalConstantOfShape)
      .Case("onnx.Where", evalWhere)
      .Case("onnx.NonZero", evalNonZero)
      .Default(nullptr);
}

} // namespace onnxc::onnx
