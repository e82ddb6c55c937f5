"""``keepmum compare``: what changed between two audits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from keepmum.cli._app import Exit
from keepmum.cli._runs import read_report
from keepmum.cli._terminal import DEFAULTS, Options, Terminal
from keepmum.errors import ConfigError

if TYPE_CHECKING:
    from keepmum.report import Report
    from keepmum.report.compare import Comparison


def compare(
    before: Annotated[Path, Parameter(help="Run folder, report.json, or id of a run.")],
    after: Annotated[Path, Parameter(help="Another, of the same kind.")],
    /,
    *,
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], help="Page to write, with both side by side (.html).")
    ] = None,
    metric: Annotated[str, Parameter(help="Metric to show for each attack.")] = "auc",
    common: Options = DEFAULTS,
) -> int:
    """Tell what changed between two audits.

    A change is better or worse only where the interval of the difference excludes zero.
    """
    from keepmum.report.compare import compare as held_together

    terminal = common.terminal
    (old, old_path), (new, new_path) = read_report(before), read_report(after)
    comparison = held_together(old, new)
    known = sorted({change.metric for change in comparison.changes})
    if metric not in (*known, "auc"):
        raise ConfigError(f"--metric: no metric {metric!r} in both reports; there are {', '.join(known) or 'none'}")
    if output is not None:
        _check_ending(output)
    _show(comparison, metric, terminal)
    if output is not None:
        terminal.say(f"Wrote {write_page([(_name(old_path), old), (_name(new_path), new)], output)}")
    if common.json:
        from keepmum.report._json import plain

        terminal.data(json.dumps(plain(comparison), allow_nan=False))
    return Exit.DONE


def write_page(reports: Sequence[tuple[str, Report]], path: Path) -> Path:
    """Write a page that shows reports side by side.

    Args:
      reports: Each with its name.
      path: Where to write; must end in .html.

    Raises:
      ConfigError: Another ending, or a place that cannot be written.
    """
    from keepmum._whole import write_whole
    from keepmum.report._html import render_comparison

    _check_ending(path)
    page = render_comparison(reports)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, page)
    return path


def _check_ending(path: Path) -> None:
    if path.suffix.lower() != ".html":
        raise ConfigError(f"expected a file name that ends in .html, got {path.name!r}")


def _name(path: Path) -> str:
    return path.parent.name or path.stem


def _show(comparison: Comparison, metric: str, terminal: Terminal) -> None:
    from rich.table import Table

    table = Table(title=metric, title_justify="left", box=None, pad_edge=False)
    table.add_column("attack", no_wrap=True)
    for heading in ("before", "after", "difference", ""):
        table.add_column(heading)
    for change in comparison.changes:
        if change.metric == metric:
            cells = (change.before, change.after, change.difference, change.direction)
            table.add_row(change.id, *(str(cell) for cell in cells))
    terminal.show(comparison.statement)
    if table.row_count:
        terminal.result.print(table)
    for side, names in (("before", comparison.only_before), ("after", comparison.only_after)):
        if names:
            terminal.show(f"Only {side}: {', '.join(names)}")
