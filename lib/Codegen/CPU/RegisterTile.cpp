// See RegisterTile.h.
#include "RegisterTile.h"

#include "StridedLoads.h"
#include "VectorClone.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace onnxc {
namespace {

/// Elements further apart than this are loaded one by one.
constexpr int64_t kMaxStep = 8;

} // namespace

RegisterTile::RegisterTile(OpBuilder &b, linalg::LinalgOp op, const LoopSchedule &schedule)
    : maps(op.getIndexingMapsArray()), base(op.getNumLoops()), factor(op.getNumLoops(), 1),
      lanes(schedule.lanes), b(b), op(op), loc(op.getLoc()), schedule(schedule),
      numLoops(op.getNumLoops()) {
  for (Range range : op.createLoopRanges(b, loc))
    sizes.push_back(range.size);
}

Value RegisterTile::index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }

Value RegisterTile::createMask(Value count) {
  return vector::CreateMaskOp::create(b, loc, VectorType::get(lanes, b.getI1Type()),
                                      ValueRange{count});
}

SmallVector<RegisterTile::Coordinates> RegisterTile::positions(AffineMap map) const {
  SmallVector<Coordinates> result = {Coordinates(numLoops, 0)};
  for (unsigned dim = 0; dim < numLoops; ++dim) {
    if (factor[dim] == 1 || !map.isFunctionOfDim(dim))
      continue;
    SmallVector<Coordinates> next;
    for (const Coordinates &c : result)
      for (unsigned i = 0; i < factor[dim]; ++i) {
        next.push_back(c);
        next.back()[dim] = i;
      }
    result = std::move(next);
  }
  return result;
}

RegisterTile::Coordinates RegisterTile::project(AffineMap map, const Coordinates &c) const {
  Coordinates own(numLoops, 0);
  for (unsigned dim = 0; dim < numLoops; ++dim)
    if (map.isFunctionOfDim(dim))
      own[dim] = c[dim];
  return own;
}

unsigned RegisterTile::packed(const Coordinates &c) const {
  unsigned key = 0;
  for (unsigned dim = 0; dim < numLoops; ++dim)
    key = key * factor[dim] + c[dim];
  return key;
}

Value RegisterTile::position(unsigned dim, const Coordinates &c) {
  if (c[dim] == 0)
    return base[dim];
  int64_t offset = static_cast<int64_t>(c[dim]) * (isVector(dim) ? lanes : 1);
  return arith::AddIOp::create(b, loc, base[dim], index(offset));
}

SmallVector<Value> RegisterTile::indices(AffineMap map, const Coordinates &c, Shift shift) {
  SmallVector<OpFoldResult> dims;
  for (unsigned dim = 0; dim < numLoops; ++dim) {
    if (!map.isFunctionOfDim(dim)) {
      dims.push_back(b.getIndexAttr(0));
      continue;
    }
    Value at = position(dim, c);
    if (shift && shift->first == dim && shift->second != 0)
      at = arith::AddIOp::create(b, loc, at, index(shift->second));
    dims.push_back(at);
  }
  return indicesAt(b, loc, map, dims);
}

bool RegisterTile::isContiguous(unsigned operand, unsigned dim) {
  auto type = cast<MemRefType>(op->getOperand(operand).getType());
  return classifyAccess(maps[operand], type, dim) == Access::Contiguous;
}

/// Whether the operand is contiguous along the dimension that the tile turns.
bool RegisterTile::isTurned(unsigned operand) {
  return schedule.turnDim && factor[*schedule.turnDim] > 1 &&
         !isContiguous(operand, *schedule.vectorDim) && isContiguous(operand, *schedule.turnDim);
}

/// The step between an operand's elements in a vector, if few whole vectors hold them all.
std::optional<int64_t> RegisterTile::shortStep(unsigned operand) {
  auto type = cast<MemRefType>(op->getOperand(operand).getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)) || strides.empty() || strides.back() != 1)
    return std::nullopt;
  auto step = constantStep(maps[operand], type, *schedule.vectorDim);
  bool isShort = step && (*step == -1 || (*step > 1 && *step <= std::min(kMaxStep, lanes)));
  return isShort ? step : std::nullopt;
}

bool RegisterTile::loadsElements(unsigned dim) {
  if (getConstantIntValue(sizes[dim]))
    return false;
  for (unsigned operand = 0, e = op->getNumOperands(); operand < e; ++operand)
    if (isa<MemRefType>(op->getOperand(operand).getType()) && maps[operand].isFunctionOfDim(dim) &&
        !op.getBlock()->getArgument(operand).use_empty() && !isContiguous(operand, dim))
      return true;
  return false;
}

/// The vector at this position of the tile is the partial one.
bool RegisterTile::isPartial(const Coordinates &c) {
  unsigned dim = *schedule.vectorDim;
  return mask && c[dim] + 1 == factor[dim];
}

