"""One-node models, one for each operator, type variable of its schema and element type, made from models that exist:
the backend suite's node cases and the lit tests' models.

A probe asks whether onnxc compiles the operator with a type that the schema allows. Its model is a node that a test
has, with the types of all inputs of that variable exchanged; a type that only an output has is asked for by the
attribute that chooses it (to, dtype, ...).
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent / "backend"), str(HERE.parent / "utils")]

import cases  # noqa: E402
import onnxtxt  # noqa: E402

MICROSOFT = "com.microsoft"
DOMAINS = ["", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training", MICROSOFT]
NEWEST = {domain: onnx.defs.onnx_opset_version() if not domain else 0 for domain in DOMAINS}
NEWEST.update({s.domain: max(NEWEST.get(s.domain, 0), s.since_version) for s in onnx.defs.get_all_schemas_with_history() if s.domain})
NEWEST["ai.onnx.ml"] = max(s.since_version for s in onnx.defs.get_all_schemas_with_history() if s.domain == "ai.onnx.ml")
NEWEST[MICROSOFT] = 1

# Attributes that choose the element type of an output.
TYPE_ATTRIBUTES = ["to", "dtype", "output_dtype", "output_datatype"]
ELEMENTS = {name.lower(): number for name, number in TensorProto.DataType.items()} | {"float": 1, "double": 11}
NAMES = {number: {"float": "float"}.get(name, name) for name, number in ELEMENTS.items()}


@dataclass
class Schema:
    """What of an operator's schema matters here, of onnx's schemas and of ONNX Runtime's."""

    domain: str
    name: str
    versions: list
    inputs: list  # type strings, the last again and again if variadic
    outputs: list
    variadic: bool
    types: dict  # type variable: allowed types, as "tensor(float)"
    attributes: list
    function: bool = False
    deprecated: bool = False
    templates: list = field(default_factory=list)

    @property
    def key(self):
        return f"{self.domain or 'ai.onnx'}.{self.name}"

    def inputType(self, i):
        if i < len(self.inputs):
            return self.inputs[i]
        return self.inputs[-1] if self.variadic else None


def microsoftNames():
    """[(name, how)] of MicrosoftOperators.def, and {name: advice} of what is refused."""
    import re

    text = (ROOT / "include" / "onnxc" / "Schema" / "MicrosoftOperators.def").read_text()
    known = re.findall(r"^MICROSOFT_OPERATOR\((\w+), (\w+),", text, re.M)
    refused = re.findall(r"^MICROSOFT_REFUSED\((\w+),", text, re.M)
    return known, refused


def schemas():
    """All operators at their newest version, with the versions of all."""
    history = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        history.setdefault((schema.domain, schema.name), []).append(schema)
    found = []
    for (domain, name), versions in sorted(history.items()):
        if domain not in DOMAINS:
            continue
        versions.sort(key=lambda s: s.since_version)
        newest = versions[-1]
        live = [s for s in versions if not s.deprecated]
        if not live:
            continue
        formal = live[-1]
        found.append(
            Schema(
                domain, name, [s.since_version for s in live],
                [p.type_str for p in formal.inputs], [p.type_str for p in formal.outputs],
                bool(formal.inputs) and formal.inputs[-1].option == onnx.defs.OpSchema.FormalParameterOption.Variadic,
                {c.type_param_str: sorted(c.allowed_type_strs) for c in formal.type_constraints},
                sorted(formal.attributes), newest.has_function or newest.has_context_dependent_function, newest.deprecated,
            )
        )  # fmt: skip
    return found + microsoftSchemas()


