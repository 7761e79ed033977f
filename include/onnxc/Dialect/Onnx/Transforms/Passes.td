// Passes on the onnx dialect.
#ifndef ONNXC_DIALECT_ONNX_TRANSFORMS_PASSES_TD
#define ONNXC_DIALECT_ONNX_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def OnnxShapeInference : Pass<"onnx-shape-inference", "::mlir::func::FuncOp"> {
  let summary = "Infer the types of all values";
  let description = [{
    Walks the function in order and refines every result's type with the inference function of the
    operator's ONNX schema. Besides types it follows the values of small integer tensors: each element is a
    known integer, a dimension of some value, or unknown. So chains such as
    Shape -> Gather -> Concat -> Reshape give static sizes where they are known, and equal
    symbols where they are not; a tensor whose elements are all known becomes a constant.

    The bodies of If, Loop, Scan and SequenceMap are inferred with the types of what they get;
    a Loop's carried value whose shape changes gets dynamic dimensions.
    Types are only refined. A contradiction between what is declared and what is
    inferred is an error at the node. The function's signature and the names of its results'
    dimensions (`onnx.dim_params`) are updated.
  }];
  let dependentDialects = ["::onnxc::onnx::OnnxDialect"];
}

def OnnxExpandGradients : Pass<"onnx-expand-gradients", "::mlir::func::FuncOp"> {
  let summary = "Write out what ai.onnx.preview.training's Gradient computes";
  let description = [{
    Reverse-mode differentiation of the operators between the tensors that a Gradient names. Its operands are, besides
    the values, the named tensors of `xs` and `zs` and `y`, in this order. If values and named tensors differ,
    the graph is computed again from the values. Operators without a rule of their own are differentiated as their
    function body; what has neither, or a subgraph, is refused.
  }];
  let dependentDialects = ["::onnxc::onnx::OnnxDialect"];
}

def OnnxExpandMicrosoft : Pass<"onnx-expand-microsoft", "::mlir::func::FuncOp"> {
  let summary = "Replace operators of domain com.microsoft by standard ones";
  let description = [{
    What ONNX Runtime's optimizer, quantizer and exporters write (FusedMatMul, SkipLayerNormalization,
    GroupQueryAttention, ...) becomes operators of ai.onnx that compute the same, so that it gets the same fusions and
    lowerings. Operators without an equivalent stay `onnx.Custom`: those that have a lowering or a kernel
    (the QLinear family, MatMulNBits), and those that are not supported. A form of an operator that is not
    supported is an error that says why.
  }];
  let dependentDialects = ["::onnxc::onnx::OnnxDialect"];
}

def OnnxFoldConstants : Pass<"onnx-fold-constants", "::mlir::ModuleOp"> {
  let summary = "Compute operators on constants";
  let description = [{
    Evaluates operators whose operands are constant, and Shape and Size of static shapes. A result may
    be larger than its operands together only up to `growth-bytes`, so a ConstantOfShape, Expand or
    Tile of a large shape stays an operator. Blobs of constants that have no users left are freed at once.
  }];
  let options = [
    Option<"growthBytes", "growth-bytes", "int64_t", "1 << 20",
           "Largest result in bytes that may exceed the size of all operands">
  ];
  let statistics = [Statistic<"numFolded", "num-folded", "Operators computed">];
  let dependentDialects = ["::onnxc::onnx::OnnxDialect"];
}

def OnnxCanonicalize : Pass<"onnx-canonicalize", "::mlir::func::FuncOp"> {
  let summary = "Remove operators that do nothing and merge those that belong together";
  let description = [{
    Identity, Dropout at inference, casts to the same type, Transpose of Transpose, Reshape of Reshape,
    Pad by nothing, Slice of everything, Expand to the same shape, Concat of one, and the
    like; a branch of If whose condition is constant is inlined; unused pure operators are removed.
  }];
  let dependentDialects = ["::onnxc::onnx::OnnxDialect"];
}

def OnnxFuseConvBatchNorm : Pass<"onnx-fuse-conv-batchnorm", "::mlir::ModuleOp"> {
  let summary = "Fold BatchNormalization and constant scales into the weights of Conv";
  let description = [{
    Rewrites Conv (or ConvTranspose) followed by BatchNormalization with constant
    statistics, or by Mul or Add with a constant per output channel, to one operator with changed weights and bias.
    Weights are changed only if no other operator uses the product.
  }];
  let dependentDialects = ["::onnxc::onnx::OnnxDialect"];
}

def OnnxRecognizeOperators : Pass<"onnx-recognize-operators", "::mlir::func::FuncOp"> {
  let summary = "Find the operators that exporters wrote as several simpler ones";
  let description = [{
    x * 0.5 * (1 + Erf(x / sqrt(2))) becomes Gelu; the ReduceMean, Sub, Pow, ReduceMean, Add, Sqrt, Div,
    Mul, Add chain becomes LayerNormalization. Only exact forms are rewritten.
  }];
  let dependentDialects = ["::onnxc::onnx::OnnxDialect"];
}

def OnnxRecognizeQuantized : Pass<"onnx-recognize-quantized", "::mlir::func::FuncOp"> {
  let summary = "Find operators on integers between DequantizeLinear and QuantizeLinear";
  let description = [{
    DequantizeLinear, Conv, QuantizeLinear becomes QLinearConv; MatMul, Gemm and GlobalAveragePool
    likewise. Where the result is not quantized again, or the bias does not have the scale of the
    products, it becomes ConvInteger, MatMulInteger or QGemm with a factor and a bias in floats. What only
    moves elements (Reshape, MaxPool, ...) moves integers. Relu and Clip go where saturation does
    the same. Sums of products are then exact.
    Signed activations become unsigned ones first, with a zero point moved by 128.
  }];
  let dependentDialects = ["::onnxc::onnx::OnnxDialect"];
}

def OnnxSinkIntoBranches : Pass<"onnx-sink-into-branches", "::mlir::func::FuncOp"> {
  let summary = "Put what follows an If whose branches differ in rank into its branches";
  let description = [{
    Every value has one rank. Where the branches of an If give different ones, and which is taken is not known, what depends on
    its result is copied into both branches, each of which then has a rank of its own. Types are inferred again after each such If.
    An If whose results go out of the graph as they are is left: nothing can be said about their rank.
  }];
  let dependentDialects = ["::onnxc::onnx::OnnxDialect"];
}

def OnnxExpandFunctions : Pass<"onnx-expand-functions", "::mlir::func::FuncOp"> {
  let summary = "Replace operators by their ONNX function bodies";
  let description = [{
    Operators that have neither a lowering nor a kernel but a function body in their
    schema are replaced by it, until none is left. Types of the new operators are inferred on the way, because
    some bodies depend on the types of their inputs.
  }];
  let dependentDialects = ["::onnxc::onnx::OnnxDialect"];
}

#endif
