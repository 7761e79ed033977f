#!/usr/bin/env python3
"""Measures onnxc beside its peers on models of one operator (single_cases.py, product_cases.py).

  single_ops.py                                    all cases on 1 and 2 threads
  single_ops.py TopK Pool --threads 1              cases whose group or name contains a word
  single_ops.py product --write docs/performance.md   measures, and renews the tables from all that was measured
  single_ops.py --keep FOLDER --compile            compiles into a folder only; then, on an idle machine:
  single_ops.py --keep FOLDER --write docs/performance.md

Engines take turns in blocks of calls; a time is the median of the blocks' means. The ratio is the median over
blocks of (the better peer's time / onnxc's): above 1 onnxc is faster. What all pay is part of the times: the call
from Python, about 3 us. The share of the machine's peak is of FLOP/s (F) or of bytes/s (B), whichever is higher.

What was measured is kept in a file outside the repository (--results), so that a long run can be made in
parts; --write takes the latest figures of every case in it.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test" / "models"))

import engines  # noqa: E402
import onnx  # noqa: E402
import product_cases  # noqa: E402, F401  (adds its cases)
from compare import cacheFolder  # noqa: E402
from costs import Costs, shareOfPeak  # noqa: E402
from peaks import measurePeaks  # noqa: E402
from single_cases import CASES  # noqa: E402
from tables import geometricMean, tableOf, writeTables  # noqa: E402

PEERS = ("onnxruntime", "openvino")


def fileName(name):
    return re.sub(r"\W+", "_", name)


def compileCases(args, folder, cases):
    """[(group, name, model, its path, library path or None, feed)]"""
    made = []
    compiler = args.build / "bin" / "onnxc"
    library = args.build / "lib" / "libonnxc.so"
    newest = max(file.stat().st_mtime for file in (compiler, library) if file.exists())
    for group, name, make in cases:
        path = folder / f"{fileName(name)}.onnx"
        model, feed = make()
        data = model.SerializeToString()
        if not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)
        output = path.with_suffix(".so")
        stale = not output.exists() or output.stat().st_mtime < max(newest, path.stat().st_mtime)
        if stale and not (args.keep and not args.compile and output.exists()):
            done = subprocess.run([compiler, path, "-o", output], capture_output=True, text=True)
            if done.returncode != 0:
                output.unlink(missing_ok=True)
                print(f"{name}: {done.stderr.strip()[:300]}", file=sys.stderr)
        made.append((group, name, model, path, output if output.exists() else None, feed))
    return made


def measureCase(runs, feed, blocks, blockSeconds):
    """{engine: [seconds of a call, of each block]}; an engine that refuses the model is absent."""
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
    return times


def summarise(times, costs, threads, peaks):
    """What is kept of one case on some number of threads."""
    seconds = {engine: statistics.median(values) for engine, values in times.items()}
    result = {"us": {engine: 1e6 * value for engine, value in seconds.items()}}
    peer = min((p for p in PEERS if p in seconds), key=seconds.get, default=None)
    if "onnxc" in seconds and peer:
        result["ratio"] = statistics.median(p / o for p, o in zip(times[peer], times["onnxc"], strict=True))
    flops = sum(costs.flops(name) for name in costs.nodes)
    if "onnxc" in seconds and flops:
        result["share"] = shareOfPeak(flops, costs.bytes(list(costs.nodes)), seconds["onnxc"], threads, peaks)
    return result


def micro(value):
    return "-" if value is None else f"{value:.1f}" if value < 1000 else f"{value:.0f}"


def tablesOf(cases, threads):
    """The table of each group and a summary; cases: {"group/name": {threads: what summarise gave}}."""
    groups = {}
    for key, cells in cases.items():
        group, name = key.split("/", 1)
        groups.setdefault(group, {})[name] = cells
    threads = [str(t) for t in threads]
    means, parts = [], []
    for group, rows in groups.items():
        shares = any("share" in cell for cells in rows.values() for cell in cells.values())
        header, lines = [group], []
        for t in threads:
            header += [f"onnxc us, {t} thr.", *(f"{peer} us" for peer in PEERS), "ratio", *(["peak"] if shares else [])]
        for name, cells in rows.items():
            line = [name.replace("|", " ")]
            for t in threads:
                cell = cells.get(t, {"us": {}})
                ratio = f"{cell['ratio']:.2f}" if "ratio" in cell else "-"
                line += [*(micro(cell["us"].get(e)) for e in ("onnxc", *PEERS)), ratio, *([cell.get("share", "-")] if shares else [])]
            lines.append(line)
        parts.append(tableOf(header, lines))
        line = [group, len(rows)]
        for t in threads:
            ratios = [cells[t]["ratio"] for cells in rows.values() if "ratio" in cells.get(t, {})]
            line += [f"{geometricMean(ratios):.2f}", sum(r < 1 for r in ratios), f"{min(ratios):.2f}"] if ratios else ["-"] * 3
        means.append(line)
    header = ["group", "cases"]
    for t in threads:
        header += [f"geometric mean, {t} thr.", "below 1", "lowest"]
    return "\n\n".join([tableOf(header, means), *parts])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="build folder")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--block-seconds", type=float, default=0.02)
    parser.add_argument("--peers", nargs="*", choices=PEERS, help="default: those that are installed")
    parser.add_argument("--keep", type=Path, help="folder for models and libraries; what is there is not compiled again")
    parser.add_argument("--compile", action="store_true", help="compile only")
    parser.add_argument("--results", type=Path, help="default: single_ops.json in the cache folder")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page")
    parser.add_argument("--exact", action="store_true", help="the words are whole: group and name")
    parser.add_argument("words", nargs="*", help="part of a case's group or name")
    args = parser.parse_args()
    args.build = args.build.resolve()
    args.results = args.results or cacheFolder() / "single_ops.json"
    sys.path.insert(0, str(args.build / "python"))

    def isWanted(name):
        return not args.words or name in args.words or not args.exact and any(w.lower() in name.lower() for w in args.words)

    cases = [c for c in CASES if isWanted(f"{c[0]} {c[1]}")]
    peers = [p for p in PEERS if engines.isInstalled(p)] if args.peers is None else args.peers
    kept = json.loads(args.results.read_text()) if args.results.exists() else {}
    measured = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        made = compileCases(args, folder, cases)
        if args.compile:
            return 0
        compiler = args.build / "bin" / "onnxc"
        peaks = measurePeaks(lambda source, to: engines.compileModel(source, to, compiler))
        for group, name, model, path, library, feed in made:
            cells = measured[f"{group}/{name}"] = {}
            costs = Costs(onnx.shape_inference.infer_shapes(model), feed)
            for threads in args.threads:
                runs = {}
                for engine, file in (("onnxc", library), *((peer, path) for peer in peers)):
                    try:
                        runs[engine] = engines.LOADERS[engine](file, threads, feed)
                    except Exception as error:  # as above
                        print(f"  {engine}: {name}: {str(error).splitlines()[0][:150]}", file=sys.stderr)
                times = measureCase(runs, feed, args.blocks, args.block_seconds)
                for output, value in zip(model.graph.output, runs["onnxc"](feed) if "onnxc" in times else [], strict=False):
                    costs.add(output.name, list(getattr(value, "shape", [])), getattr(getattr(value, "dtype", None), "itemsize", 0))
                cells[str(threads)] = summarise(times, costs, threads, peaks)
            old = kept.pop(f"{group}/{name}", {})
            kept[f"{group}/{name}"] = old | cells
            print(tablesOf({f"{group}/{name}": cells}, args.threads).splitlines()[-1], flush=True)
    args.results.parent.mkdir(parents=True, exist_ok=True)
    args.results.write_text(json.dumps(kept, indent=1))
    print(tablesOf(measured, args.threads).split("\n\n")[0])
    if args.write:
        order = {f"{group}/{name}": number for number, (group, name, _) in enumerate(CASES)}
        known = {key: kept[key] for key in sorted(kept, key=lambda key: order.get(key, len(order))) if key in order}
        writeTables(args.write, "single operators", tablesOf(known, args.threads))
    return 0


if __name__ == "__main__":
    sys.exit(main())
