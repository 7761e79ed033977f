// Figures are for one core of a current server at about 3 GHz, data in the second-level cache. They need
// to be right to a factor of two: the pool asks only whether a region is worth a second thread.
#include "CostModel.h"

#include "onnxc/Dialect/Cg/IR/Cg.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace onnxc {
namespace {

constexpr double kAssumedTrips = 32;
constexpr double kBytesPerNs = 192;     // moved within the cache
constexpr double kNsPerVector = 0.15;   // an arithmetic instruction
constexpr double kNsPerFunction = 3;    // exp, tanh, erf: a polynomial
constexpr double kNsPerDivision = 3;
constexpr double kNsPerTile = 2.5, kNsPerTileProduct = 5; // 16 rows: two loaded, one multiplied in a cycle
constexpr int64_t kVectorBytes = 64;

/// A number that is known now, times sizes that are known when the model runs; sums of these.
struct Cost {
  double fixed = 0;
  Value dynamic; // f64, or none
};

class CostBuilder {
public:
  CostBuilder(OpBuilder &b, scf::ForallOp loop) : b(b), loop(loop), loc(loop->getLoc()) {
    // Sizes that depend on the iteration are taken of the first one: it has a whole tile, or all
    // there is.
    for (auto [iv, from] : llvm::zip(loop.getInductionVars(), loop.getMixedLowerBound()))
      moved.map(iv, getValueOrCreateConstantIndexOp(b, loc, from));
  }

  Cost body(Block &block) {
    Cost total;
    for (Operation &op : block.without_terminator())
      total = add(total, operation(op));
    return total;
  }

  Value materialize(Cost cost) {
    Value fixed = arith::ConstantOp::create(b, loc, b.getF64FloatAttr(cost.fixed));
    return cost.dynamic ? arith::AddFOp::create(b, loc, cost.dynamic, fixed).getResult() : fixed;
  }

private:
  Cost add(Cost x, Cost y) {
    Cost sum{x.fixed + y.fixed, x.dynamic ? x.dynamic : y.dynamic};
    if (x.dynamic && y.dynamic)
      sum.dynamic = arith::AddFOp::create(b, loc, x.dynamic, y.dynamic);
    return sum;
  }

  Cost operation(Operation &op) {
    if (auto inner = dyn_cast<scf::ForOp>(op))
      return times(body(*inner.getBody()), inner);
    Cost total;
    for (Region &region : op.getRegions())
      for (Block &block : region)
        total = add(total, body(block));
    total.fixed += instruction(op);
    return total;
  }

  static double bytesOf(Type type) {
    auto vector = dyn_cast<VectorType>(type);
    Type element = vector ? vector.getElementType() : type;
    double bits = element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 64;
    return bits / 8 * (vector ? vector.getNumElements() : 1);
  }

  double instruction(Operation &op) {
    if (auto copy = dyn_cast<memref::CopyOp>(op)) {
      auto type = cast<MemRefType>(copy.getSource().getType());
      double count = type.hasStaticShape() ? type.getNumElements() : kAssumedTrips * kAssumedTrips;
      return 2 * count * bytesOf(type.getElementType()) / kBytesPerNs;
    }
    if (isa<cg::TileMultiplyOp>(op))
      return kNsPerTileProduct;
    if (isa<cg::TileLoadOp, cg::TileStoreOp>(op))
      return kNsPerTile;
    Type type = op.getNumResults() ? op.getResult(0).getType()
                : op.getNumOperands() ? op.getOperand(0).getType() : Type();
    if (!type || isa<MemRefType, IndexType>(type) || op.hasTrait<OpTrait::ConstantLike>())
      return 0;
    if (isa<vector::LoadOp, vector::StoreOp, vector::MaskedLoadOp, vector::MaskedStoreOp,
            vector::TransferReadOp, vector::TransferWriteOp, memref::LoadOp, memref::StoreOp>(op))
      return std::max(0.1, bytesOf(type) / kBytesPerNs);
    if (isa<vector::GatherOp, vector::ScatterOp>(op))
      return kNsPerFunction * 2;
    // It becomes one instruction with the addition behind it.
    if (auto mul = dyn_cast<arith::MulFOp>(op);
        mul && bitEnumContainsAll(mul.getFastmath(), arith::FastMathFlags::contract))
      return 0;
    double vectors = std::max(1.0, bytesOf(type) / kVectorBytes);
    if (isa<math::MathDialect>(op.getDialect()) && !isa<math::FmaOp, math::AbsFOp, math::SqrtOp>(op))
      return kNsPerFunction * vectors;
    if (isa<arith::DivFOp, arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp, math::SqrtOp>(op))
      return kNsPerDivision * vectors;
    if (isa<scf::YieldOp>(op))
      return 0;
    return kNsPerVector * vectors;
  }

