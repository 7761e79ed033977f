// CumSum and CumProd: running sums and products along one axis.
#include "ElementwiseTable.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace onnxc {
namespace {

/// Along an axis with others inside: a step is elementwise work on a whole [outer, inner] slice.
Value runSlices(OpBuilder &b, Location loc, Type elem, Value flat, Value init, bool isProduct,
                bool exclusive, bool reverse) {
  ScalarCodec codec(elem);
  SmallVector<OpFoldResult> dims = getDims(b, loc, flat), slice{dims[0], dims[2]};
  Scalar start{b, loc, {}, elem};
  Value first = start.num(isProduct ? 1 : 0);
  auto sliceType = cast<RankedTensorType>(emptyTensor(b, loc, slice, onnxElem(flat)).getType());
  Value sums = filled(b, loc, slice, first);
  Value zero = constIndex(b, loc, 0), one = constIndex(b, loc, 1), count = toIndex(b, loc, dims[1]);
  AffineMap id = b.getMultiDimIdentityMap(2);
  SmallVector<utils::IteratorType> parallel(2, utils::IteratorType::parallel);
  SmallVector<OpFoldResult> sizes{dims[0], b.getIndexAttr(1), dims[2]}, steps(3, b.getIndexAttr(1));
  auto loop = scf::ForOp::create(
      b, loc, zero, count, one, ValueRange{init, sums},
      [&](OpBuilder &b, Location loc, Value k, ValueRange carried) {
        Value at = k;
        if (reverse)
          at = arith::SubIOp::create(b, loc, arith::SubIOp::create(b, loc, count, one), k);
        SmallVector<OpFoldResult> offsets{b.getIndexAttr(0), at, b.getIndexAttr(0)};
        Value x = tensor::ExtractSliceOp::create(b, loc, sliceType, flat, offsets, sizes, steps);
        auto sum = linalg::GenericOp::create(
            b, loc, carried[1].getType(), ValueRange{x}, ValueRange{carried[1]},
            ArrayRef<AffineMap>{id, id}, parallel, [&](OpBuilder &b, Location loc, ValueRange args) {
              Scalar s{b, loc, {}, elem};
              Value v = codec.decode(b, loc, args[0]);
              linalg::YieldOp::create(b, loc, isProduct ? s.mul(args[1], v) : s.add(args[1], v));
            });
        Value out = exclusive ? carried[1] : sum.getResult(0);
        Value encoded = emptyTensor(b, loc, slice, onnxElem(flat));
        encoded = linalg::GenericOp::create(
                      b, loc, sliceType, ValueRange{out}, ValueRange{encoded},
                      ArrayRef<AffineMap>{id, id}, parallel,
                      [&](OpBuilder &b, Location loc, ValueRange args) {
                        linalg::YieldOp::create(b, loc, codec.encode(b, loc, args[0]));
                      })
                      .getResult(0);
        Value next = tensor::InsertSliceOp::create(b, loc, encoded, carried[0], offsets, sizes, steps);
        scf::YieldOp::create(b, loc, ValueRange{next, sum.getResult(0)});
      });
  return loop.getResult(0);
}

// The input is seen as [outer, n, inner] around the axis, which may be known only at
// run time. One accumulator in the compute type runs along n.
LogicalResult lowerCumulative(const OnnxTypeConverter &types, Operation *op, ValueRange converted,
                              bool isProduct, ConversionPatternRewriter &b) {
  Location loc = op->getLoc();
  Value input = converted[0];
  int64_t rank = rankOf(input);
  Type elem = onnxElem(op->getOperand(0));
  if (!elem.isIntOrFloat() || rank < 1)
    return types.refuse(op, "needs a tensor of numbers of rank 1 or more");
  ScalarCodec codec(elem);
  SmallVector<OpFoldResult> dims = getDims(b, loc, input);
  OpFoldResult outer = b.getIndexAttr(1), n = b.getIndexAttr(1), inner = b.getIndexAttr(1);
  auto constant = getConstantInts(op->getOperand(1));
  if (constant && constant->size() == 1) {
    auto axis = normalizeAxis(constant->front(), rank);
    if (!axis)
      return types.refuse(op, "has an axis outside of the input's rank");
    outer = productIndex(b, loc, ArrayRef(dims).take_front(*axis));
    n = dims[*axis];
    inner = productIndex(b, loc, ArrayRef(dims).drop_front(*axis + 1));
  } else {
    Value axis = arith::IndexCastOp::create(b, loc, b.getIndexType(), readScalar(b, loc, converted[1]));
    axis = wrapIndex(b, loc, axis, constIndex(b, loc, rank));
    auto only = [&](arith::CmpIPredicate when, int64_t d) -> OpFoldResult {
      Value here = arith::CmpIOp::create(b, loc, when, constIndex(b, loc, d), axis);
      return arith::SelectOp::create(b, loc, here, toIndex(b, loc, dims[d]), constIndex(b, loc, 1))
          .getResult();
    };
    for (int64_t d = 0; d < rank; ++d) {
      outer = mulIndex(b, loc, outer, only(arith::CmpIPredicate::slt, d));
      n = mulIndex(b, loc, n, only(arith::CmpIPredicate::eq, d));
      inner = mulIndex(b, loc, inner, only(arith::CmpIPredicate::sgt, d));
    }
  }
  auto flag = [&](StringRef name) {
    auto attr = op->getAttrOfType<IntegerAttr>(name);
    return attr && attr.getInt() != 0;
  };
  bool exclusive = flag("exclusive"), reverse = flag("reverse");
  // Without elements there is no slice to take.
  if (hasZero(dims)) {
    replaceOp(b, types, op, emptyTensor(b, loc, dims, onnxElem(input)));
    return success();
  }
  Value flat = reshapeTo(b, loc, input, {outer, n, inner});
  Value init = emptyTensor(b, loc, {outer, n, inner}, onnxElem(input));
  if (constant && !isConstantIntValue(inner, 1)) {
    Value result = runSlices(b, loc, elem, flat, init, isProduct, exclusive, reverse);
    replaceOp(b, types, op, reshapeTo(b, loc, result, dims));
    return success();
  }
  Value zero = constIndex(b, loc, 0), one = constIndex(b, loc, 1);
  Value count = toIndex(b, loc, n), last = toIndex(b, loc, subIndex(b, loc, n, b.getIndexAttr(1)));
  scf::LoopNest nest = scf::buildLoopNest(
      b, loc, {zero, zero}, {toIndex(b, loc, outer), toIndex(b, loc, inner)}, {one, one}, init,
      [&](OpBuilder &b, Location loc, ValueRange at, ValueRange state) -> scf::ValueVector {
        Scalar start{b, loc, {}, elem};
        auto along = scf::ForOp::create(
            b, loc, zero, count, one, ValueRange{state[0], start.num(isProduct ? 1 : 0)},
            [&](OpBuilder &b, Location loc, Value k, ValueRange carried) {
              Value step = reverse ? Value(arith::SubIOp::create(b, loc, last, k)) : k;
              SmallVector<Value> position{at[0], step, at[1]};
              Scalar s{b, loc, {}, elem};
              Value x = codec.decode(b, loc, tensor::ExtractOp::create(b, loc, flat, position));
              Value sum = isProduct ? s.mul(carried[1], x) : s.add(carried[1], x);
              Value out = codec.encode(b, loc, exclusive ? carried[1] : sum);
              Value next = tensor::InsertOp::create(b, loc, out, carried[0], position);
              scf::YieldOp::create(b, loc, ValueRange{next, sum});
            });
        return {along.getResult(0)};
      });
  replaceOp(b, types, op, reshapeTo(b, loc, nest.results.front(), dims));
  return success();
}

template <typename Op, bool isProduct>
struct CumulativePattern : OnnxPattern<Op> {
  using OnnxPattern<Op>::OnnxPattern;
  LogicalResult matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    return lowerCumulative(this->types(), op, adaptor.getOperands(), isProduct, b);
  }
};

} // namespace

void populateScanPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  addPatterns<CumulativePattern<onnx::CumSumOp, false>, CumulativePattern<onnx::CumProdOp, true>>(
      patterns, converter);
}

} // namespace onnxc
