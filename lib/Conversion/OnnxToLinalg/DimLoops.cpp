// DimAnalysis' rules for Loop and Scan: which sizes stay the same from one iteration to the next.
#include "DimRules.h"

using namespace mlir;

namespace onnxc {
using namespace dimrules;

using Dim = DimAnalysis::Dim;
using Dims = DimAnalysis::Dims;

// Carried values are first taken to keep their sizes. If the body does not keep one of them, it is walked again with other
// sizes for that one, and what then does not keep its sizes any more follows.
void DimAnalysis::visitLoop(Operation *op) {
  bool isLoop = opName(op) == "Loop";
  Block &body = op->getRegion(0).front();
  Operation *yield = body.getTerminator();
  // A loop's body takes the number of the iteration and the condition first, as the loop takes their limits, and gives the
  // condition first.
  unsigned skipIn = isLoop ? 2 : 0, skipOut = isLoop ? 1 : 0;
  unsigned slices = isLoop ? 0 : intAttr(op, "num_scan_inputs", 0);
  unsigned carried = op->getNumOperands() - skipIn - slices;
  SmallVector<int64_t> axes = intsAttr(op, "scan_input_axes");
  Dim length = fresh();
  for (unsigned i = 0; i < slices; ++i) {
    Dims dims(shapeOf(op->getOperand(carried + i)));
    auto axis = normalizeAxis(i < axes.size() ? axes[i] : 0, dims.size());
    if (axis) {
      length = i == 0 ? dims[*axis] : length;
      dims.erase(dims.begin() + *axis);
    }
    record(body.getArgument(carried + i), axis ? ArrayRef<Dim>(dims) : ArrayRef<Dim>());
  }
  // Which carried values keep their sizes, as far as nothing says otherwise.
  SmallVector<bool> keeps(carried, true);
  constexpr int kMostWalks = 3;
  for (int walk = 1;; ++walk) {
    for (unsigned i = 0; i < carried; ++i)
      record(body.getArgument(skipIn + i), keeps[i] ? shapeOf(op->getOperand(skipIn + i)) : ArrayRef<Dim>());
    visitBlock(body);
    SmallVector<bool> before = keeps;
    for (unsigned i = 0; i < carried; ++i)
      keeps[i] = keeps[i] && shapeOf(body.getArgument(skipIn + i)) == shapeOf(yield->getOperand(skipOut + i));
    if (keeps == before)
      break;
    if (walk + 1 >= kMostWalks)
      keeps.assign(carried, false);
    body.walk([&](Operation *inner) {
      for (Value result : inner->getResults())
        contents.erase(result);
    });
  }
  for (unsigned i = 0; i < carried; ++i)
    record(op->getResult(i), keeps[i] ? shapeOf(op->getOperand(skipIn + i)) : ArrayRef<Dim>());
  SmallVector<int64_t> outAxes = intsAttr(op, "scan_output_axes");
  for (unsigned i = carried; i < op->getNumResults(); ++i) {
    Dims dims(shapeOf(yield->getOperand(skipOut + i)));
    unsigned scan = i - carried;
    auto axis = normalizeAxis(scan < outAxes.size() ? outAxes[scan] : 0, dims.size() + 1);
    if (axis)
      dims.insert(dims.begin() + *axis, length);
    record(op->getResult(i), axis ? ArrayRef<Dim>(dims) : ArrayRef<Dim>());
  }
}

} // namespace onnxc
