#!/usr/bin/env python3
"""Measures onnxc beside ONNX Runtime on models of one operator (single_cases.py).

  single_ops.py                                    all cases on 1 and 2 threads
  single_ops.py TopK Pool --threads 1              cases whose group or name contains a word
  single_ops.py --keep FOLDER --compile            compiles into a folder only; then, on an idle machine:
  single_ops.py --keep FOLDER --write docs/performance.md

Engines take turns in blocks of calls; a time is the median of the blocks' means. The ratio is
ONNX Runtime's time / onnxc's: above 1 onnxc is faster. What both pay is part of the times:
the call from Python, about 3 us.
"""

import argparse
import hashlib
import importlib.util
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- begin of single operators -->", "<!-- end of single operators -->"


def fileName(name):
    return re.sub(r"\W+", "_", name)


def compileCases(args, folder, cases):
    """[(group, name, model path, library path or None, feed)]"""
    made = []
    compiler = args.build / "bin" / "onnxc"
    library = args.build / "lib" / "libonnxc.so"
    newest = max(file.stat().st_mtime for file in (compiler, library) if file.exists())
    for group, name, make in cases:
        path = folder / f"{fileName(name)}.onnx"
        model, feed = make()
        data = model.SerializeToString()
        if not path.exists() or hashlib.sha256(path.read_bytes()).digest() != hashlib.sha256(data).digest():
            path.write_bytes(data)
        output = path.with_suffix(".so")
        stale = not output.exists() or output.stat().st_mtime < max(newest, path.stat().st_mtime)
        if stale and not (args.keep and not args.compile and output.exists()):
            done = subprocess.run([compiler, path, "-o", output], capture_output=True, text=True)
            if done.returncode != 0:
                output.unlink(missing_ok=True)
                print(f"{name}: {done.stderr.strip()[:300]}", file=sys.stderr)
        made.append((group, name, path, output if output.exists() else None, feed))
    return made


def measureCase(runs, feed, blocks, blockSeconds):
    """{engine: seconds of a call}; an engine that refuses the model is absent."""
    counts, times = {}, {}
    for engine, run in runs.items():
        try:
            run(feed)
        except Exception as error:  # the peers' exceptions have no common base
            print(f"  {engine}: {str(error).splitlines()[0][:150]}", file=sys.stderr)
            continue
        start = time.perf_counter()
        run(feed)
        run(feed)
        each = max((time.perf_counter() - start) / 2, 1e-7)
        counts[engine] = max(1, min(20000, int(blockSeconds / each)))
        times[engine] = []
    for _ in range(blocks):
        for engine, count in counts.items():
            run = runs[engine]
            # The other engine's workers stop spinning.
            time.sleep(0.01 if len(counts) > 1 else 0)
            for _ in range(max(1, count // 10)):
                run(feed)
            start = time.perf_counter()
            for _ in range(count):
                run(feed)
            times[engine].append((time.perf_counter() - start) / count)
    return {engine: statistics.median(values) for engine, values in times.items()}


def micro(seconds):
    return f"{1e6 * seconds:.1f}" if seconds < 1e-3 else f"{1e6 * seconds:.0f}"


def tableOf(rows, threads):
    head = ["group", "operator"]
    for t in threads:
        head += [f"onnxc us, {t} thr.", f"onnxruntime us, {t} thr.", "ratio"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for group, name, cells in rows:
        row = [group, name]
        for t in threads:
            own, peer = cells[t].get("onnxc"), cells[t].get("onnxruntime")
            row += [micro(own) if own else "-", micro(peer) if peer else "-", f"{peer / own:.2f}" if own and peer else "-"]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def summary(rows, threads):
    lines = []
    for t in threads:
        ratios = [c[t]["onnxruntime"] / c[t]["onnxc"] for _, _, c in rows if len(c[t]) == 2]
        if ratios:
            mean = math.exp(statistics.fmean(map(math.log, ratios)))
            below = sum(r < 1 for r in ratios)
            lines.append(f"{t} thread{'s' * (t > 1)}: geometric mean {mean:.2f}, {below} of {len(ratios)} below 1.")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="build folder")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--block-seconds", type=float, default=0.02)
    parser.add_argument("--keep", type=Path, help="folder for models and libraries; what is there is not compiled again")
    parser.add_argument("--compile", action="store_true", help="compile only")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page")
    parser.add_argument("words", nargs="*", help="part of a case's group or name")
    args = parser.parse_args()
    args.build = args.build.resolve()
    sys.path.insert(0, str(args.build / "python"))
    import engines
    from single_cases import CASES

    cases = [c for c in CASES if not args.words or any(w.lower() in f"{c[0]} {c[1]}".lower() for w in args.words)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        made = compileCases(args, folder, cases)
        if args.compile:
            return 0
        rows = []
        for group, name, path, library, feed in made:
            cells = {}
            for threads in args.threads:
                runs = {}
                for engine, file in (("onnxc", library), ("onnxruntime", path)):
                    try:
                        runs[engine] = engines.LOADERS[engine](file, threads, feed)
                    except Exception as error:  # as above
                        print(f"  {engine}: {name}: {str(error).splitlines()[0][:150]}", file=sys.stderr)
                cells[threads] = measureCase(runs, feed, args.blocks, args.block_seconds)
            rows.append((group, name, cells))
            print(tableOf(rows[-1:], args.threads).splitlines()[-1], flush=True)
    text = f"{summary(rows, args.threads)}\n\n{tableOf(rows, args.threads)}"
    print(summary(rows, args.threads))
    if args.write:
        page = args.write.read_text()
        start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
        args.write.write_text(f"{page[:start]}\n\n{text}\n\n{page[end:]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
