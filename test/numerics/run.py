#!/usr/bin/env python3
"""Measures the largest errors of the elementary functions in generated code, in units of the last place.

  run.py                               all functions; fails above the bounds below
  run.py sin pow --points 20000000     some, on more points
  run.py --march x86-64-v2             code for another CPU that this one can run
  run.py --write docs/numerics.md      puts the table into this page

Each function is compiled as a model of one operation on a tensor. Points are random bit patterns, so that
every exponent has its share, and as many in the range where the function varies. The reference is NumPy in
double (the C library's functions, below 1 ulp of double). Special values (infinities, NaN, zeros, bounds of
the domain) must come out as in double, zeros with their sign. The same points at other positions, so in other lanes
and in the last, partial vector, must give the same bits.
"""

import argparse
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- begin of functions -->", "<!-- end of functions -->"
erf = np.vectorize(math.erf, otypes=[np.float64])

# name: (reference in double, bound in ulp, range where it varies)
FUNCTIONS = {
    "exp": (np.exp, 2.0, (-104, 89)),
    "exp2": (np.exp2, 2.5, (-150, 128)),
    "expm1": (np.expm1, 2.0, (-20, 89)),
    "log": (np.log, 1.0, (0, 4)),
    "log2": (np.log2, 2.0, (0, 4)),
    "log10": (np.log10, 2.0, (0, 4)),
    "log1p": (np.log1p, 2.0, (-1, 4)),
    "sin": (np.sin, 2.0, (-40, 40)),
    "cos": (np.cos, 2.0, (-40, 40)),
    "tan": (np.tan, 2.0, (-40, 40)),
    "asin": (np.arcsin, 2.0, (-1, 1)),
    "acos": (np.arccos, 1.5, (-1, 1)),
    "atan": (np.arctan, 2.0, (-4, 4)),
    "sinh": (np.sinh, 1.0, (-10, 10)),
    "cosh": (np.cosh, 1.0, (-10, 10)),
    "tanh": (np.tanh, 2.0, (-10, 10)),
    "asinh": (np.arcsinh, 1.0, (-10, 10)),
    "acosh": (np.arccosh, 1.0, (1, 10)),
    "atanh": (np.arctanh, 1.0, (-1, 1)),
    "erf": (erf, 1.5, (-4, 4)),
    "sqrt": (np.sqrt, 0.5, (0, 4)),
    "rsqrt": (lambda x: 1 / np.sqrt(x), 1.5, (0, 4)),
    "powf": (np.power, 1.0, (0, 20)),
}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, np.inf, -np.inf, np.nan, 2.0**-149, -(2.0**-149), 2.0**-126, -(2.0**-126),
           3.4028235e38, -3.4028235e38, 2.0**24, -(2.0**24), 2.0**24 + 2, 2.5, -2.5, 88.0, 89.0, -104.0, 1e-30, 32768.0, 8388609.0, np.pi]


def source(name, count):
    operands = ["%a", "%b"] if name == "powf" else ["%a"]
    tensor = f"tensor<{count}xf32>"
    arguments = ", ".join(f'{o}: {tensor} {{onnx.name = "{o[1:]}", onnx.type = {tensor}}}' for o in operands)
    maps = ", ".join(["affine_map<(i) -> (i)>"] * (len(operands) + 1))
    scalars = ", ".join(f"%x{i}: f32" for i in range(len(operands)))
    values = ", ".join(f"%x{i}" for i in range(len(operands)))
    return f"""
func.func @main_graph({arguments}) -> ({tensor} {{onnx.name = "y", onnx.type = {tensor}}}) {{
  %e = tensor.empty() : {tensor}
  %y = linalg.generic {{indexing_maps = [{maps}], iterator_types = ["parallel"]}}
      ins({", ".join(operands)} : {", ".join([tensor] * len(operands))}) outs(%e : {tensor}) {{
  ^bb0({scalars}, %o: f32):
    %r = math.{name} {values} : f32
    linalg.yield %r : f32
  }} -> {tensor}
  return %y : {tensor}
}}
"""


