#!/usr/bin/env python3
"""Runs the test suites against a build, one after another, and adds up their results.

  run_all.py               all suites
  run_all.py lit backend   some of them

Each suite's output is shown as it comes. The last line, `N passed, N failed, N skipped`,
has the totals; a suite that could not run counts as one failure.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TOTALS = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped")


def ownTotals(output):
    """Our own runners end with the totals."""
    found = TOTALS.findall(output)
    return tuple(int(n) for n in found[-1]) if found else None


def litTotals(output):
    def count(*names):
        return sum(int(n) for name in names for n in re.findall(rf"^\s*{name}\s*:\s*(\d+)", output, re.M))

    total = re.search(r"Total Discovered Tests: (\d+)", output)
    if not total:
        return None
    return (
        count("Passed", "Expectedly Failed", "Passed With Retry"),
        count("Failed", "Unresolved", "Timed Out", "Unexpectedly Passed"),
        count("Unsupported", "Skipped", "Excluded"),
    )


def ctestTotals(build):
    """Counts GoogleTest's tests, not the programs that hold them."""

    def totals(output):
        found = re.search(r"tests passed, (\d+) tests? failed out of", output)
        log = build / "Testing" / "Temporary" / "LastTest.log"
        if not found or not log.exists():
            return None

        def count(word):
            return sum(map(int, re.findall(rf"^\[\s*{word}\s*\] (\d+) tests?\b", log.read_text(errors="replace"), re.M)))

        return count("PASSED"), max(count("FAILED"), int(found.group(1))), count("SKIPPED")

    return totals


def pytestTotals(output):
    last = [line for line in output.splitlines() if re.search(r"\d+ (passed|failed|skipped|errors?)\b.* in ", line)]
    if not last:
        return None

    def count(word):
        found = re.search(rf"(\d+) {word}", last[-1])
        return int(found.group(1)) if found else 0

    return (
        count("passed") + count("xfailed"),
        count("failed") + count("errors?") + count("xpassed"),
        count("skipped"),
    )


def suites(build, jobs):
    """{name: (command, parser)}"""
    python = sys.executable

    def pytest(folder):
        return [python, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", str(folder)], pytestTotals

    def backend(*arguments):
        return [python, str(HERE / "backend" / "run.py"), "--build", str(build), f"-j{jobs}", *arguments], ownTotals

    return {
        "unit": (
            ["ctest", "--test-dir", str(build), "--output-on-failure", "--no-tests=error", f"-j{jobs}"],
            ctestTotals(build),
        ),
        "lit": ([str(Path(python).parent / "lit"), "-sv", f"-j{jobs}", str(build / "test")], litTotals),
        "python": pytest(HERE / "python"),
        "errors": pytest(HERE / "errors"),
        "opsets": pytest(HERE / "opsets"),
        "fuzz": ([python, str(HERE / "fuzz" / "run.py"), "--build", str(build), f"-j{jobs}", "--seeds", "0:40"], ownTotals),
        "operators": ([python, str(HERE / "operators" / "run.py"), "--build", str(build), f"-j{jobs}", "--check"], ownTotals),
        "example": pytest(HERE / "example"),
        "models": (
            [python, str(HERE / "models" / "run.py"), "--build", str(build), "--max-mb", "50"],
            ownTotals,
        ),
        "targets": (
            [python, str(HERE / "targets" / "run.py"), "--build", str(build), f"-j{jobs}"],
            ownTotals,
        ),
        "backend": backend(),
        "backend-dynamic": backend("--variant", "dynamic"),
        "backend-constant": backend("--variant", "constant"),
        "backend-parameters": backend("--variant", "parameters"),
    }


def runSuite(command, environment):
    """Its output, shown as it comes, and its exit status."""
    lines = []
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
    )
    for line in process.stdout:
        # The totals of a suite are told below; the closing line is of all suites.
        if not TOTALS.fullmatch(line.strip()):
            print(line, end="", flush=True)
        lines.append(line)
    return "".join(lines), process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="build folder (default: build)")
    parser.add_argument("-j", type=int, default=os.cpu_count() or 2, help="tests at the same time")
    parser.add_argument("suites", nargs="*")
    args = parser.parse_args()

    build = args.build.resolve()
    known = suites(build, args.j)
    unknown = [name for name in args.suites if name not in known]
    if unknown:
        parser.error(f"no suite {unknown[0]}; there are {', '.join(known)}")

    environment = dict(os.environ, ONNXC_BUILD=str(build))
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(build / "python"), os.environ.get("PYTHONPATH")])
    )
    totals = [0, 0, 0]
    summary = []
    for name in args.suites or known:
        command, parse = known[name]
        print(f"== {name}", flush=True)
        start = time.monotonic()
        output, status = runSuite(command, environment)
        counts = parse(output)
        if counts is None or (status != 0 and counts[1] == 0):
            counts = (counts[0] if counts else 0, 1, counts[2] if counts else 0)
            print(f"{name}: the suite ended with status {status}")
        totals = [a + b for a, b in zip(totals, counts, strict=True)]
        summary.append((name, *counts, time.monotonic() - start))

    print(f"\n{'suite':10}{'passed':>8}{'failed':>8}{'skipped':>8}{'seconds':>9}")
    for name, passed, failed, skipped, seconds in summary:
        print(f"{name:10}{passed:8}{failed:8}{skipped:8}{seconds:9.0f}")
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
