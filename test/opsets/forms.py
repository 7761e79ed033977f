"""A model for each old form of an operator: forms[op](version) gives what test_old_forms.py compiles.

A formula is given where neither ONNX Runtime nor onnx's reference evaluator runs the old form.
"""

from dataclasses import dataclass, field

import numpy as np
from onnx import TensorProto, helper, numpy_helper

F32 = np.float32


@dataclass
class Form:
    inputs: list
    attrs: dict = field(default_factory=dict)
    outputs: list = field(default_factory=lambda: ["y"])  # "" for one that is left out
    formula: object = None  # of the inputs; gives one array or a list of them
    constants: tuple = ()  # positions of inputs that are constants of the model
    types: dict = field(default_factory=dict)  # of outputs, where not that of the first input
    tolerance: float = 1e-5
    ort: bool = True  # whether ONNX Runtime's word counts
    before: str = ""  # an operator that the first input goes through
    chain: list = field(default_factory=list)  # nodes after it: (operator, inputs, outputs)
    extra: list = field(default_factory=list)  # further inputs of the model, for the chain


rng = np.random.default_rng(5)


def floats(*shape, low=-2.0, high=2.0, dtype=F32):
    return np.asarray(rng.uniform(low, high, shape)).astype(dtype)


def ints(*shape, low=-9, high=9, dtype=np.int64):
    return np.asarray(rng.integers(low, high + 1, shape)).astype(dtype)


def i64(*values):
    return np.array(values, np.int64)


forms = {}


def form(*names):
    def register(function):
        for name in names:
            forms[name] = lambda version, name=name: function(name, version)
        return function

    return register


# Elementwise, of one input

UNARY = {
    "Abs": np.abs, "Acos": np.arccos, "Acosh": np.arccosh, "Asin": np.arcsin, "Asinh": np.arcsinh, "Atan": np.arctan,
    "Atanh": np.arctanh, "Ceil": np.ceil, "Cos": np.cos, "Cosh": np.cosh, "Exp": np.exp, "Floor": np.floor, "Log": np.log,
    "Neg": np.negative, "Reciprocal": np.reciprocal, "Relu": lambda x: np.maximum(x, 0), "Round": np.rint, "Sign": np.sign,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "Sin": np.sin, "Sinh": np.sinh, "Softplus": lambda x: np.log1p(np.exp(x)),
    "Softsign": lambda x: x / (1 + np.abs(x)), "Sqrt": np.sqrt, "Tan": np.tan, "Tanh": np.tanh, "Identity": lambda x: x,
    "IsNaN": np.isnan, "IsInf": np.isinf, "Erf": None, "Mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
}  # fmt: skip
DOMAINS = {"Acos": (-0.9, 0.9), "Asin": (-0.9, 0.9), "Atanh": (-0.9, 0.9), "Acosh": (1.1, 4), "Log": (0.1, 4), "Sqrt": (0.1, 4),
           "Reciprocal": (0.5, 3)}  # fmt: skip


@form(*UNARY)
def unary(name, version):
    low, high = DOMAINS.get(name, (-3, 3))
    x = floats(3, 5, low=low, high=high)
    if name in ("IsNaN", "IsInf"):
        x[0, 1], x[1, 2] = np.nan, np.inf
    x = x.astype(np.float16) if version > 1 and name == "Abs" else x
    return [Form([x], formula=UNARY[name], types={"y": TensorProto.BOOL} if name.startswith("Is") else {}, tolerance=2e-3 if x.dtype == np.float16 else 1e-5)]


# name: (attributes, formula with those attributes, formula with the old defaults)
PARAMETRIC = {
    "Elu": ({"alpha": 1.5}, lambda x, alpha=1.0: np.where(x < 0, alpha * (np.exp(x) - 1), x)),
    "Celu": ({"alpha": 1.5}, lambda x, alpha=1.0: np.maximum(x, 0) + np.minimum(0, alpha * (np.exp(x / alpha) - 1))),
    "LeakyRelu": ({"alpha": 0.25}, lambda x, alpha=0.01: np.where(x < 0, alpha * x, x)),
    "Selu": ({"alpha": 1.5, "gamma": 1.2}, None),
    "HardSigmoid": ({"alpha": 0.25, "beta": 0.4}, lambda x, alpha=0.2, beta=0.5: np.clip(alpha * x + beta, 0, 1)),
    "ThresholdedRelu": ({"alpha": 0.5}, lambda x, alpha=1.0: np.where(x > alpha, x, 0)),
}


