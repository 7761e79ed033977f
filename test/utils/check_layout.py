#!/usr/bin/env python3
"""Checks that every pass and every family of lowerings has its lit test, where it is looked for.

A .cpp of lib/ that defines a pass (GEN_PASS_DEF_) or lowerings (populate...Patterns) has a test of its
name, written with dashes, in the same folder below test/: lib/X/ExpandFunctions.cpp is
tested by test/X/expand-functions.mlir.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def plain(name):
    return re.sub(r"[^a-z0-9]", "", name.lower())


missing = []
for source in sorted((ROOT / "lib").rglob("*.cpp")):
    definitions = r"#define GEN_PASS_DEF_"
    if "Conversion" in source.parts:
        definitions += r"|^void populate\w+Patterns\("
    if re.search(definitions, source.read_text(), re.M):
        folder = ROOT / "test" / source.parent.relative_to(ROOT / "lib")
        if not any(plain(test.stem).startswith(plain(source.stem)) for test in folder.glob("*")):
            missing.append(f"{source.relative_to(ROOT)} has no test of its name in {folder.relative_to(ROOT)}")
print("\n".join(missing), file=sys.stderr)
sys.exit(1 if missing else 0)
