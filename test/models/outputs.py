"""Comparison of one output with the expected one, by the rule in meta.json:
max |error| <= tol * max |reference|, NaN equals NaN; integers, bools and strings exactly."""

import json

import numpy as np
import onnx
from onnx import numpy_helper


def loadTensor(path):
    """(name, array); strings as str objects."""
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    array = numpy_helper.to_array(tensor)
    if array.dtype.kind in "OUS":
        flat = [v.decode() if isinstance(v, bytes) else str(v) for v in array.reshape(-1)]
        array = np.array(flat, dtype=object).reshape(array.shape)
    return tensor.name, array


def compareTensors(want, got, tolerance):
    """What is wrong, or None."""
    got = np.asarray(got)
    if want.shape != got.shape:
        return f"shape {list(got.shape)}, want {list(want.shape)}"
    if want.dtype.kind in "OUS":
        wrong = int((want.astype(str) != got.astype(str)).sum())
        return f"{wrong} of {want.size} strings differ" if wrong else None
    if want.dtype != got.dtype:
        return f"type {got.dtype}, want {want.dtype}"
    if want.dtype.kind != "f":
        wrong = int((want != got).sum())
        return f"{wrong} of {want.size} values differ" if wrong else None
    if not want.size or np.isnan(want).all() and np.isnan(got).all():
        return None
    want, got = want.astype("f8"), got.astype("f8")
    if (np.isnan(want) != np.isnan(got)).any():
        return "NaN at other places"
    error = np.nanmax(np.abs(want - got)) / max(1e-9, np.nanmax(np.abs(want)))
    return None if error <= tolerance else f"error {error:.2g}, at most {tolerance:g} is allowed"


def compareMaps(path, got, tolerance):
    """A ZipMap's result, kept as JSON: a list of maps with keys written as strings."""
    want = json.loads(path.read_text())
    if len(want) != len(got):
        return f"{len(got)} maps, want {len(want)}"
    for number, (expected, actual) in enumerate(zip(want, got, strict=True)):
        actual = {str(key): float(value) for key, value in actual.items()}
        if expected.keys() != actual.keys():
            return f"map {number} has keys {sorted(actual)}, want {sorted(expected)}"
        worst = max(abs(expected[k] - actual[k]) for k in expected)
        if not worst <= tolerance * max(abs(v) for v in expected.values()):
            return f"map {number} is off by {worst:.2g}"
    return None