@form(*PARAMETRIC)
def parametric(name, version):
    attrs, formula = PARAMETRIC[name]
    if name == "Selu":
        # Version 1 had other digits as its defaults.
        alpha, gamma = (1.6732, 1.0507) if version == 1 else (1.6732632, 1.0507010)

        def formula(x, alpha=alpha, gamma=gamma):
            return np.where(x > 0, gamma * x, gamma * (alpha * np.exp(x) - alpha))

    return [
        Form([floats(3, 5)], attrs, formula=lambda x: formula(x, **attrs)),
        Form([floats(3, 5)], formula=lambda x: formula(x)),
    ]


@form("Clip")
def clip(name, version):
    if version < 11:
        both = Form([floats(3, 5)], {"min": -0.5, "max": 1.0}, formula=lambda x: np.clip(x, -0.5, 1))
        return [both, Form([floats(3, 5)], {"max": 0.25}, formula=lambda x: np.minimum(x, F32(0.25))), Form([floats(4)], formula=lambda x: x)]
    return [Form([floats(3, 5), np.array(-0.5, F32), np.array(1, F32)])]


@form("Cast")
def cast(name, version):
    if version < 6:
        return [
            Form([floats(3, 4)], {"to": "INT32"}, types={"y": TensorProto.INT32}, formula=lambda x: x.astype(np.int32)),
            Form([ints(3, 4, dtype=np.int32)], {"to": "float"}, types={"y": TensorProto.FLOAT}, formula=lambda x: x.astype(F32)),
        ]
    return [Form([floats(3, 4)], {"to": int(TensorProto.INT64)}, types={"y": TensorProto.INT64})]


@form("CastLike")
def castLike(name, version):
    return [Form([floats(3, 4), ints(1, dtype=np.int32)], types={"y": TensorProto.INT32}, formula=lambda x, like: x.astype(np.int32))]


# Elementwise, of several inputs

BINARY = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power, "And": np.logical_and,
          "Or": np.logical_or, "Xor": np.logical_xor, "Equal": np.equal, "Greater": np.greater, "Less": np.less,
          "GreaterOrEqual": np.greater_equal, "LessOrEqual": np.less_equal, "Mod": np.mod}  # fmt: skip


@form(*BINARY)
def binary(name, version):
    op = BINARY[name]

    def data(*shape):
        if name in ("And", "Or", "Xor"):
            return ints(*shape, low=0, high=1).astype(bool)
        if name in ("Equal", "Mod"):
            return ints(*shape, low=1, high=4, dtype=np.int32)
        return floats(*shape, low=0.5, high=3)

    types = {"y": TensorProto.BOOL} if op(data(1), data(1)).dtype == bool else {}
    if version >= 7:
        return [Form([data(2, 3, 4), data(3, 1)], types=types, formula=op)]
    return [
        Form([data(2, 3, 4), data(2, 3, 4)], types=types, formula=op),
        Form([data(2, 3, 4), data(3, 4)], {"broadcast": 1}, types=types, formula=op),
        Form([data(2, 3, 4), data(3)], {"broadcast": 1, "axis": 1}, types=types, formula=lambda a, b: op(a, b[:, None])),
        Form([data(2, 3, 4), data(2)], {"broadcast": 1, "axis": 0}, types=types, formula=lambda a, b: op(a, b[:, None, None])),
        Form([data(2, 3, 4), data(2, 3)], {"broadcast": 1, "axis": -3}, types=types, formula=lambda a, b: op(a, b[..., None])),
    ]


@form("Max", "Min", "Mean", "Sum")
def variadic(name, version):
    reduce = {"Max": lambda *a: np.max(a, 0), "Min": lambda *a: np.min(a, 0), "Sum": lambda *a: np.sum(a, 0), "Mean": lambda *a: np.mean(a, 0)}
    if version < 8:
        return [Form([floats(3, 4) for _ in range(3)], formula=reduce[name])]
    return [Form([floats(3, 4), floats(4), floats(3, 1)])]


