"""Control flow, sequences, optionals, strings and functions of the model."""

import numpy as np
from builder import ALL, FLOATS, NUMBERS, Reject
from onnx import AttributeProto, TensorProto, helper

WORDS = ["a", "bc", "", "onnx", "Zürich", "d e"]


def likeness(b, name):
    """The value, or something computed from it, of the same type and shape."""
    dims, kind = b.dims(name), b.type(name)
    if b.scope.outer and not b.scope.outer.outer and b.chance(0.15):
        name = nested(b, name)
    for _ in range(b.integer(0, 2)):
        if kind in FLOATS:
            name = b.node(b.choose(["Tanh", "Neg", "Sigmoid", "Identity", "Softsign"]), [name])
        elif kind != "bool":
            name = b.node(b.choose(["Identity", "Abs"]), [name])
    if kind != "bool" and b.chance(0.6):
        fits = [n for n in b.visible() if b.fits(n, (kind,), None, lambda a: list(np.broadcast_shapes(a.shape, dims)) == dims if compatible(a.shape, dims) else False)]
        other = b.choose(fits[-6:]) if fits else name
        name = b.node(b.choose(["Add", "Sub", "Max"] if kind in NUMBERS else ["Xor"]), [name, other])
    return name


def nested(b, name):
    """A loop or a condition inside of another one."""
    if b.chance(0.5):
        branches = [b.subgraph([], lambda _: [likeness(b, name)])[0] for _ in range(2)]
        return b.node("If", [condition(b)], then_branch=branches[0], else_branch=branches[1])
    body, _ = b.subgraph([np.array(0), np.array(True), b.array(name)], lambda names: [names[1], likeness(b, names[2])])
    return b.node("Loop", [b.constant(np.array(b.integer(0, 3))), b.constant(np.array(True)), name], body=body)


def compatible(a, b):
    try:
        np.broadcast_shapes(a, b)
        return True
    except ValueError:
        return False


def condition(b):
    """A truth value that is known when the model is compiled, or only when it runs."""
    form = b.rng.random()
    if form < 0.2:
        return b.constant(np.array(b.chance(0.5)))
    if form < 0.6:
        return b.input(np.array(b.chance(0.5)))
    x = b.pick(NUMBERS, where=lambda a: a.size)
    total = b.node("ReduceMax", [b.node("Cast", [x], to=TensorProto.FLOAT)], keepdims=0)
    return b.node("Greater", [total, b.constant(np.float32(b.choose([-1, 0.5, 3])))])


def if_(b):
    x = b.pick(ALL)
    grown = b.chance(0.3) and b.rank(x) > 0
    test = condition(b)
    kinds = 1 + b.chance(0.4)

    def branch(larger):
        def fill(_):
            results = [likeness(b, x) for _ in range(kinds)]
            if larger:
                results[0] = b.node("Concat", [results[0], x], axis=0)
            return results

        return b.subgraph([], fill)[0]

    b.node("If", [test], [True] * kinds, then_branch=branch(False), else_branch=branch(grown))


def loop(b):
    x = b.pick(NUMBERS, where=lambda a: a.size < 2000)
    scanned = b.chance(0.6)
    # Without iterations the size of what is scanned is anybody's guess.
    trips = b.parameter(b.integer(1 if scanned else 0, 4))
    keep = "" if b.chance(0.5) else b.operand(np.array(True))
    stops = b.chance(0.3)

    def fill(names):
        step, go, carried = names
        result = likeness(b, carried)
        if b.chance(0.4):
            number = b.node("CastLike", [step, carried])
            result = b.node("Add", [result, number])
        test = b.node("Less", [step, b.constant(np.array(2))]) if stops else go
        return [test, result] + ([likeness(b, result)] if scanned else [])

    body, _ = b.subgraph([np.array(0), np.array(True), b.array(x)], fill)
    b.node("Loop", [trips, keep, x], [True] * (1 + scanned), body=body)


def growingLoop(b):
    """A loop-carried value that changes its size."""
    x = b.pick(("float32", "int64", "int32"), rank=(1, 2), where=lambda a: a.size < 200)

    def fill(names):
        _, go, carried = names
        return [go, b.node("Concat", [carried, x], axis=0)]

    body, _ = b.subgraph([np.array(0), np.array(True), b.array(x)], fill)
    b.node("Loop", [b.parameter(b.integer(0, 3)), "", x], body=body)


def scan(b):
    rows = b.pick(FLOATS + ("int32", "int64"), rank=(1, 3), where=lambda a: a.size and a.shape[0] < 20)
    state = b.operand(b.data(b.dims(rows)[1:], b.type(rows)))

    def fill(names):
        carried, row = names
        total = b.node("Add", [b.node("Tanh" if b.type(row) in FLOATS else "Abs", [carried]), row])
        return [total, likeness(b, total)]

    body, _ = b.subgraph([b.array(state), b.array(rows)[0]], fill)
    attrs = {}
    if b.chance(0.4):
        attrs["scan_input_directions"] = [1]
    if b.chance(0.4):
        attrs["scan_output_directions"] = [1]
    b.node("Scan", [state, rows], [True, True], body=body, num_scan_inputs=1, **attrs)


