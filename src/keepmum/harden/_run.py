"""Train a fleet behind each defense, and hold it against the fleet without."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keepmum._session import Progress
from keepmum.data import Split
from keepmum.defenses import Defense, OutputDefense, defended
from keepmum.errors import ConfigError, KeepmumError
from keepmum.harden._chosen import combinations, inversions, named, twice
from keepmum.harden._fleets import Hardening
from keepmum.harden._measure import FEWEST, Drawn, measure
from keepmum.harden._verdict import Verdict, by_area, judge, leaking, sentence
from keepmum.harden._world import is_whole, world_of
from keepmum.harden.frontier import Frontier, Row
from keepmum.shadows import ShadowStore
from keepmum.training import as_trainer

CLAIMS = 16
"""Models below which a note says that intervals are wide."""


def harden(
    trainer: Any,
    split: Split,
    *,
    defenses: Sequence[str | Defense | Sequence[Defense]] | None = None,
    attacks: Sequence[str] = (),
    models: int = 16,
    canaries: int | None = None,
    seed: int = 0,
    seconds: float | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Frontier:
    """Measure which defense works for a model, against an attacker who knows the defense.

    For each defense so many models are trained on halves of the records, all behind the defense; each is attacked once
    with the others but its partner as shadow models. Leakage is told of people as they are, and of canaries: records
    with a wrong label, which nothing but memory explains. Whoever sees labels alone attacks too.

    Args:
      trainer: The recipe: a `keepmum.training.Trainer` or a scikit-learn estimator.
      split: The records; who is a member does not matter here, since the models are trained on halves of all of them. A
        population is what distillation and PATE take for public records, where they were not given any.
      defenses: Defenses, texts such as ``"training/l2:strength=0.01 + output/rounding:decimals=1"``, or sequences of
        defenses that act together; those that suit the recipe if None. Labels alone are always among them.
      attacks: Inversion attacks to play against one model of each row, by id.
      models: Models for each row, even, at least 6; claims want 16 or more.
      canaries: Records that get a wrong label; at most 300 and 15 % of the records unless given.
      seed: The same seed gives the same numbers.
      seconds: No defense is begun that would not end within this time, by what the first fleet took and how many times
        a training the defense costs; what is left out is said.
      out: Folder where what models say is kept, so that the same call goes on where it stopped, and where
        ``harden.html``, ``.json`` and ``.md`` are written.
      progress: Called with models done, models in all, and what is done next.

    Raises:
      ConfigError: A setting or the split cannot be used, or an unknown defense.
      DataError: Too few records, or of one class.
      TargetError: The recipe itself cannot be trained.
    """
    if not isinstance(split, Split):
        raise ConfigError(f"expected a keepmum.Split of members and non-members, got {type(split).__name__}")
    if not is_whole(models) or models < FEWEST or models % 2:
        raise ConfigError(f"expected an even number of models, at least {FEWEST}, got {models!r}")
    if not is_whole(seed) or seed < 0:
        raise ConfigError(f"expected a whole number from 0 up for a seed, got {seed!r}")
    if seconds is not None and not seconds > 0:
        raise ConfigError(f"expected seconds above 0, or None for as long as it takes, got {seconds!r}")
    recipe = as_trainer(trainer)
    chosen = combinations(defenses, recipe, seed, split.population)
    searches = inversions(attacks)
    world = world_of(split, canaries, seed)
    folder = None if out is None else Path(out) / "restricted" / "harden"
    store = ShadowStore(folder)
    tell = progress or (lambda done, total, what: None)
    run = Hardening(recipe, world, models, seed, store, seconds, tell, split.members, searches, chosen)
    frontier = _frontier(run)
    if out is not None:
        frontier.save(out)
    return frontier


def _frontier(run: Hardening) -> Frontier:
    order = list(dict.fromkeys(run.known(each) for each in [(), *run.chosen]))
    total = run.models * len(order)
    run.warm_up()
    run.said((), lambda done: run.reach(done, total, "training without a defense"))
    first = time.monotonic() - run.began
    rows = [_row(run, (), run.plain(False))]
    notes = _notes(run, rows[0].metrics)
    for defenses in run.chosen:
        before = order.index(run.known(defenses)) * run.models
        rows.append(_one(run, defenses, before, (total, first)))
    run.progress(total, total, "done")
    return Frontier(tuple(rows), run.world.people, len(run.world.canaries), run.models, run.seed, notes)


def _one(run: Hardening, defenses: tuple[Defense, ...], before: int, sizes: tuple[int, float]) -> Row:
    """The row of a defense, or why there is none."""
    total, first = sizes
    name = named(defenses)
    needed = first * run.share(defenses)
    left = math.inf if run.seconds is None else run.seconds - (time.monotonic() - run.began)
    if needed > 0 and left < needed:  # what was trained together with earlier rows is told, whatever is left
        reason = f"about {max(1, needed):.0f} s do not fit into what is left of the budget of {run.seconds:g} s"
        return Row(name, Verdict.NOT_RUN, reason=reason, defenses=defenses)
    try:
        said = run.said(defenses, lambda done: run.reach(before + done, total, f"training with {name}"))
        return _row(run, defenses, dict(measure(said, run.groups(twice(defenses)), run.lots)))
    except KeepmumError as err:
        return Row(name, Verdict.NOT_RUN, reason=str(err), defenses=defenses)
    except Exception as err:  # whatever one defense does, the others are still reported
        return Row(name, Verdict.NOT_RUN, reason=f"{type(err).__name__}: {err}", defenses=defenses)


def _row(run: Hardening, defenses: tuple[Defense, ...], drawn: dict[str, Drawn]) -> Row:
    from keepmum.harden._invert import invert

    undefended = run.plain(twice(defenses))
    metrics = {name: each.estimate() for name, each in drawn.items()}
    before = {name: each.estimate() for name, each in undefended.items()}
    gaps = {name: each.beyond(undefended[name]) for name, each in drawn.items() if name in undefended}
    verdict, ways = judge(before, gaps)
    if not defenses:
        verdict = Verdict.UNDEFENDED
    mine, theirs = run.time_of(defenses), run.time_of(())
    return Row(
        name=named(defenses),
        verdict=verdict,
        sentence=sentence(verdict, ways, metrics, gaps["accuracy"]),
        metrics=metrics,
        differences=gaps if defenses else {},
        models=run.models,
        cost=mine / theirs if theirs > 0 else float("nan"),
        bits=_bits(defenses, len(np.unique(run.world.records.y))),
        inversion=invert(defended(run.trainer, *defenses), run.world, run.attacks, run.seed, run.store.folder),
        defenses=defenses,
        trainer=run.trainer,
        members=run.members,
        tried=len(run.chosen),
    )


def _bits(defenses: Sequence[Defense], classes: int) -> float | None:
    """The least that any of the output defenses lets through."""
    told = [each.bits(classes) for each in defenses if isinstance(each, OutputDefense)]
    return min((bits for bits in told if bits is not None), default=None)


def _notes(run: Hardening, plain: Any) -> tuple[str, ...]:
    notes = []
    if run.models < CLAIMS:
        notes.append(f"{run.models} models a row are few: intervals are wide, and verdicts want {CLAIMS} or more.")
    if areas := by_area(plain):
        notes.append(
            "At few false alarms the undefended model's rate is not above chance for certain, as where many answers "
            f"are equal, while the AUC is: the leak {areas} is judged by that, and its rate in the table tells nothing."
        )
    if not leaking(plain):
        notes.append("The undefended model shows no leak in this sample: there is nothing that a defense could lower.")
    return tuple(notes)
