"""Evaluates nodes with onnx's reference evaluator, several times at once.

Every value has one array as ONNX defines it and further ones that come from the same
computation with rounding errors thrown in by chance. How far these are apart says
how much a correct implementation may differ (so a sum with cancellation gets a
wide tolerance, and a copy none), and whether an integer, a comparison or a sorted order hangs on a
rounding error, in which case nobody can say what is right.
"""

import functools

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, TypeProto, ValueInfoProto, helper
from onnx.reference import ReferenceEvaluator

FLOATS = ("float32", "float16", "bfloat16", "float64")
EPSILON = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}
# Fractions of the largest value that any result may differ by.
BASE = {"float16": 4e-3, "bfloat16": 3e-2, "float32": 2e-5, "float64": 1e-10}
LIMIT = {"float16": 1e3, "bfloat16": 1e5, "float32": 1e6, "float64": 1e6}
# How much of its largest value may be lost before a value is of no use.
LOSS = {"float16": 0.05, "bfloat16": 0.2, "float32": 1e-2, "float64": 1e-4}
# Rounding errors of each further evaluation, in units of the type's precision.
AMPLITUDES = (4, 4, 32)
AMPLITUDES_16_BITS = (2, 2, 8)

# Operators that round nothing.
EXACT = set(
    """Abs And ArgMax ArgMin BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil CenterCropPad Clip
    Compress Concat ConcatFromSequence Constant ConstantOfShape DepthToSpace Equal Expand EyeLike Flatten Floor Gather
    GatherElements GatherND Greater GreaterOrEqual Hardmax Identity If IsInf IsNaN Less LessOrEqual Loop Max MaxPool
    GlobalMaxPool Min Neg NonZero Not OneHot Optional OptionalGetElement OptionalHasElement Or Pad Range ReduceMax
    ReduceMin Relu Reshape ReverseSequence Round Scan SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert
    SequenceLength SequenceMap Shape Shrink Sign Size Slice SpaceToDepth Split SplitToSequence Squeeze StringConcat
    ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze Where Xor TensorScatter""".split()
)
# Whose floating-point results jump.
JUMPS = {"Floor", "Ceil", "Round", "Sign", "Mod", "Shrink", "ThresholdedRelu", "Hardmax", "DequantizeLinear", "Div", "Unique"}


def flawed(node, arrays):
    """Whether onnx's reference evaluator is known to be wrong: only ONNX Runtime can say then."""
    if node.op_type == "LRN":  # the last channels' windows
        return True
    if node.op_type == "LpNormalization":  # p = 1: of the sum, not of magnitudes
        return True
    if node.op_type in ("Erf", "Gelu"):  # float precision in double
        return typeName(arrays[0]) == "float64"
    if node.op_type == "SequenceInsert" and len(arrays) > 2:  # at the end: at the beginning
        return int(np.ravel(arrays[2])[0]) == len(arrays[0])
    return node.op_type == "Loop" and (len(node.input) < 2 or not node.input[1])  # runs never


class Reject(Exception):
    """This node cannot be used with these values."""


def typeName(array):
    return np.asarray(array).dtype.name if not isinstance(array, list) else "sequence"


def typeText(array):
    """As schemas write it."""
    name = typeName(array)
    if name.startswith(("float8", "float4")):
        return name.replace("_", "", 1).removesuffix("fn" if name.startswith("float4") else " ")
    return {"float32": "float", "float64": "double"}.get(name, "string" if array.dtype.kind in "OU" else name)


def elementType(array):
    return TensorProto.STRING if array.dtype.kind in "OU" else helper.np_dtype_to_tensor_dtype(array.dtype)


@functools.cache
def schemaOf(op, opset):
    try:
        return onnx.defs.get_schema(op, opset, "")
    except onnx.defs.SchemaError:
        raise Reject(f"{op}: not in opset {opset}") from None


def ortSession(model, optimized=False):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def isFloat(array):
    return array is not None and not isinstance(array, list) and typeName(array) in FLOATS


def perturb(array, i, rng):
    if array is None or not isFloat(array) or array.size == 0:
        return array
    amplitude = (AMPLITUDES_16_BITS if array.dtype.itemsize == 2 else AMPLITUDES)[i - 1]
    wide = array.astype(np.float64)
    # Not near 0: each of the few evaluations counts.
    errors = rng.uniform(0.5, 1, wide.shape) * rng.choice([-1.0, 1.0], wide.shape)
    wide *= 1 + amplitude * EPSILON[typeName(array)] * errors
    return np.asarray(wide).astype(array.dtype)