def microsoftSchemas():
    """ONNX Runtime tells the schemas of its own operators."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    newest = {}
    for schema in state.get_all_operator_schema():
        if schema.domain == MICROSOFT and schema.since_version >= newest.get(schema.name, schema).since_version:
            newest[schema.name] = schema
    found = []
    for name, _ in microsoftNames()[0]:
        schema = newest.get(name)
        inputs, outputs, types = [], [], {}
        if schema:
            inputs, outputs = [p.typeStr for p in schema.inputs], [p.typeStr for p in schema.outputs]
            mixed = {p.typeStr for p in schema.inputs if not p.isHomogeneous}
            types = {c.type_param_str: sorted(c.allowed_type_strs) for c in schema.type_constraints if c.type_param_str not in mixed}
        found.append(Schema(MICROSOFT, name, [1], inputs, outputs, False, types, sorted(schema.attributes) if schema else []))
    return found


# ---- templates ----


def textModels():
    """The models of the lit tests that are ONNX's text format."""
    for path in sorted((ROOT / "test").rglob("*.onnxtxt")):
        if "error" in path.name:
            continue
        for text in onnxtxt.texts(path):
            try:
                yield onnx.parser.parse_model(text)
            except onnx.parser.ParseError:
                continue


def valueTypes(graph, model):
    try:
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # some tests are about what inference cannot do
        pass
    types = {v.name: v.type for v in [*model.graph.input, *model.graph.value_info, *model.graph.output]}
    for t in graph.initializer:
        types[t.name] = helper.make_tensor_type_proto(t.data_type, list(t.dims))
    return types


