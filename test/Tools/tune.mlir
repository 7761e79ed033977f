// Strategies are measured, kept in a file, and used from there; what is computed stays the same.
// RUN: rm -rf %t && mkdir -p %t
// RUN: onnxc %s -o %t/plain.so --march=native
// RUN: onnxc %s -o %t/tuned.so --tune=60 --tune-cache=%t/cache/tune.json --tune-threads=1
// RUN: FileCheck %s --check-prefix=CACHE < %t/cache/tune.json
// CACHE: "version": 1
// CACHE: "what": "tensor<256x128xf32> * {{.*}} on {{.*}}"
// CACHE: "strategies": [
// CACHE: "ns": [

// From the file, without measuring: the same code, twice.
// RUN: onnxc %s -o %t/again.so --tune=0 --tune-cache=%t/cache/tune.json --tune-threads=1
// RUN: onnxc %s -o %t/twice.so --tune-cache=%t/cache/tune.json --tune-threads=1
// RUN: cmp %t/tuned.so %t/again.so
// RUN: cmp %t/tuned.so %t/twice.so

// Results are the same but for the order of sums.
// RUN: onnxc run %t/plain.so --random --output-dir %t/plain --format npy
// RUN: onnxc run %t/tuned.so --random --output-dir %t/tuned --format npy
// RUN: %python -c "import numpy as n; n.testing.assert_allclose(n.load('%t/plain/output_0.npy'), n.load('%t/tuned/output_0.npy'), rtol=1e-5, atol=1e-4)"

// No time and no file: nothing is measured and nothing written.
// RUN: onnxc %s -o %t/none.so --tune=0 --tune-cache=%t/none.json
// RUN: not ls %t/none.json

// The place by default.
// RUN: env XDG_CACHE_HOME=%t/home onnxc %s -o %t/home.so --tune --tune-threads=1
// RUN: FileCheck %s --check-prefix=CACHE < %t/home/onnxc/tune.json

// A damaged file is ignored with a warning, and written anew.
// RUN: echo "{" > %t/damaged.json
// RUN: onnxc %s -o %t/damaged.so --tune=0 --tune-cache=%t/damaged.json 2>&1 | FileCheck %s --check-prefix=DAMAGED
// DAMAGED: warning: {{.*}}the tuning cache {{.*}}damaged.json is ignored
// RUN: echo '{"version": 1, "kernels": {"a": {"strategies": [1], "ns": [1, 2]}}}' > %t/damaged.json
// RUN: onnxc %s -o %t/damaged.so --tune=0 --tune-cache=%t/damaged.json 2>&1 | FileCheck %s --check-prefix=DAMAGED
// RUN: onnxc %s -o %t/damaged.so --tune --tune-cache=%t/damaged.json --tune-threads=1
// RUN: FileCheck %s --check-prefix=CACHE < %t/damaged.json

// Strategies that do not fit their kernels are left out, with a warning.
// RUN: sed 's/"strategies": \[/"strategies": ["",/' %t/cache/tune.json > %t/wrong.json
// RUN: onnxc %s -o %t/wrong.so --tune=0 --tune-cache=%t/wrong.json --tune-threads=1 2>&1 | FileCheck %s --check-prefix=WRONG
// WRONG: warning: {{.*}}has a strategy that does not fit

// RUN: not onnxc %s -o %t/bad.so --tune=soon 2>&1 | FileCheck %s --check-prefix=BAD
// BAD: option tune: 'soon' is not a number of seconds

func.func @main_graph(%x: tensor<256x128xf32> {onnx.name = "x"}, %w: tensor<128x512xf32> {onnx.name = "w"}) -> (tensor<256x512xf32> {onnx.name = "y"}) {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<256x512xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<256x512xf32>) -> tensor<256x512xf32>
  %y = linalg.matmul ins(%x, %w : tensor<256x128xf32>, tensor<128x512xf32>) outs(%f : tensor<256x512xf32>) -> tensor<256x512xf32>
  return %y : tensor<256x512xf32>
}