def same(a, b):
    if isinstance(a, list) or isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if a is None or b is None:
        return a is b
    if a.dtype.kind in "OU" and b.dtype.kind in "OU":
        return a.shape == b.shape and bool((a.astype(str) == b.astype(str)).all())
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return a.tobytes() == b.tobytes()


def sameKind(a, b):
    """Whether two evaluations differ in floating-point values only."""
    if isinstance(a, list) or isinstance(b, list):
        return len(a) == len(b) and all(sameKind(x, y) for x, y in zip(a, b, strict=True))
    if a is None or b is None:
        return a is b
    text = a.dtype.kind in "OU" and b.dtype.kind in "OU"
    return (text or a.dtype == b.dtype) and a.shape == b.shape and (isFloat(a) or same(a, b))


def flat(array):
    """The arrays of a tensor or a (nested) sequence."""
    return [a for item in array for a in flat(item)] if isinstance(array, list) else [array]


def spread(arrays):
    """The largest difference of any evaluation from the first, for each element."""
    wide = [a.astype(np.float64) for a in arrays]
    return np.max([np.abs(w - wide[0]) for w in wide[1:]], axis=0)


def captured(graph):
    """Names of outer values that a subgraph reads."""
    own = {v.name for v in graph.input} | {t.name for t in graph.initializer}
    names = []
    for node in graph.node:
        names += [n for n in node.input if n and n not in own]
        for attr in node.attribute:
            if attr.HasField("g"):
                names += [n for n in captured(attr.g) if n not in own]
        own.update(node.output)
    names += [o.name for o in graph.output if o.name not in own]
    return list(dict.fromkeys(names))


def reads(node):
    names = [n for n in node.input if n]
    for attr in node.attribute:
        if attr.HasField("g"):
            names += captured(attr.g)
    return list(dict.fromkeys(names))


def isExact(node):
    """Whether it rounds nothing, its subgraphs included."""
    inner = [n for attr in node.attribute if attr.HasField("g") for n in attr.g.node]
    return node.op_type in EXACT and node.domain == "" and all(map(isExact, inner))


