"""The cases of ONNX's own backend suite, for the installed version of onnx.

Making the node cases runs the Python reference of every operator, which takes
about ten seconds; they are kept in the cache folder, so that running a single
case starts at once.
"""

import os
import pickle
import tempfile
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnx
from onnx.backend.test import BackendTest
from onnx.backend.test.loader import load_model_tests

import variants

GROUPS = ["node", "real", "simple", "pytorch-converted", "pytorch-operator"]


def cacheDir():
    return Path(os.environ.get("ONNXC_CACHE_DIR") or Path.home() / ".cache" / "onnxc")


def nodeCases():
    store = cacheDir() / f"backend-cases-{onnx.__version__}.pickle"
    try:
        with store.open("rb") as file:
            return pickle.load(file)
    except (OSError, EOFError, pickle.UnpicklingError):
        pass
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about values that the cases overflow on purpose
        cases = load_model_tests(kind="node")
    store.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=store.parent, delete=False) as file:
        pickle.dump(cases, file)
    os.replace(file.name, store)
    return cases


def load(path):
    """The names in a file, one a line; # begins a comment."""
    return {line.split("#")[0].strip() for line in path.read_text().splitlines()} - {""}


class Suite(BackendTest):
    """ONNX's runner with the node cases taken from the cache; with a variant (variants.py), that form of the node cases alone."""

    def __init__(self, backend, variant=None):
        self.backend = backend
        self._test_items = defaultdict(dict)
        self._test_kwargs = {}
        self.byName = {}
        for group in ["node"] if variant else GROUPS:
            tests = nodeCases() if group == "node" else load_model_tests(kind=group)
            if variant:
                tests = [test for case in tests if (test := variants.derive(case, variant))]
            for test in tests:
                self.byName[test.name] = test
                self._add_model_test(test, "Node" if group == "node" else group)

    @classmethod
    def assert_similar_outputs(cls, ref_outputs, outputs, rtol, atol, model_dir=None):
        """ONNX's comparison takes a tensor of a sequence for a list of outputs, which a scalar is not, and looks at as many
        items as there are in the result."""
        if isinstance(ref_outputs, np.ndarray):
            ref_outputs, outputs = [ref_outputs], [outputs]
        for expected, got in zip(ref_outputs, outputs):
            if isinstance(expected, (list, tuple)):
                np.testing.assert_equal(len(got), len(expected))
        super().assert_similar_outputs(ref_outputs, outputs, rtol, atol, model_dir)

    def items(self):
        """[(group, name, TestItem)] of the CPU cases, by group and name."""
        return [
            (self.byName[name.removesuffix("_cpu")].kind, name.removesuffix("_cpu"), item)
            for items in self._test_items.values()
            for name, item in sorted(items.items())
            if name.endswith("_cpu")
        ]

    def operators(self, name):
        """The operators of a case's model, shortened where there are many."""
        test = self.byName[name]
        model = test.model
        if model is None and test.model_dir is not None:
            model = onnx.load(Path(test.model_dir) / "model.onnx", load_external_data=False)
        if model is None:
            return name
        kinds = dict.fromkeys(f"{n.domain}.{n.op_type}".lstrip(".") for n in model.graph.node)
        return ", ".join(kinds) if len(kinds) <= 3 else f"{len(kinds)} operators"
