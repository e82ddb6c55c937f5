"""Image inversion, measured: what pictures an attacker draws from a model, and whom they show.

    python benchmarks/inversion.py --json                everything, some minutes; the last line is JSON
    python benchmarks/inversion.py --quick --json        few classes, faces made by rule, within a minute
    python benchmarks/inversion.py --only faces noise    some of the parts
    python benchmarks/inversion.py --data FILE           photos: .npz with x (n, h, w) bytes and person (n,)
    python benchmarks/inversion.py --write               writes docs/benchmarks/inversion.md

Faces are the AT&T (ORL) photos where the extra ``orl`` is installed, else faces made by rule. A bar that is not
reached stays in, with ``ok: false``; ``ok`` is computed from the values.
"""

from __future__ import annotations

import argparse
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from common import HOME, finish, machine, parser
from write import goals, markdown

PARTS = ("faces", "controls", "private", "odd", "noise", "peers")
PAGE = HOME / "docs" / "benchmarks" / "inversion.md"
INTRODUCTION = """\
Written by `make pictures` (`python benchmarks/inversion.py --write`); do not edit by hand. Every figure that has a goal
is listed, also those that miss it. Access and verdicts are explained under
[what an inversion shows](../explanation/what-an-inversion-shows.md).
"""


def measure(part: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Bars and tables of one part."""
    print(f"\n== {part} ==", flush=True)
    function = import_module(f"_inversion_{part}").measure
    if part in ("faces", "noise", "peers"):
        function = partial(function, file=chosen.data)
    if part == "peers":
        function = partial(function, make=not chosen.installed)
    bars, tables = function(chosen.quick)
    return {"bars": bars, "tables": tables}


def page(results: dict[str, dict[str, Any]], about: dict[str, Any]) -> str:
    """The page as Markdown."""
    bars = {name: bar for result in results.values() for name, bar in result["bars"].items()}
    missed = [name for name, bar in bars.items() if not bar["ok"]]
    verdict = f"{len(bars) - len(missed)} of {len(bars)} figures reach their goal"
    verdict += f"; missed: {', '.join(f'`{name}`' for name in missed)}." if missed else "."
    on = ", ".join(f"{key} {value}" for key, value in about.items())
    parts = ["# Image inversion, measured\n", INTRODUCTION, f"**{verdict}** Machine: {on}.\n"]
    for result in results.values():
        for shown in result["tables"]:
            parts += [f"## {shown['title']}\n", markdown(shown["head"], shown["rows"])]
            parts += [shown["note"] + "\n"] if shown["note"] else []
        if result["bars"]:
            parts += ["### Goals\n", markdown(["figure", "value", "goal", "reached"], goals(result["bars"]))]
    return "\n".join(parts).rstrip() + "\n"


def main() -> None:
    import torch

    torch.set_num_threads(1)
    options = parser(__doc__)
    options.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some of the parts")
    options.add_argument("--data", type=Path, help="photos of people: .npz with x (n, h, w) and person (n,)")
    options.add_argument("--installed", action="store_true", help="make no environment for another tool")
    options.add_argument("--write", action="store_true", help="write docs/benchmarks/inversion.md")
    chosen = options.parse_args()
    results = {part: measure(part, chosen) for part in PARTS if part in chosen.only}
    if chosen.write:
        PAGE.write_text(page(results, machine()), encoding="utf-8")
    print()
    finish({name: bar for result in results.values() for name, bar in result["bars"].items()}, chosen.json)


if __name__ == "__main__":
    main()
