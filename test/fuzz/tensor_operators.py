"""Elementwise operators, reductions and data movement. Each function adds one or a few nodes."""

import numpy as np
from builder import ALL, FLOATS, INTS, NUMBERS, SIGNED, UNSIGNED, Reject
from onnx import TensorProto, helper, numpy_helper

SMOOTH = """Exp Sigmoid Tanh LeakyRelu Elu Selu Celu HardSigmoid HardSwish Softplus Softsign Sin Cos Tan Atan Sinh Cosh Asinh
Erf Gelu Mish Swish ThresholdedRelu Shrink Floor Ceil Round IsNaN IsInf""".split()
SINCE = {"Gelu": 20, "Mish": 18, "Swish": 24}
# Operators of fewer types before the newest opsets; the reference knows float only.
ATTRIBUTES = {
    "LeakyRelu": {"alpha": 0.125},
    "Elu": {"alpha": 1.5},
    "Celu": {"alpha": 0.75},
    "HardSigmoid": {"alpha": 0.25, "beta": 0.375},
    "ThresholdedRelu": {"alpha": 0.5},
    "Shrink": {"lambd": 0.75, "bias": 0.5},
    "Gelu": {"approximate": "tanh"},
    "Swish": {"alpha": 0.5},
}


def unaryFloat(b):
    op = b.choose([o for o in SMOOTH if SINCE.get(o, 0) <= b.opset])
    types = ("float32",) if op == "Celu" else FLOATS
    attrs = ATTRIBUTES.get(op, {}) if b.chance(0.5) else {}
    b.node(op, [b.pick(types)], **attrs)


def unaryDomain(b):
    """Operators that are not defined everywhere."""
    op = b.choose(["Log", "Sqrt", "Reciprocal", "Asin", "Acos", "Atanh", "Acosh"])
    x = b.pick(FLOATS)
    like = lambda v: b.constant(np.asarray(v).astype(b.array(x).dtype))  # noqa: E731
    if op in ("Asin", "Acos", "Atanh"):
        x = b.node("Mul", [b.node("Tanh", [x]), like(0.875)])
    else:
        x = b.node("Add", [b.node("Abs", [x]), like(1.25 if op == "Acosh" else 0.5)])
    b.node(op, [x])


def unaryAny(b):
    op = b.choose(["Abs", "Neg", "Sign", "Relu", "Identity", "Not", "BitwiseNot", "Clip"])
    types = {"Not": ("bool",), "BitwiseNot": INTS, "Identity": ALL, "Neg": FLOATS + SIGNED, "Relu": FLOATS + SIGNED}
    x = b.pick(types.get(op, NUMBERS))
    if op != "Clip":
        b.node(op, [x])
        return
    low, high = (b.operand(b.data([], b.type(x), *r)) if b.chance(0.7) else "" for r in ((0, 1), (2, 3)))
    b.node("Clip", [x, low, high])


def binary(b):
    op = b.choose(["Add", "Sub", "Mul", "Div", "Pow", "Mod", "PRelu"])
    types = FLOATS + ("int32", "int64") if op in ("Pow", "PRelu") else NUMBERS
    x = b.pick(types)
    if op in ("Div", "Mod", "Pow"):
        y = b.partner(x, positive=True)
        if op == "Pow":
            x = b.node("Abs", [x])
        elif b.type(x) in SIGNED:
            x = b.node("Abs", [x])  # the reference rounds quotients down, ONNX towards zero
    elif op == "PRelu":
        shape = [1 if b.chance(0.3) else d for d in b.dims(x)[b.integer(0, b.rank(x)) :]]
        y = b.operand(b.data(shape, b.type(x)))
    else:
        y = b.partner(x)
    attrs = {"fmod": 1} if op == "Mod" and (b.type(x) in FLOATS or b.chance(0.2)) else {}
    pair = [y, x] if op in ("Add", "Sub", "Mul") and b.chance(0.3) else [x, y]
    b.node(op, pair, **attrs)


def variadic(b):
    op = b.choose(["Max", "Min", "Mean", "Sum"])
    x = b.pick(FLOATS if op in ("Mean", "Sum") else NUMBERS)
    b.node(op, [x] + [b.partner(x) for _ in range(b.integer(0, 2))])


