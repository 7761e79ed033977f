#!/usr/bin/env python3
"""Checks that every pass and every family of lowerings has its lit test, where it is looked for.

A .cpp of lib/ that defines a pass (GEN_PASS_DEF_) or lowerings (populate...Patterns) has a test of its
name, written with dashes, in the same folder below test/: lib/X/ExpandFunctions.cpp is
tested by test/X/expand-functions*.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def testName(stem):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", stem).lower()


missing = []
for source in sorted((ROOT / "lib").rglob("*.cpp")):
    text = source.read_text()
    if re.search(r"#define GEN_PASS_DEF_|^void populate\w+Patterns\(", text, re.M):
        folder = ROOT / "test" / source.parent.relative_to(ROOT / "lib")
        wanted = folder / testName(source.stem)
        if not any(folder.glob(wanted.name + "*")):
            missing.append(f"{source.relative_to(ROOT)} has no test {wanted.relative_to(ROOT)}.*")
print("\n".join(missing), file=sys.stderr)
sys.exit(1 if missing else 0)
