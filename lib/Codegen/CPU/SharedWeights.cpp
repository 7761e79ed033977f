#include "onnxc/Codegen/CPU/SharedWeights.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "onnxc/Dialect/Rt/IR/Rt.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;

namespace onnxc {
namespace {

constexpr int64_t kAlignment = 64;

/// Splats hold one element; those of different sizes differ in their type.
ArrayRef<char> dataOf(ElementsAttr value) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    return blob ? blob->getData() : ArrayRef<char>();
  }
  auto dense = dyn_cast<DenseElementsAttr>(value);
  return dense ? dense.getRawData() : ArrayRef<char>();
}

bool isSplat(ElementsAttr value) {
  auto dense = dyn_cast<DenseElementsAttr>(value);
  return dense && dense.isSplat();
}

/// Equal in memory, whatever the shape.
bool isEqual(ElementsAttr a, ElementsAttr b) {
  if (a == b)
    return true;
  if (isSplat(a) || isSplat(b))
    return false;
  return a.getElementType() == b.getElementType() && dataOf(a) == dataOf(b);
}

} // namespace

OwningOpRef<ModuleOp> cloneWithData(ModuleOp module) {
  OwningOpRef<ModuleOp> clone = module.clone();
  DenseMap<Attribute, Attribute> copies;
  clone->walk([&](arith::ConstantOp op) {
    auto value = dyn_cast<DenseResourceElementsAttr>(op.getValue());
    AsmResourceBlob *blob = value ? value.getRawHandle().getBlob() : nullptr;
    if (!blob)
      return;
    Attribute &copy = copies[value];
    if (!copy)
      copy = DenseResourceElementsAttr::get(
          value.getType(), "copied",
          HeapAsmResourceBlob::allocateAndCopyWithAlign(blob->getData(), blob->getDataAlignment()));
    op.setValueAttr(cast<TypedAttr>(copy));
  });
  return clone;
}

void SharedWeights::take(ModuleOp module) {
  DenseMap<int64_t, int64_t> places; // offsets in the module to those here
  SmallVector<DenseResourceElementsAttr> doubled;
  llvm::SmallPtrSet<void *, 16> kept;
  auto weights = module->getAttrOfType<ArrayAttr>("onnxc.weights");
  int64_t total = cast<IntegerAttr>(module->getAttr("onnxc.weights_bytes")).getInt();
  for (auto [i, attr] : llvm::enumerate(weights)) {
    auto pair = cast<ArrayAttr>(attr);
    int64_t offset = cast<IntegerAttr>(pair[0]).getInt();
    int64_t next = i + 1 < weights.size()
                       ? cast<IntegerAttr>(cast<ArrayAttr>(weights[i + 1])[0]).getInt()
                       : total;
    auto value = cast<ElementsAttr>(pair[1]);
    ArrayRef<char> data = dataOf(value);
    auto &bucket = byHash[llvm::xxh3_64bits(
        ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(data.data()), data.size()))];
    auto resource = dyn_cast<DenseResourceElementsAttr>(value);
    auto same = llvm::find_if(bucket, [&](unsigned entry) { return isEqual(entries[entry].value, value); });
    if (same != bucket.end()) {
      places[offset] = entries[*same].offset;
      if (resource && entries[*same].value != value)
        doubled.push_back(resource);
      continue;
    }
    end = llvm::alignTo(end, kAlignment);
    places[offset] = end;
    bucket.push_back(entries.size());
    entries.push_back({value, end});
    end += next - offset;
  }
  for (Entry &entry : entries)
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(entry.value))
      kept.insert(resource.getRawHandle().getResource());
  for (DenseResourceElementsAttr value : doubled)
    if (!kept.contains(value.getRawHandle().getResource()))
      value.getRawHandle().getResource()->setBlob(AsmResourceBlob());
  Builder b(module.getContext());
  module.walk([&](rt::WeightOp op) {
    op.setOffsetAttr(b.getI64IntegerAttr(places.lookup(op.getOffset())));
  });
}

void SharedWeights::give(ModuleOp module) const {
  Builder b(module.getContext());
  SmallVector<Attribute> weights;
  for (const Entry &entry : entries)
    weights.push_back(b.getArrayAttr({b.getI64IntegerAttr(entry.offset), entry.value}));
  module->setAttr("onnxc.weights", b.getArrayAttr(weights));
  module->setAttr("onnxc.weights_bytes", b.getI64IntegerAttr(end));
}

} // namespace onnxc
