"""Types below a byte and of one byte for floats, optionals, and sequences that control flow makes."""

import numpy as np
from builder import ALL, FLOATS, NUMBERS, SMALL, Reject, dtypeOf
from control_operators import condition, likeness
from onnx import helper
from shadow import elementType


def smallTypes(b):
    """Values of small types are made, moved, and read again."""
    kinds = [name for name, since in SMALL.items() if since <= b.opset]
    if not kinds:
        raise Reject("opset")
    kind = b.choose(kinds)
    type = helper.np_dtype_to_tensor_dtype(dtypeOf(kind))
    floats = ("float32", "float16", "bfloat16") if b.opset >= 21 else ("float32", "float16")
    form = b.rng.random()
    if form < 0.35:
        x = b.node("Cast", [b.pick(floats)], to=type)
    elif form < 0.6 and kind in ("int4", "uint4", "float8_e4m3fn", "float8_e5m2"):
        x = b.pick(("float32",))
        scale = b.constant(np.float32(b.choose([0.25, 0.5, 0.125])))
        x = b.node("QuantizeLinear", [x, scale, b.constant(np.zeros((), dtypeOf(kind)))])
    else:
        x = b.operand(b.data(b.shape(), "float32").astype(dtypeOf(kind)))
    moves = kind.startswith(("int", "uint")) or b.opset >= 25
    for _ in range(b.integer(0, 3) if moves and b.opset >= 21 + 2 * kind.startswith("float4") else 0):
        x = move(b, x)
    form = b.rng.random()
    if form < 0.5:
        b.node("Cast", [x], to=helper.np_dtype_to_tensor_dtype(dtypeOf(b.choose(floats))))
    elif form < 0.75 and kind in ("int4", "uint4", "float8_e4m3fn", "float8_e5m2"):
        b.node("DequantizeLinear", [x, b.constant(np.float32(0.25))])


def move(b, x):
    op = b.choose(["Identity", "Reshape", "Transpose", "Unsqueeze", "Flatten", "If"])
    if op == "Reshape":
        return b.node(op, [x, b.parameter([-1])])
    if op == "Unsqueeze":
        return b.node(op, [x, b.parameter([0])])
    if op == "If":
        branches = [b.subgraph([], lambda _: [b.node("Identity", [x])])[0] for _ in range(2)]
        return b.node("If", [condition(b)], then_branch=branches[0], else_branch=branches[1])
    return b.node(op, [x])


def optionals(b):
    x = b.pick(ALL)
    type = helper.make_optional_type_proto(helper.make_tensor_type_proto(elementType(b.array(x)), [None] * b.rank(x)))
    values = b.shadow.values[x]
    nothing = [None] * len(values)
    form = b.integer(0, 3)
    if form == 0:
        o = b.optionalInput(b.choose([None, b.array(x)]), type)
    elif form == 1:
        o = b.given("Optional", [x], values, type)
    elif form == 2:
        test = condition(b)
        then = optionalGraph(b, "Optional", [x], type)
        other = optionalGraph(b, "Optional", [], type, type=type.optional_type.elem_type)
        taken = values if bool(b.array(test)) else nothing
        o = b.given("If", [test], taken, type, then_branch=then, else_branch=other)
        b.uses[x] += 1
    else:
        trips = b.parameter(b.integer(0, 2))
        start = b.given("Optional", [], nothing, type, type=type.optional_type.elem_type)
        body = optionalGraph(b, "Optional", [x], type, loop=True)
        o = b.given("Loop", [trips, b.constant(np.array(True)), start], values if int(b.array(trips)) else nothing, type, body=body)
        b.uses[x] += 1
    has = b.array(o) is not None
    if has and b.chance(0.3):
        b.node("OptionalGetElement", [o])
        return
    known = b.node("OptionalHasElement", [o])
    if b.chance(0.6):
        some = b.subgraph([], lambda _: [likeness(b, b.node("OptionalGetElement", [o]))])[0] if has else emptyBranch(b, o, x)
        none = b.subgraph([], lambda _: [likeness(b, x)])[0]
        b.node("If", [known], then_branch=some, else_branch=none)


