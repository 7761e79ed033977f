#!/usr/bin/env python3
"""docs/operators.md: which operators onnxc compiles, with which types and how, from trying it (probes.py).

  run.py                  tries all, and prints what is not compiled, with the reason
  run.py -k '^Cast$'      some operators
  run.py --write          writes docs/operators.md
  run.py --check          whether the page fits the schemas, the backend suite's results and a sample of probes
"""

import argparse
import os
import re
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "operators.md"
sys.path[:0] = [str(HERE), str(HERE.parent / "backend")]

import cases  # noqa: E402
import pool  # noqa: E402
import probes  # noqa: E402
import run as backendRun  # noqa: E402

TITLES = {
    "": "ai.onnx",
    "ai.onnx.ml": "ai.onnx.ml",
    "ai.onnx.preview": "ai.onnx.preview",
    "ai.onnx.preview.training": "ai.onnx.preview.training",
    probes.MICROSOFT: "com.microsoft",
}

KINDS = {"seq": "seq(tensor(", "optional seq": "optional(seq(tensor(", "optional": "optional(tensor("}

# Names for groups of types, the wider first.
GROUPS = {
    "all": "float16 bfloat16 float double int2 int4 int8 int16 int32 int64 uint2 uint4 uint8 uint16 uint32 uint64 "
    "float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz float8e8m0 float4e2m1 bool complex64 complex128 string",
    "floats": "float16 bfloat16 float double",
    "integers": "int8 int16 int32 int64 uint8 uint16 uint32 uint64",
    "signed": "int8 int16 int32 int64",
    "unsigned": "uint8 uint16 uint32 uint64",
    "small integers": "int2 int4 uint2 uint4",
    "int4": "int4 uint4",
    "float8": "float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz float8e8m0",
    "complex": "complex64 complex128",
}
ORDER = {name: i for i, name in enumerate(GROUPS["all"].split())}
GROUPS = {name: frozenset(types.split()) for name, types in GROUPS.items()}


def shorten(types):
    """Types by the names of their groups."""
    plain = {t[7:-1] for t in types if t.startswith("tensor(")}
    parts = []
    for said, before in KINDS.items():
        after = ")" * before.count("(")
        inner = {t[len(before) : -len(after)] for t in types if t.startswith(before) and t.endswith(after)}
        if inner:
            parts.append(f"{said} of {names(inner)}")
    parts += [t for t in sorted(types) if t.startswith("map(") or t.startswith("seq(map(")]
    return ", ".join(([names(plain)] if plain else []) + parts)


def names(types):
    left, found = set(types), []
    for name, group in GROUPS.items():
        if group <= left:
            found.append(name)
            left -= group
    return ", ".join([*found, *sorted(left, key=lambda t: (ORDER.get(t, len(ORDER)), t))])


def backendCounts():
    """{(domain, operator): (passed, all)} of the backend suite's cases that have the operator."""
    expected = backendRun.loadExpected(backendRun.expectedFile(None))
    counts = defaultdict(lambda: [0, 0])
    for case in cases.nodeCases():
        if case.model is None:
            continue
        for key in {("" if n.domain == "ai.onnx" else n.domain, n.op_type) for n in case.model.graph.node}:
            counts[key][0] += case.name not in expected
            counts[key][1] += 1
    return counts


# ---- trying ----


def compiler():
    import onnxc

    return onnxc


def isCompiled(models):
    """Whether one of the models compiles; raises the last reason if none does."""
    for i, model in enumerate(models):
        with tempfile.TemporaryDirectory(prefix="onnxc-probe-") as folder:
            try:
                compiler().compile(model.SerializeToString(), os.path.join(folder, "model.so"))
                return
            except compiler().CompileError:
                if i + 1 == len(models):
                    raise


def phase(model, name):
    with tempfile.TemporaryDirectory(prefix="onnxc-probe-") as folder:
        path = os.path.join(folder, "model.mlir")
        compiler().compile(model.SerializeToString(), path, O=0, compile_to=name)
        return Path(path).read_text()


