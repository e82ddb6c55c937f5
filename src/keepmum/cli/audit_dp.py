"""``keepmum audit-dp``: is a claim of differential privacy refuted?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from keepmum._sections import DpSettings
from keepmum.cli._app import Exit
from keepmum.cli._inputs import READING, configured, cores
from keepmum.cli._terminal import DEFAULTS, Options, Terminal
from keepmum.cli.audit import NO_TARGET, Model, Target
from keepmum.cli.harden import NO_EFFORT, NO_SIDES, How, Sides
from keepmum.errors import ConfigError

if TYPE_CHECKING:
    from keepmum.audit_dp import DpAudit
    from keepmum.findings import Check
    from keepmum.settings import Settings

Claim = Annotated[DpSettings, Parameter(name="*", group=Group("Which claim", sort_key=4))]
NO_CLAIM = DpSettings()


def audit_dp(
    model: Model = None,
    /,
    *,
    target: Target = NO_TARGET,
    data: Sides = NO_SIDES,
    how: How = NO_EFFORT,
    claim: Claim = NO_CLAIM,
    common: Options = DEFAULTS,
) -> int:
    """Audit a claim of differential privacy: one training run with canaries that coins decide about.

    The model is trained anew on the members and on half of the canaries, by the recipe that MODEL is or --recipe names;
    what its answers tell about the canaries proves that epsilon is at least so much. Recipes of keepmum's own private
    training are also watched step by step, and their mechanism is tested. Exits with 1 if the claim is refuted or a
    test fails. That it is not refuted is no proof.
    """
    terminal = common.terminal
    settings = configured(model, {"target": target, "data": data, "audit": how, "dp": claim}, common.config)
    with terminal.progress() as ticker:
        ticker(0, 0, READING)
        trainer, members = _inputs(settings)
        with cores(settings.audit):
            audits, checks = _measured(trainer, members, settings, ticker)
    _show(audits, checks, terminal)
    told = {
        "audits": [dict(each.to_dict()) for each in audits],
        "mechanism": [
            {"name": check.name, "passed": check.passed, "explanation": check.explanation} for check in checks
        ],
    }
    if settings.dp.out is not None:
        _write(settings.dp.out, told, audits, checks)
        terminal.show(f"Report: {settings.dp.out / 'dp-audit.md'}", whole=True)
    if common.json:
        terminal.data(json.dumps(told))
    wrong = any(each.refuted for each in audits) or any(check.passed is False for check in checks)
    return Exit.GATE_FAILED if wrong else Exit.DONE


def _inputs(settings: Settings) -> tuple[Any, Any]:
    """The recipe, and whom it trains on."""
    from keepmum.cli._inputs import read_members
    from keepmum.cli._recipes import check_one, function_named, own_recipe
    from keepmum.targets.coerce import as_target
    from keepmum.training import as_trainer

    named = settings.dp.recipe
    check_one(settings, named)
    members = read_members(settings)
    if named is not None:
        return as_trainer(function_named(named)), members
    if settings.target.model is None:
        raise ConfigError("expected a MODEL file or --recipe package.module:function, got neither")
    opened = as_target(settings.target.model, members.y, allow_pickle=settings.target.allow_pickle)
    return as_trainer(own_recipe(opened)), members


def _measured(trainer: Any, members: Any, settings: Settings, ticker: Any) -> tuple[list[DpAudit], tuple[Check, ...]]:
    from keepmum.audit_dp import audit_dp as by_answers
    from keepmum.audit_dp import audit_dp_runs, check_mechanism, watch_canaries
    from keepmum.training import PrivateTrainer

    chosen, seed = settings.dp, settings.audit.seed
    epsilon, delta = _claim(trainer, members, chosen)
    coins: dict[str, Any] = {"epsilon": epsilon, "guesses": chosen.guesses, "seed": seed}
    runs = chosen.runs or 0
    parts = (3 if isinstance(trainer, PrivateTrainer) else 1) + runs
    ticker(0, parts, "training with canaries")
    audits = [by_answers(trainer, members, delta=delta, canaries=chosen.canaries, **coins)]
    checks: tuple[Check, ...] = ()
    if runs:
        audits.append(
            audit_dp_runs(
                trainer,
                members,
                epsilon=epsilon,
                delta=delta,
                runs=runs,
                seed=seed,
                progress=lambda done, total: ticker(1 + done, parts, "training with and without one canary"),
            )
        )
    if isinstance(trainer, PrivateTrainer):
        ticker(1 + runs, parts, "watching every step")
        most = _parameters(trainer)
        audits.append(watch_canaries(trainer, members, canaries=min(chosen.canaries, most), **coins))
        ticker(2 + runs, parts, "testing the mechanism")
        checks = check_mechanism(trainer, members, seed=seed)
    ticker(parts, parts, "done")
    return audits, checks


def _claim(trainer: Any, members: Any, chosen: DpSettings) -> tuple[float | None, float]:
    """Epsilon and delta: as they were given, or the recipe's own."""
    from keepmum.training import PrivateTrainer

    estimator: Any = getattr(trainer, "estimator", None)
    if isinstance(trainer, PrivateTrainer):
        own = trainer.epsilon if trainer.epsilon is not None else trainer.statement(len(members)).epsilon
        delta = trainer.delta
    elif type(estimator).__name__ == "PrivateLogisticRegression":
        own, delta = float(estimator.epsilon), float(estimator.delta)
    else:
        return chosen.epsilon, chosen.delta
    if "delta" in chosen.model_fields_set:
        raise ConfigError(f"--delta: the recipe claims delta {delta:g} itself: leave it out")
    return own if chosen.epsilon is None else chosen.epsilon, delta