class Shadow:
    """The values of a model: values[name] is a list of arrays, the first of them without errors."""

    def __init__(self, opset, seed, functions=()):
        self.opsets = [helper.make_opsetid("", opset), helper.make_opsetid("local", 1)]
        self.functions = list(functions)
        self.rng = np.random.default_rng(seed)
        self.values = {}

    def set(self, name, array):
        self.values[name] = [array] * (1 + len(AMPLITUDES))

    def alone(self, node, names):
        """A model of one node. Inputs of other types than tensors have none."""
        inputs = [ValueInfoProto(name=n, type=TypeProto()) for n in names]
        for value in inputs:
            array = self.values[value.name][0]
            if array is not None and not isinstance(array, list):
                value.CopyFrom(helper.make_tensor_value_info(value.name, elementType(array), list(array.shape)))
        graph = helper.make_graph([node], "g", inputs, [ValueInfoProto(name=n) for n in node.output if n])
        return helper.make_model(graph, opset_imports=self.opsets, functions=self.functions, ir_version=10)

    def peer(self, model, node, names, exact):
        """What ONNX Runtime makes of it, or None."""
        if self.opsets[0].version > 26 or any(
            self.values[n][0] is None or isinstance(self.values[n][0], list) for n in names
        ):
            return None
        try:
            return self.runAll(ortSession(model).run, node, names, exact)
        except Exception:
            return None

    def runAll(self, run, node, names, exact):
        results = []
        for i in range(1 + len(AMPLITUDES)):
            feed = {}
            for name in names:
                array = self.values[name][i]
                if i and not exact and not isinstance(array, list):
                    array = perturb(array, i, self.rng)
                feed[name] = array
            outputs = [asArray(o) for o in run(None, feed)]
            if i and not exact:
                outputs = [o if isinstance(o, list) else perturb(o, i, self.rng) for o in outputs]
            results.append(outputs)
        return results

    def evaluate(self, node):
        """Adds the values of a node's outputs; raises Reject where they are of no use."""
        names = reads(node)
        exact = isExact(node)
        self.checkTypes(node)
        model = self.alone(node, names)
        outputs = [n for n in node.output if n]
        try:
            with np.errstate(all="ignore"):
                results = self.runAll(ReferenceEvaluator(model).run, node, names, exact)
            wrong = implausible(model, results[0])
            if flawed(node, [self.values[n][0] for n in names]):
                wrong = "the reference evaluator is wrong"
        except Exception as error:
            results, wrong = None, f"{error!r:.200}"
        peers = self.peer(model, node, names, exact)
        if wrong:
            results = peers
        if results is None:
            raise Reject(f"{node.op_type}: {wrong}")
        made = dict(zip(outputs, zip(*results, strict=True), strict=True))
        for arrays in made.values():
            self.usable(node, arrays)
        if peers and peers is not results and not agree(list(made.values()), list(zip(*peers, strict=True))):
            raise Reject(f"{node.op_type}: the references differ")
        for name, arrays in made.items():
            self.values[name] = list(arrays)

    def checkTypes(self, node):
        """The reference evaluator takes types that the operator does not have."""
        if node.domain:
            return
        schema = schemaOf(node.op_type, self.opsets[0].version)
        bound = {}
        for i, name in enumerate(node.input):
            formal = schema.inputs[min(i, len(schema.inputs) - 1)]
            if not name or self.values[name][0] is None or isinstance(self.values[name][0], list):
                continue
            given = f"tensor({typeText(self.values[name][0])})"
            if given not in formal.types:
                raise Reject(f"{node.op_type}: type {given}")
            if formal.is_homogeneous and bound.setdefault(formal.type_str, given) != given:
                raise Reject(f"{node.op_type}: types differ")

    def usable(self, node, arrays):
        first = arrays[0]
        if not all(sameKind(first, other) for other in arrays[1:]):
            raise Reject(f"{node.op_type}: depends on rounding errors")
        parts = [flat(a) for a in arrays]
        for group in zip(*parts, strict=True):
            if group[0] is None or not isFloat(group[0]) or group[0].size == 0:
                continue
            name = typeName(group[0])
            if not all(np.isfinite(a.astype(np.float64)).all() for a in group):
                raise Reject(f"{node.op_type}: not finite")
            largest = np.abs(group[0].astype(np.float64)).max()
            if largest > LIMIT[name]:
                raise Reject(f"{node.op_type}: too large")
            lost = spread(group).max()
            if lost > LOSS[name] * largest and lost > 0:
                raise Reject(f"{node.op_type}: ill-conditioned")
            if node.op_type in JUMPS and not all(jumpless(group[0], a) for a in group[1:]):
                raise Reject(f"{node.op_type}: a jump")

    def tolerance(self, name):
        """For each array of a value: None (must be the same), or the difference allowed."""
        return [
            None if not isFloat(group[0]) else allowed(group)
            for group in zip(*[flat(a) for a in self.values[name]], strict=True)
        ]


def jumpless(a, b):
    wide = a.astype(np.float64)
    return bool((np.abs(wide - b.astype(np.float64)) <= 0.02 * np.maximum(np.abs(wide), 1e-3)).all())


def allowed(group):
    if group[0].size == 0:
        return np.zeros(group[0].shape)
    largest = np.abs(group[0].astype(np.float64)).max()
    return 4 * spread(group) + BASE[typeName(group[0])] * largest + 4 * EPSILON[typeName(group[0])]


def agree(ours, theirs):
    """Whether two evaluators' values are the same within what rounding errors may do."""
    for mine, other in zip(ours, theirs, strict=True):
        if not sameKind(mine[0], other[0]):
            return False
        for group, peer in zip(zip(*[flat(a) for a in mine], strict=True), flat(other[0]), strict=True):
            if isFloat(group[0]) and not (np.abs(group[0].astype(np.float64) - peer.astype(np.float64)) <= allowed(group)).all():
                return False
    return True


def implausible(model, results):
    """What contradicts ONNX's type inference, or None."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    for value, array in zip(inferred.graph.output, results, strict=True):
        if not value.type.HasField("tensor_type"):
            continue
        known = value.type.tensor_type
        if isinstance(array, list) or array is None:
            return "a sequence where a tensor belongs"
        if known.elem_type and known.elem_type != elementType(array):
            return f"type {array.dtype}"
        if known.HasField("shape"):
            dims = known.shape.dim
            if len(dims) != array.ndim or any(d.HasField("dim_value") and d.dim_value != n for d, n in zip(dims, array.shape, strict=True)):
                return f"shape {array.shape}"
    return None


def asArray(value):
    if isinstance(value, (list, tuple)):
        return [asArray(v) for v in value]
    return value if value is None else np.asarray(value)


def dtypeOf(name):
    return np.dtype(getattr(ml_dtypes, name)) if hasattr(ml_dtypes, name) else np.dtype(name)