def extract(model):
    """A model for each node whose inputs' types are known."""
    graph = model.graph
    opsets = {o.domain: o.version for o in model.opset_import}
    initializers = {t.name: t for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            tensor = TensorProto()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
            initializers[tensor.name] = tensor
    types = None
    for node in graph.node:
        if node.op_type == "Constant" and len(graph.node) > 1:
            continue
        types = valueTypes(graph, model) if types is None else types
        names = [n for n in dict.fromkeys([*node.input, *captured(node)]) if n]
        if any(n not in types and n not in initializers for n in names):
            continue
        single = onnx.ModelProto(ir_version=max(model.ir_version, 8))
        for domain in dict.fromkeys(["", node.domain]):
            single.opset_import.add(domain=domain, version=opsets.get(domain, NEWEST.get(domain, 1)))
        single.graph.name = "probe"
        single.graph.node.add().CopyFrom(node)
        for name in names:
            if name in initializers:
                single.graph.initializer.add().CopyFrom(initializers[name])
            else:
                single.graph.input.add(name=name).type.CopyFrom(types[name])
        for name in node.output:
            if name:
                output = single.graph.output.add(name=name)
                if name in types and len(graph.node) == 1:
                    output.type.CopyFrom(types[name])
        yield node.domain, node.op_type, single


def captured(node):
    """Outer values that a node's subgraphs read."""
    found = []
    for attribute in node.attribute:
        if attribute.HasField("g"):
            graph = attribute.g
            own = {v.name for v in graph.input} | {t.name for t in graph.initializer}
            own |= {name for inner in graph.node for name in inner.output}
            reads = [name for inner in graph.node for name in [*inner.input, *captured(inner)]]
            found += [name for name in [*reads, *(v.name for v in graph.output)] if name and name not in own]
    return found


def isNewest(model, schema):
    """Whether the template is of the operator's newest version."""
    version = {o.domain: o.version for o in model.opset_import}.get(schema.domain, 1)
    return version >= schema.versions[-1]


def findTemplates(all_):
    byName = {(s.domain, s.name): s for s in all_}
    simple, others = [], []
    for case in cases.nodeCases():
        if case.model is None or case.name.endswith("_expanded") or "_expanded_" in case.name:
            continue
        (simple if len(case.model.graph.node) == 1 else others).append(case.model)
    for model in [*simple, *others, *textModels()]:
        if model.functions:
            continue
        for domain, name, single in extract(model):
            schema = byName.get((domain, name))
            if schema and (domain == MICROSOFT or isNewest(single, schema)) and len(schema.templates) < 24:
                schema.templates.append(single)


# ---- probes ----


def elementOf(type_):
    """The element type of "tensor(float)"; None for other kinds."""
    return ELEMENTS.get(type_[7:-1]) if type_.startswith("tensor(") else None


def ofKind(type_):
    """A TypeProto's kind as schemas write it, without the shape."""
    kind = type_.WhichOneof("value")
    if kind == "tensor_type":
        return f"tensor({NAMES.get(type_.tensor_type.elem_type, '?')})"
    if kind == "sequence_type":
        return f"seq({ofKind(type_.sequence_type.elem_type)})"
    if kind == "optional_type":
        return f"optional({ofKind(type_.optional_type.elem_type)})"
    if kind == "map_type":
        return f"map({NAMES[type_.map_type.key_type]},{ofKind(type_.map_type.value_type)})"
    return "?"


def shapeOf(type_):
    """The first tensor shape in a type."""
    kind = type_.WhichOneof("value")
    if kind == "tensor_type":
        return type_.tensor_type.shape if type_.tensor_type.HasField("shape") else None
    if kind in ("sequence_type", "optional_type"):
        return shapeOf(getattr(type_, kind).elem_type)
    return None


def makeType(text, shape):
    """The TypeProto of "seq(tensor(float))", its tensors of a shape."""
    result = onnx.TypeProto()
    head, _, rest = text.partition("(")
    rest = rest[:-1]
    if head == "tensor":
        result.tensor_type.elem_type = ELEMENTS[rest]
        if shape is not None:
            result.tensor_type.shape.CopyFrom(shape)
    elif head == "seq":
        result.sequence_type.elem_type.CopyFrom(makeType(rest, shape))
    elif head == "optional":
        result.optional_type.elem_type.CopyFrom(makeType(rest, shape))
    elif head == "map":
        key, _, value = rest.partition(",")
        result.map_type.key_type = ELEMENTS[key.strip()]
        value = value.strip()
        result.map_type.value_type.CopyFrom(makeType(value if "(" in value else f"tensor({value})", onnx.TensorShapeProto()))
    else:
        raise ValueError(text)
    return result


def convert(tensor, element):
    """A constant's values in another type, for values that this type has."""
    if tensor.data_type == element:
        return tensor
    array = numpy_helper.to_array(tensor)
    if element == TensorProto.STRING:
        made = helper.make_tensor(tensor.name, element, tensor.dims, [str(v).encode() for v in array.ravel()])
    else:
        if array.dtype == object:
            array = np.arange(array.size).reshape(array.shape)
        dtype = helper.tensor_dtype_to_np_dtype(element)
        made = numpy_helper.from_array(np.asarray(array).astype(np.float32).astype(dtype), tensor.name)
        made.data_type = element
    made.name = tensor.name
    return made


def bindings(schema, node):
    """{type variable: names of the inputs that it types}"""
    found = {}
    for i, name in enumerate(node.input):
        variable = schema.inputType(i)
        if name and variable in schema.types:
            found.setdefault(variable, []).append(name)
    return found


def retype(schema, template, types):
    """The template with other types for variables, {variable: type}; None if it has nothing of one."""
    model = onnx.ModelProto()
    model.CopyFrom(template)
    node = model.graph.node[0]
    bound = bindings(schema, node)
    for variable, type_ in types.items():
        element = elementOf(type_)
        if variable in bound:
            for value in model.graph.input:
                if value.name in bound[variable]:
                    value.type.CopyFrom(makeType(type_, shapeOf(value.type)))
            for i, tensor in enumerate(model.graph.initializer):
                if tensor.name in bound[variable]:
                    if element is None:
                        return None
                    model.graph.initializer[i].CopyFrom(convert(tensor, element))
            convertAttributes(schema, template, node, variable, element)
        elif not chooseByAttribute(schema, node, variable, ELEMENTS.get(innermost(type_))):
            return None
    for value in model.graph.output:
        declareOutput(schema, node, value, types)
    for attribute in node.attribute:
        if attribute.HasField("g"):
            for value in [*attribute.g.input, *attribute.g.output]:
                value.ClearField("type")
            del attribute.g.value_info[:]
    return model


def declareOutput(schema, node, value, types):
    """Keeps an output's shape, which nothing else may tell."""
    i = list(node.output).index(value.name)
    variable = schema.outputs[min(i, len(schema.outputs) - 1)] if schema.outputs else None
    if variable in types and value.HasField("type"):
        value.type.CopyFrom(makeType(types[variable], shapeOf(value.type)))


def convertAttributes(schema, template, node, variable, element):
    """Tensors in attributes that have the elements of the variable get its new ones."""
    current = currentType(schema, template, variable)
    for attribute in node.attribute:
        if element and attribute.HasField("t") and current and elementOf(current) == attribute.t.data_type:
            attribute.t.CopyFrom(convert(attribute.t, element))


def chooseByAttribute(schema, node, variable, element):
    """Whether the node has an attribute for the type of an output; it is set."""
    if variable not in schema.outputs:
        return False
    values = [a for a in node.attribute if a.name == "value" and a.HasField("t")]
    if values:
        values[0].t.CopyFrom(convert(values[0].t, element))
        return True
    chosen = [a for a in TYPE_ATTRIBUTES if a in schema.attributes]
    if not chosen:
        return False
    kept = [a for a in node.attribute if a.name not in chosen]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(chosen[0], element)])
    return True


