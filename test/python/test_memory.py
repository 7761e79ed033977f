"""What a run's memory does not depend on: how often a loop goes round."""

import subprocess
import sys

import onnx
import onnxc
from conftest import BUILD

# Each iteration replaces 400 KB by a buffer that is one element longer.
MODEL = """<ir_version: 10, opset_import: ["": 21]>
loop (int64 trips, float[N] start) => (float[M] y) {
  yes = Constant<value = bool {1}>()
  y = Loop(trips, yes, start) <body = grow (int64 i, bool go, float[K] x) => (bool on, float[L] longer) {
    on = Identity(go)
    one = Constant<value = float[1] {1.0}>()
    half = Constant<value = float {0.5}>()
    less = Mul(x, half)
    longer = Concat<axis = 0>(less, one)
  }>
}"""

RUN = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import numpy as np, onnxc
session = onnxc.InferenceSession(sys.argv[2])
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
x = np.ones(100000, np.float32)
session.run(None, {"trips": np.int64(3), "start": x})
before = peak()
(y,) = session.run(None, {"trips": np.int64(400), "start": x})
assert y.shape == (100400,) and y[-1] == 1 and y[-2] == 0.5 and y[0] == 0, y
print(peak() - before)
"""


def testLoopFreesWhatItReplaced(tmp_path):
    onnx.save(onnx.parser.parse_model(MODEL), tmp_path / "loop.onnx")
    onnxc.compile(str(tmp_path / "loop.onnx"), str(tmp_path / "loop.so"))
    command = [sys.executable, "-c", RUN, str(BUILD / "python"), str(tmp_path / "loop.so")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # All buffers of the 400 iterations would be 320 MB.
    assert float(done.stdout) < 30
