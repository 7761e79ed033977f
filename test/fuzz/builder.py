"""Builds a random model, node by node. Every value is known while the model grows (shadow.py), so
the nodes that follow can be chosen to fit it."""

import numpy as np
from onnx import helper, numpy_helper
from shadow import FLOATS, Reject, Shadow, dtypeOf, elementType, flat, isFloat, typeName

SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTS = SIGNED + UNSIGNED
NUMBERS = FLOATS + INTS
ALL = NUMBERS + ("bool",)
# Types for storage: only what moves and converts values takes them. With the first opset that has them.
SMALL = {
    "int4": 21, "uint4": 21, "float8_e4m3fn": 19, "float8_e4m3fnuz": 19, "float8_e5m2": 19, "float8_e5m2fnuz": 19,
    "float4_e2m1fn": 23, "int2": 25, "uint2": 25,
}  # fmt: skip
LARGEST = 20000  # elements of a value


class Scope:
    """The nodes of a graph or of a subgraph."""

    def __init__(self, outer=None):
        self.outer = outer
        self.nodes = []
        self.names = []  # values in the order they were made
        self.initializers = []
        self.inputs = []


class Builder:
    def __init__(self, seed, opset):
        self.rng = np.random.default_rng([seed, 1])
        self.opset = opset
        self.shadow = Shadow(opset, seed)
        self.scope = Scope()
        self.counter = 0
        self.feeds = {}
        self.uses = {}
        self.fixed = set()  # inputs whose sizes decide ranks
        self.optionals = {}  # the types of values that may be absent
        self.symbolic = self.rng.random() < 0.5
        self.main = self.pickType()

    # Chance

    def chance(self, p):
        return self.rng.random() < p

    def choose(self, items):
        return items[int(self.rng.integers(len(items)))]

    def integer(self, low, high):
        """In low .. high, both included."""
        return int(self.rng.integers(low, high + 1))

    def pickType(self, among=ALL):
        weights = {"float32": 8, "float16": 2, "bfloat16": 1.5, "float64": 1.5, "int64": 2, "int32": 2, "bool": 1}
        p = np.array([weights.get(t, 0.5) for t in among])
        return str(self.rng.choice(among, p=p / p.sum()))

    def size(self, large=False):
        if self.chance(0.01):
            return 0
        sizes = [1, 1, 2, 2, 3, 3, 4, 5, 7, 8] + ([16, 17, 31, 33, 64, 100] if large else [])
        return self.choose(sizes)

    def shape(self, rank=None):
        rank = self.integer(0, 4) if rank is None else rank
        shape = [self.size() for _ in range(rank)]
        if rank and rank < 4 and self.chance(0.5):
            shape[-1] = self.size(large=True)
        return shape

    def data(self, shape, dtype, low=None, high=None):
        """Random values. Floats are multiples of 1/16 most of the time, which sums keep exact."""
        if dtype == "bool":
            return self.rng.integers(0, 2, shape).astype(bool)
        if dtype in INTS:
            low = (-9 if dtype in SIGNED else 0) if low is None else low
            return self.rng.integers(int(low), int(9 if high is None else high) + 1, shape).astype(dtype)
        low, high = (-2.0 if low is None else low), (2.0 if high is None else high)
        values = self.rng.uniform(low, high, shape)
        return np.asarray(values).astype(dtypeOf(dtype))

    # Values

    def array(self, name):
        return self.shadow.values[name][0]

    def type(self, name):
        return typeName(self.array(name))

    def rank(self, name):
        return self.array(name).ndim

    def dims(self, name):
        return list(self.array(name).shape)

    def visible(self):
        scope, names = self.scope, []
        while scope:
            names = scope.names + names
            scope = scope.outer
        return names

    def fresh(self):
        self.counter += 1
        return f"v{self.counter}"

    def note(self, name):
        self.scope.names.append(name)
        self.uses.setdefault(name, 0)

    def input(self, array, fixed=False):
        name = self.fresh()
        if fixed:
            self.fixed.add(name)
        self.feeds[name] = array
        self.shadow.set(name, array)
        root = self.scope
        while root.outer:
            root = root.outer
        root.inputs.append(name)
        root.names.append(name)
        self.uses.setdefault(name, 0)
        return name

    def optionalInput(self, array, type):
        name = self.input(array)
        self.optionals[name] = type
        return name

    def initializer(self, array):
        name = self.fresh()
        self.scope.initializers.append(numpy_helper.from_array(array, name))
        self.shadow.set(name, array)
        self.uses[name] = 1  # never an output
        return name

    def constant(self, array):
        array = np.asarray(array)
        if array.dtype.kind in "OU" or self.chance(0.8):
            return self.initializer(array)
        return self.node("Constant", [], value=numpy_helper.from_array(array, ""))

    def operand(self, array, fixed=False):
        """An array from outside: a constant or an input."""
        return self.constant(array) if self.chance(0.5) else self.input(array, fixed)

    def parameter(self, values, dtype="int64"):
        """Axes, shapes, positions: known to the compiler most of the time."""
        array = np.array(values, dtype=dtype)
        how = self.rng.random()
        if how < 0.75:
            return self.constant(array)
        if how < 0.85:
            return self.input(array, fixed=True)
        if array.ndim == 1 and array.size and how < 0.95:
            half = self.integer(0, array.size)
            return self.node("Concat", [self.constant(array[:half]), self.input(array[half:], fixed=True)], axis=0)
        return self.node("Identity", [self.constant(array)])

    def pick(self, types=ALL, rank=None, where=None, make=None):
        """A value of these types that fits, preferably a new one that nobody reads; or a new input."""
        fits = [n for n in self.visible() if self.fits(n, types, rank, where)]
        if fits and not self.chance(0.1):
            unread = [n for n in fits if not self.uses.get(n)]
            name = self.choose(unread[-4:] if unread and self.chance(0.7) else fits[-12:])
        else:
            dtype = self.main if self.main in types and self.chance(0.7) else self.pickType(types)
            low, high = (rank, rank) if isinstance(rank, int) else rank or (0, 4)
            for _ in range(20):
                shape = make() if make else self.shape(self.integer(low, high))
                array = self.data(shape, dtype)
                if array.size <= LARGEST and (where is None or where(array)):
                    break
            else:
                raise Reject("no such value")
            name = self.operand(array)
        self.uses[name] = self.uses.get(name, 0) + 1
        return name

    def fits(self, name, types, rank, where):
        array = self.array(name)
        if isinstance(array, list) or array is None or name in self.optionals or typeName(array) not in types:
            return False
        if rank is not None:
            low, high = (rank, rank) if isinstance(rank, int) else rank
            if not low <= array.ndim <= high:
                return False
        return where is None or bool(where(array))

    def partner(self, name, low=None, high=None, positive=False):
        """A value of the same type that broadcasts with the given one."""
        array = self.array(name)

        def broadcasts(other):
            try:
                return np.prod(np.broadcast_shapes(array.shape, other.shape)) <= LARGEST
            except ValueError:
                return False

        if low is None and not positive and self.chance(0.5):
            fits = [n for n in self.visible() if self.fits(n, (typeName(array),), None, broadcasts)]
            if fits:
                found = self.choose(fits[-8:])
                self.uses[found] += 1
                return found
        shape = list(array.shape)[self.integer(0, array.ndim) :]
        shape = [1 if self.chance(0.2) else d for d in shape]
        if self.chance(0.1) and array.size < 500:
            shape = list(array.shape)[: array.ndim - len(shape)] + shape
            if len(shape) < 5:
                shape = [self.integer(1, 3)] + shape
        if positive:
            low = 0.5 if typeName(array) in FLOATS else 1
        return self.operand(self.data(shape, typeName(array), low, high))

    # Nodes

    def node(self, op, inputs, outputs=1, **attrs):
        """Adds a node and returns its output, or the list of them."""
        optional = outputs if isinstance(outputs, list) else [True] * outputs
        names = [self.fresh() if wanted else "" for wanted in optional]
        while inputs and inputs[-1] == "":
            inputs = inputs[:-1]
        node = helper.make_node(op, inputs, names, name=f"n{self.counter}", **attrs)
        self.shadow.evaluate(node)
        for name in names:
            if name and any(a is not None and a.size > LARGEST for a in flat(self.array(name))):
                raise Reject("too many elements")
        for name in inputs:
            if name:
                self.uses[name] = self.uses.get(name, 0) + 1
        self.scope.nodes.append(node)
        for name in names:
            if name:
                self.note(name)
        return names[0] if not isinstance(outputs, list) and outputs == 1 else names

    def given(self, op, inputs, values, kind, **attrs):
        """Adds a node whose output may be absent, with values that are known: the reference evaluator has optionals as lists."""
        name = self.fresh()
        self.scope.nodes.append(helper.make_node(op, inputs, [name], name=f"n{self.counter}", **attrs))
        self.shadow.values[name] = list(values)
        self.optionals[name] = kind
        for read in inputs:
            if read:
                self.uses[read] = self.uses.get(read, 0) + 1
        self.note(name)
        return name

    def attempt(self, make):
        """Runs a template; what it has added is taken back if it fails."""
        scope, root = self.scope, self.scope
        while root.outer:
            root = root.outer
        marks = [(s, len(s.nodes), len(s.names), len(s.initializers), len(s.inputs)) for s in {scope, root}]
        uses = dict(self.uses)
        try:
            make(self)
            return True
        except Reject as error:
            self.lastReject = str(error)
            self.scope = scope
            for s, nodes, names, initializers, inputs in marks:
                for name in s.inputs[inputs:]:
                    del self.feeds[name]
                del s.nodes[nodes:], s.names[names:], s.initializers[initializers:], s.inputs[inputs:]
            self.uses = uses
            return False

    def subgraph(self, arrays, fill):
        """A graph with inputs of these values; fill(names) adds nodes and returns the outputs' names."""
        inner = self.scope = Scope(self.scope)
        names = []
        for array in arrays:
            name = self.fresh()
            self.shadow.set(name, array)
            names.append(name)
            self.note(name)
        try:
            results = fill(names)
        finally:
            self.scope = inner.outer
        # A subgraph gives its own values only, each once.
        made = {o for n in inner.nodes for o in n.output}
        outputs = []
        for name in results:
            if name not in made or name in outputs:
                again = self.fresh()
                inner.nodes.append(helper.make_node("Identity", [name], [again]))
                self.shadow.values[again] = self.shadow.values[name]
                name = again
            outputs.append(name)
        graph = helper.make_graph(
            inner.nodes, f"g{self.counter}", [self.info(n, False) for n in names], [self.info(n, False) for n in outputs], inner.initializers
        )
        return graph, outputs

    # The model

    def info(self, name, exact=True, symbols=None):
        array = self.array(name)
        if name in self.optionals:
            return helper.make_value_info(name, self.optionals[name])
        if isinstance(array, list):
            return helper.make_tensor_sequence_value_info(name, elementType(flat(array)[0]), None)
        if not exact:
            return helper.make_tensor_value_info(name, elementType(array), [None] * array.ndim)
        shape = [(symbols or {}).get((name, i), d) for i, d in enumerate(array.shape)]
        return helper.make_tensor_value_info(name, elementType(array), shape)

    def model(self):
        inputs = []
        for name in self.scope.inputs:
            if name in self.optionals:
                inputs.append(self.info(name))
                continue
            shape = list(self.dims(name))
            if self.symbolic and name not in self.fixed and self.chance(0.7):
                shape = [f"d{d}_{self.integer(0, 1)}" if self.chance(0.6) else d for d in shape]
            inputs.append(helper.make_tensor_value_info(name, elementType(self.array(name)), shape))
        made = [o for n in self.scope.nodes for o in n.output if o]
        outputs = [n for n in made if not self.uses.get(n)]
        extra = [n for n in made if self.uses.get(n) and self.chance(0.05)]
        outputs = [n for n in outputs + extra if self.declarable(n)] or [n for n in made if self.declarable(n)][-1:]
        graph = helper.make_graph(
            self.scope.nodes, "fuzz", inputs, [self.info(n, self.chance(0.3)) for n in outputs], self.scope.initializers
        )
        functions = self.shadow.functions
        imports = [helper.make_opsetid("", self.opset)] + ([helper.make_opsetid("local", 1)] if functions else [])
        return helper.make_model(graph, opset_imports=imports, ir_version=10, functions=functions)

    def declarable(self, name):
        array = self.array(name)
        return name in self.optionals or array is not None and (not isinstance(array, list) or (len(array) > 0 and not isinstance(array[0], list)))


__all__ = ["ALL", "FLOATS", "INTS", "NUMBERS", "SIGNED", "SMALL", "UNSIGNED", "Builder", "Reject", "dtypeOf", "isFloat"]