def together(schema, template, variable, type_):
    """Types for all variables of the template that allow one with the same elements: some must be equal."""
    inner = innermost(type_)
    found = {variable: type_}
    for other in bindings(schema, template.graph.node[0]):
        alike = [t for t in schema.types[other] if innermost(t) == inner]
        if other != variable and alike:
            current = currentType(schema, template, other)
            kind = current.split("(")[0] if current else ""
            found[other] = next((t for t in alike if t.startswith(kind)), alike[0])
    for other in outputsByAttribute(schema, template):
        if other != variable and type_ in schema.types[other]:
            found[other] = type_
    return found


def withFloatOutputs(schema, template, variable, type_):
    """The types, with float for outputs that an attribute types."""
    others = [o for o in outputsByAttribute(schema, template) if o != variable and "tensor(float)" in schema.types[o]]
    return {variable: type_} | {other: "tensor(float)" for other in others}


def outputsByAttribute(schema, template):
    bound = bindings(schema, template.graph.node[0])
    return [v for v in schema.types if isOpen(schema, v) and v not in bound and v in schema.outputs]


def innermost(type_):
    return type_.split("(")[-1].rstrip(")")


def currentType(schema, template, variable):
    names = bindings(schema, template.graph.node[0]).get(variable, [])
    types = {v.name: v.type for v in template.graph.input}
    types |= {t.name: helper.make_tensor_type_proto(t.data_type, []) for t in template.graph.initializer}
    return next((ofKind(types[n]) for n in names if n in types), None)


def fits(schema, template, variable, type_):
    """Whether the template is of that type already."""
    node = template.graph.node[0]
    types = {v.name: v.type for v in template.graph.input}
    types |= {t.name: helper.make_tensor_type_proto(t.data_type, []) for t in template.graph.initializer}
    names = bindings(schema, node).get(variable, [])
    return bool(names) and all(ofKind(types[n]) == type_ for n in names if n in types)


def candidates(schema, variable, type_, limit=6):
    """Models that ask for a type, those of tests as they are first."""
    exact = [t for t in schema.templates if fits(schema, t, variable, type_)]
    made, seen = [], set()
    for template in exact[:1] + schema.templates:
        for choose in (lambda *_: {variable: type_}, together, withFloatOutputs):
            types = choose(schema, template, variable, type_)
            try:
                model = retype(schema, template, types)
            except (ValueError, TypeError, KeyError, OverflowError):
                continue
            text = model.SerializeToString(deterministic=True) if model else None
            if text and text not in seen and len(made) < limit:
                seen.add(text)
                made.append(model)
    return made


def isOpen(schema, variable):
    """Whether a model chooses the variable's type: inputs have it, or an attribute says it. Else it follows from others."""
    if variable in schema.inputs:
        return True
    return variable in schema.outputs and any(a in schema.attributes for a in [*TYPE_ATTRIBUTES, "value"])


def probed(schema):
    """[(type variable, type)] of what a model can choose."""
    return [(variable, type_) for variable, types in schema.types.items() if isOpen(schema, variable) for type_ in types]
