"""``keepmum plan``: what an audit would do, before it does it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from keepmum.cli._app import Exit
from keepmum.cli._inputs import READING, configured, cores, read_case
from keepmum.cli._terminal import DEFAULTS, Options, Terminal, size
from keepmum.cli.audit import (
    NO_ATTRIBUTE,
    NO_DATA,
    NO_HOW,
    NO_IMAGES,
    NO_TARGET,
    Attribute,
    Data,
    How,
    Images,
    Model,
    Scores,
    Target,
)
from keepmum.errors import ConfigError

if TYPE_CHECKING:
    from keepmum._plan import Plan


HOW_MUCH = ("seed", "max_queries", "repeats", "effort", "seconds", "shadows", "shadow_store")
ASKED = ("trainer", "attacks", "hidden", "known", "tolerance", "images", *HOW_MUCH)
BY = {"number": "", "effort": ", as the effort says", "budget": ", as many as fit into the budget"}


def plan(
    model: Model = None,
    /,
    *,
    scores: Scores = None,
    target: Target = NO_TARGET,
    data: Data = NO_DATA,
    how: How = NO_HOW,
    attribute: Attribute = NO_ATTRIBUTE,
    images: Images = NO_IMAGES,
    common: Options = DEFAULTS,
) -> int:
    """Tell what an audit would play, ask and cost, and what the records can show at all.

    Takes the options of audit. One fleet of shadow models is trained, to learn what they take, and kept if there is a
    --shadow-store. Nothing is attacked, and nothing else is written.
    """
    from keepmum.audit import plan as make_plan

    if scores is not None and (model is not None or target.model is not None):
        raise ConfigError("expected a MODEL or --scores, got both: recorded answers stand in for the model")
    terminal = common.terminal
    sections = {"target": target, "data": data, "audit": how, "attribute": attribute, "images": images}
    settings = configured(model, sections, common.config)
    with terminal.progress() as ticker:
        ticker(0, 0, READING)
        case = read_case(settings, scores)
    options = {name: case.options[name] for name in ASKED}
    with cores(settings.audit):
        made = make_plan(case.model, case.members, case.nonmembers, population=case.population, **options)
    _show(made, terminal)
    if common.json:
        terminal.data(json.dumps(asdict(made), default=str))
    return Exit.DONE


def _show(made: Plan, terminal: Terminal) -> None:
    from rich.table import Table

    table = Table(title=f"Plan with {made.access} access", title_justify="left", box=None, pad_edge=False)
    table.add_column("attack", no_wrap=True)
    table.add_column("queries", justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("why not")
    for row in made.rows:
        cost = (
            (f"{row.queries:,}", "<0.1" if row.seconds < 0.1 else f"{row.seconds:.1f}") if row.applicable else ("", "")
        )
        table.add_row(row.attack, *cost, row.reason)
    terminal.result.print(table)
    terminal.show(
        f"{made.members:,} members, {made.nonmembers:,} non-members; {made.queries:,} rows asked in all "
        f"(answers are shared), about {made.seconds:.0f} s."
    )
    if made.shadows:
        _show_training(made, terminal)
    terminal.show(f"These records resolve false positive rates down to {made.resolvable_fpr:.2%}.")
    terminal.show(f"They show an AUC of {made.detectable_auc:.3f} or more in 4 of 5 audits.")
    for metric, why in made.refused.items():
        terminal.show(f"{metric} will be refused: {why}.")


def _show_training(made: Plan, terminal: Terminal) -> None:
    training = made.training
    several = f"{training.workers} workers" if training.workers > 1 else "one worker"
    terminal.show(
        f"{made.shadows} shadow models{BY[training.decided_by]}, at {training.seconds:.2g} s each, are part of that: "
        f"{training.duration:.0f} s on {several}."
    )
    terminal.show(f"Fleets of {training.fleet} models, trained {training.note}.")
    memory = f"; a worker takes about {size(training.worker_memory)} of memory" if training.worker_memory else ""
    terminal.show(f"What they say takes {size(made.signals_size)} on the disk{memory}.")
