#!/usr/bin/env python3
"""Measures onnxc beside its peers, model by model, and makes the tables of docs/performance.md.

  compare.py                                   resnet50, mobilenet_v2, bert_small on 1 and 2 threads
  compare.py --all                             all models of test/models/run.py (about an hour)
  compare.py unet --threads 1 --rounds 30      one model, longer
  compare.py unet --write docs/performance.md  measures unet, and renews the tables from all that was measured

Each round runs each engine once, so that a change of the machine's speed meets all of them. Ratios
are the median over rounds of (peer's time / onnxc's time): above 1 onnxc is faster. Peers are
ONNX Runtime and, when installed (benchmarks/requirements.txt), OpenVINO and IREE. Models come with their
first set of inputs. A peer that can't run a model has '-' there.

What was measured is kept in a file outside the repository (--results), so that a long run can be made in
parts; --write takes the latest figures of every model in it.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "test" / "models"))

import engines  # noqa: E402
import numpy as np  # noqa: E402
from outputs import loadTensor  # noqa: E402
from run import RECIPES, makeModels  # noqa: E402
from tables import geometricMean, tableOf, writeTables  # noqa: E402

REST = 0.02  # seconds
DEFAULT = ["resnet50", "mobilenet_v2", "bert_small"]
# The class of a model by the kind in its meta.json.
CLASSES = {
    "CNN": ["cnn", "cnn-seg", "cnn1d", "text-cnn"],
    "detector, OCR": ["detector", "ocr-det", "ocr-rec"],
    "transformer encoder": ["encoder", "vit"],
    "decoder step": ["lm"],
    "RNN, loop": ["rnn", "loop"],
    "audio": ["audio", "vad", "vad-if"],
    "int8": ["int8-static", "int8-dynamic"],
    "classic ML": ["ml", "ml-strings"],
}
# The better of these is what onnxc is measured against.
RIVALS = ("onnxruntime", "openvino")


def cacheFolder():
    return Path(os.environ.get("ONNXC_CACHE_DIR") or Path.home() / ".cache" / "onnxc")


def modelFolder(args, name):
    if args.root:
        return args.root / name
    makeModels([name], cacheFolder() / "models")
    return cacheFolder() / "models" / name


def inputsOf(folder):
    """The first set of inputs, by name."""
    meta = json.loads((folder / "meta.json").read_text())
    data = folder / "test_data_set_0"
    return dict(loadTensor(data / f"input_{i}.pb") for i in range(len(meta["sets"][0]["inputs"])))


def classOf(folder):
    kind = json.loads((folder / "meta.json").read_text())["kind"]
    return next((name for name, kinds in CLASSES.items() if kind in kinds), kind)


def measure(runs, feed, rounds, seconds):
    """{engine: [seconds of each round]}; each round times every engine once, in turn.

    Before its turn an engine rests until the other's worker threads have stopped spinning, and
    runs once untimed: its own threads are awake then, and its data in the caches. A run of
    microseconds is repeated within its turn.
    """
    times = {name: [] for name in runs}
    repeats = {}
    for name, run in runs.items():
        run(feed)
        start = time.perf_counter()
        run(feed)
        repeats[name] = max(1, min(50, int(0.002 / max(time.perf_counter() - start, 1e-6))))
    end = time.perf_counter() + seconds
    for number in range(rounds):
        for name, run in runs.items():
            time.sleep(REST)
            run(feed)
            start = time.perf_counter()
            for _ in range(repeats[name]):
                run(feed)
            times[name].append((time.perf_counter() - start) / repeats[name])
        if time.perf_counter() > end and number >= 4:
            break
    return times


def spread(times, peer):
    """[median, 10th, 90th percentile] of the peer's time / onnxc's."""
    each = sorted(p / o for p, o in zip(times[peer], times["onnxc"], strict=True))
    return [statistics.median(each), each[len(each) // 10], each[-1 - len(each) // 10]]


def benchmark(args, name, peers):
    """What is kept of one model."""
    folder = modelFolder(args, name)
    model = folder / "model.onnx"
    feed = inputsOf(folder)
    result = {"class": classOf(folder), "time": time.strftime("%Y-%m-%d %H:%M"), "threads": {}, "first": {}}
    with tempfile.TemporaryDirectory() as scratch:
        library, inputs = Path(scratch) / "model.so", Path(scratch) / "inputs.npz"
        np.savez(inputs, **feed)
        seconds, peak = engines.compileModel(model, library, args.build / "bin" / "onnxc")
        result["compile"] = {"seconds": seconds, "peak_mb": peak}
        result["size_mb"] = {"so": library.stat().st_size / 1e6, "onnx": model.stat().st_size / 1e6}
        files = {"onnxc": library}
        for peer in peers:
            try:
                files[peer] = engines.prepare(peer, model, feed, Path(scratch))
            except RuntimeError as error:
                print(f"  {peer}: {error}", file=sys.stderr)
        # In processes of their own: what can't run the model is known then, even if it crashes.
        for engine in list(files):
            try:
                each = [engines.firstResult(engine, files[engine], inputs, 1) for _ in range(3)]
            except RuntimeError as error:
                if engine == "onnxc":
                    raise
                print(f"  {error}", file=sys.stderr)
                del files[engine]
                continue
            result["first"][engine] = {
                "seconds": statistics.median(t for t, _ in each),
                "mb": statistics.median(p for _, p in each),
            }
        for threads in args.threads:
            runs = {e: engines.LOADERS[e](file, threads, feed) for e, file in files.items()}
            times = measure(runs, feed, args.rounds, args.seconds)
            result["threads"][str(threads)] = {
                "ms": {e: 1e3 * statistics.median(t) for e, t in times.items()},
                "ratio": {peer: spread(times, peer) for peer in times if peer != "onnxc"},
            }
    return result


def number(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def inMs(value):
    return "-" if value is None else f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def betterPeer(timing):
    """The faster of the rivals that ran the model, or None."""
    return min((r for r in RIVALS if r in timing["ratio"]), key=timing["ms"].get, default=None)


def speedTables(results, names):
    rows, byClass = [], {}
    for model, result in results.items():
        for threads, timing in sorted(result["threads"].items()):
            better = betterPeer(timing)
            cell = "-"
            if better:
                ratio = timing["ratio"][better]
                cell = "{:.2f} ({:.2f}-{:.2f})".format(*ratio)
                for group in (result["class"], "all"):
                    byClass.setdefault(group, {}).setdefault(threads, []).append(ratio[0])
            rows.append([model, threads, *(inMs(timing["ms"].get(n)) for n in names), cell])
    means = []
    for group in [*CLASSES, "all"]:
        if group in byClass:
            cells = []
            for threads in ("1", "2"):
                ratios = byClass[group].get(threads, [])
                cells += [f"{geometricMean(ratios):.2f}", f"{min(ratios):.2f}"] if ratios else ["-", "-"]
            means.append([group, max(len(r) for r in byClass[group].values()), *cells])
    return "\n".join(
        [
            "Geometric means of the ratio (better peer's time / onnxc's), and the lowest:\n",
            tableOf(["class", "models", "1 thread", "lowest", "2 threads", "lowest"], means),
            "\nMedian time of a run in ms, and the ratio to the better of "
            "ONNX Runtime and OpenVINO (10th to 90th percentile):\n",
            tableOf(["model", "threads", *names, "ratio to the better"], rows),
        ]
    )


def sizeTable(results, names):
    rows = []
    for model, result in results.items():
        first = result["first"]
        rows.append(
            [
                model,
                *(number(1e3 * first[n]["seconds"] if n in first else None, 0) for n in names),
                *(number(first[n]["mb"] if n in first else None, 0) for n in names),
                number(result["compile"]["seconds"], 1),
                number(result["compile"]["peak_mb"], 0),
                number(result["size_mb"]["so"], 2),
                number(result["size_mb"]["onnx"], 2),
            ]
        )
    header = ["model", *(f"{n} load ms" for n in names), *(f"{n} MB" for n in names)]
    return tableOf([*header, "compile s", "compiler's peak MB", ".so MB", ".onnx MB"], rows)


def tablesOf(kept):
    results = dict(sorted(kept["models"].items(), key=lambda item: (item[1]["class"], item[0])))
    names = [n for n in ["onnxc", *engines.LOADERS] if any(n in r["first"] for r in results.values())]
    names = list(dict.fromkeys(names))
    parts = [
        speedTables(results, names),
        "\nFresh process, one thread: load to first result in ms (the import of the Python package left out), "
        "peak memory in MB beyond Python's and the package's; compiler:\n",
        sizeTable(results, names),
    ]
    if "one_operator" in kept:
        parts.append(f"\nCompile time of a model of one operator, median of 15: {kept['one_operator']:.3f} s")
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="build folder")
    parser.add_argument("--root", type=Path, help="folder with the models, made already")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=50, help="rounds at most")
    parser.add_argument("--seconds", type=float, default=15, help="per model and number of threads, about")
    parser.add_argument("--peers", nargs="*", choices=[e for e in engines.LOADERS if e != "onnxc"])
    parser.add_argument("--all", action="store_true", help="all models")
    parser.add_argument("--max-mb", type=float, help="with --all: only models up to this size")
    parser.add_argument("--results", type=Path, help="default: benchmarks.json in the cache folder")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page")
    parser.add_argument("--tables-only", action="store_true", help="measure nothing")
    parser.add_argument("models", nargs="*")
    args = parser.parse_args()
    args.build = args.build.resolve()
    args.results = args.results or cacheFolder() / "benchmarks.json"
    package = args.build / "python"
    sys.path.insert(0, str(package))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")])

    peers = args.peers
    if peers is None:
        peers = [e for e in engines.LOADERS if e != "onnxc" and engines.isInstalled(e)]
    models = args.models
    if args.all:
        models = sorted(file.stem for file in (RECIPES / "recipes").glob("*.json"))
        if args.max_mb:
            sizes = {m: json.loads((RECIPES / "recipes" / f"{m}.json").read_text())["mb"] for m in models}
            models = [m for m in models if sizes[m] <= args.max_mb]
    elif not models and not args.tables_only:
        models = DEFAULT
    kept = json.loads(args.results.read_text()) if args.results.exists() else {"models": {}}
    measured = []
    for name in [] if args.tables_only else models:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        old = kept["models"].get(name, {}).get("threads", {})
        kept["models"][name] = benchmark(args, name, peers)
        kept["models"][name]["threads"] = old | kept["models"][name]["threads"]
        measured.append(name)
        args.results.parent.mkdir(parents=True, exist_ok=True)
        args.results.write_text(json.dumps(kept, indent=1))
    if not args.tables_only and not args.models:
        compiler = args.build / "bin" / "onnxc"
        kept["one_operator"] = statistics.median(engines.compileTimeOfOneOperator(compiler))
        args.results.write_text(json.dumps(kept, indent=1))

    shown = kept if args.tables_only else kept | {"models": {n: kept["models"][n] for n in measured}}
    print(tablesOf(shown))
    if args.write:
        writeTables(args.write, "measured tables", tablesOf(kept))
    return 0


if __name__ == "__main__":
    sys.exit(main())
