"""Runs test functions in forked workers: a crash or a time-out is one failed case.

The parent hands out one case at a time, so that a worker that dies takes only
its own case with it. What a worker wrote to stderr while it ran a case is kept
for the message of a crash.
"""

import contextlib
import io
import multiprocessing
import os
import signal
import tempfile
import time
import traceback
import unittest
from dataclasses import dataclass
from multiprocessing.connection import wait


@dataclass
class Result:
    status: str  # pass, fail, skip
    seconds: float
    message: str = ""


class Worker:
    def __init__(self, context, call):
        self.log = tempfile.TemporaryFile()
        self.pipe, child = context.Pipe()
        self.process = context.Process(target=self.serve, args=(child, call), daemon=True)
        self.process.start()
        child.close()
        self.index = None

    def serve(self, pipe, call):
        os.dup2(self.log.fileno(), 2)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while (index := pipe.recv()) is not None:
            pipe.send(runOne(call, index))

    def give(self, index):
        self.index = index
        self.started = time.monotonic()
        self.log.truncate(0)
        self.log.seek(0)
        self.pipe.send(index)

    def logTail(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace").strip()[-2000:]

    def kill(self):
        self.process.kill()
        self.process.join()
        self.pipe.close()


def runOne(call, index):
    start = time.monotonic()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            call(index)
        status, message = "pass", ""
    except unittest.SkipTest as error:
        status, message = "skip", str(error)
    except AssertionError as error:
        status, message = "fail", "wrong result: " + str(error).strip()
    except BaseException as error:  # whatever a case raises is that case's failure
        status, message = "fail", str(error).strip() or traceback.format_exc(limit=-1)
    return Result(status, time.monotonic() - start, message)


def runAll(call, indices, jobs, timeout, report):
    """Runs call(i) for each index and report(i, Result) in the parent as each one ends."""
    context = multiprocessing.get_context("fork")
    todo = list(reversed(list(indices)))
    workers = [Worker(context, call) for _ in range(min(jobs, len(todo)))]
    try:
        for worker in workers:
            worker.give(todo.pop())
        while workers:
            ready = wait([w.pipe for w in workers], timeout=1)
            for worker in list(workers):
                result = None
                elapsed = time.monotonic() - worker.started
                if worker.pipe in ready:
                    try:
                        result = worker.pipe.recv()
                    except (EOFError, ConnectionError):
                        worker.process.join()
                        result = Result("fail", elapsed, crashMessage(worker))
                elif elapsed > timeout:
                    worker.kill()
                    result = Result("fail", elapsed, f"timed out after {timeout:.0f} s")
                if result is None:
                    continue
                report(worker.index, result)
                alive = worker.process.is_alive()
                if not alive or not todo:
                    worker.kill()
                    workers.remove(worker)
                    if todo:
                        worker = Worker(context, call)
                        workers.append(worker)
                if todo and worker in workers:
                    worker.give(todo.pop())
    finally:
        for worker in workers:
            worker.kill()


def crashMessage(worker):
    code = worker.process.exitcode
    name = signal.Signals(-code).name if code is not None and code < 0 else f"exit {code}"
    lines = worker.logTail().splitlines()
    told = [line for line in lines if "Assertion" in line or "error:" in line or "terminate" in line]
    return f"crashed ({name})" + (": " + (told or lines)[-1 if not told else 0] if lines else "")
