#!/usr/bin/env python3
"""Where a model's time goes: each operator (with what is fused into it), beside ONNX Runtime.

  operators.py resnet50                     the 30 slowest, one thread
  operators.py resnet50 --threads 2 --top 100
  operators.py path/to/model.onnx --inputs path/to/test_data_set_0
  operators.py resnet50 --library x.so      a model.so that is there already

A row is a node with the others that onnxc computes in the same loops. Columns: onnxc's time in µs and share of
the run; '=' for a region on one thread only; the share of the machine's peak, of FLOP/s (F) or of bytes/s (B, of memory or,
where a row's data fit there, of the second-level cache) whichever is higher, by FLOPs and bytes that
the ONNX nodes need at least; ONNX Runtime's time of the same nodes and the ratio (above 1 onnxc is faster). Runs of both
take turns; times are medians over runs. Nodes of ONNX Runtime that cannot be told by name (its own
fusions and reorderings) are listed below the table.
"""

import argparse
import collections
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
import onnx  # noqa: E402
import peaks as machine  # noqa: E402
from compare import REST, modelFolder  # noqa: E402
from costs import Costs, shareOfPeak  # noqa: E402
from outputs import loadTensor  # noqa: E402


def namedModel(path, scratch):
    """The model with a name of its own for every node of the main graph: (path, ModelProto without weights)."""
    light = onnx.load(path, load_external_data=False)
    names = collections.Counter(node.name for node in light.graph.node)
    if all(name and count == 1 for name, count in names.items()):
        return path, light
    full = onnx.load(path)
    for number, node in enumerate(full.graph.node):
        if not node.name or names[node.name] > 1:
            node.name = f"{node.op_type}_{number}"
    target = Path(scratch) / "named.onnx"
    onnx.save(full, target)
    return target, onnx.load(target)


def ortProfile(session, runs):
    """{node name: (op type, [µs of each run], shapes)} from the session's profile."""
    events = json.loads(Path(session.end_profiling()).read_text())
    found = {}
    for event in events:
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            name = event["name"].removesuffix("_kernel_time")
            kind, times, _ = found.setdefault(name, (event["args"]["op_name"], [], event["args"]))
            times.append(event["dur"])
    # A node in a loop has several events a run.
    return {name: (kind, sum(times) / runs, args) for name, (kind, times, args) in found.items()}


def ortSession(path, threads, scratch, optimised):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.enable_profiling = True
    options.profile_file_prefix = str(Path(scratch) / "ort")
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def rowsOf(events, runs, costs):
    """Regions merged by their heaviest node: {primary node: {us, nodes, kinds, serial}}."""
    regions = {}
    for event in events:
        if event["cat"] == "Node":
            regions.setdefault(event["args"]["region"], [event["args"], 0.0])[1] += event["dur"] / runs
    rows = {}
    for args, us in regions.values():
        names = args["nodes"] or ["(none)"]
        heavy = max(names, key=costs.flops)
        primary = heavy if costs.flops(heavy) else names[-1]
        row = rows.setdefault(primary, {"us": 0.0, "nodes": [], "kinds": [], "serial": 0.0, "regions": 0})
        row["us"] += us
        row["regions"] += 1
        row["serial"] += 0 if args["parallel"] else us
        for name, kind in zip(names, args["op_name"].split("+"), strict=False):
            if name not in row["nodes"]:
                row["nodes"].append(name)
                row["kinds"].append(kind)
    return rows


def findNode(name, kind, nodes, made, byLength):
    """The model's node behind a node of ONNX Runtime, or None.

    What it fuses it names after one of the nodes or their outputs ("<name>_nchwc", "<name>/MatMulAddFusion"). A fused
    node named after the last output is at the node of its own kind further up.
    """
    match = name if name in nodes else next(
        (n for n in byLength if len(n) > 3 and name.startswith(n) and not name[len(n) :][:1].isalnum()), None
    )
    match = made.get(match, match)
    step = match
    for _ in range(8):
        if step is None or nodes[step].op_type in kind:
            return step or match
        step = made.get(nodes[step].input[0]) if nodes[step].input else None
    return match


def assignPeer(rows, profile, costs):
    """Adds "peer" (µs of ONNX Runtime) to rows; returns the nodes that belong to none."""
    owner = {primary: primary for primary in rows}
    for primary, row in rows.items():
        for name in row["nodes"]:
            owner.setdefault(name, primary)
    made = {output: name for name, node in costs.nodes.items() for output in node.output if output}
    byLength = sorted([*costs.nodes, *made], key=len, reverse=True)
    left = {}
    for row in rows.values():
        row["peer"] = 0.0
    for name, (kind, us, _) in profile.items():
        match = owner.get(findNode(name, kind, costs.nodes, made, byLength))
        if match is None:
            left[name] = (kind, us)
        else:
            rows[match]["peer"] += us
    return left


