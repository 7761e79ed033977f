#!/usr/bin/env python3
"""The tests that make sense with the sanitizers' build (AddressSanitizer, UndefinedBehaviorSanitizer).

    scripts/build asan && .venv/bin/python test/sanitizers/run.py

Runs the unit tests, lit's tests of passes and tools, and compiles every model of the operators' tests, with random
inputs run where all their sizes are known. Generated code is not instrumented, the compiler and the runtime are. Any report
of a sanitizer is a failure. `--part 0/4` takes every fourth model.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx
import onnx.parser

TEST = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TEST), str(TEST / "utils")]

import onnxtxt  # noqa: E402
from run_all import ctestTotals, litTotals  # noqa: E402

# LLVM is not instrumented: memory that its allocators hand on to ours stays marked (user_poisoning), and it keeps some until
# the process ends (leaks).
OPTIONS = {"ASAN_OPTIONS": "detect_leaks=0:allow_user_poisoning=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
REPORT = re.compile(r"^.*(?:Sanitizer|runtime error:).*$", re.M)
# Of tests that compare numbers (Python), and that run code for other CPUs.
ELSEWHERE = r"^(?!.*(targets|numerics)).*\.(mlir|test)$"


def models():
    """(title, model) of each test of an operator."""
    for file in sorted(TEST.rglob("*.onnxtxt")):
        for number, text in enumerate(onnxtxt.texts(file), 1):
            try:
                yield f"{file.relative_to(TEST)}:{number}", onnx.parser.parse_model(text)
            except onnx.parser.ParseError:
                continue  # the text is malformed on purpose


def reportOf(command, environment):
    """What a sanitizer said, or how the program died; empty if neither."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment, timeout=600)
    except subprocess.TimeoutExpired:
        return "takes more than ten minutes"
    found = REPORT.search(done.stderr)
    return found.group(0) if found else f"signal {-done.returncode}" if done.returncode < 0 else ""


def checkModel(title, model, onnxc, environment):
    with tempfile.TemporaryDirectory() as folder:
        file, library = Path(folder) / "model.onnx", Path(folder) / "model.so"
        onnx.save(model, file)
        report = reportOf([onnxc, file, "-o", library], environment)
        if not report and library.exists():
            report = reportOf([onnxc, "run", library, "--random"], environment)
        if report:
            print(f"FAIL {title}: {report}", flush=True)
        return not report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=TEST.parent / "build-asan")
    parser.add_argument("--part", default="0/1", help="which of how many parts of the models")
    parser.add_argument("-j", type=int, default=os.cpu_count())
    args = parser.parse_args()
    build = args.build.resolve()
    environment = dict(os.environ, **OPTIONS)
    totals = [0, 0, 0]
    lit = Path(sys.executable).parent / "lit"
    for command, parse in (
        (["ctest", "--test-dir", build, "--output-on-failure", f"-j{args.j}"], ctestTotals(build)),
        ([lit, "-sv", f"-j{args.j}", "--filter", ELSEWHERE, build / "test"], litTotals),
    ):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment)
        counts = parse(done.stdout)
        if done.returncode or not counts:
            print(done.stdout, done.stderr, sep="\n")
        totals = [a + b for a, b in zip(totals, counts or (0, 1, 0), strict=True)]
    part, parts = map(int, args.part.split("/"))
    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        each = [pool.submit(checkModel, *item, build / "bin" / "onnxc", environment) for item in list(models())[part::parts]]
        passed = [one.result() for one in each]
    totals[0] += sum(passed)
    totals[1] += len(passed) - sum(passed)
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