def sequence(b):
    x = b.pick(ALL, rank=(1, 3))
    kind = b.type(x)
    count = b.integer(1, 3)

    def matching(a):
        return a.shape == b.array(x).shape

    parts = [x] + [b.pick((kind,), rank=b.rank(x), where=matching, make=lambda: b.dims(x)) for _ in range(count - 1)]
    s = b.node("SequenceConstruct", parts)
    if b.chance(0.4):
        s = b.node("SequenceInsert", [s, x] + ([b.parameter(b.integer(0, count))] if b.chance(0.5) else []))
        count += 1
    if b.chance(0.3) and count > 1:
        s = b.node("SequenceErase", [s, b.parameter(b.integer(-count, count - 1))])
        count -= 1
    form = b.integer(0, 3)
    if form == 0:
        b.node("ConcatFromSequence", [s], axis=b.integer(0, b.rank(x)), new_axis=1)
    elif form == 1:
        b.node("ConcatFromSequence", [s], axis=b.integer(0, b.rank(x) - 1))
    elif form == 2:
        b.node("SequenceAt", [s, b.parameter(b.integer(-count, count - 1))])
    else:
        b.node("SequenceLength", [s])


def splitToSequence(b):
    x = b.pick(NUMBERS, rank=(1, 3), where=lambda a: a.size)
    axis = b.integer(-b.rank(x), b.rank(x) - 1)
    size = b.dims(x)[axis]
    form = b.integer(0, 2)
    if form == 0:
        s = b.node("SplitToSequence", [x], axis=axis, keepdims=b.integer(0, 1))
    elif form == 1:
        s = b.node("SplitToSequence", [x, b.parameter(b.integer(1, size))], axis=axis)
    else:
        cut = b.integer(0, size)
        s = b.node("SplitToSequence", [x, b.parameter([cut, size - cut])], axis=axis)
    b.node("SequenceAt", [s, b.parameter(0)])


def sequenceMap(b):
    if b.opset < 17:
        raise Reject("opset")
    x = b.pick(FLOATS, rank=(1, 3), where=lambda a: a.size)
    s = b.node("SequenceConstruct", [x, b.node("Neg", [x])])
    body, _ = b.subgraph([b.array(x)], lambda names: [likeness(b, names[0])])
    mapped = b.node("SequenceMap", [s], body=body)
    b.node("SequenceAt", [mapped, b.parameter(1)])


def optional(b):
    x = b.pick(ALL)
    b.node(b.choose(["OptionalGetElement", "OptionalHasElement"]), [x])


def words(b, shape):
    size = int(np.prod(shape))
    return np.array([b.choose(WORDS) for _ in range(size)], dtype=object).reshape(shape)


def strings(b):
    shape = b.shape(b.integer(1, 2))
    x = b.operand(words(b, shape))
    form = b.integer(0, 5)
    if form == 0 and b.opset >= 20:
        b.node("StringConcat", [x, b.operand(words(b, shape[-1:]))])
    elif form == 1:
        b.node("Concat", [x, b.operand(words(b, [2, *shape[1:]]))], axis=0)
    elif form == 2 and shape[0]:
        b.node("Gather", [x, b.operand(b.data([b.integer(1, 3)], "int64", 0, shape[0] - 1))])
    elif form == 3 and b.opset >= 19:
        b.node("Equal", [x, b.operand(words(b, shape[-1:]))])
    elif form == 4:
        b.node("Where", [b.operand(b.data(shape, "bool")), x, b.operand(words(b, [1]))])
    else:
        b.node("Reshape", [b.node("Transpose", [x]), b.parameter([-1])])


def function(b):
    """A function of the model, called once or twice."""
    x = b.pick(FLOATS)
    name = f"f{b.counter}"
    ops = [b.choose(["Tanh", "Relu", "Neg", "Sigmoid", "Abs", "Identity"]) for _ in range(b.integer(1, 3))]
    nodes, last = [], "x"
    for i, op in enumerate(ops):
        nodes.append(helper.make_node(op, [last], [f"t{i}"]))
        last = f"t{i}"
    nodes.append(helper.make_node("Add", [last, "y"], ["z"]))
    nodes.append(helper.make_node("LeakyRelu", ["z"], ["out"]))
    nodes[-1].attribute.append(AttributeProto(name="alpha", ref_attr_name="slope", type=AttributeProto.FLOAT))
    made = helper.make_function("local", name, ["x", "y"], ["out"], nodes, [helper.make_opsetid("", b.opset)], ["slope"])
    b.shadow.functions.append(made)
    try:
        y = b.node(name, [x, b.partner(x)], domain="local", slope=0.25)
        if b.chance(0.4):
            b.node(name, [y, x], domain="local", slope=0.5)
    except Reject:
        b.shadow.functions.remove(made)
        raise


TEMPLATES = [
    (if_, 1.5), (loop, 1.5), (growingLoop, 0.7), (scan, 1), (sequence, 1), (splitToSequence, 0.7), (sequenceMap, 0.5),
    (optional, 0.5), (strings, 0.8), (function, 0.7),
]  # fmt: skip
