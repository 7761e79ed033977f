// RUN: onnx-mlir-opt %s --split-input-file --verify-diagnostics

func.func @elementTypesDiffer(%a: tensor<2xf32>, %b: tensor<2xi32>) {
  // expected-error @+1 {{'onnx.Add' op input 'B' of type 'tensor<2xi32>' does not agree with the type of another value of 'T', 'tensor<*xf32>'}}
  %0 = onnx.Add(%a, %b) : (tensor<2xf32>, tensor<2xi32>) -> tensor<2xf32>
  return
}

// -----

func.func @typeNotAllowed(%a: tensor<2xi32>) {
  // expected-error @+1 {{'onnx.Sin' op input 'input' (number 0) cannot be of type 'tensor<2xi32>'}}
  %0 = onnx.Sin(%a) : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----

func.func @missingInput() {
  %none = onnx.None
  // expected-error @+1 {{'onnx.Relu' op input 'X' is required}}
  %0 = onnx.Relu(%none) : (none) -> tensor<2xf32>
  return
}

// -----

func.func @operandCount(%a: tensor<2xf32>) {
  // expected-error @+1 {{'onnx.Add' op expected 2 operands, but found 1}}
  %0 = onnx.Add(%a) : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @tooFewVariadics() {
  // expected-error @+1 {{'onnx.Concat' op needs at least 1 values for input 'inputs'}}
  %0 = onnx.Concat() {axis = 0 : i64} : () -> tensor<2xf32>
  return
}

// -----

func.func @missingAttribute(%a: tensor<2xf32>) {
  // expected-error @+1 {{'onnx.Concat' op requires attribute 'axis'}}
  %0 = onnx.Concat(%a) : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @noTerminator(%c: tensor<i1>, %x: tensor<2xf32>) {
  // expected-error @+1 {{'onnx.If' op has a subgraph that does not end in onnx.Yield}}
  %0 = onnx.If(%c) : (tensor<i1>) -> tensor<2xf32> ({
  ^bb0:
  }, {
    onnx.Yield %x : tensor<2xf32>
  })
  return
}

// -----

func.func @noRegions(%c: tensor<i1>) {
  // expected-error @+1 {{'onnx.If' op expected 2 regions}}
  %0 = onnx.If(%c) : (tensor<i1>) -> tensor<2xf32>
  return
}