def emptyBranch(b, o, x):
    """Gets the element of an optional that has none now: nobody can evaluate it."""
    name = b.fresh()
    node = helper.make_node("OptionalGetElement", [o], [name])
    b.shadow.values[name] = b.shadow.values[x]
    return helper.make_graph([node], f"g{b.counter}", [], [b.info(name, False)])


def optionalGraph(b, op, inputs, kind, loop=False, **attrs):
    """A graph that gives one optional; as a loop's body it takes one."""
    name = b.fresh()
    nodes = [helper.make_node(op, inputs, [name], **attrs)]
    result = helper.make_value_info(name, kind)
    if not loop:
        return helper.make_graph(nodes, f"g{b.counter}", [], [result])
    step, go, carried, again = (b.fresh() for _ in range(4))
    nodes.append(helper.make_node("Identity", [go], [again]))
    scalar = lambda n, t: helper.make_tensor_value_info(n, t, [])  # noqa: E731
    inputs = [scalar(step, 7), scalar(go, 9), helper.make_value_info(carried, kind)]
    return helper.make_graph(nodes, f"g{b.counter}", inputs, [scalar(again, 9), result])


def useSequence(b, s, rank):
    form = b.integer(0, 3)
    if form == 0:
        b.node("SequenceLength", [s])
    elif form == 1:
        b.node("SequenceAt", [s, b.parameter(b.choose([0, -1]))])
    elif form == 2:
        b.node("ConcatFromSequence", [s], axis=0, new_axis=1)
    elif rank:
        b.node("ConcatFromSequence", [s], axis=b.integer(0, rank - 1))


def sequenceIf(b):
    """Branches give sequences of different lengths, with elements of different sizes."""
    x = b.pick(NUMBERS, rank=(0, 3))

    def branch(count):
        def fill(_):
            parts = [likeness(b, x) for _ in range(count)]
            return [b.node("SequenceConstruct", parts)]

        return b.subgraph([], fill)[0]

    s = b.node("If", [condition(b)], then_branch=branch(b.integer(1, 3)), else_branch=branch(b.integer(1, 3)))
    useSequence(b, s, b.rank(x))


def sequenceLoop(b):
    """A sequence is carried, and grows or shrinks."""
    x = b.pick(NUMBERS, rank=(0, 3), where=lambda a: a.size < 1000)
    s = b.node("SequenceConstruct", [x] * b.integer(1, 3))
    shrinks = b.chance(0.2)
    shrinks = shrinks and len(b.array(s)) > 1
    trips = b.integer(0, 3) if not shrinks else b.integer(0, len(b.array(s)) - 1)

    def fill(names):
        step, go, carried = names
        if shrinks:
            return [go, b.node("SequenceErase", [carried])]
        last = b.node("SequenceAt", [carried, b.constant(np.array(-1))])
        new = likeness(b, last)
        where = [] if b.chance(0.6) else [b.constant(np.array(0))]
        return [go, b.node("SequenceInsert", [carried, new, *where])]

    body, _ = b.subgraph([np.array(0), np.array(True), b.array(s)], fill)
    keep = b.constant(np.array(True)) if b.chance(0.5) else b.input(np.array(True))
    grown = b.node("Loop", [b.parameter(trips), keep, s], body=body)
    useSequence(b, grown, b.rank(x))


def sequenceMapOfTwo(b):
    """Over two sequences, with two results."""
    x = b.pick(FLOATS, rank=(1, 3), where=lambda a: a.size)
    first = b.node("SequenceConstruct", [x, b.node("Neg", [x])])
    second = b.node("SequenceConstruct", [b.node("Tanh", [x]), x])

    def fill(names):
        total = b.node("Add", names)
        return [total, b.node("Mul", [total, names[0]])]

    body, _ = b.subgraph([b.array(x), b.array(x)], fill)
    one, two = b.node("SequenceMap", [first, second], [True, True], body=body)
    useSequence(b, b.choose([one, two]), b.rank(x))


TEMPLATES = [(smallTypes, 1.5), (optionals, 1.2), (sequenceIf, 0.7), (sequenceLoop, 0.9), (sequenceMapOfTwo, 0.4)]
