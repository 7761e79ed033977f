#!/usr/bin/env python3
"""Runs ONNX's official backend suite through onnxc.backend.

  run.py                      all cases, against expected-failures.txt
  run.py -k 'test_add|relu'   the cases whose names match; each failure is printed
  run.py --group operator     failures counted by operator (or by message)
  run.py --update             rewrites expected-failures.txt from this run
  run.py --variant dynamic    the node cases in another form (variants.py), against expected-failures-dynamic.txt
  run.py --target aarch64     compiled for another CPU, and run in an emulator (see test/targets/remote.py)

A case that fails and is not listed, or passes and is listed, fails the run (a listed case whose
reason begins with "random:" may pass by chance).
"""

import argparse
import os
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "targets"))

import cases  # noqa: E402
import pool  # noqa: E402
import remote  # noqa: E402
import variants  # noqa: E402


def onnxcBackend():
    """onnxc.backend, imported in the workers only: its threads don't survive a fork."""

    class Lazy:
        @staticmethod
        def supports_device(device):
            return device == "CPU"

        # Whatever a case needs and onnxc lacks is a failure of that case, not a reason to skip it.
        @staticmethod
        def is_compatible(model, device="CPU", **kwargs):
            return True

        @staticmethod
        def prepare(model, device="CPU", **kwargs):
            import onnxc.backend

            return onnxc.backend.prepare(model, device, **kwargs)

    return Lazy


def expectedFile(variant):
    return HERE / (f"expected-failures-{variant}.txt" if variant else "expected-failures.txt")


def loadExpected(path):
    """{case name: reason}"""
    expected = {}
    if path.exists():
        for line in path.read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                name, _, reason = line.partition(" ")
                expected[name] = reason.strip()
    return expected


def saveExpected(path, expected):
    with path.open("w") as file:
        file.write("# Cases of ONNX's backend suite that do not pass yet: name, reason. The list only shrinks.\n")
        for name in sorted(expected):
            file.write(f"{name} {expected[name]}\n")


