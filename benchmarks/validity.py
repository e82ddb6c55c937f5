"""Do the numbers mean what they say? Simulated coverage and false alarms, as a table.

    python benchmarks/validity.py            full size, some minutes on one core
    python benchmarks/validity.py --quick    a tenth of the rounds, and three standard errors for two
    python benchmarks/validity.py --write    also write docs/validity.md
    python benchmarks/validity.py --json     the last line of stdout is the result as JSON

Exits with 1 if any line misses its bar.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import scipy
from simulations import (
    Row,
    coverage_rows,
    crossed_rows,
    epsilon_rows,
    family_rows,
    null_rows,
    power_rows,
    proportion_rows,
)

PAGE = Path(__file__).resolve().parents[1] / "docs" / "validity.md"
INTRODUCTION = """\
Written by `python benchmarks/validity.py --write` (`make validity`); do not edit by hand. Every game here has a
known answer. Intervals of 95 % must cover it in at least 95 % of the runs, less two standard errors of the
simulation; a leak, or a privacy loss above the true one, must be seen in at most 5 %, plus two standard errors.
`ok` is computed. Lines with "exact" for runs are sums over all outcomes; 94 % is asked of methods that are
approximate by design. The seeds are fixed, so the same versions give the same table. A method whose true coverage is
exactly 95 % would miss the bar in about one line in forty. What each method guarantees and what not is told in
[statistics](explanation/statistics.md).""".splitlines()
HEAD = ("quantity", "setting", "n a side", "runs", "observed", "allowed", "ok")


JOBS: list[tuple[Callable[..., Iterator[Row]], int, tuple[int | None, ...]]] = [
    (coverage_rows, 2000, (100,)),
    (coverage_rows, 2000, (1000,)),
    (proportion_rows, 0, ()),
    (epsilon_rows, 1000, ()),
    (null_rows, 1000, (100,)),
    (null_rows, 1000, (1000,)),
    (power_rows, 1000, ()),
    (crossed_rows, 500, ()),
    (family_rows, 500, (100, 2, None)),
    (family_rows, 500, (100, 10, 10)),
    (family_rows, 500, (1000, 2, 10)),
    (family_rows, 500, (1000, 10, None)),
]
"""What to play, how many rounds, and at which sizes."""


def play(scale: int, job: int) -> list[Row]:
    function, runs, sizes = JOBS[job]
    errors = 2.0 if scale == 1 else 3.0  # few rounds, many lines: two would cry wolf
    return [replace(row, errors=errors) for row in function(*[runs // scale] * (runs > 0), *sizes)]


def rows(scale: int) -> Iterator[Row]:
    """All simulations, in the order of `JOBS`; ``scale`` divides the number of rounds."""
    with ProcessPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        for batch in pool.map(partial(play, scale), range(len(JOBS))):
            yield from batch


def cells(row: Row) -> tuple[str, ...]:
    sign = "≥" if row.at_least else "≤"
    runs = f"{row.runs:,}" if row.runs else "exact"
    ok = "yes" if row.ok else "**no**"
    return (row.quantity, row.setting, row.n, runs, f"{row.observed:.4f}", f"{sign} {row.allowed:.4f}", ok)


def machine() -> dict[str, str]:
    return {
        "cpu": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def page(table: list[Row]) -> str:
    """The table as Markdown, with what it means."""
    missed = sum(not row.ok for row in table)
    verdict = "All lines hold." if not missed else f"{missed} of {len(table)} lines miss their bar."
    lines = [
        "# Validity: the table",
        "",
        *INTRODUCTION,
        "",
        f"**{verdict}** {len(table)} lines; " + ", ".join(f"{k} {v}" for k, v in machine().items()) + ".",
        "",
        "| " + " | ".join(HEAD) + " |",
        "|---|---|---|---:|---:|---:|---|",
    ]
    return "\n".join([*lines, *("| " + " | ".join(cells(row)) + " |" for row in table)]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rounds")
    parser.add_argument("--json", action="store_true", help="last line of stdout is JSON")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    table = []
    print("  ".join(HEAD))
    for row in rows(10 if options.quick else 1):
        table.append(row)
        print("  ".join(cells(row)), flush=True)
    if options.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page(table), encoding="utf-8")
    missed = [row.name for row in table if not row.ok]
    print(f"{len(table) - len(missed)} of {len(table)} lines hold" + "".join(f"\n  missed: {name}" for name in missed))
    if options.json:
        bars = {r.name: {"value": r.observed, "goal": cells(r)[5], "ok": r.ok} for r in table}
        print(json.dumps({"bars": bars, "machine": machine()}, ensure_ascii=False))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