def points(name, count, rng):
    """The operands: random bits, then the range where the function varies, then the special values."""
    low, high = FUNCTIONS[name][2]
    half = count // 2
    bits = rng.integers(0, 2**32, half, dtype=np.uint32).view(np.float32)
    near = rng.uniform(low, high, count - half).astype(np.float32)
    special = np.array(SPECIAL, np.float32)
    if name != "powf":
        return [np.concatenate([bits, near, special])]
    # Results that are in range: y log2 x below 150.
    exponent = rng.uniform(-150, 150, half)
    with np.errstate(all="ignore"):
        y = (exponent / np.log2(np.abs(bits.astype(np.float64)))).astype(np.float32)
    x = np.concatenate([bits, near, np.repeat(special, len(special))])
    return [x, np.concatenate([y, rng.uniform(-20, 20, count - half).astype(np.float32), np.tile(special, len(special))])]


def ulps(result, exact):
    """Errors in units of the last place of f32 at the exact value; 0 where both are the same special value."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(np.float32)
        _, exponent = np.frexp(np.where(np.isfinite(exact), exact, 0))
        unit = np.ldexp(1.0, np.maximum(exponent - 1, -126) - 23)
        error = np.abs(result.astype(np.float64) - exact) / unit
    special = ~np.isfinite(rounded) | ~np.isfinite(result)
    same = (np.isnan(result) & np.isnan(rounded)) | (result == rounded)
    # Where one side is just beyond the largest value, the error is what separates it from the other.
    edge = special & ~same & (np.abs(exact) > 3.4028e38) & (np.abs(result) > 3.4028e38) & (np.sign(result) == np.sign(exact))
    return np.where(special, np.where(same, 0, np.where(edge, 1, np.inf)), error)


def measure(name, args, folder):
    """(largest error, where), after checking special values and positions; raises on a difference."""
    import onnxc

    operands = points(name, args.points, np.random.default_rng(11))
    count = len(operands[0])
    (folder / "f.mlir").write_text(source(name, count))
    command = [args.build / "bin" / "onnxc", folder / "f.mlir", "-o", folder / "f.so"]
    if args.march:
        command.append(f"--march={args.march}")
    subprocess.run(command, check=True)
    session = onnxc.InferenceSession(str(folder / "f.so"))
    call = lambda values: session.run(None, dict(zip("ab", values)))[0]
    result = call(operands)
    shifted = call([np.roll(o, 5) for o in operands])
    if not np.array_equal(np.roll(result, 5).view(np.uint32), shifted.view(np.uint32)):
        raise AssertionError("other bits at other positions")
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name][0](*(o.astype(np.float64) for o in operands))
    errors = ulps(result, exact)
    zeros = (exact == 0) & (result == 0) & (np.signbit(exact) != np.signbit(result))
    if zeros.any():
        raise AssertionError(f"sign of zero at {[float(o[zeros][0]) for o in operands]}")
    worst = int(np.argmax(errors))
    return errors[worst], [float(o[worst]) for o in operands], float(result[worst]), float(exact[worst])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="build folder")
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--march", help="CPU to compile for; default: this one")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page")
    parser.add_argument("functions", nargs="*", choices=[[], *FUNCTIONS])
    args = parser.parse_args()
    args.build = args.build.resolve()
    sys.path.insert(0, str(args.build / "python"))
    failed, rows = 0, ["| function | largest error, ulp | asserted | at |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        for name in args.functions or FUNCTIONS:
            bound = FUNCTIONS[name][1]
            try:
                error, at, result, exact = measure(name, args, Path(folder))
            except (AssertionError, subprocess.CalledProcessError) as problem:
                print(f"{name}: {problem}")
                failed += 1
                continue
            rows.append(f"| {name} | {error:.2f} | {bound:.1f} | {', '.join(f'{v:.9g}' for v in at)} |")
            print(f"{name}: {error:.3f} ulp at {at}: {result!r} for {exact!r}", flush=True)
            if not error <= bound:
                print(f"{name}: above {bound} ulp")
                failed += 1
    if args.write and not failed:
        page = args.write.read_text()
        start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
        args.write.write_text(f"{page[:start]}\n\n" + "\n".join(rows) + f"\n\n{page[end:]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
