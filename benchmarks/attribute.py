"""Hidden attributes, measured: what attacks learn, what anyone could infer, and what they learn about strangers.

    python benchmarks/attribute.py --json                everything, some minutes; the last line is JSON
    python benchmarks/attribute.py --quick --json        small samples, within a minute
    python benchmarks/attribute.py --only warfarin fair  some of the parts
    python benchmarks/attribute.py --adult FILE          another copy of Adult, .parquet or .csv
    python benchmarks/attribute.py --write               writes docs/benchmarks/attribute.md

A bar that is not reached stays in, with ``ok: false``; ``ok`` is computed from the values.
"""

from __future__ import annotations

import argparse
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from common import HOME, finish, machine, parser
from write import goals, markdown

PARTS = ("warfarin", "fair", "adult", "informed", "null", "errors")
PAGE = HOME / "docs" / "benchmarks" / "attribute.md"
INTRODUCTION = """\
Written by `make hidden` (`python benchmarks/attribute.py --write`); do not edit by hand. Every figure that has a goal
is listed, also those that miss it. What the words mean is told in [three meanings](../explanation/three-meanings.md).
"""


def measure(part: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Bars and tables of one part."""
    print(f"\n== {part} ==", flush=True)
    function = import_module(f"_attribute_{part}").measure
    if part == "adult":
        function = partial(function, file=chosen.adult)
    if part == "null":
        function = partial(function, jobs=chosen.jobs)
    bars, tables = function(chosen.quick)
    return {"bars": bars, "tables": tables}


def page(results: dict[str, dict[str, Any]], about: dict[str, Any]) -> str:
    """The page as Markdown."""
    bars = {name: bar for result in results.values() for name, bar in result["bars"].items()}
    missed = [name for name, bar in bars.items() if not bar["ok"]]
    verdict = f"{len(bars) - len(missed)} of {len(bars)} figures reach their goal"
    verdict += f"; missed: {', '.join(f'`{name}`' for name in missed)}." if missed else "."
    on = ", ".join(f"{key} {value}" for key, value in about.items())
    parts = ["# Hidden attributes, measured\n", INTRODUCTION, f"**{verdict}** Machine: {on}.\n"]
    for result in results.values():
        for shown in result["tables"]:
            parts += [f"## {shown['title']}\n", markdown(shown["head"], shown["rows"])]
            parts += [shown["note"] + "\n"] if shown["note"] else []
        if result["bars"]:
            parts += ["### Goals\n", markdown(["figure", "value", "goal", "reached"], goals(result["bars"]))]
    return "\n".join(parts).rstrip() + "\n"


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some of the parts")
    options.add_argument("--adult", type=Path, help="Adult as .parquet or .csv; the bundled copy unless said")
    options.add_argument("--jobs", type=int, default=2, help="processes for the part null")
    options.add_argument("--write", action="store_true", help="write docs/benchmarks/attribute.md")
    chosen = options.parse_args()
    results = {part: measure(part, chosen) for part in PARTS if part in chosen.only}
    if chosen.write:
        PAGE.write_text(page(results, machine()), encoding="utf-8")
    print()
    finish({name: bar for result in results.values() for name, bar in result["bars"].items()}, chosen.json)


if __name__ == "__main__":
    main()