def compare(b):
    op = b.choose(["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"])
    x = b.pick(NUMBERS)
    b.node(op, [x, b.partner(x)])


def logical(b):
    op = b.choose(["And", "Or", "Xor"])
    x = b.pick(("bool",))
    b.node(op, [x, b.partner(x)])


def bitwise(b):
    if b.chance(0.3):
        x = b.pick(UNSIGNED)
        b.node("BitShift", [x, b.partner(x, 0, 7)], direction=b.choose(["LEFT", "RIGHT"]))
        return
    x = b.pick(INTS)
    b.node(b.choose(["BitwiseAnd", "BitwiseOr", "BitwiseXor"]), [x, b.partner(x)])


def where(b):
    x = b.pick(ALL)
    condition = b.pick(("bool",), where=lambda a: broadcasts(a, b.array(x)))
    b.node("Where", [condition, x, b.partner(x)] if b.chance(0.5) else [condition, b.partner(x), x])


def broadcasts(a, x):
    try:
        return np.prod(np.broadcast_shapes(a.shape, x.shape)) <= 20000
    except ValueError:
        return False


def cast(b):
    x = b.pick(ALL)
    to = b.pickType(ALL)
    if to in INTS and b.type(x) in NUMBERS:
        # What does not fit is undefined.
        info = np.iinfo(to)
        wide = b.array(x).astype(np.float64)
        if wide.size and (wide.max() > min(info.max, 2**53) or wide.min() < info.min):
            if b.type(x) in INTS:
                raise Reject("does not fit")
            x = b.node("Clip", [x, *(b.constant(np.asarray(v).astype(b.array(x).dtype)) for v in (max(info.min, -100), 100))])
    code = helper.np_dtype_to_tensor_dtype(b.data([], to).dtype)
    if b.chance(0.8):
        b.node("Cast", [x], to=code)
    else:
        b.node("CastLike", [x, b.pick((to,))])


def reduce(b):
    names = "L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare".split()
    op = "Reduce" + b.choose(names)
    ints = ("int32", "int64")
    types = FLOATS + ints if op in ("ReduceSum", "ReduceProd", "ReduceL1", "ReduceSumSquare") else FLOATS
    if op in ("ReduceMax", "ReduceMin"):
        types = FLOATS + ints + ("int8", "uint8") + (("bool",) if b.opset >= 20 else ())
    empties = op in ("ReduceSum", "ReduceProd", "ReduceL1", "ReduceSumSquare")
    x = b.pick(types, where=lambda a: a.size or empties)
    if op == "ReduceLogSum":
        x = b.node("Abs", [x])
    attrs = {} if b.chance(0.3) else {"keepdims": b.integer(0, 1)}
    form = b.integer(0, 3)
    if form == 0:
        axes = []
        if b.chance(0.3):
            attrs["noop_with_empty_axes"] = 1
    else:
        axes = randomAxes(b, b.rank(x))
    inputs = [x, b.parameter(axes)] if form or b.chance(0.3) else [x]
    b.node(op, inputs, **attrs)


def randomAxes(b, rank, least=0):
    count = b.integer(min(least, rank), rank)
    axes = [int(a) for a in b.rng.permutation(rank)[:count]]
    return [a - rank if b.chance(0.3) else a for a in axes]


def axisOf(b, name):
    rank = b.rank(name)
    return b.integer(-rank, rank - 1)


def argReduce(b):
    x = b.pick(NUMBERS, rank=(1, 4), where=lambda a: a.size)
    attrs = {"select_last_index": 1} if b.chance(0.3) else {}
    b.node(b.choose(["ArgMax", "ArgMin"]), [x], axis=axisOf(b, x), keepdims=b.integer(0, 1), **attrs)


def topK(b):
    x = b.pick(FLOATS + ("int32", "int64"), rank=(1, 4), where=lambda a: a.size)
    axis = axisOf(b, x)
    k = b.integer(1, b.dims(x)[axis])
    b.node("TopK", [x, b.parameter([k])], [True, True], axis=axis, largest=b.integer(0, 1), sorted=1)