def summarize(message):
    """One short sentence without what differs from case to case."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if not lines:
        return "no message"
    if lines[0].startswith("wrong result"):
        mismatch = re.search(r"Output \d+ has incorrect shape|Mismatched elements|not match|are not equal|x and y (\w+ )*location mismatch", message)
        kind = mismatch.group(0) if mismatch else lines[1] if len(lines) > 1 else lines[0]
        if "incorrect shape" in kind:
            return "wrong shape of a result"
        if "Mismatched elements" in kind or "Not equal to tolerance" in message or "location mismatch" in kind:
            return "wrong values"
        return "wrong result: " + kind[:120]
    text = next((line for line in lines if "error:" in line), lines[0])
    text = re.sub(r"^.*?\berror:\s*", "", text)
    text = re.sub(r"/[^\s:'\"]+/", "", text)
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    return text[:160]


def printGroups(failures, by, show=12):
    groups = defaultdict(list)
    for name, operator, reason in failures:
        groups[operator if by == "operator" else reason].append((name, operator, reason))
    for key, rows in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0])):
        others = Counter(r[2] if by == "operator" else r[1] for r in rows)
        print(f"{len(rows):5} {key}")
        for other, count in others.most_common(show):
            print(f"        {count:4} {other}")


def isRandom(reason):
    """Whether a case compares random values: once in a while it passes by chance."""
    return reason.startswith("random:")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=HERE.parents[1] / "build", type=Path, help="build folder (default: build)")
    parser.add_argument("-k", default="", metavar="REGEX", help="only the cases whose name matches")
    parser.add_argument("--cases", type=Path, help="only the cases that this file lists, one a line")
    parser.add_argument("--target", choices=remote.TARGETS, help="another CPU than this machine's")
    parser.add_argument("-j", type=int, default=2, help="workers (default: 2)")
    parser.add_argument("-v", action="store_true", help="whole messages")
    parser.add_argument("--timeout", type=float, default=180, help="seconds a case may take")
    parser.add_argument("--tsv", type=Path, help="write group, case, result, seconds, message")
    parser.add_argument("--group", choices=["operator", "message"], help="print the failures in groups")
    parser.add_argument("--update", action="store_true", help="rewrite expected-failures.txt")
    parser.add_argument("--variant", choices=variants.VARIANTS, help="another form of the node cases")
    args = parser.parse_args()

    # The package in the build folder, if there is one; else the installed one.
    package = args.build.resolve() / "python"
    if package.is_dir():
        sys.path.insert(0, str(package))
    # The models with downloads are made of local files here, in a folder of this run.
    scratch = tempfile.TemporaryDirectory(prefix="onnxc-backend-")
    os.environ["ONNX_MODELS"] = scratch.name

    backend = onnxcBackend()
    if args.target:
        target = remote.TARGETS[args.target]
        if missing := target.missing(args.build.resolve()):
            parser.error(f"--target {args.target}: {missing}")
        backend = remote.RemoteBackend(target, args.build.resolve())

    pattern = re.compile(args.k)
    backendTests = cases.Suite(backend, args.variant)
    suite = [entry for entry in backendTests.items() if pattern.search(entry[1])]
    if args.cases:
        listed = cases.load(args.cases)
        suite = [entry for entry in suite if entry[1] in listed]
        if unknown := listed - set(backendTests.byName):
            parser.error(f"{args.cases} lists {min(unknown)}, which is no case")
    expectedPath = expectedFile(args.variant)
    expected = loadExpected(expectedPath)
    results = {}
    start = time.monotonic()

    def call(index):
        suite[index][2].func(None)

    def report(index, result):
        results[index] = result
        group, name, _ = suite[index]
        surprising = (result.status == "fail") != (name in expected)
        if result.status == "fail" and (args.k or name not in expected) and not args.group:
            text = result.message if args.v else summarize(result.message)
            print(f"{'FAIL' if surprising else 'XFAIL'} {name}: {text}", flush=True)
        elif result.status == "pass" and name in expected and not isRandom(expected[name]):
            print(f"XPASS {name}: remove it from {expectedPath.name}", flush=True)

    pool.runAll(call, range(len(suite)), args.j, args.timeout, report)

    rows = [(suite[i], results[i]) for i in range(len(suite))]
    if args.tsv:
        with args.tsv.open("w") as file:
            file.write("group\ttest\tresult\tseconds\tmessage\n")
            for (group, name, _), r in rows:
                file.write(f"{group}\t{name}\t{r.status}\t{r.seconds:.3f}\t{' '.join(r.message.split())[:600]}\n")

    failed = [(e[1], backendTests.operators(e[1]), summarize(r.message)) for e, r in rows if r.status == "fail"]
    if args.group:
        printGroups(failed, args.group)
    names = {e[1] for e, _ in rows}
    if args.update:
        kept = {n: r for n, r in expected.items() if n not in names}
        saveExpected(expectedPath, kept | {name: reason for name, _, reason in failed})
        expected = loadExpected(expectedPath)
    count = Counter(r.status for _, r in rows)
    unexpected = [f for f in failed if f[0] not in expected]
    listed = [e[1] for e, r in rows if r.status == "pass" and e[1] in expected]
    unexpectedPasses = [name for name in listed if not isRandom(expected[name])]
    # A listed random case that passed by chance counts as what it is listed for.
    known = len(failed) - len(unexpected) + len(listed) - len(unexpectedPasses)
    print(f"{count['pass'] + len(unexpectedPasses) - len(listed)} of {len(rows)} cases pass, {known} fail as expected, in {time.monotonic() - start:.0f} s")
    bad = len(unexpected) + len(unexpectedPasses)
    print(f"{count['pass'] - len(listed)} passed, {bad} failed, {known + count['skip']} skipped")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