@form("PRelu")
def prelu(name, version):
    formula = lambda x, s: np.where(x < 0, x * s, x)  # noqa: E731
    if version < 7:
        return [
            Form([floats(2, 3, 4), floats(3)], formula=lambda x, s: formula(x, s[:, None])),
            Form([floats(2, 3, 4), floats(1)], formula=formula),
        ]
    return [Form([floats(2, 3, 4), floats(3, 1)], formula=formula)]


@form("Where")
def where(name, version):
    return [Form([ints(3, 1, low=0, high=1).astype(bool), floats(3, 4), floats(4)], types={"y": TensorProto.FLOAT})]


@form("BitShift")
def bitShift(name, version):
    return [Form([ints(4, low=0, dtype=np.uint8), ints(4, low=0, high=3, dtype=np.uint8)], {"direction": d}) for d in ("LEFT", "RIGHT")]


# Reductions

REDUCTIONS = {
    "ReduceL1": lambda x, **k: np.abs(x).sum(**k), "ReduceL2": lambda x, **k: np.sqrt((x * x).sum(**k)),
    "ReduceLogSum": lambda x, **k: np.log(x.sum(**k)), "ReduceLogSumExp": lambda x, **k: np.log(np.exp(x).sum(**k)),
    "ReduceMax": lambda x, **k: x.max(**k), "ReduceMin": lambda x, **k: x.min(**k), "ReduceMean": lambda x, **k: x.mean(**k),
    "ReduceProd": lambda x, **k: x.prod(**k), "ReduceSum": lambda x, **k: x.sum(**k), "ReduceSumSquare": lambda x, **k: (x * x).sum(**k),
}  # fmt: skip


@form(*REDUCTIONS)
def reduce(name, version):
    op = REDUCTIONS[name]
    x = floats(2, 3, 4, low=0.5, high=2)
    by = 13 if name == "ReduceSum" else 18
    result = [Form([x], {"keepdims": 0}, formula=lambda x: op(x)), Form([x], formula=lambda x: op(x, keepdims=True))]
    if version < by:
        result.append(Form([x], {"axes": [1, 2]}, formula=lambda x: op(x, axis=(1, 2), keepdims=True)))
        if version >= 11:
            result.append(Form([x], {"axes": [-1], "keepdims": 0}, formula=lambda x: op(x, axis=-1)))
        if name in ("ReduceLogSum", "ReduceLogSumExp"):
            result.append(Form([ints(2, 3, low=1, high=4, dtype=np.int32)], {"axes": [1]}, formula=lambda x: op(x.astype(float), axis=1, keepdims=True).astype(np.int32)))
    else:
        result.append(Form([x, i64(-1)], {"keepdims": 0}, constants=(1,), formula=lambda x, _: op(x, axis=-1)))
        if name in ("ReduceLogSum", "ReduceLogSumExp"):
            result.append(Form([ints(2, 3, low=1, high=4), i64(1)], constants=(1,), formula=lambda x, _: op(x.astype(float), axis=1, keepdims=True).astype(np.int64)))
    return result


@form("ArgMax", "ArgMin")
def argReduce(name, version):
    x = ints(3, 4, low=0, high=3).astype(F32)
    op = np.argmax if name == "ArgMax" else np.argmin
    types = {"y": TensorProto.INT64}
    result = [Form([x], {"axis": 1}, types=types, formula=lambda x: op(x, 1, keepdims=True)), Form([x], {"keepdims": 0}, types=types, formula=lambda x: op(x, 0))]
    if version >= 12:
        last = lambda x: x.shape[1] - 1 - op(x[:, ::-1], 1)  # noqa: E731
        result.append(Form([x], {"axis": -1, "keepdims": 0, "select_last_index": 1}, types=types, formula=last))
    return result


@form("CumSum")
def cumSum(name, version):
    return [Form([floats(3, 4), np.array(1, np.int32)], {"exclusive": 1, "reverse": 1})]