def cumulative(b):
    op = b.choose(["CumSum", "CumSum", "CumProd"] if b.opset >= 26 else ["CumSum"])
    x = b.pick(("float32", "float64", "int32", "int64"), rank=(1, 4))
    axis = b.parameter(axisOf(b, x), b.choose(["int32", "int64"]))
    b.node(op, [x, axis], exclusive=b.integer(0, 1), reverse=b.integer(0, 1))


def softmax(b):
    x = b.pick(FLOATS, rank=(1, 4))
    b.node(b.choose(["Softmax", "LogSoftmax", "Softmax", "Hardmax"]), [x], axis=axisOf(b, x))


# Movement


def transpose(b):
    x = b.pick(ALL)
    attrs = {"perm": [int(p) for p in b.rng.permutation(b.rank(x))]} if b.chance(0.8) and b.rank(x) else {}
    b.node("Transpose", [x], **attrs)


def factors(b, count, rank):
    """Random sizes whose product is count."""
    shape = [1] * rank
    rest = count
    for i in range(rank - 1):
        divisors = [d for d in range(1, min(rest, 64) + 1) if rest % d == 0]
        shape[i] = b.choose(divisors)
        rest //= shape[i]
    if rank:
        shape[-1] = rest
    return [shape[i] for i in b.rng.permutation(rank)]


def reshape(b):
    x = b.pick(ALL)
    count = b.array(x).size
    if count == 0:
        b.node("Reshape", [x, b.parameter([0 if b.chance(0.5) else d for d in b.dims(x)])], allowzero=0)
        return
    rank = b.integer(0 if count == 1 else 1, 5)
    shape = factors(b, count, rank)
    for i, d in enumerate(b.dims(x)[:rank]):
        if shape[i] == d and b.chance(0.4):
            shape[i] = 0
    if rank and b.chance(0.5):
        shape[b.integer(0, rank - 1)] = -1
    b.node("Reshape", [x, b.parameter(shape)])


def shapeArithmetic(b):
    """What exporters write: a new shape from pieces of the old one."""
    x = b.pick(ALL, rank=(1, 4), where=lambda a: a.size)
    shape = b.node("Shape", [x])
    kept = b.integer(1, b.rank(x))
    if b.chance(0.5):
        head = b.node("Slice", [shape, b.constant(np.array([0])), b.constant(np.array([kept]))])
    else:
        parts = [b.node("Gather", [shape, b.constant(np.array(i))], axis=0) for i in range(kept)]
        if b.chance(0.5):
            parts = [b.node("Unsqueeze", [p, b.constant(np.array([0]))]) for p in parts]
        else:
            parts = [b.node("Reshape", [p, b.constant(np.array([1]))]) for p in parts]
        head = b.node("Concat", parts, axis=0) if len(parts) > 1 else parts[0]
    if b.chance(0.3):
        head = b.node("Div", [b.node("Mul", [head, b.constant(np.array([2]))]), b.constant(np.array([2]))])
    target = b.node("Concat", [head, b.constant(np.array([-1]))], axis=0)
    b.node("Reshape", [x, target])


def expandOrTile(b):
    x = b.pick(ALL, where=lambda a: a.size < 2000)
    dims = b.dims(x)
    if b.chance(0.5):
        shape = [b.integer(1, 4) if d == 1 and b.chance(0.6) else (1 if b.chance(0.2) else d) for d in dims]
        if len(shape) < 4 and b.chance(0.3):
            shape = [b.integer(1, 3)] + shape
        elif shape and b.chance(0.2):
            shape = shape[1:]
        b.node("Expand", [x, b.parameter(shape)])
    else:
        b.node("Tile", [x, b.parameter([b.choose([1, 1, 2, 3]) for _ in dims])])


