// See ExtractKernel.h.
#include "ExtractKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace onnxc {
namespace {

/// A tensor that can be an input or output of a model.
bool isPlainTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape() || tensor.getNumElements() == 0)
    return false;
  Type element = tensor.getElementType();
  return element.isF16() || element.isBF16() || element.isF32() || element.isF64() ||
         (element.isSignlessInteger() && element.getIntOrFloatBitWidth() >= 8 &&
          element.getIntOrFloatBitWidth() <= 64);
}

/// A constant with data of its own, if the data has a place to be copied from.
Operation *copyConstant(OpBuilder &b, arith::ConstantOp constant) {
  Operation *copy = b.clone(*constant);
  auto resource = dyn_cast<DenseResourceElementsAttr>(constant.getValue());
  if (!resource)
    return copy;
  AsmResourceBlob *blob = resource.getRawHandle().getBlob();
  if (!blob)
    return nullptr;
  cast<arith::ConstantOp>(copy).setValueAttr(cast<TypedAttr>(
      Attribute(DenseResourceElementsAttr::get(resource.getType(), "kernel",
                                               HeapAsmResourceBlob::allocateAndCopyWithAlign(
                                                   blob->getData(), blob->getDataAlignment())))));
  return copy;
}

} // namespace

Kernel extractKernel(ArrayRef<Operation *> ops, KernelConstants constants) {
  llvm::SmallPtrSet<Operation *, 8> inside(ops.begin(), ops.end());
  llvm::SetVector<Value> reads;
  for (Operation *op : ops) {
    reads.insert_range(op->getOperands());
    getUsedValuesDefinedAbove(op->getRegions(), reads);
  }
  SmallVector<Value> inputs, local, results;
  for (Value value : reads) {
    Operation *def = value.getDefiningOp();
    if (def && inside.contains(def))
      continue;
    bool isConstant = isa_and_nonnull<arith::ConstantOp>(def);
    bool isTensor = isa<TensorType>(value.getType());
    if ((isConstant && (!isTensor || constants == KernelConstants::Copied)) ||
        (isa_and_nonnull<tensor::EmptyOp>(def) && def->getNumOperands() == 0))
      local.push_back(value);
    else if (isPlainTensor(value.getType()))
      inputs.push_back(value);
    else
      return {};
  }
  for (Operation *op : ops)
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) {
            Operation *at = op->getBlock()->findAncestorOpInBlock(*user);
            return !at || !inside.contains(at);
          })) {
        if (!isPlainTensor(result.getType()))
          return {};
        results.push_back(result);
      }
  if (results.empty())
    return {};

  Kernel kernel;
  Location loc = UnknownLoc::get(ops.front()->getContext());
  kernel.module = ModuleOp::create(loc);
  OpBuilder b(kernel.module->getBodyRegion());
  auto main = func::FuncOp::create(
      b, loc, "main_graph",
      b.getFunctionType(TypeRange(ValueRange(inputs)), TypeRange(ValueRange(results))));
  auto name = [&](StringRef kind, unsigned i) { return b.getStringAttr(kind + std::to_string(i)); };
  for (auto [i, input] : llvm::enumerate(inputs)) {
    main.setArgAttr(i, "bufferization.writable", b.getBoolAttr(false));
    main.setArgAttr(i, "onnx.name", name("in", i));
    main.setArgAttr(i, "onnx.type", TypeAttr::get(input.getType()));
  }
  for (auto [i, result] : llvm::enumerate(results)) {
    main.setResultAttr(i, "onnx.name", name("out", i));
    main.setResultAttr(i, "onnx.type", TypeAttr::get(result.getType()));
  }
  Block *body = main.addEntryBlock();
  b.setInsertionPointToStart(body);
  IRMapping mapping;
  mapping.map(ValueRange(inputs), body->getArguments());
  for (Value value : local) {
    auto constant = value.getDefiningOp<arith::ConstantOp>();
    Operation *copy = constant ? copyConstant(b, constant) : b.clone(*value.getDefiningOp());
    if (!copy) {
      releaseData(*kernel.module);
      return {};
    }
    mapping.map(value, copy->getResult(0));
  }
  for (Operation *op : ops)
    kernel.ops.push_back(b.clone(*op, mapping));
  SmallVector<Value> returned;
  for (Value result : results)
    returned.push_back(mapping.lookup(result));
  func::ReturnOp::create(b, loc, returned);
  kernel.module->walk([&](Operation *op) { op->setLoc(loc); });
  return kernel;
}

void releaseData(ModuleOp module) {
  auto release = [](Attribute value) {
    if (auto resource = dyn_cast_or_null<DenseResourceElementsAttr>(value))
      resource.getRawHandle().getResource()->setBlob(AsmResourceBlob());
  };
  module.walk([&](Operation *op) {
    if (auto constant = dyn_cast<arith::ConstantOp>(op))
      release(constant.getValue());
    else if (auto global = dyn_cast<memref::GlobalOp>(op))
      release(global.getInitialValueAttr());
  });
  if (auto weights = module->getAttrOfType<ArrayAttr>("onnxc.weights"))
    for (Attribute pair : weights)
      release(cast<ArrayAttr>(pair)[1]);
}

} // namespace onnxc
