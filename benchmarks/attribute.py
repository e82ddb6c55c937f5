"""Hidden attributes, measured: what attacks learn, what anyone could infer, and what they learn about strangers.

    python benchmarks/attribute.py --json                everything, some minutes; the last line is JSON
    python benchmarks/attribute.py --quick --json        small samples, within a minute
    python benchmarks/attribute.py --only warfarin fair  some of the parts
    python benchmarks/attribute.py --adult FILE          another copy of Adult, .parquet or .csv
    python benchmarks/attribute.py --write               writes docs/benchmarks/attribute.md
    python benchmarks/attribute.py --reuse --write       the same, with parts of earlier full runs

A bar that is not reached stays in, with ``ok: false``; ``ok`` is computed from the values.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from _page import Benchmark
from common import HOME, parser

INTRODUCTION = """\
Written by `make hidden` (`python benchmarks/attribute.py --write`); do not edit by hand. Every figure that has a goal
is listed, also those that miss it. What the words mean is told in [three meanings](../explanation/three-meanings.md).
"""


BENCHMARK = Benchmark(
    "attribute",
    "Hidden attributes, measured",
    ("warfarin", "fair", "adult", "informed", "null", "errors"),
    HOME / "docs" / "benchmarks" / "attribute.md",
    INTRODUCTION,
)


def more(part: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """What a part is told besides whether it is to be quick."""
    return {"adult": {"file": chosen.adult}, "null": {"jobs": chosen.jobs}}.get(part, {})


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--adult", type=Path, help="Adult as .parquet or .csv; the bundled copy unless said")
    options.add_argument("--jobs", type=int, default=2, help="processes for the part null")
    BENCHMARK.run(options, more)


if __name__ == "__main__":
    main()