def squeeze(b):
    if b.chance(0.5):
        x = b.pick(ALL, rank=(0, 3))
        count = b.integer(1, 2)
        rank = b.rank(x) + count
        axes = [int(a) - (rank if b.chance(0.3) else 0) for a in b.rng.permutation(rank)[:count]]
        b.node("Unsqueeze", [x, b.parameter(axes)])
        return
    x = b.pick(ALL, rank=(1, 5), where=lambda a: 1 in a.shape)
    axes = [i - (b.rank(x) if b.chance(0.3) else 0) for i, d in enumerate(b.dims(x)) if d == 1 and b.chance(0.7)]
    if not axes and b.symbolic:
        raise Reject("nobody can tell the rank")
    b.node("Squeeze", [x, b.parameter(axes)] if axes else [x])


def flatten(b):
    x = b.pick(ALL)
    b.node("Flatten", [x], axis=b.integer(-b.rank(x), b.rank(x)))


def concat(b):
    x = b.pick(ALL, rank=(1, 4))
    axis = axisOf(b, x)
    parts = [x]
    for _ in range(b.integer(0, 3)):
        def joins(a):
            return all(i == axis % a.ndim or d == e for i, (d, e) in enumerate(zip(a.shape, b.dims(x), strict=True)))

        def make():
            return [b.integer(0 if b.chance(0.1) else 1, 4) if i == axis % b.rank(x) else d for i, d in enumerate(b.dims(x))]

        parts.append(b.pick((b.type(x),), rank=b.rank(x), where=joins, make=make))
    order = b.rng.permutation(len(parts))
    b.node("Concat", [parts[i] for i in order], axis=axis)


def split(b):
    x = b.pick(ALL, rank=(1, 4))
    axis = axisOf(b, x)
    size = b.dims(x)[axis]
    count = b.integer(1, min(max(size, 1), 4))
    if b.chance(0.5) and b.opset >= 18:
        b.node("Split", [x], [True] * count, axis=axis, num_outputs=count)
    else:
        cuts = sorted(b.integer(0, size) for _ in range(count - 1))
        sizes = np.diff([0, *cuts, size]).tolist()
        b.node("Split", [x, b.parameter(sizes)], [True] * count, axis=axis)


def slice_(b):
    x = b.pick(ALL, rank=(1, 4), where=lambda a: a.size)
    axes = randomAxes(b, b.rank(x), 1)
    starts, ends, steps = [], [], []
    for axis in axes:
        size = b.dims(x)[axis]
        step = b.choose([1, 1, 1, 2, 3, -1, -1, -2])
        # A start before the first element is clamped to it by ONNX, not by NumPy, when the step is negative.
        low, high = b.integer(-size - (step > 0), size + 1), b.integer(-size - 1, size + 1)
        if b.chance(0.3):
            high = 2**31 - 1 if step > 0 else -(2**31)
        if b.chance(0.3):
            low = 0 if step > 0 else 2**31 - 1
        starts.append(low), ends.append(high), steps.append(step)
    dtype = b.choose(["int64", "int64", "int32"])
    inputs = [x, b.parameter(starts, dtype), b.parameter(ends, dtype), b.parameter(axes, dtype), b.parameter(steps, dtype)]
    if axes == list(range(len(axes))) and steps == [1] * len(axes) and b.chance(0.5):
        inputs = inputs[:3]
    b.node("Slice", inputs)