  /// The cost of all iterations of a loop.
  Cost times(Cost one, scf::ForOp inner) {
    one.fixed += kNsPerVector; // the loop's own work
    Value lower = outside(inner.getLowerBound()), upper = outside(inner.getUpperBound()),
          step = outside(inner.getStep());
    auto from = getConstantIntValue(inner.getLowerBound()), to = getConstantIntValue(inner.getUpperBound()),
         by = getConstantIntValue(inner.getStep());
    bool isStatic = from && to && by;
    if (!isStatic && lower && upper && step) {
      Value length = arith::SubIOp::create(b, loc, upper, lower);
      Value count = number(arith::CeilDivSIOp::create(b, loc, length, step));
      Value zero = arith::ConstantOp::create(b, loc, b.getF64FloatAttr(0));
      count = arith::MaximumFOp::create(b, loc, count, zero);
      Value each = materialize(one);
      return {0, arith::MulFOp::create(b, loc, each, count)};
    }
    double trips = kAssumedTrips;
    std::optional<int64_t> length = isStatic ? std::nullopt : lengthOfBlock(inner);
    if (length) {
      from = 0;
      to = length;
    } else if (!isStatic) {
      from = from ? from : 0;
      to = to ? to : bound(inner.getUpperBound());
    }
    if (from && to && by && *by > 0)
      trips = std::max<double>(0, llvm::divideCeil(std::max<int64_t>(0, *to - *from), *by));
    one.fixed *= trips;
    if (one.dynamic) {
      Value factor = arith::ConstantOp::create(b, loc, b.getF64FloatAttr(trips));
      one.dynamic = arith::MulFOp::create(b, loc, one.dynamic, factor);
    }
    return one;
  }

  /// How far a loop over one block of another loop goes: its upper bound is its lower bound and a constant, or less.
  static std::optional<int64_t> lengthOfBlock(scf::ForOp inner) {
    Operation *op = inner.getUpperBound().getDefiningOp();
    AffineMap map;
    if (auto apply = dyn_cast_or_null<affine::AffineApplyOp>(op))
      map = apply.getAffineMap();
    else if (auto min = dyn_cast_or_null<affine::AffineMinOp>(op))
      map = min.getAffineMap();
    else
      return std::nullopt;
    std::optional<int64_t> length;
    for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
      if (operand != inner.getLowerBound())
        continue;
      AffineExpr start = i < map.getNumDims() ? getAffineDimExpr(i, map.getContext())
                                              : getAffineSymbolExpr(i - map.getNumDims(), map.getContext());
      for (AffineExpr end : map.getResults())
        if (auto constant = dyn_cast<AffineConstantExpr>(
                simplifyAffineExpr(end - start, map.getNumDims(), map.getNumSymbols())))
          length = std::min(length.value_or(constant.getValue()), constant.getValue());
    }
    return length;
  }

  Value number(Value index) {
    Value integer = arith::IndexCastOp::create(b, loc, b.getI64Type(), index);
    return arith::SIToFPOp::create(b, loc, b.getF64Type(), integer);
  }

  /// About the most that a value inside the loop can be: tiles' sizes are a minimum with a constant, and
  /// what is computed from them grows with them. (Solving for all bounds, as upstream's interface
  /// does, takes minutes on models with unknown sizes.)
  std::optional<int64_t> bound(Value value, int depth = 0) {
    if (std::optional<int64_t> constant = getConstantIntValue(value))
      return constant;
    Operation *op = value.getDefiningOp();
    if (!op || depth > 4 || !loop->isAncestor(op))
      return std::nullopt;
    if (auto min = dyn_cast<affine::AffineMinOp>(op)) {
      std::optional<int64_t> least;
      for (AffineExpr expr : min.getMap().getResults())
        if (auto constant = dyn_cast<AffineConstantExpr>(expr))
          least = std::min(least.value_or(constant.getValue()), constant.getValue());
      return least;
    }
    auto apply = dyn_cast<affine::AffineApplyOp>(op);
    if (!apply)
      return std::nullopt;
    SmallVector<Attribute> operands;
    for (Value operand : apply.getOperands()) {
      std::optional<int64_t> most = bound(operand, depth + 1);
      if (!most)
        return std::nullopt;
      operands.push_back(b.getIndexAttr(*most));
    }
    SmallVector<Attribute> result;
    if (failed(apply.getMap().constantFold(operands, result)))
      return std::nullopt;
    return cast<IntegerAttr>(result[0]).getInt();
  }

  /// The value, computed before the loop for its first iteration; none if that cannot be.
  Value outside(Value value) {
    if (!loop->isAncestor(value.getParentRegion()->getParentOp()))
      return value;
    if (Value known = moved.lookupOrNull(value))
      return known;
    Operation *op = value.getDefiningOp();
    if (!op || op->getNumRegions() || !(isPure(op) || isa<memref::DimOp>(op)))
      return Value();
    for (Value operand : op->getOperands()) {
      Value there = outside(operand);
      if (!there)
        return Value();
      moved.map(operand, there);
    }
    b.clone(*op, moved);
    return moved.lookup(value);
  }

  OpBuilder &b;
  Operation *loop;
  Location loc;
  IRMapping moved;
};

} // namespace

Value emitIterationCost(OpBuilder &b, scf::ForallOp loop) {
  CostBuilder builder(b, loop);
  return builder.materialize(builder.body(*loop.getBody()));
}

} // namespace onnxc
