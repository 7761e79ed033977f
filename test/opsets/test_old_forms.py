"""Every old form of every operator, compiled from a model of its opset and compared with ONNX Runtime on the original
model, where that cannot run it with a formula, and else with onnx's reference evaluator."""

import sys
from pathlib import Path

import network_forms
import numpy as np
import onnx
import pytest
from forms import forms
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import onnxc

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "utils"))
from check_op import difference  # noqa: E402


def oldForms():
    """(domain, operator, version) of each form that a newer one replaced."""
    versions = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain in ("", "ai.onnx.ml") and not schema.deprecated:
            versions.setdefault((schema.domain, schema.name), set()).add(schema.since_version)
    newest = {key: onnx.defs.get_schema(key[1], onnx.defs.onnx_opset_version() if not key[0] else 5, key[0]) for key in versions}
    return sorted(
        (*key, version) for key, all_ in versions.items() for version in all_ if version < newest[key].since_version or newest[key].deprecated
    )


OLD = oldForms()


def build(domain, op, version, form):
    names = ["" if isinstance(a, str) else f"in{i}" for i, a in enumerate([*form.inputs, *form.extra])]
    arrays = {n: a for n, a in zip(names, [*form.inputs, *form.extra], strict=True) if n}
    constants = {f"in{i}" for i in form.constants}
    # An If's second value is read by its branches.
    read = names[:1] if op == "If" else names[: len(form.inputs)]
    nodes = []
    if form.before:
        nodes.append(helper.make_node(form.before, read[:1], ["before"]))
        read = ["before", *read[1:]]
    nodes.append(helper.make_node(op, read, form.outputs, domain=domain, **form.attrs))
    nodes += [helper.make_node(*link) for link in form.chain]
    results = form.chain[-1][2] if form.chain else form.outputs

    def info(name, array):
        kind = TensorProto.STRING if array.dtype.kind == "O" else helper.np_dtype_to_tensor_dtype(array.dtype)
        return helper.make_tensor_value_info(name, kind, array.shape)

    values = [info(n, a) for n, a in arrays.items()]
    default = values[0].type.tensor_type.elem_type if values else TensorProto.FLOAT
    opset = max(version, 1) if not domain else {1: 9, 2: 12, 3: 15, 4: 21}[version]
    imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, version)] if domain else [])
    outputs = [helper.make_tensor_value_info(o, form.types.get(o, default), None) for o in results]
    # Before IR version 4 every constant was an input as well.
    inputs = [v for v in values if v.name not in constants or opset < 9]
    initializers = [numpy_helper.from_array(arrays[n], n) for n in arrays if n in constants]
    graph = helper.make_graph(nodes, "old", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=imports, ir_version=3 if opset < 9 else 8)
    return model, {n: a for n, a in arrays.items() if n not in constants}, [a for a in form.inputs if not isinstance(a, str)]


def byOrt(model, feed):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Without its optimizer, which is a converter too.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, feed)


def expected(model, feed, form, arrays):
    """Values and who gave them."""
    try:
        if form.ort:
            return byOrt(model, feed), "ort"
    except Exception:
        pass  # it does not know this form
    if form.formula:
        with np.errstate(all="ignore"):
            values = form.formula(*arrays)
        return values if isinstance(values, list) else [values], "formula"
    return ReferenceEvaluator(model).run(None, feed), "reference"


@pytest.mark.parametrize("domain,op,version", OLD, ids=[f"{d or 'ai.onnx'}.{o}-{v}" for d, o, v in OLD])
def testOldForm(domain, op, version, tmp_path):
    assert op in forms, "this form has no model here"
    for number, form in enumerate(forms[op](version)):
        model, feed, arrays = build(domain, op, version, form)
        wanted, who = expected(model, feed, form, arrays)
        library = onnxc.compile(model, str(tmp_path / f"{number}.so"), O=1)
        actual = onnxc.InferenceSession(str(library)).run(None, feed)
        for name, want, got in zip([o.name for o in model.graph.output], wanted, actual, strict=True):
            want = np.asarray(want)
            if op in network_forms.RANDOM:
                assert (got.shape, got.dtype) == (want.shape, want.dtype)
                continue
            want = want if who == "ort" or want.dtype.kind in "OU" else want.astype(got.dtype)
            wrong = difference(want, got, form.tolerance)
            assert not wrong, f"form {number}, {name}: {wrong} (by {who})"
