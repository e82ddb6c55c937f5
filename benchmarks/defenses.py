"""Defenses, measured by attackers who know them; private training, and audits of its claims.

    python benchmarks/defenses.py --json                 everything; the last line is JSON
    python benchmarks/defenses.py --quick --json         smaller, within minutes
    python benchmarks/defenses.py --only output dp       some of the parts
    python benchmarks/defenses.py --write                writes docs/benchmarks/defenses.md
    python benchmarks/defenses.py --reuse --write        the same, with parts of earlier full runs

What models say for the scoreboard is kept in .benchmarks, so that an interrupted run goes on. A bar that is not reached
stays in, with ``ok: false``; ``ok`` is computed from the values.
"""

from __future__ import annotations

import argparse
from typing import Any

from _page import Benchmark
from common import HOME, parser

INTRODUCTION = """\
Written by `make defenses` (`python benchmarks/defenses.py --write`); do not edit by hand. Every figure that has a goal
is listed, also those that miss it. How defenses are judged stands under
[how defenses are judged](../explanation/how-defenses-are-judged.md).
"""

BENCHMARK = Benchmark(
    "defenses",
    "Defenses, measured",
    ("output", "dp", "auditing", "verdicts", "scoreboard"),
    HOME / "docs" / "benchmarks" / "defenses.md",
    INTRODUCTION,
)


def more(part: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Nothing beside whether a part is to be quick."""
    return {}


if __name__ == "__main__":
    BENCHMARK.run(parser(__doc__ or ""), more)
