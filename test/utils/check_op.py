#!/usr/bin/env python3
"""Compiles models with onnxc, runs them, and compares with onnx's reference evaluator.

    # RUN: %check-op %s
    # RUN: %check-op %s -O0
    # RUN: %check-op %s --option winograd=f4
    # RUN: %check-op %s --target aarch64      (test/targets/remote.py)

The file holds models in ONNX's text format, separated by lines `# -----`. Inputs
are made from a fixed seed. Comments inside a model say what differs from that:

    # dims: N=2, M=5         sizes of symbolic dimensions; each such line is one more run
                             of the same compiled model (default: 3, 4, 5 ... by order)
    # input x: [[1, 2], [3, 4]]    the values of an input (JSON, with NaN and Infinity)
    # constants: w b         inputs that become constants of the model, with random values
    # range x: -1 1          bounds of the random values of an input
    # tolerance: 1e-3        relative to the largest expected value (default: 1e-5; 2e-3 for
                             float16 and bfloat16)
    # reference: ort         ONNX Runtime instead of onnx's reference evaluator
    # fails: text            compiling or running must fail, and say this text
"""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
from onnx.reference import ReferenceEvaluator

import onnxc
import onnxtxt

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "targets"))
import remote  # noqa: E402

LOW_PRECISION = {"float16", "bfloat16"}


def directives(text):
    found = {"constants": [], "dims": [], "input": {}, "range": {}, "tolerance": None, "reference": "onnx", "fails": None}
    for line in text.splitlines():
        match = re.match(r"\s*#\s*(constants|dims|input|range|tolerance|reference|fails)(?:\s+(\S+?))?:\s*(.*)$", line)
        if not match:
            continue
        kind, name, value = match.groups()
        if kind == "dims":
            pairs = re.findall(r"(\w+)\s*=\s*(\d+)", value)
            found["dims"].append({key: int(size) for key, size in pairs})
        elif kind == "constants":
            found["constants"] += value.split()
        elif kind == "input":
            found["input"][name] = json.loads(value)
        elif kind == "range":
            found["range"][name] = [float(v) for v in value.split()]
        elif kind == "tolerance":
            found["tolerance"] = float(value)
        else:
            found[kind] = value.strip()
    return found


def shapeOf(value, dims):
    shape = []
    for dim in value.type.tensor_type.shape.dim:
        if dim.HasField("dim_value"):
            shape.append(dim.dim_value)
        else:
            shape.append(dims.setdefault(dim.dim_param, 3 + len(dims)))
    return shape


def makeInput(value, dims, told, rng):
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    if value.name in told["input"]:
        return np.array(told["input"][value.name], dtype=dtype)
    shape = shapeOf(value, dims)
    low, high = told["range"].get(value.name, (None, None))
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu" or dtype.name.startswith(("int", "uint")):
        bits = int(re.search(r"\d+", dtype.name).group())
        signed = not dtype.name.startswith("u")
        small = min(bits - (1 if signed else 0), 5)
        low = (-(2**small) if signed else 0) if low is None else low
        high = 2**small - 1 if high is None else high
        return rng.integers(int(low), int(high) + 1, shape).astype(dtype)
    if dtype.kind == "O" or dtype.kind == "U":
        return np.array([f"s{i}" for i in range(int(np.prod(shape)))], dtype=object).reshape(shape)
    low, high = (-2.0, 2.0) if low is None else (low, high)
    values = rng.uniform(low, high, shape)
    if dtype.kind == "c":
        values = values + 1j * rng.uniform(low, high, shape)
    return values.astype(dtype)


def reference(model, feed, kind):
    if kind == "ort":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return session.run(None, feed)
    return ReferenceEvaluator(model).run(None, feed)


