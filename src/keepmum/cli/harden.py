"""``keepmum harden``: which defense works for a recipe, measured by an attacker who knows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from keepmum._sections import HardenSettings
from keepmum.choices import Effort
from keepmum.cli._app import Exit, command
from keepmum.cli._inputs import READING, configured, cores
from keepmum.cli._terminal import DEFAULTS, Options, Terminal
from keepmum.cli.audit import NO_TARGET, Model, Target
from keepmum.errors import ConfigError
from keepmum.settings import EffortSettings, SideSettings

if TYPE_CHECKING:
    from keepmum.harden import Frontier

Sides = Annotated[SideSettings, Parameter(name="*", group=Group("Whose records", sort_key=2))]
How = Annotated[EffortSettings, Parameter(name="*", group=Group("How", sort_key=3))]
Harden = Annotated[HardenSettings, Parameter(name="*", group=Group("Which defenses", sort_key=4))]
NO_SIDES, NO_EFFORT, NO_HARDEN = SideSettings(), EffortSettings(), HardenSettings()
MODELS = {Effort.QUICK: 8, Effort.STANDARD: 16, Effort.THOROUGH: 64}
"""Models for each defense, by effort."""
COLORS = {"works": "green", "backfired": "red", "masking only": "yellow"}


def harden(
    model: Model = None,
    /,
    *,
    target: Target = NO_TARGET,
    data: Sides = NO_SIDES,
    how: How = NO_EFFORT,
    defense: Harden = NO_HARDEN,
    common: Options = DEFAULTS,
) -> int:
    """Hold defenses against each other for one recipe: accuracy, and what leaks of people and of canaries.

    For each defense, models are trained on halves of the records, all behind the defense, and attacked with each other
    as shadow models; attackers with labels alone are among them. MODEL is an estimator file, which is its own recipe,
    or --recipe names one. Defenses that learn from answers about public records take those of --population. What is
    finished is kept, and the same command goes on where it stopped. Exits with 0 when every defense was measured,
    whatever came out, and with 3 when one was not run.
    """
    from keepmum.cli._recipes import recipe_and_records
    from keepmum.data import Split
    from keepmum.harden import harden as measure

    terminal = common.terminal
    sections = {"target": target, "data": data, "audit": how, "harden": defense}
    settings = configured(model, sections, common.config)
    chosen = settings.harden
    if settings.target.behind is not None:
        raise ConfigError("--behind: every defense is a row here: name it with --defense")
    asked = _asked(chosen)
    with terminal.progress() as ticker:
        ticker(0, 0, READING)
        trainer, members, nonmembers, population = recipe_and_records(settings, chosen.recipe)
        split = Split(members, nonmembers, population)
        out = chosen.out or Path(".keepmum") / "harden"
        try:
            with cores(settings.audit):
                found = measure(
                    trainer,
                    split,
                    defenses=list(chosen.defenses) or None,
                    attacks=chosen.inversion,
                    models=chosen.models or MODELS[settings.audit.effort],
                    canaries=chosen.canaries,
                    seed=settings.audit.seed,
                    seconds=settings.audit.budget,
                    out=out,
                    progress=ticker,
                )
        except KeyboardInterrupt:
            kept = f"what is finished is kept in {out}; the same command continues:\n  {command()}"
            terminal.prose.print(f"keepmum: interrupted: {kept}", markup=False, highlight=False, soft_wrap=True)
            return Exit.INTERRUPTED
    _show(found, terminal)
    terminal.show(f"Report: {out / 'harden.html'}", whole=True)
    if chosen.export is not None:
        row = found.best if asked is None else found.row(asked)
        terminal.show(f"Model with {row.name}, trained on all members: {row.export(chosen.export)}", whole=True)
    if common.json:
        terminal.data(json.dumps(found.to_dict(), allow_nan=False))
    return Exit.DONE if len(found.measured) == len(found.rows) else Exit.INCONCLUSIVE


def _asked(chosen: HardenSettings) -> str | None:
    """Name of the row that is exported, looked at before anything is trained; None for the knee.

    Raises:
      ConfigError: A row that is not asked for, or no new folder.
    """
    from keepmum.defenses import parse
    from keepmum.harden._chosen import named

    if chosen.row is not None and chosen.export is None:
        raise ConfigError("--row: expected --export with a folder, got none")
    if (
        chosen.export is not None
        and chosen.export.exists()
        and (chosen.export.is_file() or any(chosen.export.iterdir()))
    ):
        raise ConfigError(f"--export: expected a new folder, got {chosen.export}, which is there and not empty")
    if chosen.row is None:
        return None
    name = named(parse(chosen.row))
    offered = ["none", "output/label-only", *(named(parse(each)) for each in chosen.defenses)]
    if chosen.defenses and name not in offered:
        raise ConfigError(f"--row: expected a defense that is named with --defense, got {chosen.row!r}")
    return name


def _show(found: Frontier, terminal: Terminal) -> None:
    from keepmum.harden._words import inverted, summary

    _table(found, terminal)
    terminal.show(
        "Leaks: percent of members found, at the rate of false alarms in the head; intervals stand in the report. "
        f"{summary(found)}"
    )
    for note in found.notes:
        terminal.show(note)
    for row in found.rows:
        if row.reason:
            terminal.show(f"{row.name} was not run: {row.reason}")
    drawn: dict[str, list[str]] = {}
    for row in found.rows:
        if row.inversion:
            drawn.setdefault(inverted(row), []).append(row.name)
    for said, names in drawn.items():
        terminal.show(f"{', '.join(names)}:{said}")
    if found.measured:
        terminal.show(f"Knee of the frontier: {found.best.name}. {found.best.sentence}")


def _table(found: Frontier, terminal: Terminal) -> None:
    """The rows side by side; below each other where the terminal is too narrow to show every number."""
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    from keepmum.harden._verdict import rate_of
    from keepmum.harden._words import SHORT, heads

    table = Table(box=None, pad_edge=False)
    table.add_column("defense", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    names = ["accuracy", *heads(found)]
    for name in names:
        table.add_column(name, justify="right")
    listed = Text()
    for row in found.rows:
        verdict = Text(str(row.verdict), style=COLORS.get(str(row.verdict), ""))
        rates = [rate_of(row.metrics, leak) for leak in SHORT]
        cells = [f"{100 * row.metrics[rate].value:.0f}" if rate else "–" for rate in rates]
        cells.insert(0, f"{100 * row.accuracy:.1f}" if row.metrics else "–")
        table.add_row(row.name.replace(" + ", "\n  + "), verdict, *cells)
        listed.append(f"{row.name}: ").append_text(verdict).append("\n")
        listed.append("".join(f"  {name}: {cell}\n" for name, cell in zip(names, cells, strict=True) if row.metrics))
    console = terminal.result
    fits = Measurement.get(console, console.options.update(width=1000), table).minimum <= console.width
    console.print(table if fits else listed, end="\n" if fits else "")
