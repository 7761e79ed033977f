"""What the benchmarks share that write tables into a page."""

import math
import statistics


def tableOf(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def geometricMean(values):
    return math.exp(statistics.fmean(map(math.log, values)))


def writeTables(path, name, text):
    """Replaces what stands between the page's comments "begin of NAME" and "end of NAME"."""
    page = path.read_text()
    begin, end = f"<!-- begin of {name} -->", f"<!-- end of {name} -->"
    start = page.index(begin) + len(begin)
    path.write_text(f"{page[:start]}\n\n{text}\n\n{page[page.index(end):]}")