Value RegisterTile::loadScalar(unsigned operand, const Coordinates &c) {
  return memref::LoadOp::create(b, loc, op->getOperand(operand), indices(maps[operand], c));
}

void RegisterTile::prefetch(unsigned operand, const Coordinates &c, unsigned dim, int64_t iterations) {
  memref::PrefetchOp::create(b, loc, op->getOperand(operand),
                             indices(maps[operand], c, std::make_pair(dim, iterations)), /*isWrite=*/false,
                             /*localityHint=*/3, /*isDataCache=*/true);
}

Value RegisterTile::load(unsigned operand, const Coordinates &c) {
  Value source = op->getOperand(operand);
  if (!isa<MemRefType>(source.getType()) || lanes == 1 ||
      !maps[operand].isFunctionOfDim(*schedule.vectorDim) ||
      isContiguous(operand, *schedule.vectorDim))
    return loadFrom(source, maps[operand], c);
  unsigned dim = *schedule.vectorDim;
  auto type = VectorType::get(lanes, elementType(operand));
  if (isTurned(operand))
    return loadTurned(operand, c, type);
  int64_t wanted = isPartial(c) ? lanesLeft.value_or(lanes) : lanes;
  if (auto step = shortStep(operand)) {
    auto load = [&](int64_t from, int64_t valid) {
      return loadVector(operand, indices(maps[operand], c), type, from, valid);
    };
    return *step < 0 ? loadReversed(b, loc, wanted, lanes, load)
                     : loadEvery(b, loc, *step, wanted, lanes, load);
  }
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < wanted; ++lane)
    elements.push_back(memref::LoadOp::create(
        b, loc, source, indices(maps[operand], c, std::make_pair(dim, lane))));
  elements.resize(lanes, elements.front());
  return vector::FromElementsOp::create(b, loc, type, elements);
}

Value RegisterTile::loadFrom(Value source, AffineMap map, const Coordinates &c) {
  auto memref = dyn_cast<MemRefType>(source.getType());
  if (!memref)
    return source;
  SmallVector<Value> at = indices(map, c);
  if (lanes == 1 || !map.isFunctionOfDim(*schedule.vectorDim))
    return memref::LoadOp::create(b, loc, source, at);
  auto type = VectorType::get(lanes, memref.getElementType());
  if (!isPartial(c))
    return vector::LoadOp::create(b, loc, type, source, at);
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  return vector::MaskedLoadOp::create(b, loc, type, source, at, mask, zero);
}

/// A vector from `from` elements after the position on, of which only `valid` are read.
Value RegisterTile::loadVector(unsigned operand, SmallVector<Value> at, VectorType type,
                               int64_t from, int64_t valid) {
  if (from != 0)
    at.back() = arith::AddIOp::create(b, loc, at.back(), index(from));
  Value source = op->getOperand(operand);
  if (valid == type.getNumElements())
    return vector::LoadOp::create(b, loc, type, source, at);
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  return vector::MaskedLoadOp::create(b, loc, type, source, at, createMask(index(valid)), zero);
}

/// One row of the tile, all of which is loaded along the dimension that it turns, at the first row.
Value RegisterTile::loadTurned(unsigned operand, const Coordinates &c, VectorType type) {
  unsigned dim = *schedule.vectorDim, turn = *schedule.turnDim;
  SmallVector<Value> &rows = turned[operand];
  if (rows.empty()) {
    Coordinates first = c;
    first[turn] = 0;
    int64_t wanted = isPartial(c) ? lanesLeft.value_or(lanes) : lanes;
    for (int64_t lane = 0; lane < wanted; ++lane)
      rows.push_back(loadVector(operand, indices(maps[operand], first, std::make_pair(dim, lane)),
                                type, 0, factor[turn]));
    rows.resize(lanes, rows.front());
    transposeSquare(b, loc, rows);
  }
  return rows[c[turn]];
}

void RegisterTile::store(unsigned operand, const Coordinates &c, Value value, bool scalar) {
  storeTo(op->getOperand(operand), maps[operand], c, value, scalar);
}

void RegisterTile::storeTo(Value target, AffineMap map, const Coordinates &c, Value value,
                           bool scalar) {
  SmallVector<Value> at = indices(map, c);
  if (scalar || lanes == 1 || !map.isFunctionOfDim(*schedule.vectorDim)) {
    memref::StoreOp::create(b, loc, value, target, at);
    return;
  }
  value = onVector(b, loc, value, lanes);
  if (isPartial(c))
    vector::MaskedStoreOp::create(b, loc, target, at, mask, value);
  else
    vector::StoreOp::create(b, loc, value, target, at);
}

} // namespace onnxc
