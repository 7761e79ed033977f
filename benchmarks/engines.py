"""onnxc and its peers behind one interface, and the measurements that need a fresh process.

load(model, threads, feed) gives a function that runs a feed and returns the list of outputs.
"""

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def loadOnnxc(model, threads, feed):
    import onnxc

    options = onnxc.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxc.InferenceSession(str(model), options)
    return lambda feed: session.run(None, feed)


def loadOnnxruntime(model, threads, feed):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return lambda feed: session.run(None, feed)


def loadOpenvino(model, threads, feed):
    import openvino

    config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    core = openvino.Core()
    try:
        compiled = core.compile_model(str(model), "CPU", config)
    except RuntimeError:  # some models it can only read with all sizes known
        shapes = [(name, list(value.shape)) for name, value in feed.items()]
        compiled = core.compile_model(openvino.convert_model(str(model), input=shapes), "CPU", config)
    request = compiled.create_infer_request()
    bound = None

    def run(feed):
        nonlocal bound
        if bound is not feed:  # as its users do who run often: the inputs are set once
            for i in compiled.inputs:
                array = feed[next(n for n in i.get_names() if n in feed)]
                shared = array.flags.c_contiguous and array.flags.writeable and array.dtype.kind in "fiub"
                request.set_tensor(i, openvino.Tensor(array, shared_memory=shared))
            bound = feed
        request.infer()
        return [request.get_tensor(output).data for output in compiled.outputs]

    return run


def loadIree(module, threads, feed):
    """module: what prepare() made."""
    import iree.runtime as runtime

    runtime.flags.parse_flags(f"--task_topology_max_group_count={threads}")
    config = runtime.Config("local-task" if threads > 1 else "local-sync")
    context = runtime.SystemContext(config=config)
    context.add_vm_module(runtime.VmModule.mmap(config.vm_instance, str(module)))
    names = json.loads(Path(module).with_suffix(".json").read_text())
    (loaded,) = (m for m in context.modules.values() if names["function"] in m.vm_module.function_names)
    function = loaded[names["function"]]

    def run(feed):
        results = function(*(feed[name] for name in names["inputs"]))
        return [r.to_host() for r in (results if isinstance(results, (tuple, list)) else [results])]

    return run


def loadTvm(library, threads, feed):
    """library: what prepare() made."""
    import tvm
    from tvm import relax

    tvm.get_global_func("runtime.config_threadpool")(1, threads)  # of the process; 1: any core
    machine = relax.VirtualMachine(tvm.runtime.load_module(str(library)), tvm.cpu())
    names = json.loads(Path(library).with_suffix(".json").read_text())

    def run(feed):
        results = machine["main"](*(tvm.runtime.tensor(feed[name]) for name in names))
        return [r.numpy() for r in ([results] if isinstance(results, tvm.runtime.Tensor) else results)]

    return run


LOADERS = {
    "onnxc": loadOnnxc,
    "onnxruntime": loadOnnxruntime,
    "openvino": loadOpenvino,
    "iree": loadIree,
    "tvm": loadTvm,
}
PACKAGES = {"iree": "iree.runtime"}


def isInstalled(engine):
    try:
        return importlib.util.find_spec(PACKAGES.get(engine, engine)) is not None
    except ModuleNotFoundError:
        return False


def inputNames(graph):
    initializers = {t.name for t in graph.initializer}
    return [v.name for v in graph.input if v.name not in initializers]


def prepareIree(model, feed, scratch):
    import onnx

    imported, module = scratch / "iree.mlir", scratch / "iree.vmfb"
    fixed = scratch / "iree.onnx"
    proto = onnx.load(model)
    for value in proto.graph.input:
        if value.name in feed:  # IREE's code for sizes that it does not know is far slower
            dims = value.type.tensor_type.shape.dim
            for dim, size in zip(dims, feed[value.name].shape, strict=False):
                dim.dim_value = size
    onnx.save(proto, fixed)
    names = {"function": proto.graph.name, "inputs": inputNames(proto.graph)}
    module.with_suffix(".json").write_text(json.dumps(names))
    version = max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=17)
    commands = (
        ["-m", "iree.compiler.tools.import_onnx", fixed, "--opset-version", str(max(version, 17)), "-o", imported],
        ["-m", "iree.compiler.tools.scripts.iree_compile", imported, "--iree-hal-target-device=local",
         "--iree-hal-local-target-device-backends=llvm-cpu", "--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3", "-o", module],
    )  # fmt: skip
    for command in commands:
        done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{command[1]}: {done.stderr.strip().splitlines()[:1]}")
    return module


# Compiles argv[1] with the shapes of argv[2] (JSON) to argv[3], for this CPU, without tuning: what a user gets who
# compiles. A process of its own, because TVM's and onnx's libraries may end it.
COMPILE_TVM = """
import json, sys
import onnx, tvm
from tvm.relax.frontend.onnx import from_onnx
model, shapes, library = sys.argv[1:]
module = from_onnx(onnx.load(model), shape_dict=json.loads(shapes))
target = {"kind": "llvm", "mcpu": str(tvm.get_global_func("target.llvm_get_system_cpu")())}
tvm.compile(module, tvm.target.Target(target)).export_library(library)
"""


def prepareTvm(model, feed, scratch):
    import onnx

    library = scratch / "model-tvm.so"
    names = inputNames(onnx.load(model, load_external_data=False).graph)
    library.with_suffix(".json").write_text(json.dumps(names))
    shapes = json.dumps({name: list(feed[name].shape) for name in names})
    command = [sys.executable, "-c", COMPILE_TVM, str(model), shapes, str(library)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired as late:
        raise RuntimeError("tvm: does not compile it in 10 minutes") from late
    if done.returncode:
        raise RuntimeError(f"tvm: {done.stderr.strip().splitlines()[-1:]}")
    return library


def prepare(engine, model, feed, scratch):
    """The file that the engine loads; RuntimeError if it can't be made."""
    makers = {"iree": prepareIree, "tvm": prepareTvm}
    return makers[engine](model, feed, scratch) if engine in makers else model


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
    """In a fresh process: seconds from load to the first result, those of the load alone, and peak MB beyond Python and
    the engine's package."""
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
    feed = dict(np.load(inputs, allow_pickle=True))  # strings; the file is ours
    importlib.import_module(PACKAGES.get(engine, engine))
    before = peakOfThisProcess()
    start = time.perf_counter()
    run = LOADERS[engine](model, int(threads), feed)
    load = time.perf_counter() - start
    run(feed)
    seconds = time.perf_counter() - start
    peak = peakOfThisProcess() - before
    print(json.dumps([seconds, load, peak]))


if __name__ == "__main__":
    main()
