"""What holds for every model whatever it computes: the same bits on any number of threads, no allocation
once it has run, memory near what the plan needs at least."""

import ctypes
import json

import numpy as np

# The arena may need this much more than what is alive at once.
ARENA = 1.2


def flatten(value):
    """Arrays, strings and numbers of a result, in an order of their own."""
    if isinstance(value, dict):
        return [item for pair in value.items() for part in pair for item in flatten(part)]
    if isinstance(value, (list, tuple)):
        return [item for part in value for item in flatten(part)]
    return [value]


def isEqual(a, b):
    if isinstance(a, np.ndarray) and a.dtype.kind not in "OUS":
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return np.array_equal(a, b)


def checkThreads(openSession, feed):
    """Results for 1, 2 and 3 threads (the pool's size is ONNXC_NUM_THREADS) are the same."""
    results = [flatten(openSession(threads).run(None, feed)) for threads in (1, 2, 3)]
    return [
        f"{threads} threads give other results than one"
        for threads, other in zip((2, 3), results[1:], strict=True)
        if len(other) != len(results[0]) or not all(map(isEqual, results[0], other))
    ]


def checkAllocations(session, feed):
    """A run with the same shapes as the ones before asks for no memory. Threads that meet in other ways may need
    some once more, so one of several runs must do without."""
    process = ctypes.CDLL(None)
    try:
        start, counted = process.onnxc_count_allocations, process.onnxc_counted_allocations
    except AttributeError:
        return []  # not preloaded: a build with sanitizers
    counted.restype = ctypes.c_long
    session.run(None, feed)
    each = []
    for _ in range(5):
        start()
        session.run(None, feed)
        each.append(counted())
        if each[-1] == 0:
            return []
    return [f"allocations of runs one after the other: {each}"]


def checkArena(session):
    memory = json.loads(session._session.metadata_json)["planned_memory"]
    planned, bound = memory["arena_bytes"], memory["arena_bound_bytes"]
    return [f"the arena has {planned} bytes, {bound} are alive at most"] if planned > ARENA * bound else []

