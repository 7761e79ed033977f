"""Shrinks a model while it fails in the same way.

All values of a model are known, so a node can be left out: what it gave becomes inputs.
"""

import re

import check
import generate
import numpy as np
import onnx
import pool
from onnx import ModelProto, helper
from shadow import Reject, elementType, reads


def reasonOf(result):
    """What kind of failure it is, without names and numbers."""
    text = result.message.removeprefix("wrong result: ")
    kind = text.split(":")[0]
    if kind in ("refused", "failed"):
        found = re.search(r"error: (.*)", text)
        kind += " " + re.sub(r"[v\d]+\d|'[^']*'|\d+", "", found.group(1) if found else text)[:60]
    return kind


def outcome(model, feeds, timeout):
    """The failure of a model in a process of its own, or None."""
    try:
        case = generate.reevaluated(model, feeds, 0)
        onnx.checker.check_model(model, full_check=True)
    except (Reject, onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return None

    def call(_):
        import onnxc

        check.check(case, onnxc)

    results = []
    pool.runAll(call, [0], 1, timeout, lambda _, result: results.append(result))
    return results[0] if results[0].status == "fail" else None


def rebuilt(model, feeds, nodes, outputs, arrays):
    """A model of these nodes alone; what they read and nobody makes becomes an input."""
    made, feed, inputs = set(), {}, []
    initializers = {t.name: t for t in model.graph.initializer}
    known = {i.name: i for i in model.graph.input}
    kept = []
    for node in nodes:
        for name in reads(node):
            if name in made or name in feed or name in [t.name for t in kept]:
                continue
            if name in initializers:
                kept.append(initializers[name])
            else:
                array = arrays[name]
                if array is None or isinstance(array, list):
                    return None
                feed[name] = array
                inputs.append(known.get(name) or helper.make_tensor_value_info(name, elementType(array), array.shape))
        made.update(o for o in node.output if o)
    declared = {o.name: o for o in model.graph.output}
    outs = []
    for name in outputs:
        array = arrays[name]
        if array is None or isinstance(array, list) or name not in made:
            return None
        outs.append(declared.get(name) or helper.make_tensor_value_info(name, elementType(array), [None] * array.ndim))
    smaller = ModelProto()
    smaller.CopyFrom(model)
    smaller.graph.CopyFrom(helper.make_graph(nodes, "small", inputs, outs, kept))
    used = {n.op_type for n in nodes}
    for function in list(smaller.functions):
        if function.name not in used:
            smaller.functions.remove(function)
    return smaller, feed


def needed(nodes, outputs):
    """The nodes that these outputs come from."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.output):
            kept.append(node)
            wanted.update(reads(node))
    return kept[::-1]


def shrink(model, feeds, arrays, fails):
    nodes = list(model.graph.node)
    outputs = [o.name for o in model.graph.output]
    best = (model, feeds)

    def attempt(nodes, outputs):
        nonlocal best
        nodes = needed(nodes, outputs)
        made = rebuilt(model, feeds, nodes, outputs, arrays) if nodes else None
        if made is None or not fails(*made):
            return None
        best = made
        return nodes

    for name in list(outputs):
        if len(outputs) > 1 and (found := attempt(nodes, [name])):
            nodes, outputs = found, [name]
            break
    # An output that comes earlier.
    low = 0
    while low < len(nodes) - 1:
        names = [o for o in nodes[low].output if o]
        if found := attempt(nodes, names):
            nodes, outputs = found, names
            break
        low += max(1, len(nodes) // 12)
    size = max(1, len(nodes) // 2)
    while True:
        i, smaller = 0, False
        while i < len(nodes):
            if found := attempt(nodes[:i] + nodes[i + size :], outputs):
                smaller, nodes = True, found
            else:
                i += size
        if size == 1 and not smaller:
            return best
        size = max(1, size // 2)


def main(seed, timeout, out):
    case = generate.generate(seed)
    arrays = {name: values[0] for name, values in case.shadow.values.items()}
    first = outcome(case.model, case.feeds, timeout)
    if first is None:
        print(f"seed {seed} does not fail")
        return 1
    wanted = reasonOf(first)

    def fails(model, feeds):
        result = outcome(model, feeds, timeout)
        return result is not None and reasonOf(result) == wanted

    model, feeds = shrink(case.model, case.feeds, arrays, fails)
    print((outcome(model, feeds, timeout) or first).message[:2000])
    print(onnx.printer.to_text(model))
    for name, array in feeds.items():
        print(f"{name}: {array.dtype}{list(array.shape)} {np.array2string(array.ravel()[:40], separator=', ')}")
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        print(f"constant {tensor.name}: {array.dtype}{list(array.shape)} {np.array2string(array.ravel()[:40], separator=', ')}")
    if out:
        out.mkdir(parents=True, exist_ok=True)
        onnx.save(model, out / f"{seed}.onnx")
        np.savez(out / f"{seed}.npz", **feeds)
    return 0