def difference(expected, actual, tolerance):
    """What is wrong, or None."""
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return f"want a sequence of {len(expected)}, got {actual!r:.80}"
        found = (difference(e, a, tolerance) for e, a in zip(expected, actual, strict=True))
        return next((text for text in found if text), None)
    expected, actual = np.asarray(expected), np.asarray(actual)
    if expected.dtype != actual.dtype and expected.dtype.kind not in "OUS":
        return f"type {actual.dtype}, want {expected.dtype}"
    if expected.shape != actual.shape:
        return f"shape {actual.shape}, want {expected.shape}"
    if expected.dtype.kind in "OUS":
        return None if (expected.astype(str) == actual.astype(str)).all() else "strings differ"
    if expected.dtype.kind in "iub" or "int" in expected.dtype.name:
        wrong = expected != actual
    else:
        limit = tolerance or (2e-3 if expected.dtype.name in LOW_PRECISION else 1e-5)
        wide = np.complex128 if expected.dtype.kind == "c" else np.float64
        expected, actual = expected.astype(wide), actual.astype(wide)
        finite = np.isfinite(expected)
        scale = np.abs(expected[finite]).max(initial=1e-30)
        with np.errstate(invalid="ignore"):
            wrong = ~(np.abs(expected - actual) <= limit * scale)
        same = (expected == actual) | (np.isnan(expected) & np.isnan(actual))
        wrong &= ~same
    if not wrong.any():
        return None
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"{int(wrong.sum())} of {wrong.size} differ; at {list(where)} got {actual[where]}, want {expected[where]}"


def check(text, number, options, openSession):
    """Returns a list of failures of one model."""
    model = onnx.parser.parse_model(text)
    told = directives(text)
    title = f"model {number} ({model.graph.name or model.graph.node[0].op_type})"
    rng = np.random.default_rng(number)
    for value in [v for v in model.graph.input if v.name in told["constants"]]:
        array = makeInput(value, {}, told, rng)
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
        model.graph.input.remove(value)
    initializers = {t.name for t in model.graph.initializer}
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            library = onnxc.compile(model, str(Path(folder) / "model.so"), **options)
            session = openSession(library or Path(folder) / "model.so")
            for dims in told["dims"] or [{}]:
                dims = dict(dims)
                feed = {
                    v.name: makeInput(v, dims, told, rng)
                    for v in model.graph.input
                    if v.name not in initializers
                }
                before = {name: value.tobytes() for name, value in feed.items()}
                actual = session.run(None, feed)
                if any(feed[name].tobytes() != data for name, data in before.items()):
                    problems.append(f"{title}: an input was written to")
                if told["fails"]:
                    continue
                expected = reference(model, feed, told["reference"])
                for value, want, got in zip(model.graph.output, expected, actual, strict=True):
                    wrong = difference(want, got, told["tolerance"])
                    if wrong:
                        problems.append(f"{title}, {dims or 'one size'}, output {value.name}: {wrong}")
            if told["fails"]:
                problems.append(f"{title}: did not fail, want '{told['fails']}'")
        except Exception as error:
            if not told["fails"] or told["fails"] not in str(error):
                problems.append(f"{title}: {error}")
    return problems


def checkFile(file, only, checkModel):
    """Checks each model of a file (or one of them) by checkModel(text, number) and prints the problems; the exit status."""
    problems = [p for i, text in enumerate(onnxtxt.texts(file), 1) if only in (None, i) for p in checkModel(text, i)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", type=int, help="number of the one model to check, from 1")
    parser.add_argument("-O", type=int, help="optimisation level")
    parser.add_argument("--target", choices=remote.TARGETS, help="another CPU than this machine's")
    parser.add_argument("--build", type=Path, help="build folder, for --target")
    parser.add_argument("--option", action="append", default=[], help="key=value for the compiler")
    args = parser.parse_args()
    options = dict(option.split("=", 1) for option in args.option)
    if args.O is not None:
        options["O"] = args.O
    openSession = lambda library: onnxc.InferenceSession(str(library))  # noqa: E731
    if args.target:
        target = remote.TARGETS[args.target]
        options |= target.options
        openSession = lambda library: remote.RemoteSession(library, target, args.build, threads=2)  # noqa: E731
    return checkFile(args.file, args.only, lambda text, number: check(text, number, options, openSession))


if __name__ == "__main__":
    sys.exit(main())