def howOf(schema, model):
    """The way an operator goes: what is left of it after the graph passes, and after the lowering."""
    prefix = {"": "onnx.", "ai.onnx.ml": "onnx.ml.", "ai.onnx.preview": "onnx.preview.", "ai.onnx.preview.training": "onnx.training."}
    if schema.domain == probes.MICROSOFT:
        stays = f'"com.microsoft" : "{schema.name}"'
    else:
        stays = prefix[schema.domain] + schema.name
    graph = phase(model, "onnx")
    if not re.search(re.escape(stays) + r"\b", graph):
        return "function" if schema.function else "decomposition"
    kernels = re.findall(r'rt\.kernel "(\w+)"', phase(model, "linalg"))
    return "kernel" if kernels else "linalg"


def tryAll(schemas, chosen, jobs):
    """{(key, variable, type): reason} of what does not compile, and {key: how}."""
    tasks = [(s, v, t) for s in schemas for v, t in probes.probed(s) if chosen(s, v, t)]
    hows = [s for s in schemas if s.templates]
    failures, how, pending = {}, {}, {}
    for s, v, t in tasks:
        pending[s.key, v, t] = probes.candidates(s, v, t)
    work = [("type", s, v, t) for s, v, t in tasks] + [("how", s, None, None) for s in hows if chosen(s, None, None)]

    def call(i):
        kind, s, v, t = work[i]
        if kind == "type":
            models = pending[s.key, v, t]
            if not models:
                raise RuntimeError("no model of the tests has the operator so")
            isCompiled(models)
            return
        for k, template in enumerate(s.templates):
            try:
                raise HowFound(howOf(s, template))
            except compiler().CompileError:
                if k == len(s.templates) - 1:
                    raise

    def report(i, result):
        kind, s, v, t = work[i]
        if kind == "how":
            how[s.key] = result.message[4:] if result.message.startswith("how:") else "-"
        elif result.status != "pass":
            failures[s.key, v, t] = re.sub(r"'[!\w.]*<?[*x\w<>!.]*'|\b(tensor|seq)<[^ ]*", "...", backendRun.summarize(result.message))

    if work:
        pool.runAll(call, range(len(work)), jobs, 120, report)
    return failures, how


class HowFound(Exception):
    """A result on its way through the pool, which carries messages of failures only."""

    def __init__(self, how):
        super().__init__("how:" + how)


# ---- the page ----

HEAD = """# Operators

Written by `test/operators/run.py --write`: for each operator of the schemas, each element type that a model can choose is
tried on a model of the tests. Every operator's versions are accepted in every opset that has them; the importer brings a node to
the newest.

- **as**: what the compiler makes of it. `linalg`: a lowering to loops, which fuses with its neighbours; `kernel`: a call of the runtime's
  library; `function`: the operator's own ONNX function body; `decomposition`: other operators, by the importer or a graph pass.
- **types**: for each type variable of the schema the types that compile; *not* lists those of the schema that do not.
  `all` is every element type of ONNX. Variables that follow from others are left out.
- **cases**: passed and all node cases of ONNX's backend suite that have the operator.

All of it runs on the CPU; there is no code generator for GPUs.
"""


def typesText(schema, failures):
    if not schema.templates:
        return "not tried"
    parts = []
    for variable in schema.types:
        if not probes.isOpen(schema, variable):
            continue
        types = set(schema.types[variable])
        bad = {t for t in types if (schema.key, variable, t) in failures}
        text = shorten(types - bad) or "none"
        if bad:
            text += f"; *not* {shorten(bad)}"
        parts.append(f"{variable}: {text}" if len(schema.types) > 1 else text)
    return "<br>".join(parts)


def page(schemas, failures, how):
    counts = backendCounts()
    lines = [HEAD]
    for domain, title in TITLES.items():
        chosen = [s for s in schemas if s.domain == domain]
        lines.append(f"## {title}\n")
        withCases = domain != probes.MICROSOFT
        lines.append("| operator | versions | as | types |" + (" cases |" if withCases else ""))
        lines.append("|---|---|---|---|" + ("---|" if withCases else ""))
        for s in chosen:
            passed, total = counts.get((domain, s.name), (0, 0))
            versions = ", ".join(map(str, s.versions))
            row = f"| {s.name} | {versions} | {how.get(s.key, '-')} | {typesText(s, failures)} |"
            lines.append(row + (f" {passed}/{total} |" if withCases else ""))
        lines.append("")
        if domain == probes.MICROSOFT:
            refused = probes.microsoftNames()[1]
            lines.append(f"Refused, with what to do instead: {', '.join(refused)}.\n")
    return "\n".join(lines)


