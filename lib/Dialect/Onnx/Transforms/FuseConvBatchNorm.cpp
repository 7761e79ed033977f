// onnx-fuse-conv-batchnorm: y = scale * conv(x) + shift per output channel becomes a convolution with
// scaled weights and another bias, for scales and shifts that are constant.
#include "onnxc/Dialect/Onnx/Transforms/Constants.h"
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include <cmath>

namespace onnxc::onnx {
#define GEN_PASS_DEF_ONNXFUSECONVBATCHNORM
#include "onnxc/Dialect/Onnx/Transforms/Passes.h.inc"

using namespace mlir;

namespace {

/// What follows a convolution, per output channel.
struct ChannelAffine {
  SmallVector<double> scale, shift;
};

/// A constant that holds one value per channel of a tensor of `rank`, or one for all.
std::optional<SmallVector<double>> perChannel(Value value, int64_t channels, int64_t rank) {
  std::optional<HostTensor> tensor = constantTensor(value);
  if (!tensor || !tensor->isFloat() || tensor->getRank() > rank)
    return std::nullopt;
  if (tensor->getNumElements() == 1)
    return SmallVector<double>(channels, tensor->floats()[0]);
  if (tensor->getNumElements() != channels)
    return std::nullopt;
  int64_t axis = tensor->getRank() - (rank - 1);
  if (axis < 0 || tensor->getShape()[axis] != channels)
    return std::nullopt;
  return tensor->floats();
}

std::optional<ChannelAffine> matchBatchNorm(BatchNormalizationOp op, int64_t channels) {
  if (op.getTrainingMode() != 0)
    return std::nullopt;
  for (Value result : op->getResults().drop_front())
    if (!isNone(result) && !result.use_empty())
      return std::nullopt;
  SmallVector<double> params[4];
  for (int i = 0; i < 4; ++i) {
    std::optional<HostTensor> tensor = constantTensor(op->getOperand(1 + i));
    if (!tensor || !tensor->isFloat() || tensor->getNumElements() != channels)
      return std::nullopt;
    params[i] = tensor->floats();
  }
  ChannelAffine result;
  double epsilon = op.getEpsilon().convertToFloat();
  for (int64_t c = 0; c < channels; ++c) {
    double scale = params[0][c] / std::sqrt(params[3][c] + epsilon);
    result.scale.push_back(scale);
    result.shift.push_back(params[1][c] - params[2][c] * scale);
  }
  return result;
}

std::optional<ChannelAffine> matchFollower(Operation *op, Value conv, int64_t channels,
                                           int64_t rank) {
  // Operands that widen the result by broadcasting are not per channel.
  if (op->getNumResults() == 0 || op->getResult(0).getType() != conv.getType())
    return std::nullopt;
  if (auto batchNorm = dyn_cast<BatchNormalizationOp>(op))
    return batchNorm->getOperand(0) == conv ? matchBatchNorm(batchNorm, channels) : std::nullopt;
  if (!isa<MulOp, AddOp>(op))
    return std::nullopt;
  Value other = op->getOperand(op->getOperand(0) == conv ? 1 : 0);
  auto values = perChannel(other, channels, rank);
  if (!values)
    return std::nullopt;
  bool isMul = isa<MulOp>(op);
  ChannelAffine result;
  result.scale = isMul ? *values : SmallVector<double>(channels, 1.0);
  result.shift = isMul ? SmallVector<double>(channels, 0.0) : *values;
  return result;
}

struct FuseConvBatchNorm : impl::OnnxFuseConvBatchNormBase<FuseConvBatchNorm> {
  void runOnOperation() override {
    BlobUses blobs(getOperation());
    SmallVector<Operation *> convs;
    getOperation().walk([&](Operation *op) {
      if (isa<ConvOp, ConvTransposeOp>(op))
        convs.push_back(op);
    });
    for (Operation *conv : convs)
      while (fuseOne(conv, blobs)) {
      }
  }

private:
  bool fuseOne(Operation *conv, BlobUses &blobs) {
    Value result = conv->getResult(0);
    auto weightType = dyn_cast<RankedTensorType>(conv->getOperand(1).getType());
    auto resultType = dyn_cast<RankedTensorType>(result.getType());
    if (!result.hasOneUse() || !weightType || !resultType || !constantValue(conv->getOperand(1)))
      return false;
    Value biasValue = conv->getOperand(2);
    if (!isNone(biasValue) && !constantValue(biasValue))
      return false;
    int64_t group = isa<ConvOp>(conv) ? cast<ConvOp>(conv).getGroup()
                                      : cast<ConvTransposeOp>(conv).getGroup();
    bool transposed = isa<ConvTransposeOp>(conv);
    if (!weightType.hasStaticShape() || group < 1)
      return false;
    int64_t channels = transposed ? weightType.getDimSize(1) * group : weightType.getDimSize(0);
    Operation *follower = *result.getUsers().begin();
    auto affine = matchFollower(follower, result, channels, resultType.getRank());
    std::optional<HostTensor> weight = constantTensor(conv->getOperand(1));
    if (!affine || !weight || !weight->isFloat() || follower->getBlock() != conv->getBlock())
      return false;

    OpBuilder b(conv);
    HostTensor scaled = scaleWeight(*weight, *affine, group, transposed);
    HostTensor bias = HostTensor::zeros(weight->getElementType(), {channels});
    SmallVector<double> values(channels, 0.0);
    if (!isNone(biasValue)) {
      std::optional<HostTensor> old = constantTensor(biasValue);
      if (!old || old->getNumElements() != channels)
        return false;
      values = old->floats();
    }
    for (int64_t c = 0; c < channels; ++c)
      values[c] = values[c] * affine->scale[c] + affine->shift[c];
    bias.store(0, channels, values.data());

    bool scales = llvm::any_of(affine->scale, [](double s) { return s != 1.0; });
    if (scales)
      setOperand(b, conv, 1, scaled, blobs);
    setOperand(b, conv, 2, bias, blobs);
    follower->getResult(0).replaceAllUsesWith(result);
    follower->erase();
    return true;
  }

  static HostTensor scaleWeight(const HostTensor &weight, const ChannelAffine &affine,
                                int64_t group, bool transposed) {
    HostTensor result = HostTensor::zeros(weight.getElementType(), weight.getShape());
    ArrayRef<int64_t> shape = weight.getShape();
    int64_t outer = transposed ? shape[0] * shape[1] : shape[0];
    int64_t inner = outer == 0 ? 0 : weight.getNumElements() / outer;
    SmallVector<double> row(inner);
    for (int64_t i = 0; i < outer; ++i) {
      int64_t channel = i;
      if (transposed) {
        int64_t inChannel = i / shape[1], perGroup = std::max<int64_t>(shape[0] / group, 1);
        channel = inChannel / perGroup * shape[1] + i % shape[1];
      }
      weight.load(i * inner, inner, row.data());
      for (double &value : row)
        value *= affine.scale[channel];
      result.store(i * inner, inner, row.data());
    }
    return result;
  }

  static void setOperand(OpBuilder &b, Operation *op, unsigned index, const HostTensor &tensor,
                         BlobUses &blobs) {
    Operation *old = op->getOperand(index).getDefiningOp();
    Value value = createConstant(b, op->getLoc(), tensor);
    blobs.add(value.getDefiningOp());
    op->setOperand(index, value);
    if (old && old->use_empty() && isa<ConstantOp, NoneOp>(old)) {
      blobs.remove(old);
      old->erase();
    }
  }
};

} // namespace
} // namespace onnxc::onnx