@form("TopK")
def topK(name, version):
    x = floats(3, 6)
    types = {"i": TensorProto.INT64}
    formula = lambda x, *_: [-np.sort(-x, -1)[:, :3], np.argsort(-x, -1)[:, :3]]  # noqa: E731
    if version < 10:
        return [Form([x], {"k": 3}, ["y", "i"], formula, types=types), Form([x], {"k": 2, "axis": 0}, ["y", "i"], lambda x: [-np.sort(-x, 0)[:2], np.argsort(-x, 0)[:2]], types=types)]
    return [Form([x, i64(3)], {}, ["y", "i"], formula, types=types)]


def softmaxRows(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@form("Softmax", "LogSoftmax", "Hardmax")
def softmax(name, version):
    rows = {"Softmax": softmaxRows, "LogSoftmax": lambda x: np.log(softmaxRows(x)), "Hardmax": lambda x: (np.arange(x.shape[-1]) == x.argmax(-1)[:, None]).astype(x.dtype)}[name]

    def formula(axis):
        # As a matrix, of the dimensions before the axis and those from it on.
        return lambda x: rows(x.reshape(int(np.prod(x.shape[:axis])), -1)).reshape(x.shape)

    x = floats(2, 3, 4)
    result = [Form([x], formula=formula(1)), Form([x], {"axis": 2}, formula=formula(2)), Form([x], {"axis": 0}, formula=formula(0))]
    return result + ([Form([x], {"axis": -2}, formula=formula(1))] if version >= 11 else [])


# Movement


@form("Concat")
def concat(name, version):
    result = [Form([floats(2, 3), floats(2, 1)], {"axis": 1}, formula=lambda a, b: np.concatenate([a, b], 1))]
    if version < 4:
        result.append(Form([floats(2, 3), floats(2, 1)], formula=lambda a, b: np.concatenate([a, b], 1)))
    if version >= 11:
        result.append(Form([floats(2, 3), floats(1, 3)], {"axis": -2}))
    return result


@form("Reshape")
def reshape(name, version):
    if version < 5:
        return [Form([floats(2, 3, 4)], {"shape": [0, -1]}, formula=lambda x: x.reshape(2, 12))]
    result = [Form([floats(2, 3, 4), i64(0, -1, 2)], constants=(1,), formula=lambda x, _: x.reshape(2, 6, 2))]
    return result + ([Form([floats(0, 3), i64(3, 0)], {"allowzero": 1}, formula=lambda x, _: x.reshape(3, 0))] if version >= 14 else [])


@form("Flatten")
def flatten(name, version):
    result = [Form([floats(2, 3, 4)], {"axis": a}, formula=lambda x, a=a: x.reshape(int(np.prod(x.shape[:a])), -1)) for a in (0, 1, 2)]
    return result + ([Form([floats(2, 3, 4)], {"axis": -1}, formula=lambda x: x.reshape(6, 4))] if version >= 11 else [])


@form("Transpose")
def transpose(name, version):
    return [Form([floats(2, 3, 4)], {"perm": [2, 0, 1]}, formula=lambda x: x.transpose(2, 0, 1)), Form([floats(2, 3)], formula=lambda x: x.T)]


@form("Squeeze")
def squeeze(name, version):
    plain = Form([floats(1, 3, 1)], formula=lambda x: x.reshape(3))
    if version < 13:
        return [plain, Form([floats(1, 3, 1)], {"axes": [0]}, formula=lambda x: x[0])] + ([Form([floats(1, 3, 1)], {"axes": [-1]})] if version >= 11 else [])
    return [plain, Form([floats(1, 3, 1), i64(-1)], constants=(1,), formula=lambda x, _: x[..., 0])]


@form("Unsqueeze")
def unsqueeze(name, version):
    if version < 13:
        axes = [0, -1] if version >= 11 else [0, 2]
        return [Form([floats(3)], {"axes": axes}, formula=lambda x: x[None, :, None])]
    return [Form([floats(3), i64(0, -1)], constants=(1,), formula=lambda x, _: x[None, :, None])]


@form("Tile")
def tile(name, version):
    if version < 6:
        x = floats(2, 3)
        kind = F32  # both have the data's type
        return [Form([x, np.array([2], kind), np.array([1], kind)], constants=(1, 2), formula=lambda x, n, axis: np.tile(x, (1, 2)))]
    return [Form([floats(2, 3), i64(2, 3)])]


@form("Expand")
def expand(name, version):
    return [Form([floats(3, 1), i64(2, 1, 4)], constants=(1,))]


@form("Split")
def split(name, version):
    x = floats(6, 4)
    halves = lambda x, *_: [x[:3], x[3:]]  # noqa: E731
    unequal = lambda x, *_: [x[:, :1], x[:, 1:]]  # noqa: E731
    even = Form([x], {"num_outputs": 2} if version >= 18 else {}, ["y", "z"], halves)
    if version == 1:
        return [even, Form([x], {"split": [1, 3], "axis": 1}, ["y", "z"], unequal), Form([x, np.array([1, 3], F32)], {"axis": 1}, ["y", "z"], unequal, constants=(1,))]
    if version < 13:
        return [even, Form([x], {"split": [1, 3], "axis": 1}, ["y", "z"], unequal)]
    return [even, Form([x, i64(1, 3)], {"axis": 1}, ["y", "z"], unequal)]


@form("Slice")
def slice_(name, version):
    x = floats(5, 6)
    if version < 10:
        return [
            Form([x], {"starts": [1, -4], "ends": [3, 1000], "axes": [0, 1]}, formula=lambda x: x[1:3, -4:]),
            Form([x], {"starts": [1], "ends": [-1]}, formula=lambda x: x[1:-1]),
        ]
    return [Form([x, i64(4, 1), i64(-100, 5), i64(0, 1), i64(-2, 2)], formula=lambda x, *_: x[4::-2, 1:5:2])]


@form("Pad")
def pad(name, version):
    x = floats(3, 4)
    constant = lambda x, *_: np.pad(x, ((1, 0), (2, 1)), constant_values=1.5)  # noqa: E731
    if version < 11:
        attr = "paddings" if version == 1 else "pads"
        result = [Form([x], {attr: [1, 2, 0, 1], "value": 1.5}, formula=constant)]
        result.append(Form([x], {attr: [1, 0, 1, 2], "mode": "reflect"}, formula=lambda x: np.pad(x, ((1, 1), (0, 2)), mode="reflect")))
        result.append(Form([x], {attr: [1, 0, 1, 2], "mode": "edge"}, formula=lambda x: np.pad(x, ((1, 1), (0, 2)), mode="edge")))
        result.append(Form([x], {attr: [0, -1, 1, -1]}, formula=lambda x: np.pad(x[:, 1:-1], ((0, 1), (0, 0)))))
        return result
    return [Form([x, i64(1, 2, 0, 1), np.array(1.5, F32)], formula=constant), Form([x, i64(1, 0, 1, 2)], {"mode": "reflect"}, constants=(1,))]


@form("Gather")
def gather(name, version):
    result = [Form([floats(4, 3), i64(3, 0)], {"axis": 0}, formula=lambda x, i: x[i]), Form([floats(4, 3), np.array([[1]], np.int32)], {"axis": 1}, formula=lambda x, i: np.take(x, i, 1))]
    return result + ([Form([floats(4, 3), i64(-1, 0)], {"axis": -1})] if version >= 11 else [])


@form("GatherElements")
def gatherElements(name, version):
    return [Form([floats(3, 4), ints(3, 2, low=-4, high=3)], {"axis": 1})]


@form("GatherND")
def gatherND(name, version):
    result = [Form([floats(3, 4, 2), np.array([[0, 1], [2, 3]])])]
    return result + ([Form([floats(3, 4, 2), ints(3, 1, low=0, high=3)], {"batch_dims": 1})] if version >= 12 else [])


@form("Scatter", "ScatterElements")
def scatter(name, version):
    data = [floats(3, 4), np.array([[1, 0], [2, 3], [0, 1]]), floats(3, 2)]
    result = [Form(data, {"axis": 1})]
    if version >= 16:
        reductions = ["add", "mul"] + (["max", "min"] if version >= 18 else [])
        result += [Form(data, {"axis": 1, "reduction": r}) for r in reductions]
    return result


@form("ScatterND")
def scatterND(name, version):
    data = [floats(4, 3), np.array([[2], [0]]), floats(2, 3)]
    return [Form(data)] + ([Form(data, {"reduction": "add"})] if version >= 16 else [])


@form("DepthToSpace", "SpaceToDepth")
def depthSpace(name, version):
    if name == "SpaceToDepth":
        return [Form([floats(1, 2, 4, 6)], {"blocksize": 2})]
    result = [Form([floats(1, 8, 2, 3)], {"blocksize": 2}, formula=lambda x: x.reshape(1, 2, 2, 2, 2, 3).transpose(0, 3, 4, 1, 5, 2).reshape(1, 2, 4, 6))]
    return result + ([Form([floats(1, 8, 2, 3)], {"blocksize": 2, "mode": "CRD"})] if version >= 11 else [])


@form("ReverseSequence")
def reverseSequence(name, version):
    return [Form([floats(4, 3), i64(1, 4, 2)])]


@form("OneHot")
def oneHot(name, version):
    result = [Form([i64(1, 0, 2), i64(3), floats(2)], constants=(1,), types={"y": TensorProto.FLOAT})]
    return result + ([Form([i64(1, -1, 2), i64(3), floats(2)], {"axis": 0}, constants=(1,), types={"y": TensorProto.FLOAT})] if version >= 11 else [])


@form("Compress")
def compress(name, version):
    keep = np.array([True, False, True])
    return [Form([floats(3, 2), keep], {"axis": 0}), Form([floats(3, 2), keep])]


@form("NonZero")
def nonZero(name, version):
    return [Form([ints(3, 4, low=0, high=1).astype(F32)], types={"y": TensorProto.INT64})]


@form("Unique")
def unique(name, version):
    outs = ["y", "i", "inverse", "counts"]
    return [Form([ints(9, low=0, high=4).astype(F32)], {}, outs, types=dict.fromkeys(outs[1:], TensorProto.INT64))]


@form("EyeLike")
def eyeLike(name, version):
    return [Form([floats(3, 4)], {"k": 1})]


@form("Shape", "Size")
def shape(name, version):
    types = {"y": TensorProto.INT64}
    result = [Form([floats(2, 3, 4)], types=types)]
    return result + ([Form([floats(2, 3, 4)], {"start": -2, "end": 100}, types=types)] if name == "Shape" and version >= 15 else [])


@form("Constant")
def constant(name, version):
    value = floats(2, 3)
    result = [Form([], {"value": numpy_helper.from_array(value)}, types={"y": TensorProto.FLOAT}, formula=lambda: value)]
    if version >= 12:
        result.append(Form([], {"value_floats": [1.5, 2.5]}, types={"y": TensorProto.FLOAT}, formula=lambda: np.array([1.5, 2.5], F32)))
        result.append(Form([], {"value_int": 7}, types={"y": TensorProto.INT64}, formula=lambda: np.array(7)))
    if version >= 11:
        sparse = helper.make_sparse_tensor(numpy_helper.from_array(np.array([3, 4], F32), "v"), numpy_helper.from_array(i64(1, 4), "i"), [6])
        result.append(Form([], {"sparse_value": sparse}, types={"y": TensorProto.FLOAT}, formula=lambda: np.array([0, 3, 0, 0, 4, 0], F32)))
    return result


@form("ConstantOfShape")
def constantOfShape(name, version):
    value = numpy_helper.from_array(np.array([7], np.int32))
    return [Form([i64(2, 3)], {"value": value}, types={"y": TensorProto.INT32}), Form([i64(2, 3)], types={"y": TensorProto.FLOAT})]


@form("Range")
def range_(name, version):
    return [Form([np.array(1, F32), np.array(8, F32), np.array(2.5, F32)]), Form([np.array(9), np.array(2), np.array(-3)])]


@form("Einsum")
def einsum(name, version):
    return [Form([floats(3, 4), floats(4, 5)], {"equation": "ij,jk->ki"})]
