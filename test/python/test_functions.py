"""Functions of a model, maps of sequences and scans in forms that neither ONNX Runtime nor onnx's reference evaluator runs, against NumPy."""

import numpy as np
import onnxc
import pytest
from conftest import BUILD
from onnx import parser


@pytest.fixture(autouse=True)
def compiler():
    if not (BUILD / "lib" / "libonnxc.so").exists():
        pytest.skip("the compiler is not built")


def run(text, path, **inputs):
    onnxc.compile(parser.parse_model(text), str(path / "model.so"))
    return onnxc.InferenceSession(str(path / "model.so")).run(None, inputs)


X = np.array([-1.5, 0.0, 2.0], np.float32)

# Functions that differ only in their overload, functions in functions, with attributes handed down and a branch inside.
OVERLOADS = """
<ir_version: 10, opset_import: ["": 21, "local": 1]>
overloads (float[N] x) => (float[N] y, float[N] z, float[N] w)
{
  y = local.f:twice(x)
  z = local.f:thrice(x)
  w = local.outer<scale = 3.0, negate = 1>(x)
}
<domain: "local", overload: "twice", opset_import: ["": 21]>
f (a) => (b)
{
  b = Add(a, a)
}
<domain: "local", overload: "thrice", opset_import: ["": 21, "local": 1]>
f (a) => (b)
{
  t = local.f:twice(a)
  b = Add(t, a)
}
<domain: "local", opset_import: ["": 21, "local": 1]>
outer <scale, negate> (a) => (b)
{
  t = local.inner<by: float = @scale>(a)
  n = Constant<value_int: int = @negate>()
  c = Cast<to = 9>(n)
  b = If (c) <
    then_branch = yes () => (p) { p = Neg(t) },
    else_branch = no () => (q) { u = local.f:twice(t)
      q = Identity(u) }
  >
}
<domain: "local", opset_import: ["": 21]>
inner <by> (a) => (b)
{
  s = Constant<value_float: float = @by>()
  b = Mul(a, s)
}
"""


def test_overloads(tmp_path):
    y, z, w = run(OVERLOADS, tmp_path, x=X)
    np.testing.assert_array_equal(y, 2 * X)
    np.testing.assert_array_equal(z, 3 * X)
    np.testing.assert_array_equal(w, -3 * X)


def test_overloads_other_branch(tmp_path):
    _, _, w = run(OVERLOADS.replace("negate = 1", "negate = 0"), tmp_path, x=X)
    np.testing.assert_array_equal(w, 6 * X)


# A default of a function's attribute; an input and an output that calls leave out.
DEFAULTS = """
<ir_version: 10, opset_import: ["": 21, "local": 1]>
defaults (float[N] x) => (float[N] y, float[N] z)
{
  y = local.leak(x)
  z = local.leak<slope = 0.5>(x, y)
}
<domain: "local", opset_import: ["": 21]>
leak <slope: float = 0.1> (a, offset) => (b, unused)
{
  c = LeakyRelu<alpha: float = @slope>(a)
  b = Clip(c, "", "")
  unused = Neg(c)
}
"""


# The caller's attribute has no default, what it is handed on to has one.
HANDED_ON = """
<ir_version: 10, opset_import: ["": 21, "local": 1]>
handed_on (float[N] x) => (float[N] y, float[N] z)
{
  y = local.outer(x)
  z = local.outer<by = 2.0>(x)
}
<domain: "local", opset_import: ["": 21, "local": 1]>
outer <by> (a) => (b)
{
  b = local.inner<factor: float = @by>(a)
}
<domain: "local", opset_import: ["": 21]>
inner <factor: float = 5.0> (a) => (b)
{
  f = Constant<value_float: float = @factor>()
  b = Mul(a, f)
}
"""


def test_handed_on(tmp_path):
    y, z = run(HANDED_ON, tmp_path, x=X)
    np.testing.assert_array_equal(y, 5 * X)
    np.testing.assert_array_equal(z, 2 * X)


# What is handed on is used directly too, at two levels, and in functions that have other defaults for it.
USED_TWICE = """
<ir_version: 8, opset_import: ["": 17, "local": 1]>
used_twice (float[N] x) => (float[N] y, float[N] z, float[N] w)
{
  y = local.outer(x)
  z = local.outer<by = 2.0>(x)
  w = local.middle(x)
}
<domain: "local", opset_import: ["": 17, "local": 1]>
outer <by> (a) => (b)
{
  b = local.middle<by: float = @by>(a)
}
<domain: "local", opset_import: ["": 17, "local": 1]>
middle <by> (a) => (b)
{
  c = LeakyRelu<alpha: float = @by>(a)
  d = local.inner<factor: float = @by>(c)
  b = local.other<factor: float = @by>(d)
}
<domain: "local", opset_import: ["": 17]>
inner <factor: float = 5.0> (a) => (b)
{
  f = Constant<value_float: float = @factor>()
  b = Mul(a, f)
}
<domain: "local", opset_import: ["": 17]>
other <factor: float = 3.0> (a) => (b)
{
  f = Constant<value_float: float = @factor>()
  b = Add(a, f)
}
"""


def test_used_twice(tmp_path):
    y, z, w = run(USED_TWICE, tmp_path, x=X)
    leaky = np.where(X < 0, np.float32(0.01) * X, X)
    np.testing.assert_allclose(y, 5 * leaky + 3, rtol=1e-6)
    np.testing.assert_allclose(z, 2 * np.where(X < 0, 2 * X, X) + 2, rtol=1e-6)
    np.testing.assert_allclose(w, y)


def test_defaults(tmp_path):
    y, z = run(DEFAULTS, tmp_path, x=X)
    np.testing.assert_allclose(y, np.where(X < 0, np.float32(0.1) * X, X))
    np.testing.assert_allclose(z, np.where(X < 0, np.float32(0.5) * X, X))


# A map inside a map; the inner one captures an item of the outer.
NESTED_MAP = """
<ir_version: 10, opset_import: ["": 21]>
map_in_map (float[N, 3] x) => (float[?, 3] y)
{
  s = SplitToSequence<axis = 0>(x)
  t = SequenceMap (s) <
    body = f (float[1, 3] e) => (float[1, 3] r) {
      columns = SplitToSequence<axis = 1>(e)
      scaled = SequenceMap (columns) <
        body = g (float[1, 1] u) => (float[1, 1] v) {
          sum = ReduceSum<keepdims = 1>(e)
          v = Mul(u, sum)
        }
      >
      r = ConcatFromSequence<axis = 1>(scaled)
    }
  >
  y = ConcatFromSequence<axis = 0>(t)
}
"""


@pytest.mark.parametrize("n", [1, 4])
def test_map_in_map(tmp_path, n):
    x = np.arange(3 * n, dtype=np.float32).reshape(n, 3)
    (y,) = run(NESTED_MAP, tmp_path, x=x)
    np.testing.assert_array_equal(y, x * x.sum(axis=1, keepdims=True))


# A scan over nothing.
ZERO_SCAN = """
<ir_version: 10, opset_import: ["": 21]>
zero_scan (float[N] start, float[T, N] x) => (float[N] sum, float[T, N] sums)
{
  sum, sums = Scan (start, x) <
    num_scan_inputs = 1,
    body = step (float[N] a, float[N] e) => (float[N] b, float[N] out)
    {
      b = Add(a, e)
      out = Identity(b)
    }
  >
}
"""


def test_scan_of_nothing(tmp_path):
    total, sums = run(ZERO_SCAN, tmp_path, start=X, x=np.zeros((0, 3), np.float32))
    np.testing.assert_array_equal(total, X)
    assert sums.shape[0] == 0