def pad(b):
    mode = b.choose(["constant", "constant", "reflect", "edge"] + (["wrap"] if b.opset >= 19 else []))
    x = b.pick(NUMBERS, rank=(1, 4), where=lambda a: a.size)
    axes = randomAxes(b, b.rank(x), 1) if b.opset >= 18 and b.chance(0.3) else list(range(b.rank(x)))
    sizes = [b.dims(x)[a] for a in axes]

    def amount(size):
        if mode == "constant" and b.chance(0.2):
            return b.integer(-(size // 3), 0)
        return b.integer(0, min(3, size - 1) if mode in ("reflect", "wrap") else 3)

    pads = [amount(s) for s in sizes] + [amount(s) for s in sizes]
    value = b.operand(b.data([], b.type(x))) if mode == "constant" and b.chance(0.6) else ""
    named = b.parameter(axes) if len(axes) < b.rank(x) or axes != list(range(b.rank(x))) else ""
    attrs = {} if mode == "constant" and b.chance(0.5) else {"mode": mode}
    b.node("Pad", [x, b.parameter(pads), value, named], **attrs)


def gather(b):
    x = b.pick(ALL, rank=(1, 4), where=lambda a: a.size)
    kind = b.choose(["int64", "int32"])
    form = b.integer(0, 2)
    if form == 0:
        axis = axisOf(b, x)
        size = b.dims(x)[axis]
        b.node("Gather", [x, b.operand(b.data(b.shape(b.integer(0, 2)), kind, -size, size - 1))], axis=axis)
    elif form == 1:
        axis = axisOf(b, x)
        size = b.dims(x)[axis]
        shape = [b.integer(1, d) for d in b.dims(x)]
        shape[axis] = b.integer(1, 5)
        b.node("GatherElements", [x, b.operand(b.data(shape, kind, -size, size - 1))], axis=axis)
    else:
        batch = b.integer(0, b.rank(x) - 1)
        depth = b.integer(1, b.rank(x) - batch)
        prefix = b.dims(x)[:batch] + [b.integer(1, 3) for _ in range(b.integer(0, 2))]
        columns = [b.data(prefix, "int64", -d, d - 1) for d in b.dims(x)[batch : batch + depth]]
        b.node("GatherND", [x, b.operand(np.stack(columns, -1), fixed=True)], batch_dims=batch)


def scatter(b):
    x = b.pick(NUMBERS, rank=(1, 4), where=lambda a: a.size)
    reductions = ["none"] + (["add", "mul"] if b.type(x) in ("float32", "float64", "int32", "int64") else [])
    if b.opset >= 18 and len(reductions) > 1:
        reductions += ["max", "min"]
    reduction = b.choose(reductions)
    if b.chance(0.5):
        axis = axisOf(b, x)
        shape = [b.integer(1, d) for d in b.dims(x)]
        indices = np.argsort(b.rng.random([d if i == axis % len(shape) else s for i, (s, d) in enumerate(zip(shape, b.dims(x), strict=True))]), axis)
        if reduction == "none":  # positions once each
            indices = np.take(indices, range(shape[axis]), axis)
        else:
            indices = b.data(shape, "int64", -b.dims(x)[axis], b.dims(x)[axis] - 1)
        updates = b.operand(b.data(shape, b.type(x)))
        attrs = {} if reduction == "none" else {"reduction": reduction}
        b.node("ScatterElements", [x, b.operand(indices.astype(b.choose(["int64", "int32"]))), updates], axis=axis, **attrs)
        return
    depth = b.integer(1, b.rank(x))
    dims = b.dims(x)
    count = b.integer(1, 4)
    if reduction == "none":
        count = min(count, int(np.prod(dims[:depth])))
        flatPositions = b.rng.permutation(int(np.prod(dims[:depth])))[:count]
        positions = np.stack(np.unravel_index(flatPositions, dims[:depth]), -1)
    else:
        positions = np.stack([b.data([count], "int64", -d, d - 1) for d in dims[:depth]], -1)
    updates = b.operand(b.data([count] + dims[depth:], b.type(x)))
    attrs = {} if reduction == "none" else {"reduction": reduction}
    b.node("ScatterND", [x, b.operand(positions.astype(np.int64), fixed=True), updates], **attrs)


def depthSpace(b):
    x = b.pick(FLOATS, rank=4, make=lambda: [b.integer(1, 2), 4 * b.integer(1, 2), 2 * b.integer(1, 3), 2 * b.integer(1, 3)])
    n, c, h, w = b.dims(x)
    if c % 4 == 0 and b.chance(0.5):
        b.node("DepthToSpace", [x], blocksize=2, mode=b.choose(["DCR", "CRD"]))
    elif h % 2 == 0 and w % 2 == 0:
        b.node("SpaceToDepth", [x], blocksize=2)
    else:
        raise Reject("sizes")


def trilu(b):
    x = b.pick(ALL, rank=(2, 4))
    inputs = [x] + ([b.parameter(b.integer(-3, 3))] if b.chance(0.6) else [])
    b.node("Trilu", inputs, upper=b.integer(0, 1))


def reverseSequence(b):
    x = b.pick(NUMBERS, rank=(2, 4), where=lambda a: a.size)
    time = b.integer(0, 1)
    lengths = b.data([b.dims(x)[1 - time]], "int64", 1, b.dims(x)[time])
    b.node("ReverseSequence", [x, b.operand(lengths)], time_axis=time, batch_axis=1 - time)


def oneHot(b):
    depth = b.integer(1, 6)
    indices = b.operand(b.data(b.shape(b.integer(1, 2)), b.choose(["int64", "int64", "int32"]), -depth, depth - 1))
    values = b.operand(b.data([2], b.choose(["float32", "int64", "int32", "bool"])))
    rank = b.rank(indices) + 1
    b.node("OneHot", [indices, b.parameter(depth if b.chance(0.5) else [depth]), values], axis=b.integer(-rank, rank - 1))


def generators(b):
    form = b.integer(0, 3)
    if form == 0:
        types = [t for t in ALL if t != "bfloat16" or b.opset >= 20]
        value = b.data([1], b.pickType(types))
        attrs = {"value": numpy_helper.from_array(value, "")} if b.chance(0.8) else {}
        shape = b.shape()
        if b.chance(0.5):
            b.node("ConstantOfShape", [b.parameter(shape)], **attrs)
        else:
            b.node("ConstantOfShape", [b.node("Shape", [b.pick(ALL, where=lambda a: a.size < 5000)])], **attrs)
    elif form == 1:
        dtype = b.choose(["int64", "int32", "float32", "float64"])
        start, count, step = b.integer(-5, 5), b.integer(0, 12), b.choose([1, 1, 2, -1, -3])
        b.node("Range", [b.parameter(v, dtype) for v in (start, start + count * step, step)])
    elif form == 2:
        x = b.pick(NUMBERS, rank=2)
        b.node("EyeLike", [x], k=b.integer(-2, 2), **({"dtype": TensorProto.FLOAT} if b.chance(0.5) else {}))
    else:
        x = b.pick(ALL)
        b.node(b.choose(["Shape", "Size"]), [x])


def dataDependent(b):
    form = b.integer(0, 2)
    if form == 0:
        b.node("NonZero", [b.pick(NUMBERS + ("bool",))])
    elif form == 1:
        x = b.pick(NUMBERS, rank=(1, 4))
        axis = None if b.chance(0.3) else axisOf(b, x)
        size = b.array(x).size if axis is None else b.dims(x)[axis]
        condition = b.operand(b.data([b.integer(0, size)], "bool"))
        b.node("Compress", [x, condition], **({} if axis is None else {"axis": axis}))
    else:
        x = b.pick(INTS, rank=(1, 3), where=lambda a: a.size)
        attrs = {"axis": axisOf(b, x)} if b.chance(0.4) else {}
        b.node("Unique", [x], [True, b.chance(0.5), b.chance(0.5), b.chance(0.5)], sorted=1, **attrs)


def centerCropPad(b):
    x = b.pick(NUMBERS, rank=(1, 4), where=lambda a: a.size)
    axes = sorted(a % b.rank(x) for a in randomAxes(b, b.rank(x), 1))
    sizes = [b.integer(1, b.dims(x)[a] + 3) for a in axes]
    b.node("CenterCropPad", [x, b.parameter(sizes)], axes=axes)


TEMPLATES = [
    (unaryFloat, 8), (unaryDomain, 2), (unaryAny, 4), (binary, 10), (variadic, 2), (compare, 3), (logical, 1.5), (bitwise, 1.5),
    (where, 3), (cast, 4), (reduce, 6), (argReduce, 2), (topK, 2), (cumulative, 1.5), (softmax, 3), (transpose, 4), (reshape, 4),
    (shapeArithmetic, 3), (expandOrTile, 3), (squeeze, 3), (flatten, 1), (concat, 4), (split, 3), (slice_, 5), (pad, 3), (gather, 4),
    (scatter, 3), (depthSpace, 1), (trilu, 1), (reverseSequence, 0.7), (oneHot, 1), (generators, 2), (dataDependent, 1.5),
    (centerCropPad, 0.5),
]  # fmt: skip
