"""Makes random models. The same seed always makes the same model."""

from dataclasses import dataclass

import control_operators
import network_operators
import numpy as np
import onnx
import tensor_operators
import type_operators
from builder import Builder
from shadow import Shadow

TEMPLATES = tensor_operators.TEMPLATES + network_operators.TEMPLATES + control_operators.TEMPLATES + type_operators.TEMPLATES
# ONNX Runtime knows the opsets up to 26.
OPSETS = [18, 19, 20, 21, 21, 22, 22, 23, 24, 25, 26, 28]


@dataclass
class Case:
    model: onnx.ModelProto
    feeds: dict
    expected: list  # of each output
    allowed: list  # of each output: for each of its arrays None or the differences that are allowed
    shadow: Shadow


def asCase(model, feeds, shadow):
    names = [o.name for o in model.graph.output]
    return Case(model, feeds, [shadow.values[n][0] for n in names], [shadow.tolerance(n) for n in names], shadow)


def generate(seed):
    choices = np.random.default_rng([seed, 2])
    opset = int(choices.choice(OPSETS))
    builder = Builder(seed, opset)
    wanted = int(choices.integers(5, 41))
    weights = np.array([w for _, w in TEMPLATES])
    # Most models use some of the templates only, so that they meet more often.
    weights = weights * (choices.random(len(weights)) < choices.choice([0.15, 0.4, 1.0]))
    if not weights.any():
        weights[0] = 1
    for _ in range(6 * wanted):
        if len(builder.scope.nodes) >= wanted:
            break
        builder.attempt(TEMPLATES[int(choices.choice(len(TEMPLATES), p=weights / weights.sum()))][0])
    if not builder.scope.nodes:
        builder.attempt(network_operators.constantNode)
    model = builder.model()
    used = {n for node in model.graph.node for n in allReads(node)} | {o.name for o in model.graph.output}
    for kind in (model.graph.input, model.graph.initializer):
        unused = [v for v in kind if v.name not in used]
        for value in unused:
            kind.remove(value)
            builder.feeds.pop(value.name, None)
    return asCase(model, builder.feeds, builder.shadow)


def allReads(node):
    names = list(node.input)
    for attr in node.attribute:
        if attr.HasField("g"):
            names += [o.name for o in attr.g.output]
            for inner in attr.g.node:
                names += allReads(inner)
    return names


def reevaluated(model, feeds, seed):
    """The expected values of a model that generate() did not make as it is now."""
    opset = next(o.version for o in model.opset_import if o.domain == "")
    shadow = Shadow(opset, seed, model.functions)
    for tensor in model.graph.initializer:
        shadow.set(tensor.name, onnx.numpy_helper.to_array(tensor))
    for name, array in feeds.items():
        shadow.set(name, array)
    for node in model.graph.node:
        shadow.evaluate(node)
    return asCase(model, feeds, shadow)
