#!/usr/bin/env python3
"""Compares compiled gradients with finite differences of onnx's reference evaluator.

    # RUN: %check-gradient %s

The file holds models as for check_op.py (the same comments are understood), in double. To each,
the product of its first output with fixed random weights and a Gradient with respect to every
floating-point input are added.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import check_op
import numpy as np
import onnx
import onnx.parser
from onnx.reference import ReferenceEvaluator

import onnxc

STEP = 1e-5
TOLERANCE = 1e-6


def isDouble(value):
    return value.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE


def withGradient(model, variables):
    """The model with the gradient of sum(first output * weights) for each variable; `weights` is a new input."""
    graph = model.graph
    y = graph.output[0]
    weights = graph.input.add()
    weights.CopyFrom(y)
    weights.name = "weights"
    graph.node.append(onnx.helper.make_node("Mul", [y.name, "weights"], ["weighted"]))
    inputs = [v.name for v in graph.input]
    fixed = [name for name in inputs if name not in variables]
    results = [f"d_{name}" for name in variables]
    graph.node.append(
        onnx.helper.make_node(
            "Gradient", variables + fixed, results, domain="ai.onnx.preview.training", xs=variables, y="weighted",
            **({"zs": fixed} if fixed else {}),
        )
    )
    for name, result in zip(variables, results, strict=True):
        value = graph.output.add()
        value.CopyFrom(next(v for v in graph.input if v.name == name))
        value.name = result
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.preview.training", 1))
    return model


def numeric(evaluator, feed, weights, name):
    """The derivative of sum(first output * weights) by each element of an input, by central differences."""
    found = np.zeros(feed[name].size)
    for i in range(found.size):
        sums = []
        for sign in (1, -1):
            moved = feed[name].copy()
            moved.reshape(-1)[i] += sign * STEP
            sums.append((evaluator.run(None, feed | {name: moved})[0] * weights).sum())
        found[i] = (sums[0] - sums[1]) / (2 * STEP)
    return found.reshape(feed[name].shape)


def check(text, number):
    model = onnx.parser.parse_model(text)
    told = check_op.directives(text)
    title = f"model {number} ({model.graph.name})"
    rng = np.random.default_rng(number)
    forward = onnx.ModelProto()
    forward.CopyFrom(model)
    constants = {t.name for t in model.graph.initializer}
    values = [v for v in model.graph.input if v.name not in constants]
    variables = [v.name for v in values if isDouble(v)]
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            onnxc.compile(withGradient(model, variables), str(Path(folder) / "model.so"))
            session = onnxc.InferenceSession(str(Path(folder) / "model.so"))
            evaluator = ReferenceEvaluator(forward)
            for dims in told["dims"] or [{}]:
                dims = dict(dims)
                feed = {v.name: check_op.makeInput(v, dims, told, rng) for v in values}
                weights = rng.uniform(0.5, 1.5, evaluator.run(None, feed)[0].shape)
                actual = session.run([f"d_{name}" for name in variables], feed | {"weights": weights})
                if told["fails"]:
                    continue
                for name, got in zip(variables, actual, strict=True):
                    want = numeric(evaluator, feed, weights, name)
                    wrong = check_op.difference(want, got, told["tolerance"] or TOLERANCE)
                    if wrong:
                        problems.append(f"{title}, {dims or 'one size'}, gradient for {name}: {wrong}")
            if told["fails"]:
                problems.append(f"{title}: did not fail, want '{told['fails']}'")
        except Exception as error:
            if not told["fails"] or told["fails"] not in str(error):
                problems.append(f"{title}: {error}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", type=int, help="number of the one model to check, from 1")
    args = parser.parse_args()
    return check_op.checkFile(args.file, args.only, check)


if __name__ == "__main__":
    sys.exit(main())
