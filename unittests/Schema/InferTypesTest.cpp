// Type inference of single operators through the schemas' functions.
#include "onnxc/Compiler/InitAll.h"
#include "onnxc/Dialect/Onnx/IR/Onnx.h"
#include "onnxc/Schema/InferTypes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace onnxc;

namespace {

class InferTypesTest : public ::testing::Test {
protected:
  InferTypesTest() {
    DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    context.getDiagEngine().registerHandler(
        [this](Diagnostic &diagnostic) { error = diagnostic.str(); });
  }

  // The last operator before the return of a function with this body.
  Operation *parse(const std::string &arguments, const std::string &body) {
    module = parseSourceString<ModuleOp>("func.func @f(" + arguments + ") {\n" + body +
                                             "\n return\n}",
                                         ParserConfig(&context));
    if (!module)
      return nullptr;
    return cast<func::FuncOp>(module->getBody()->front()).back().getTerminator()->getPrevNode();
  }

  std::string infer(const std::string &arguments, const std::string &body,
                    SymbolicInference *symbols = nullptr) {
    Operation *op = parse(arguments, body);
    SmallVector<Type> types;
    if (!op || failed(inferTypes(op, types, symbols)))
      return "error: " + error;
    std::string out;
    llvm::raw_string_ostream os(out);
    llvm::interleaveComma(types, os, [&](Type type) {
      if (type)
        os << type;
      else
        os << "?";
    });
    return out;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::string error;
};

TEST_F(InferTypesTest, broadcasts) {
  EXPECT_EQ(infer("%a: tensor<2x1xf32>, %b: tensor<3xf32>",
                  "%0 = onnx.Add(%a, %b) : (tensor<2x1xf32>, tensor<3xf32>) -> tensor<*xf32>"),
            "tensor<2x3xf32>");
}

TEST_F(InferTypesTest, readsAttributesAndMissingInputs) {
  EXPECT_EQ(infer("%x: tensor<1x3x9x9xf32>, %w: tensor<4x3x3x3xf32>",
                  "%n = onnx.None\n"
                  "%0 = onnx.Conv(%x, %w, %n) {strides = array<i64: 2, 2>} : "
                  "(tensor<1x3x9x9xf32>, tensor<4x3x3x3xf32>, none) -> tensor<*xf32>"),
            "tensor<1x4x4x4xf32>");
}

TEST_F(InferTypesTest, readsConstants) {
  EXPECT_EQ(infer("%x: tensor<2x6xf32>",
                  "%s = onnx.Constant dense<[3, -1]> : tensor<2xi64>\n"
                  "%0 = onnx.Reshape(%x, %s) : (tensor<2x6xf32>, tensor<2xi64>) -> tensor<*xf32>"),
            "tensor<3x4xf32>");
}

TEST_F(InferTypesTest, leavesOutMissingResults) {
  EXPECT_EQ(infer("%x: tensor<2x6xf32>, %s: tensor<6xf32>",
                  "%n = onnx.None\n"
                  "%0:3 = onnx.LayerNormalization(%x, %s, %n) : "
                  "(tensor<2x6xf32>, tensor<6xf32>, none) -> (tensor<*xf32>, none, none)"),
            "tensor<2x6xf32>, none, none");
}

TEST_F(InferTypesTest, followsSequences) {
  EXPECT_EQ(infer("%x: tensor<2x6xf32>",
                  "%0 = onnx.SequenceConstruct(%x, %x) : "
                  "(tensor<2x6xf32>, tensor<2x6xf32>) -> !onnx.seq<tensor<*xf32>>"),
            "!onnx.seq<tensor<2x6xf32>>");
}

TEST_F(InferTypesTest, takesYieldedTypes) {
  EXPECT_EQ(infer("%c: tensor<i1>, %x: tensor<2xf32>, %y: tensor<3xf32>",
                  "%0 = onnx.If(%c) : (tensor<i1>) -> tensor<*xf32> "
                  "({ onnx.Yield %x : tensor<2xf32> }, { onnx.Yield %y : tensor<3xf32> })"),
            "tensor<?xf32>");
}

// Only one default_* may be given; the ones that ODS fills in do not count.
TEST_F(InferTypesTest, leavesOutDefaults) {
  EXPECT_EQ(infer("%x: tensor<2x!onnx.string>",
                  "%0 = onnx.ml.LabelEncoder(%x) {keys_strings = [\"a\"], values_int64s = "
                  "array<i64: 1>, default_int64 = 7 : i64} : (tensor<2x!onnx.string>) -> "
                  "tensor<*xi64>"),
            "tensor<2xi64>");
}

TEST_F(InferTypesTest, knowsOperatorsThatSchemasDoNot) {
  EXPECT_EQ(infer("%x: tensor<5x3xi64>", "%0 = onnx.ml.LinearRegressor(%x) {targets = 2 : i64} : "
                                         "(tensor<5x3xi64>) -> tensor<*xf32>"),
            "tensor<5x2xf32>");
}

TEST_F(InferTypesTest, keepsSymbols) {
  SymbolicInference symbols;
  symbols.shapeOf = [](Value value) -> std::optional<SymbolicDims> {
    if (cast<TensorType>(value.getType()).getElementType().isInteger(64))
      return SymbolicDims{SymbolicDim::known(2)};
    return SymbolicDims{SymbolicDim::symbol(7), SymbolicDim::known(6)};
  };
  SymbolicDims shape = {SymbolicDim::known(6), SymbolicDim::symbol(7)};
  symbols.contentsOf = [&](Value value) -> const SymbolicDims * {
    return cast<TensorType>(value.getType()).getElementType().isInteger(64) ? &shape : nullptr;
  };
  EXPECT_EQ(infer("%x: tensor<?x6xf32>, %s: tensor<2xi64>",
                  "%0 = onnx.Reshape(%x, %s) : (tensor<?x6xf32>, tensor<2xi64>) -> tensor<*xf32>",
                  &symbols),
            "tensor<6x?xf32>");
  ASSERT_EQ(symbols.resultShapes.size(), 1u);
  ASSERT_EQ(symbols.resultShapes[0].size(), 2u);
  EXPECT_TRUE(symbols.resultShapes[0][1] == SymbolicDim::symbol(7));
}

TEST_F(InferTypesTest, reportsContradictions) {
  EXPECT_EQ(infer("%a: tensor<2x3xf32>, %b: tensor<4x5xf32>",
                  "%0 = onnx.MatMul(%a, %b) : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<*xf32>"),
            "error: invalid operator: Incompatible dimensions for matrix multiplication");
}

} // namespace
