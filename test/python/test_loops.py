"""Loops and scans over nothing, of which onnx's reference evaluator and ONNX Runtime know no sizes: the results have those that the
state and what the body reads say."""

import numpy as np
import onnx.parser
import pytest

import onnxc

SCAN = """
<ir_version: 10, opset_import: ["": 21]>
g (float[S, N] rows, float[N] start, float[M, N] other)
  => (float[N] last, float[?, ?] sums, float[?, ?, ?] products, float[?] total)
{
  last, sums, products = Scan (start, rows) <
    num_scan_inputs = 1,
    scan_output_axes = [1, 0],
    body = step (float[n] state, float[n] row) => (float[n] next, float[n] out, float[m, n] product) {
      next = Add(state, row)
      out = Neg(next)
      product = Mul(other, next)
    }
  >
  axis = Constant<value_ints = [1]>()
  by_row = ReduceSum<keepdims = 0>(sums, axis)
  total = Add(by_row, start)
}
"""


def test_scan(tmp_path):
    session = onnxc.InferenceSession(onnxc.compile(onnx.parser.parse_model(SCAN), tmp_path / "scan.so"))
    start = np.arange(3, dtype=np.float32)
    feeds = {"rows": np.zeros((0, 3), np.float32), "start": start, "other": np.ones((2, 3), np.float32)}
    last, sums, products, total = session.run(None, feeds)
    assert sums.shape == (3, 0) and products.shape == (0, 2, 3)
    np.testing.assert_array_equal(last, start)
    np.testing.assert_array_equal(total, start)


LOOP = """
<ir_version: 10, opset_import: ["": 21]>
g (TRIPS, float[N] x, float[K] more) => (float[N] y, float[?] grown, float[?, ?] steps, float[?, ?] lists, float[?] total)
{
  LOOP (x, more) <
    body = step (int64 i, bool c, float[n] carried, float[k] list)
      => (bool next, float[n] doubled, float[l] longer, float[n] item, float[l] all) {
      two = Constant<value_int = 2>()
      next = NEXT
      doubled = Add(carried, carried)
      longer = Concat<axis = 0>(list, more)
      item = Mul(doubled, x)
      all = Neg(longer)
    }
  >
  axis = Constant<value_ints = [0]>()
  summed = ReduceSum<keepdims = 0>(steps, axis)
  total = Add(summed, x)
}
"""


@pytest.mark.parametrize(
    "trips, start, following, feed",
    [
        ("bool go", '"", go', "Less(i, two)", {"go": np.array(False)}),
        ("int64 n", 'n, ""', "Identity(c)", {"n": np.array(0)}),
        ("int64 n", 'n, ""', "Identity(c)", {"n": np.array(-3)}),
    ],
)
def test_loop(tmp_path, trips, start, following, feed):
    text = LOOP.replace("TRIPS", trips).replace("NEXT", following)
    text = text.replace("LOOP (", f"y, grown, steps, lists = Loop ({start}, ")
    session = onnxc.InferenceSession(onnxc.compile(onnx.parser.parse_model(text), tmp_path / "loop.so"))
    x, more = np.arange(4, dtype=np.float32), np.ones(2, np.float32)
    y, grown, steps, lists, total = session.run(None, {"x": x, "more": more, **feed})
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(grown, more)
    assert steps.shape == (0, 4) and lists.shape == (0, 0)
    np.testing.assert_array_equal(total, x)
