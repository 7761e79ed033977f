"""onnxc and its peers behind one interface, and the measurements that need a fresh process.

load(model, threads) gives a function that runs a feed and returns the list of outputs.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def loadOnnxc(model, threads):
    import onnxc

    options = onnxc.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxc.InferenceSession(str(model), options)
    return lambda feed: session.run(None, feed)


def loadOnnxruntime(model, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return lambda feed: session.run(None, feed)


def loadOpenvino(model, threads):
    import openvino

    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    compiled = openvino.Core().compile_model(str(model), "CPU", config)
    request = compiled.create_infer_request()

    def run(feed):
        request.infer({i: next(feed[n] for n in i.get_names() if n in feed) for i in compiled.inputs})
        return [request.get_tensor(output).data for output in compiled.outputs]

    return run


LOADERS = {"onnxc": loadOnnxc, "onnxruntime": loadOnnxruntime, "openvino": loadOpenvino}


# Runs a command and prints its seconds and its peak memory in KB. A process of its own, because a
# child's peak counts from the memory of the process that started it.
MEASURED = """
import os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - start, usage.ru_maxrss)
sys.exit(1 if status else 0)
"""


def compileModel(model, output, onnxc, *options):
    """(seconds, peak MB) of the compiler on one model."""
    command = [sys.executable, "-S", "-c", MEASURED, str(onnxc), str(model), "-o", str(output), *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"onnxc {model} failed")
    seconds, peak = done.stdout.split()[-2:]
    return float(seconds), int(peak) / 1024


def peakOfThisProcess():
    """MB"""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status).group(1)) / 1024


def firstResult(engine, model, inputs, threads):
    """(seconds from load to the first result, peak MB beyond Python and NumPy) in a fresh process."""
    command = [sys.executable, __file__, engine, str(model), str(inputs), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{engine}: {done.stderr.strip().splitlines()[-1:]}")
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def oneModel(folder):
    """A model of one operator, for the compile time."""
    from onnx import TensorProto, helper, save

    path = Path(folder) / "one.onnx"
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 64])],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


def compileTimeOfOneOperator(onnxc, runs=15):
    """Seconds of each run of the compiler."""
    with tempfile.TemporaryDirectory() as folder:
        path = oneModel(folder)
        return [compileModel(path, Path(folder) / "one.so", onnxc)[0] for _ in range(runs)]


def main():
    engine, model, inputs, threads = sys.argv[1:]
    feed = dict(np.load(inputs, allow_pickle=False))
    before = peakOfThisProcess()
    start = time.perf_counter()
    __import__(engine)
    LOADERS[engine](model, int(threads))(feed)
    seconds = time.perf_counter() - start
    peak = peakOfThisProcess() - before
    print(json.dumps([seconds, peak]))


if __name__ == "__main__":
    main()