def measure(args, folder, path, library, model, scratch):
    import onnxc

    feed = {}
    for i, file in enumerate(sorted(folder.glob("input_*.pb"), key=lambda f: int(f.stem.split("_")[1]))):
        name, value = loadTensor(file)
        feed[name or model.graph.input[i].name] = value
    plain = ortSession(path, 1, scratch, optimised=False)
    plain.run(None, feed)
    costs = Costs(model, feed, ortProfile(plain, 1))

    options = onnxc.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.enable_profiling = True
    ours = onnxc.InferenceSession(str(library), options)
    peer = ortSession(path, args.threads, scratch, optimised=True)
    traces, times = [], {"onnxc": [], "onnxruntime": []}
    for number in range(args.repeat + 1):
        for name, session in (("onnxc", ours), ("onnxruntime", peer)):
            time.sleep(REST)
            session.run(None, feed)
            start = time.perf_counter()
            session.run(None, feed)
            times[name].append(1e6 * (time.perf_counter() - start))
        events = json.loads(ours._session.take_profile())
        if number:
            # The second run of each pair: the first wakes the threads.
            begin = [e["ts"] for e in events if e["cat"] == "Session"][-1]
            traces.append([e for e in events if e["cat"] == "Node" and e["ts"] >= begin])
    each = [rowsOf(trace, 1, costs) for trace in traces]
    rows = each[0]
    for primary, row in rows.items():
        for key in ("us", "serial"):
            row[key] = statistics.median(r[primary][key] if primary in r else 0 for r in each)
    left = assignPeer(rows, ortProfile(peer, 2 * (args.repeat + 1)), costs)
    return rows, left, costs, {name: statistics.median(t[1:]) for name, t in times.items()}


def report(args, rows, left, costs, times, peaks):
    print(
        f"onnxc {times['onnxc'] / 1e3:.2f} ms, onnxruntime {times['onnxruntime'] / 1e3:.2f} ms, {args.threads} threads; "
        f"peak of one core {peaks['flops'] / 1e9:.0f} GFLOP/s, {peaks['cached_bytes'] / 1e9:.0f} GB/s in cache, "
        f"{peaks['memory_bytes'] / 1e9:.1f} GB/s of memory"
    )
    print(f"{'us':>9} {'%':>5}   {'peak':>6} {'GFLOP/s':>8} {'GB/s':>6} {'ORT us':>9} {'ratio':>6}  operator")
    total = sum(row["us"] for row in rows.values())
    ranked = sorted(rows.items(), key=lambda item: -item[1]["us"])
    for primary, row in ranked[: args.top]:
        seconds = max(row["us"], 1e-3) * 1e-6
        flops = sum(costs.flops(name) for name in row["nodes"] if name == primary or name not in rows)
        moved = costs.bytes(row["nodes"])
        share = shareOfPeak(flops, moved, seconds, args.threads, peaks)
        ratio = f"{row['peer'] / row['us']:.2f}" if row["peer"] and row["us"] else "-"
        others = len(row["nodes"]) - 1
        kinds = list(dict.fromkeys(row["kinds"]))
        what = "+".join(kinds[:5]) + ("+..." if len(kinds) > 5 else "")
        serial = "=" if row["serial"] > row["us"] / 2 else " "
        shapes = " ".join(
            "x".join(map(str, costs.shapes.get(i, ["?"])))
            for i in (list(costs.nodes[primary].input[:2]) if primary in costs.nodes else [])
        )
        print(
            f"{row['us']:9.1f} {100 * row['us'] / total:5.1f} {serial} {share:>6} {flops / seconds / 1e9:8.1f} "
            f"{moved / seconds / 1e9:6.1f} {row['peer']:9.1f} {ratio:>6}  {what} {primary}"
            f"{f' (+{others} nodes)' if others else ''} [{shapes}]"
        )
    print(f"{total:9.1f} 100.0 sum; in regions on one thread: {sum(r['serial'] for r in rows.values()):.1f} us")
    if left:
        byKind = collections.Counter()
        for kind, us in left.values():
            byKind[kind] += us
        listed = ", ".join(f"{kind} {us:.0f}" for kind, us in byKind.most_common(12) if us >= 1)
        print(f"ONNX Runtime, not told by name, us: {listed or 'under 1 us each'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a name of test/models/run.py's, or a .onnx file")
    parser.add_argument("--inputs", type=Path, help="folder with input_0.pb, ...; default: test_data_set_0 beside the model")
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="build folder")
    parser.add_argument("--root", type=Path, help="folder with the models, made already")
    parser.add_argument("--library", type=Path, help="the model compiled already (its nodes must have names)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--top", type=int, default=30, help="rows")
    parser.add_argument("--option", action="append", default=[], help="of onnxc, e.g. --option=--march=x86-64-v3")
    args = parser.parse_args()
    args.build = args.build.resolve()
    sys.path.insert(0, str(args.build / "python"))
    compiler = args.build / "bin" / "onnxc"

    path = Path(args.model)
    if path.suffix != ".onnx":
        path = modelFolder(args, args.model) / "model.onnx"
    folder = args.inputs or path.parent / "test_data_set_0"
    with tempfile.TemporaryDirectory() as scratch:
        named, model = namedModel(path, scratch)
        library = args.library
        if not library:
            library = Path(scratch) / "model.so"
            engines.compileModel(named, library, compiler, *args.option)
        peaks = machine.measurePeaks(lambda source, to: engines.compileModel(source, to, compiler))
        report(args, *measure(args, folder, named, library.resolve(), model, scratch), peaks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
