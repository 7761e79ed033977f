// Inference functions for operators to whose schema onnx gives none.
#include "onnxc/Schema/MissingInference.h"

#include "onnxc/Schema/Limits.h"

#include "onnx/defs/shape_inference.h"

#include <map>
#include <optional>

using ::onnx::InferenceContext;
using ::onnx::TensorProto;
using ::onnx::TensorShapeProto;

namespace onnxc {

static void sameTypeAndShape(InferenceContext &ctx) {
  ::onnx::propagateElemTypeFromInputToOutput(ctx, 0, 0);
  if (::onnx::hasInputShape(ctx, 0))
    ::onnx::propagateShapeFromInputToOutput(ctx, 0, 0);
}

static void floatOfSameShape(InferenceContext &ctx) {
  ::onnx::updateOutputElemType(ctx, 0, TensorProto::FLOAT);
  if (::onnx::hasInputShape(ctx, 0))
    ::onnx::propagateShapeFromInputToOutput(ctx, 0, 0);
}

// A row of float numbers for each row of the input, which may be a single one.
static void floatRows(InferenceContext &ctx, int64_t columns) {
  ::onnx::updateOutputElemType(ctx, 0, TensorProto::FLOAT);
  if (!::onnx::hasNInputShapes(ctx, 1))
    return;
  const TensorShapeProto &in = ::onnx::getInputShape(ctx, 0);
  TensorShapeProto out;
  if (in.dim_size() > 1)
    *out.add_dim() = in.dim(0);
  else
    out.add_dim()->set_dim_value(1);
  out.add_dim()->set_dim_value(columns);
  ::onnx::updateOutputShape(ctx, 0, out);
}

// A label and scores for each row.
static void labelsAndScores(InferenceContext &ctx, bool hasStrings, int64_t columns) {
  ::onnx::updateOutputElemType(ctx, 0, hasStrings ? TensorProto::STRING : TensorProto::INT64);
  if (ctx.getNumOutputs() > 1)
    ::onnx::updateOutputElemType(ctx, 1, TensorProto::FLOAT);
  if (!::onnx::hasNInputShapes(ctx, 1))
    return;
  const TensorShapeProto &in = ::onnx::getInputShape(ctx, 0);
  TensorShapeProto labels;
  if (in.dim_size() > 1)
    *labels.add_dim() = in.dim(0);
  else
    labels.add_dim()->set_dim_value(1);
  TensorShapeProto scores = labels;
  scores.add_dim()->set_dim_value(columns);
  ::onnx::updateOutputShape(ctx, 0, labels);
  if (ctx.getNumOutputs() > 1)
    ::onnx::updateOutputShape(ctx, 1, scores);
}

static void treeEnsembleClassifier(InferenceContext &ctx) {
  std::vector<std::string> strings;
  std::vector<int64_t> ints;
  bool hasStrings = ::onnx::getRepeatedAttribute(ctx, "classlabels_strings", strings);
  ::onnx::getRepeatedAttribute(ctx, "classlabels_int64s", ints);
  labelsAndScores(ctx, hasStrings, static_cast<int64_t>(hasStrings ? strings.size() : ints.size()));
}

static void featureVectorizer(InferenceContext &ctx) {
  std::vector<int64_t> sizes;
  int64_t columns = 0;
  ::onnx::getRepeatedAttribute(ctx, "inputdimensions", sizes);
  for (int64_t size : sizes)
    columns = ::onnx::checkedAdd(columns, size);
  floatRows(ctx, columns);
}

// Attention's own function multiplies and adds unknown sizes as if they were zero; a size of
// zero that it gives tells nothing.
static void attention(const ::onnx::OpSchema &schema, InferenceContext &ctx) {
  schema.GetTypeAndShapeInferenceFunction()(ctx);
  for (size_t i = 0; i < ctx.getNumOutputs(); ++i) {
    auto *type = ctx.getOutputType(i);
    if (!type || !type->has_tensor_type() || !type->tensor_type().has_shape())
      continue;
    for (auto &dim : *type->mutable_tensor_type()->mutable_shape()->mutable_dim())
      if (dim.has_dim_value() && dim.dim_value() == 0)
        dim.clear_dim_value();
  }
}

static bool hasOutputShape(InferenceContext &ctx, size_t i) {
  auto *type = ctx.getOutputType(i);
  return type && type->has_tensor_type() && type->tensor_type().has_shape();
}

// Split's own function gives no shapes where the sizes are not known; all but one dimension are the input's.
static void split(const ::onnx::OpSchema &schema, InferenceContext &ctx) {
  schema.GetTypeAndShapeInferenceFunction()(ctx);
  if (!::onnx::hasInputShape(ctx, 0))
    return;
  const TensorShapeProto &in = ::onnx::getInputShape(ctx, 0);
  int64_t axis = ::onnx::getAttribute(ctx, "axis", int64_t(0));
  axis = axis < 0 ? axis + in.dim_size() : axis;
  if (axis < 0 || axis >= in.dim_size())
    return;
  TensorShapeProto out = in;
  out.mutable_dim(int(axis))->Clear();
  for (size_t i = 0; i < ctx.getNumOutputs(); ++i)
    if (!hasOutputShape(ctx, i))
      ::onnx::updateOutputShape(ctx, i, out);
}

// Dimensions of which nothing but their number is known. A list of axes can be declared of any length.
static void setRank(InferenceContext &ctx, int64_t rank) {
  if (rank < 0 || rank > maxRank)
    return;
  TensorShapeProto shape;
  for (int64_t i = 0; i < rank; ++i)
    shape.add_dim();
  ::onnx::updateOutputShape(ctx, 0, shape);
}

// The length of a list that is an input, if it is known.
static std::optional<int64_t> inputLength(InferenceContext &ctx, size_t input) {
  const TensorShapeProto &shape = ::onnx::getInputShape(ctx, input);
  if (shape.dim_size() == 0 || !shape.dim(shape.dim_size() - 1).has_dim_value())
    return std::nullopt;
  return shape.dim(shape.dim_size() - 1).dim_value();
}

// Squeeze's own function gives no shape where the axes are not known; their number tells the rank.
static void squeeze(const ::onnx::OpSchema &schema, InferenceContext &ctx) {
  schema.GetTypeAndShapeInferenceFunction()(ctx);
  if (hasOutputShape(ctx, 0) || !::onnx::hasNInputShapes(ctx, 2))
    return;
  if (auto axes = inputLength(ctx, 1))
    setRank(ctx, ::onnx::getInputShape(ctx, 0).dim_size() - *axes);
}

static void unsqueeze(const ::onnx::OpSchema &schema, InferenceContext &ctx) {
  schema.GetTypeAndShapeInferenceFunction()(ctx);
  if (hasOutputShape(ctx, 0) || !::onnx::hasNInputShapes(ctx, 2))
    return;
  if (auto axes = inputLength(ctx, 1))
    setRank(ctx, ::onnx::getInputShape(ctx, 0).dim_size() + *axes);
}

static void window(const ::onnx::OpSchema &schema, InferenceContext &ctx) {
  schema.GetTypeAndShapeInferenceFunction()(ctx);
  if (!hasOutputShape(ctx, 0))
    setRank(ctx, 1);
}

// GatherND's own function gives no shape to a scalar.
static void gatherND(const ::onnx::OpSchema &schema, InferenceContext &ctx) {
  schema.GetTypeAndShapeInferenceFunction()(ctx);
  if (hasOutputShape(ctx, 0) || !::onnx::hasNInputShapes(ctx, 2))
    return;
  int64_t rank = ::onnx::getInputShape(ctx, 0).dim_size() + ::onnx::getInputShape(ctx, 1).dim_size() - 1 -
                 ::onnx::getAttribute(ctx, "batch_dims", int64_t(0));
  if (auto depth = inputLength(ctx, 1))
    setRank(ctx, rank - *depth);
}

// Their own functions give no shape where a size is not known.
static void likeInput(const ::onnx::OpSchema &schema, InferenceContext &ctx) {
  schema.GetTypeAndShapeInferenceFunction()(ctx);
  if (!hasOutputShape(ctx, 0) && ::onnx::hasInputShape(ctx, 0))
    setRank(ctx, ::onnx::getInputShape(ctx, 0).dim_size());
}

// STFT's own function takes a missing `onesided` for 0, the schema's default is 1.
static void stft(const ::onnx::OpSchema &schema, InferenceContext &ctx) {
  schema.GetTypeAndShapeInferenceFunction()(ctx);
  auto *type = ctx.getOutputType(0);
  if (ctx.getAttribute("onesided") || !type || !type->has_tensor_type() || !type->tensor_type().has_shape() ||
      type->tensor_type().shape().dim_size() != 4)
    return;
  auto *bins = type->mutable_tensor_type()->mutable_shape()->mutable_dim(2);
  if (!bins->has_dim_value())
    return;
  if (!::onnx::hasInputShape(ctx, 0)) {
    bins->clear_dim_value();
    return;
  }
  // Of complex signals there are always both sides.
  const TensorShapeProto &signal = ::onnx::getInputShape(ctx, 0);
  const auto &parts = signal.dim(signal.dim_size() - 1);
  if (signal.dim_size() == 3 && !parts.has_dim_value())
    bins->clear_dim_value();
  else if (signal.dim_size() != 3 || parts.dim_value() == 1)
    bins->set_dim_value(bins->dim_value() / 2 + 1);
}

// Its own function wants a first dimension of 1 to be declared. Stop words go, so that the length is open.
static void stringNormalizer(InferenceContext &ctx) {
  ::onnx::updateOutputElemType(ctx, 0, TensorProto::STRING);
  if (!::onnx::hasInputShape(ctx, 0))
    return;
  TensorShapeProto shape;
  for (int i = 1, rank = ::onnx::getInputShape(ctx, 0).dim_size(); i < rank; ++i)
    shape.add_dim()->set_dim_value(1);
  shape.add_dim();
  ::onnx::updateOutputShape(ctx, 0, shape);
}

// A label, and a score for each class or, without probabilities, for each pair of classes.
static void svmClassifier(InferenceContext &ctx) {
  std::vector<std::string> strings;
  std::vector<int64_t> ints, vectors;
  std::vector<float> probabilities;
  bool hasStrings = ::onnx::getRepeatedAttribute(ctx, "classlabels_strings", strings);
  ::onnx::getRepeatedAttribute(ctx, "classlabels_ints", ints);
  ::onnx::getRepeatedAttribute(ctx, "vectors_per_class", vectors);
  ::onnx::getRepeatedAttribute(ctx, "prob_a", probabilities);
  auto classes = static_cast<int64_t>(!vectors.empty() ? vectors.size() : hasStrings ? strings.size() : ints.size());
  bool pairs = !vectors.empty() && probabilities.empty() && classes > 2;
  labelsAndScores(ctx, hasStrings, pairs ? classes * (classes - 1) / 2 : classes);
}

// The columns that the indices choose, of all rows; one row is a matrix in the result, of which its own function tells
// nothing. The indices may have any shape.
static void arrayFeatureExtractor(InferenceContext &ctx) {
  ::onnx::propagateElemTypeFromInputToOutput(ctx, 0, 0);
  if (!::onnx::hasNInputShapes(ctx, 1))
    return;
  const TensorShapeProto &in = ::onnx::getInputShape(ctx, 0);
  TensorShapeProto shape;
  for (int i = 0; i + 1 < in.dim_size(); ++i)
    *shape.add_dim() = in.dim(i);
  if (shape.dim_size() == 0)
    shape.add_dim()->set_dim_value(1);
  TensorShapeProto::Dimension columns;
  if (::onnx::hasInputShape(ctx, 1)) {
    columns.set_dim_value(1);
    for (const auto &dim : ::onnx::getInputShape(ctx, 1).dim())
      columns = columns * dim;
  }
  *shape.add_dim() = columns;
  ::onnx::updateOutputShape(ctx, 0, shape);
}

// The gradient of each differentiated input is like it.
static void gradient(InferenceContext &ctx) {
  for (size_t i = 0; i < ctx.getNumOutputs() && i < ctx.getNumInputs(); ++i) {
    ::onnx::propagateElemTypeFromInputToOutput(ctx, i, i);
    if (::onnx::hasInputShape(ctx, i))
      ::onnx::propagateShapeFromInputToOutput(ctx, i, i);
  }
}

::onnx::InferenceFunction inferenceFunctionOf(const ::onnx::OpSchema &schema) {
  if (schema.Name() == "SVMClassifier") // its own function gives no shapes
    return svmClassifier;
  if (schema.Name() == "StringNormalizer")
    return stringNormalizer;
  if (schema.Name() == "ArrayFeatureExtractor")
    return arrayFeatureExtractor;
  using Completed = void (*)(const ::onnx::OpSchema &, InferenceContext &);
  static const std::map<std::string, Completed> incomplete = {
      {"Attention", attention}, {"CenterCropPad", likeInput}, {"ConvInteger", likeInput},
      {"GatherND", gatherND},   {"STFT", stft},               {"Split", split},
      {"Squeeze", squeeze},     {"Unsqueeze", unsqueeze},     {"BlackmanWindow", window},
      {"HannWindow", window},   {"HammingWindow", window},
  };
  if (auto found = incomplete.find(schema.Name()); found != incomplete.end() && schema.domain().empty())
    return [&schema, complete = found->second](InferenceContext &ctx) { complete(schema, ctx); };
  if (schema.has_type_and_shape_inference_function())
    return schema.GetTypeAndShapeInferenceFunction();
  static const std::map<std::string, ::onnx::InferenceFunction> missing = {
      {"GroupNormalization", sameTypeAndShape},
      {"MeanVarianceNormalization", sameTypeAndShape},
      {"Imputer", sameTypeAndShape},
      {"Normalizer", floatOfSameShape},
      {"Scaler", floatOfSameShape},
      {"FeatureVectorizer", featureVectorizer},
      {"Gradient", gradient},
      {"TreeEnsembleClassifier", treeEnsembleClassifier},
      {"TreeEnsembleRegressor",
       [](InferenceContext &ctx) {
         floatRows(ctx, ::onnx::getAttribute(ctx, "n_targets", int64_t(1)));
       }},
      {"SVMRegressor", [](InferenceContext &ctx) { floatRows(ctx, 1); }},
      {"LinearRegressor",
       [](InferenceContext &ctx) {
         floatRows(ctx, ::onnx::getAttribute(ctx, "targets", int64_t(1)));
       }},
  };
  auto found = missing.find(schema.Name());
  return found == missing.end() ? ::onnx::dummyInferenceFunction : found->second;
}

} // namespace onnxc