def _parameters(trainer: Any) -> int:
    from keepmum.training._private_gradients import trained_parameters

    return sum(value.numel() for value in trained_parameters(trainer.inner.build()))


def _show(audits: list[DpAudit], checks: tuple[Check, ...], terminal: Terminal) -> None:
    from rich.table import Table
    from rich.text import Text

    worst = max(audits, key=lambda each: each.epsilon.value)
    faults = [check.name for check in checks if check.passed is False]
    if faults:
        badge, style, said = "FAULT", "bold red", f"The mechanism does not do what it says: {', '.join(faults)}."
    elif worst.claimed is None:
        badge, style, said = "NO CLAIM", "yellow", worst.verdict
    else:
        badge, style = ("REFUTED", "bold red") if worst.refuted else ("NOT REFUTED", "cyan")
        said = worst.verdict
    terminal.result.print(Text.assemble((badge, style), "  ", (said, "bold")))
    if faults:
        terminal.result.print(worst.verdict)
    table = Table(box=None, pad_edge=False)
    for name in ("seen by", "proved", "proved, if Gaussian", "could prove", "canaries or runs"):
        table.add_column(name, justify="left" if name == "seen by" else "right")
    for each in audits:
        numbers = (each.epsilon.value, each.gaussian.value, each.ceiling)
        table.add_row(each.view, *(f"{number:.2f}" for number in numbers), f"{each.canaries:,}")
    terminal.result.print()
    terminal.result.print(table)
    if checks:
        terminal.result.print()
        for check in checks:
            outcome = ("passed", "green") if check.passed else ("FAILED", "bold red")
            terminal.result.print(Text.assemble(outcome, f"  {check.name}: {check.explanation}"))
    terminal.show("Numbers are lower bounds of epsilon, at 95 %. A claim that is not refuted is not proved.")


def _write(folder: Path, told: dict[str, Any], audits: list[DpAudit], checks: tuple[Check, ...]) -> None:
    from keepmum._whole import write_whole

    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "dp-audit.json", json.dumps(told, indent=2) + "\n")
    lines = ["# Audit of a claim of differential privacy", ""]
    lines += [f"* Seen by {each.view}: {each.verdict}" for each in audits]
    lines += [f"* {check.name}: {'passed' if check.passed else 'FAILED'}; {check.explanation}" for check in checks]
    write_whole(folder / "dp-audit.md", "\n".join(lines) + "\n")
