// Operators that are calls of the kernel library: one pattern for all. Operands stand at their
// ONNX positions, attributes keep their names, tensor attributes follow the operands
// (runtime/kernels/README.md).
#include "onnxc/Conversion/OnnxToLinalg/Common.h"
#include "onnxc/Conversion/OnnxToLinalg/Patterns.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace onnxc {

namespace {

struct KernelRule {
  /// Tensor attributes in alphabetical order; they are inputs of the kernel.
  SmallVector<StringRef> tensorAttrs;
  /// Random numbers: two calls with equal operands differ.
  bool hasEffects = false;
};

struct KernelPattern : ConversionPattern {
  KernelPattern(StringRef opName, KernelRule rule, const OnnxTypeConverter &converter,
                MLIRContext *context)
      // Benefit 0: a lowering to linalg goes first.
      : ConversionPattern(converter, opName, /*benefit=*/0, context), rule(std::move(rule)) {}

  LogicalResult matchAndRewrite(Operation *op, ArrayRef<Value> operands,
                                ConversionPatternRewriter &rewriter) const override {
    const auto &types = static_cast<const OnnxTypeConverter &>(*getTypeConverter());
    Location loc = op->getLoc();
    SmallVector<Value> inputs;
    SmallVector<int64_t> elemTypes;
    auto add = [&](Value value, int64_t elemType) {
      inputs.push_back(value ? value : absent(rewriter, loc));
      elemTypes.push_back(value ? elemType : 0);
    };
    SmallVector<Value> given(operands);
    while (!given.empty() && onnx::isNone(given.back()) && rule.tensorAttrs.empty())
      given.pop_back();
    for (auto [i, value] : llvm::enumerate(given))
      add(onnx::isNone(value) ? Value() : value, onnxElemType(op->getOperand(i).getType()));
    for (StringRef name : rule.tensorAttrs) {
      auto attr = op->getAttrOfType<ElementsAttr>(name);
      Value constant = attr ? storageConstant(rewriter, loc, types, attr) : Value();
      if (attr && !constant)
        return types.refuse(op, "has a tensor attribute whose data does not fit its type");
      add(constant, attr ? onnxElemType(attr.getShapedType()) : 0);
    }

    SmallVector<Type> onnxResults, results;
    for (Value result : usedResults(op)) {
      onnxResults.push_back(onnx::isNone(result) ? unaskedType(op, result) : result.getType());
      Type converted = types.convertType(onnxResults.back());
      if (!converted)
        return types.refuse(op, "has a result whose rank is not known");
      results.push_back(converted);
      elemTypes.push_back(onnxElemType(onnxResults.back()));
    }
    // Where all sizes are known the memory is planned, else the kernel allocates.
    SmallVector<Value> inits;
    bool isStatic = llvm::all_of(
        results, [](Type type) { return cast<ShapedType>(type).hasStaticShape(); });
    for (Type type : results)
      if (isStatic)
        inits.push_back(tensor::EmptyOp::create(rewriter, loc, cast<RankedTensorType>(type),
                                                ValueRange{}));
    StringRef name = cast<onnx::OnnxOpInterface>(op).getOnnxName();
    auto call = rt::KernelOp::create(rewriter, loc, results, rewriter.getStringAttr(name), inputs,
                                     inits, rewriter.getDenseI64ArrayAttr(elemTypes),
                                     kernelAttrs(op), rule.hasEffects);
    SmallVector<Value> values(call.getResults());
    values.resize(op->getNumResults());
    for (auto [value, result] : llvm::zip(values, op->getResults()))
      if (onnx::isNone(result))
        value = Value();
    replaceOp(rewriter, types, op, values);
    return success();
  }

private:
  static Value absent(OpBuilder &b, Location loc) {
    return tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{0}, b.getI8Type());
  }

  /// All results up to the last that is asked for.
  static SmallVector<Value> usedResults(Operation *op) {
    SmallVector<Value> results(op->getResults());
    while (results.size() > 1 && onnx::isNone(results.back()))
      results.pop_back();
    return results;
  }