def readPage(schemas):
    """What the page says of each operator, as tryAll gives it."""
    failures, how = {}, {}
    domain = None
    rows = {}
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            domain = next(d for d, title in TITLES.items() if title == line[3:])
        elif line.startswith("| ") and domain is not None:
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            rows[domain, cells[0]] = cells
    for s in schemas:
        cells = rows.get((s.domain, s.name))
        if not cells:
            continue
        how[s.key] = cells[2]
        # A type is refused if the row can only be made with it among the failures.
        for part in cells[3].split("<br>"):
            variable = part.split(": ")[0] if len(s.types) > 1 else next(iter(s.types), None)
            if variable not in s.types or "*not* " not in part:
                continue
            said = part.split("*not* ")[1]
            types = s.types[variable]
            found = {t for t in types if shorten({t}) in re.split(r", (?![^()]*\))", said)}
            for name, group in GROUPS.items():
                if name in re.split(r", (?![^()]*\))", said):
                    found |= {t for t in types if t.startswith("tensor(") and t[7:-1] in group}
            for t in found:
                failures[s.key, variable, t] = "the page says so"
    return failures, how


def sample(schemas, size=60):
    """Some probes, others whenever the schemas change."""
    import zlib

    every = [(zlib.crc32(f"{s.key} {v} {t}".encode()), s, v, t) for s in schemas for v, t in probes.probed(s)]
    return {(s.key, v, t) for _, s, v, t in sorted(every, key=lambda e: e[0])[:size]}


def check(schemas, jobs):
    said, how = readPage(schemas)
    problems = []
    if page(schemas, said, how) != PAGE.read_text():
        problems.append(f"{PAGE} does not fit the schemas or the backend suite's results: write it again")
    few = sample(schemas)
    found, _ = tryAll(schemas, lambda s, v, t: (s.key, v, t) in few, jobs)
    for key, v, t in sorted(few):
        if ((key, v, t) in found) != ((key, v, t) in said):
            problems.append(f"{key} {v} {t}: {found.get((key, v, t), 'compiles')}, but the page says otherwise")
    print("\n".join([*problems, f"{len(few) + 1 - len(problems)} passed, {len(problems)} failed, 0 skipped"]))
    return 1 if problems else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=ROOT / "build", type=Path, help="build folder (default: build)")
    parser.add_argument("-k", default="", metavar="REGEX", help="only the operators whose name matches")
    parser.add_argument("-j", type=int, default=2, help="workers (default: 2)")
    parser.add_argument("--write", action="store_true", help="write docs/operators.md")
    parser.add_argument("--check", action="store_true", help="compare docs/operators.md with what is known quickly")
    args = parser.parse_args()
    package = args.build.resolve() / "python"
    if package.is_dir():
        sys.path.insert(0, str(package))

    schemas = probes.schemas()
    probes.findTemplates(schemas)
    if args.check:
        return check(schemas, args.j)
    pattern = re.compile(args.k)
    failures, how = tryAll(schemas, lambda s, v, t: bool(pattern.search(s.name)), args.j)
    reasons = defaultdict(list)
    for (key, variable, type_), reason in failures.items():
        reasons[key, reason].append(f"{variable}={type_}")
    for (key, reason), types in sorted(reasons.items()):
        print(f"{key}: {reason}\n    {', '.join(types)}")
    tried = sum(bool(pattern.search(s.name)) for s in schemas for _ in probes.probed(s))
    print(f"{tried - len(failures)} of {tried} pairs of operator and type compile; "
          f"{sum(1 for s in schemas if not s.templates)} operators have no model")  # fmt: skip
    if args.write:
        PAGE.write_text(page(schemas, failures, how))
    return 0


if __name__ == "__main__":
    sys.exit(main())
