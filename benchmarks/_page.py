"""A benchmark of several parts, each a module with ``measure(quick, …)``, and the page that its figures make."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from common import FOLDER, finish, machine
from write import goals, markdown

Results = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Benchmark:
    """What is measured and where it is told.

    Attributes:
      name: Its modules are ``_<name>_<part>``.
      title: Head of the page.
      parts: Parts in the order of the page.
      path: The page.
      introduction: What stands above the figures.
    """

    name: str
    title: str
    parts: tuple[str, ...]
    path: Path
    introduction: str

    def run(
        self, options: argparse.ArgumentParser, more: Callable[[str, argparse.Namespace], Mapping[str, Any]]
    ) -> None:
        """Read the options, measure the parts, print the bars, and write the page where that is asked for.

        Args:
          options: A parser that knows the options of this benchmark.
          more: Further arguments of a part's ``measure``.
        """
        options.add_argument("--only", nargs="+", choices=self.parts, default=self.parts, help="some of the parts")
        options.add_argument(
            "--reuse", action="store_true", help="take results of earlier full runs where there are some"
        )
        options.add_argument("--write", action="store_true", help=f"write {self.path.parent.name}/{self.path.name}")
        chosen = options.parse_args()
        named = () if chosen.reuse and chosen.only is self.parts else chosen.only
        results = {}
        for part in self.parts:
            if chosen.reuse and part not in named and self._kept(part).exists():
                results[part] = json.loads(self._kept(part).read_text(encoding="utf-8"))
            elif part in chosen.only:
                results[part] = self._part(part, chosen.quick, more(part, chosen))
        if chosen.write:
            self.path.write_text(self.page(results, machine()), encoding="utf-8")
        print()
        finish({name: bar for result in results.values() for name, bar in result["bars"].items()}, chosen.json)

    def _kept(self, part: str) -> Path:
        return FOLDER / f"{self.name}-{part}.json"

    def _part(self, part: str, quick: bool, more: Mapping[str, Any]) -> dict[str, Any]:
        print(f"\n== {part} ==", flush=True)
        bars, tables = import_module(f"_{self.name}_{part}").measure(quick, **more)
        result = {"bars": bars, "tables": tables}
        if not quick:
            FOLDER.mkdir(exist_ok=True)
            self._kept(part).write_text(json.dumps(result), encoding="utf-8")
        return result

    def page(self, results: Results, about: Mapping[str, Any]) -> str:
        """The page as Markdown."""
        bars = {name: bar for result in results.values() for name, bar in result["bars"].items()}
        missed = [name for name, bar in bars.items() if not bar["ok"]]
        verdict = f"{len(bars) - len(missed)} of {len(bars)} figures reach their goal"
        verdict += f"; missed: {', '.join(f'`{name}`' for name in missed)}." if missed else "."
        on = ", ".join(f"{key} {value}" for key, value in about.items())
        parts = [f"# {self.title}\n", self.introduction, f"**{verdict}** Machine: {on}.\n"]
        for result in results.values():
            for shown in result["tables"]:
                parts += [f"## {shown['title']}\n", markdown(shown["head"], shown["rows"])]
                parts += [shown["note"] + "\n"] if shown["note"] else []
            if result["bars"]:
                parts += ["### Goals\n", markdown(["figure", "value", "goal", "reached"], goals(result["bars"]))]
        return "\n".join(parts).rstrip() + "\n"