  /// The type of a result that the model does not ask for but that stands before one that it does.
  static Type unaskedType(Operation *op, Value) {
    if (isa<onnx::TopKOp>(op)) {
      auto indices = cast<ShapedType>(op->getResult(1).getType());
      return indices.clone(cast<ShapedType>(op->getOperand(0).getType()).getElementType());
    }
    return RankedTensorType::get({ShapedType::kDynamic}, IntegerType::get(op->getContext(), 64));
  }

  /// The names of tree nodes' modes as numbers, as the kernels take them: a forest has many thousands,
  /// and each string would be a constant of its own.
  static Attribute treeModes(ArrayAttr names) {
    SmallVector<int64_t> modes;
    for (Attribute name : names)
      modes.push_back(llvm::StringSwitch<int64_t>(cast<StringAttr>(name).getValue())
                          .Case("BRANCH_LEQ", 0)
                          .Case("BRANCH_LT", 1)
                          .Case("BRANCH_GTE", 2)
                          .Case("BRANCH_GT", 3)
                          .Case("BRANCH_EQ", 4)
                          .Case("BRANCH_NEQ", 5)
                          .Case("LEAF", 7)
                          .Default(-1));
    return DenseI64ArrayAttr::get(names.getContext(), modes);
  }

  DictionaryAttr kernelAttrs(Operation *op) const {
    SmallVector<NamedAttribute> attrs;
    for (NamedAttribute attr : op->getAttrDictionary()) {
      Attribute value = attr.getValue();
      if (attr.getName() == "nodes_modes" && isa<ArrayAttr>(value)) {
        attrs.emplace_back(attr.getName(), treeModes(cast<ArrayAttr>(value)));
        continue;
      }
      if (isa<StringAttr, IntegerAttr, FloatAttr, DenseI64ArrayAttr, DenseF32ArrayAttr, ArrayAttr>(
              value))
        attrs.push_back(attr);
    }
    return DictionaryAttr::get(op->getContext(), attrs);
  }

  KernelRule rule;
};

} // namespace

void populateKernelPatterns(RewritePatternSet &patterns, OnnxTypeConverter &converter) {
  auto add = [&](ArrayRef<StringRef> names, const KernelRule &rule = {}) {
    for (StringRef name : names)
      patterns.add<KernelPattern>(("onnx." + name).str(), rule, converter, patterns.getContext());
  };
  // Sizes that depend on data.
  add({"Compress", "NonMaxSuppression", "NonZero", "TopK", "Unique"});
  // Sequences and optionals.
  add({"ConcatFromSequence", "Optional", "OptionalGetElement", "OptionalHasElement", "SequenceAt",
       "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength",
       "SplitToSequence"});
  // Strings.
  add({"RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer"});
  // ai.onnx.ml.
  add({"ml.ArrayFeatureExtractor", "ml.Binarizer", "ml.CastMap", "ml.CategoryMapper",
       "ml.DictVectorizer", "ml.FeatureVectorizer", "ml.Imputer", "ml.LinearClassifier",
       "ml.LinearRegressor", "ml.Normalizer", "ml.OneHotEncoder", "ml.SVMClassifier",
       "ml.SVMRegressor", "ml.Scaler", "ml.ZipMap"});
  add({"ml.LabelEncoder"}, {{"default_tensor", "keys_tensor", "values_tensor"}});
  add({"ml.TreeEnsemble"},
      {{"leaf_weights", "membership_values", "nodes_hitrates", "nodes_modes", "nodes_splits"}});
  add({"ml.TreeEnsembleRegressor"}, {{"base_values_as_tensor", "nodes_hitrates_as_tensor",
                                      "nodes_values_as_tensor", "target_weights_as_tensor"}});
  add({"ml.TreeEnsembleClassifier"}, {{"base_values_as_tensor", "class_weights_as_tensor",
                                       "nodes_hitrates_as_tensor", "nodes_values_as_tensor"}});
  // Random numbers.
  KernelRule random;
  random.hasEffects = true;
  add({"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
       "RandomUniformLike"},
      random);
  // Irregular access to images and signals.
  add({"AffineGrid", "Col2Im", "DFT", "DeformConv", "Det", "GridSample", "ImageDecoder", "MaxRoiPool",
       "MaxUnpool", "ReverseSequence", "RoiAlign", "STFT"});
}

} // namespace onnxc
