"""Image inversion, measured: what pictures an attacker draws from a model, and whom they show.

    python benchmarks/inversion.py --json                everything, some minutes; the last line is JSON
    python benchmarks/inversion.py --quick --json        few classes, faces made by rule, within a minute
    python benchmarks/inversion.py --only faces noise    some of the parts
    python benchmarks/inversion.py --data FILE           photos: .npz with x (n, h, w) bytes and person (n,)
    python benchmarks/inversion.py --write               writes docs/benchmarks/inversion.md
    python benchmarks/inversion.py --reuse --write       the same, with parts of earlier full runs

Faces are the AT&T (ORL) photos where the extra ``orl`` is installed, else faces made by rule. A bar that is not
reached stays in, with ``ok: false``; ``ok`` is computed from the values.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from _page import Benchmark
from common import HOME, parser

INTRODUCTION = """\
Written by `make pictures` (`python benchmarks/inversion.py --write`); do not edit by hand. Every figure that has a goal
is listed, also those that miss it. Access and verdicts are explained under
[what an inversion shows](../explanation/what-an-inversion-shows.md).
"""


BENCHMARK = Benchmark(
    "inversion",
    "Image inversion, measured",
    ("faces", "controls", "private", "odd", "noise", "peers"),
    HOME / "docs" / "benchmarks" / "inversion.md",
    INTRODUCTION,
)


def more(part: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """What a part is told besides whether it is to be quick."""
    told = {"file": chosen.data} if part in ("faces", "noise", "peers") else {}
    return {**told, "make": not chosen.installed} if part == "peers" else told


def main() -> None:
    import torch

    torch.set_num_threads(1)
    options = parser(__doc__)
    options.add_argument("--data", type=Path, help="photos of people: .npz with x (n, h, w) and person (n,)")
    options.add_argument("--installed", action="store_true", help="make no environment for another tool")
    BENCHMARK.run(options, more)


if __name__ == "__main__":
    main()
