// onnx-shape-inference: types of all values, the function's signature, and the
// names of its results' dimensions.
#include "onnxc/Dialect/Onnx/Transforms/Passes.h"
#include "onnxc/Dialect/Onnx/Transforms/TypeInference.h"

namespace onnxc::onnx {
#define GEN_PASS_DEF_ONNXSHAPEINFERENCE
#include "onnxc/Dialect/Onnx/Transforms/Passes.h.inc"

using namespace mlir;

static constexpr StringLiteral kDimParams = "onnx.dim_params";

void nameArguments(func::FuncOp func, ShapeState &state) {
  for (BlockArgument arg : func.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(arg.getType());
    auto names = func.getArgAttrOfType<ArrayAttr>(arg.getArgNumber(), kDimParams);
    if (!type || !names || static_cast<int64_t>(names.size()) != type.getRank())
      continue;
    SymbolicDims dims(type.getRank());
    for (auto [dim, name] : llvm::zip(dims, names.getAsRange<StringAttr>()))
      if (!name.getValue().empty())
        dim = state.named(name.getValue());
    state.setShape(arg, dims);
  }
}

namespace {

struct ShapeInference : impl::OnnxShapeInferenceBase<ShapeInference> {
  void runOnOperation() override {
    func::FuncOp func = getOperation();
    if (func.isExternal())
      return;
    ShapeState state;
    nameArguments(func, state);
    Block &entry = func.getBody().front();
    if (failed(TypeInference(state).inferBlock(entry)))
      return signalPassFailure();
    updateResults(func, state);
  }

private:
  void updateResults(func::FuncOp func, ShapeState &state) {
    Operation *terminator = func.getBody().front().getTerminator();
    func.setType(FunctionType::get(func.getContext(), func.getArgumentTypes(),
                                   terminator->getOperandTypes()));
    for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
      std::optional<SymbolicDims> dims = state.shapeOf(value);
      if (!dims)
        continue;
      auto declared = func.getResultAttrOfType<ArrayAttr>(i, kDimParams);
      bool sameRank = declared && declared.size() == dims->size();
      SmallVector<Attribute> names;
      for (auto [k, dim] : llvm::enumerate(*dims)) {
        StringRef name = state.nameOf(dim);
        // A name that the model declares stays where nothing speaks against it.
        if (name.empty() && !dim.isKnown() && sameRank)
          names.push_back(declared[k]);
        else
          names.push_back(StringAttr::get(func.getContext(), name));
      }
      func.setResultAttr(i, kDimParams, ArrayAttr::get(func.getContext(), names));
    }
  }
};

} // namespace
} // namespace onnxc::onnx
