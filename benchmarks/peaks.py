"""What this machine can do at most: FLOP/s of fused multiply-adds and bytes/s of reading.

Measured by small kernels that onnxc compiles: one chain of independent FMAs in registers, one sum over
an array that lies in the second-level cache, and one over an array that is far larger than all caches.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np

CHAINS = 12
CACHED, LARGE = 1 << 17, 1 << 26  # floats: half a MB, 256 MB


def lanes():
    flags = Path("/proc/cpuinfo").read_text().split("flags", 1)[-1].split("\n", 1)[0].split()
    return 16 if "avx512f" in flags else 8 if "avx2" in flags else 4


def program(size, trips, step, body):
    """A model that carries CHAINS vectors through a loop; body(i) gives the next value of %c<i>."""
    vector = f"vector<{lanes()}xf32>"
    many = ", ".join([vector] * CHAINS)
    carried = ", ".join(f"%c{i} = %start" for i in range(CHAINS))
    work = "\n".join(body(i, vector) for i in range(CHAINS))
    sums = "\n".join(
        f"  %s{i} = arith.addf %{'r#0' if i == 1 else f's{i - 1}'}, %r#{i} : {vector}" for i in range(1, CHAINS)
    )
    argument, result = f"tensor<{size}xf32>", f"tensor<{lanes()}xf32>"
    return f"""
func.func @main_graph(%x: {argument} {{onnx.name = "x", onnx.type = {argument}}})
    -> ({result} {{onnx.name = "y", onnx.type = {result}}}) {{
  %zero = arith.constant 0 : index
  %step = arith.constant {step} : index
  %end = arith.constant {trips * step} : index
  %pad = arith.constant 0.0 : f32
  %start = vector.transfer_read %x[%zero], %pad {{in_bounds = [true]}} : {argument}, {vector}
  %r:{CHAINS} = scf.for %i = %zero to %end step %step iter_args({carried}) -> ({many}) {{
{work}
    scf.yield {", ".join(f"%n{i}" for i in range(CHAINS))} : {many}
  }}
{sums}
  %empty = tensor.empty() : {result}
  %y = vector.transfer_write %s{CHAINS - 1}, %empty[%zero] {{in_bounds = [true]}} : {vector}, {result}
  return %y : {result}
}}
"""


def fma(i, vector):
    return f"    %n{i} = vector.fma %c{i}, %start, %start : {vector}"


def reader(size):
    def read(i, vector):
        return f"""    %k{i} = arith.constant {i * lanes()} : index
    %a{i} = arith.addi %i, %k{i} : index
    %v{i} = vector.transfer_read %x[%a{i}], %pad {{in_bounds = [true]}} : tensor<{size}xf32>, {vector}
    %n{i} = arith.addf %c{i}, %v{i} : {vector}"""

    return read


def bestTime(text, size, compileModel, repeat):
    import onnxc

    with tempfile.TemporaryDirectory() as scratch:
        source, library = Path(scratch) / "peak.mlir", Path(scratch) / "peak.so"
        source.write_text(text)
        compileModel(source, library)
        options = onnxc.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxc.InferenceSession(os.fspath(library), options)
        x = np.full(size, 0.5, np.float32)
        times = []
        for _ in range(repeat):
            start = time.perf_counter()
            session.run(None, {"x": x})
            times.append(time.perf_counter() - start)
    return min(times)


def measurePeaks(compileModel):
    """{"flops", "cached_bytes", "memory_bytes"}: per second, of one core. compileModel(source, library)."""
    trips = 400000
    seconds = bestTime(program(64, trips, 1, fma), 64, compileModel, 20)
    peaks = {"flops": trips * CHAINS * lanes() * 2 / seconds}
    for key, size, repeat in (("cached_bytes", CACHED, 300), ("memory_bytes", LARGE, 5)):
        step = CHAINS * lanes()
        count = size // step
        seconds = bestTime(program(size, count, step, reader(size)), size, compileModel, repeat)
        peaks[key] = count * step * 4 / seconds
    return peaks
