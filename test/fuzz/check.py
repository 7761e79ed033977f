"""Compiles one model in every way, runs it, and compares."""

import tempfile
from pathlib import Path

import numpy as np
from shadow import flat, isFloat, ortSession

LEVELS = (0, 3)
THREADS = (1, 2, 3)


class Finding(AssertionError):
    """kind: refused (by the compiler), failed (the run), differs (a result), threads (results by the number of threads)."""

    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}")
        self.kind = kind


def difference(case, index, actual):
    """What is wrong with an output, or None."""
    expected = case.expected[index]
    if isinstance(expected, list) != isinstance(actual, list):
        return "a sequence where a tensor belongs, or the other way round"
    wanted, given = flat(expected), flat(actual)
    if len(wanted) != len(given):
        return f"{len(given)} tensors, want {len(wanted)}"
    for want, got, limit in zip(wanted, given, case.allowed[index], strict=True):
        if want is None or got is None:
            if want is not got:
                return "nothing where a value belongs, or the other way round"
            continue
        got = np.asarray(got)
        text = want.dtype.kind in "OU"
        if got.shape != want.shape or (not text and got.dtype != want.dtype):
            return f"{got.dtype} {got.shape}, want {want.dtype} {want.shape}"
        if text:
            wrong = got.astype(str) != want.astype(str)
        elif not isFloat(want):
            wrong = got != want
        else:
            wrong = ~(np.abs(got.astype(np.float64) - want.astype(np.float64)) <= limit)
        if wrong.any():
            where = tuple(int(i) for i in np.argwhere(wrong)[0])
            return f"{int(wrong.sum())} of {wrong.size} differ; at {list(where)} got {got[where]}, want {want[where]}"
    return None


def bits(outputs):
    return [a.tobytes() if np.asarray(a).dtype.kind not in "OU" else str(a.tolist()) for o in outputs for a in map(np.asarray, flat(o))]


def changed(case, first, second):
    names = [o.name for o, a, b in zip(case.model.graph.output, first, second, strict=True) if bits([a]) != bits([b])]
    return ", ".join(names)


def ortOutputs(case):
    """What ONNX Runtime gives, or None where it cannot run the model."""
    try:
        return ortSession(case.model).run(None, case.feeds)
    except Exception:
        return None


def check(case, onnxc):
    """Raises a Finding. Returns whether only ONNX Runtime agreed, not onnx's reference evaluator."""
    peer, asked = None, False
    onlyPeer = False
    with tempfile.TemporaryDirectory() as folder:
        for level in LEVELS:
            try:
                library = onnxc.compile(case.model, str(Path(folder) / f"o{level}.so"), O=level)
            except onnxc.Error as error:
                raise Finding("refused", f"-O{level}: {error}") from None
            first = None
            for threads in THREADS:
                options = onnxc.SessionOptions()
                options.intra_op_num_threads = threads
                try:
                    outputs = onnxc.InferenceSession(str(library), options).run(None, case.feeds)
                except onnxc.Error as error:
                    raise Finding("failed", f"-O{level}: {error}") from None
                if first is None:
                    first = outputs
                elif bits(first) != bits(outputs):
                    raise Finding("threads", f"-O{level}: other results with {threads} threads: {changed(case, first, outputs)}")
            for i, output in enumerate(case.model.graph.output):
                wrong = difference(case, i, first[i])
                if not wrong:
                    continue
                if not asked:
                    peer, asked = ortOutputs(case), True
                if peer is not None:
                    theirs = replaced(case, peer)
                    if theirs and not difference(theirs, i, first[i]):
                        onlyPeer = True
                        continue
                raise Finding("differs", f"-O{level}, output {output.name}: {wrong}" + ("" if peer else " (ONNX Runtime cannot run it)"))
    return onlyPeer


def replaced(case, outputs):
    """The case with other expected values, if these have the same shapes."""
    pairs = list(zip(case.expected, outputs, strict=True))
    if any([np.shape(x) for x in flat(a)] != [np.shape(x) for x in flat(b)] for a, b in pairs):
        return None
    return type(case)(case.model, case.feeds, [[np.asarray(x) for x in flat(b)] if isinstance(b, list) else np.asarray(b) for b in outputs], case.allowed, case.shadow)
