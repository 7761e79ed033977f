"""Other forms of the backend suite's node cases: the same operator, inputs and expected outputs, asked for in another way.

  dynamic     every dimension of every input is symbolic, each with a name of its own; outputs keep their rank only
  constant    every tensor input is an initializer
  parameters  every tensor input but the first is an initializer (cases with two or more inputs)
"""

import copy

import numpy as np
import onnx

VARIANTS = ["dynamic", "constant", "parameters"]


def forget(type_, prefix):
    """Makes the dimensions in a type symbolic, named prefix0, prefix1, ... (nameless if prefix is empty)."""
    kind = type_.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        tensor = getattr(type_, kind)
        for i, dim in enumerate(tensor.shape.dim):
            dim.Clear()
            if prefix:
                dim.dim_param = f"{prefix}{i}"
    elif kind in ("sequence_type", "optional_type"):
        # The elements of a sequence may differ in size: their dimensions have no common name.
        forget(getattr(type_, kind).elem_type, prefix if kind == "optional_type" else "")


def dynamic(case):
    case.model = copy.deepcopy(case.model)
    graph = case.model.graph
    del graph.value_info[:]
    if not graph.input:
        return None
    for value in graph.input:
        forget(value.type, f"{value.name}_")
    for value in graph.output:
        forget(value.type, "")
    return case


def initialized(case, first):
    """With the values of the inputs from number `first` on as initializers."""
    if not case.data_sets or len(case.model.graph.input) <= first:
        return None
    case.model = copy.deepcopy(case.model)
    graph = case.model.graph
    infos, values = list(graph.input), list(case.data_sets[0][0])
    kept = []
    for i, (info, value) in enumerate(zip(infos, values, strict=True)):
        if i < first or info.type.WhichOneof("value") != "tensor_type":
            kept.append(i)
            continue
        tensor = copy.deepcopy(value) if isinstance(value, onnx.TensorProto) else onnx.numpy_helper.from_array(np.asarray(value))
        tensor.name = info.name
        graph.initializer.append(tensor)
    if len(kept) == len(infos):
        return None
    del graph.input[:]
    graph.input.extend(infos[i] for i in kept)
    # The other sets of values belong to other constants.
    case.data_sets = [([values[i] for i in kept], case.data_sets[0][1])]
    return case


def derive(case, variant):
    """The variant of a node case under the case's name, or None where it would be the case itself."""
    if case.model is None or case.data_sets is None:
        return None
    case = copy.copy(case)
    if variant == "dynamic":
        return dynamic(case)
    return initialized(case, 0 if variant == "constant" else 1)
