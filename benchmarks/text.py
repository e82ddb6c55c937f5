"""Language models, measured: what they recite, to whom, and what noise on their scores helps.

    python benchmarks/text.py --json                 everything, half an hour; the last line is JSON
    python benchmarks/text.py --quick --json         smaller models and samples, within minutes
    python benchmarks/text.py --only canaries mask   some of the parts
    python benchmarks/text.py --write                writes docs/benchmarks/text.md
    python benchmarks/text.py --reuse --write        the same, with parts of earlier full runs

Parts share the model with canaries: it is trained once and kept in .benchmarks. A bar that is not reached stays in,
with ``ok: false``; ``ok`` is computed from the values.
"""

from __future__ import annotations

import argparse
from typing import Any

from _page import Benchmark
from common import HOME, parser

INTRODUCTION = """\
Written by `make texts` (`python benchmarks/text.py --write`); do not edit by hand. Every figure that has a goal is
listed, also those that miss it. Exposure and canaries are explained under [exposure](../explanation/exposure.md),
membership of documents under [text membership](../explanation/text-membership.md).
"""


BENCHMARK = Benchmark(
    "text",
    "Language models, measured",
    ("canaries", "averaging", "membership", "private", "endpoint", "mask", "demo"),
    HOME / "docs" / "benchmarks" / "text.md",
    INTRODUCTION,
)


def more(part: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Nothing beside whether a part is to be quick."""
    return {}


def main() -> None:
    import torch

    torch.set_num_threads(1)
    BENCHMARK.run(parser(__doc__), more)


if __name__ == "__main__":
    main()
