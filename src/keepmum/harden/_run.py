"""Train a fleet behind each defense, and hold it against the fleet without."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum._session import Progress
from keepmum.attacks import Attack, choose
from keepmum.data import Records, Split
from keepmum.defenses import Defense, OutputDefense, TrainingDefense, defended, parse, settled
from keepmum.errors import ConfigError, KeepmumError
from keepmum.harden._answers import ASKED, Said, said_of, signal, signal_behind
from keepmum.harden._defaults import default_defenses
from keepmum.harden._measure import FEWEST, Drawn, Lots, measure
from keepmum.harden._verdict import Verdict, judge, leaking, sentence
from keepmum.harden._world import Duplicated, World, world_of
from keepmum.harden.frontier import Frontier, Row
from keepmum.shadows import ShadowStore
from keepmum.shadows._signal import Signal
from keepmum.training import Trainer, as_trainer

FEW = 64
"""Records of a model that is trained to load what training needs."""
CLAIMS = 16
"""Models below which a note says that intervals are wide."""


@dataclass
class Hardening:
    """One run under way."""

    trainer: Trainer
    world: World
    models: int
    seed: int
    store: ShadowStore
    seconds: float | None
    progress: Progress
    members: Records
    attacks: list[Attack[Any]]
    chosen: Sequence[tuple[Defense, ...]] = ()
    began: float = field(default_factory=time.monotonic)
    _plain: dict[bool, dict[str, Drawn]] = field(default_factory=dict)
    _reached: int = 0
    _names: dict[int, str | None] = field(default_factory=dict)

    def reach(self, done: int, total: int, what: str) -> None:
        """Tell how many models are done; rows that share models of an earlier one take nothing back."""
        self._reached = max(self._reached, done)
        self.progress(self._reached, total, what)

    @cached_property
    def lots(self) -> Lots:
        """What is drawn for every row alike."""
        return Lots.of(self.models, self.world.people, len(self.world.canaries), self.seed)

    def recipe(self, defenses: tuple[Defense, ...]) -> Trainer:
        """The recipe behind defenses, canaries made to fit them."""
        made = defended(self.trainer, *defenses)
        return Duplicated(made, self.groups(True)["twice"]) if twice(defenses) else made

    def groups(self, duplicated: bool) -> dict[str, NDArray[np.intp]]:
        """People and canaries; where some stand twice, these are the later half."""
        people, canaries = np.arange(self.world.people), self.world.canaries
        if not duplicated:
            return {"population": people, "canary": canaries}
        half = len(canaries) // 2
        return {"population": people, "canary": canaries[:half], "twice": canaries[half:]}

    def kept(self, defenses: tuple[Defense, ...]) -> Signal:
        """What is kept of each model; noisy answers are asked for several times, and averaged."""
        noisy = any(isinstance(each, OutputDefense) and not each.repeatable for each in defenses)
        return signal(ASKED if noisy else 1, self.seed)

    def said(self, defenses: tuple[Defense, ...], told: Callable[[int], None]) -> Said:
        """What the models of a row say.

        Raises:
          NotApplicableError: A defense makes no sense for this recipe.
          TargetError: Training failed.
        """
        self._together(defenses, told)
        recipe, kept = self.recipe(defenses), self.kept(defenses)
        shadows = self.store.collect(
            recipe, self.world.records, self.models, self.seed, lambda done, _: told(done), kept
        )
        return said_of(shadows)

    def trained(self, defenses: tuple[Defense, ...]) -> str:
        """What tells the models of this row from others: rows that differ in their answers alone share models."""
        if not shareable(defenses):
            return self.recipe(defenses).key
        return self.recipe(trainings(defenses)).key

    def together(self, defenses: tuple[Defense, ...]) -> list[tuple[Defense, ...]]:
        """Rows that share the models of this one, itself among them."""
        rows = [(), *self.chosen]
        if not shareable(defenses) or defenses not in rows:
            return [defenses]
        mine = self.known(defenses)
        if mine is None:
            return [defenses]
        return [each for each in rows if shareable(each) and self.known(each) == mine]

    def _together(self, defenses: tuple[Defense, ...], told: Callable[[int], None]) -> None:
        """Train the models of a row, and keep what they say behind the defenses of all rows that share them.

        Where one of these rows fails nothing is lost but time: each is collected by itself then.
        """
        rows = self.together(defenses)
        if len(rows) < 2:
            return
        fronts = tuple(outputs(each) for each in rows)
        kept = [(self.recipe(each), self.kept(each)) for each in rows]
        with suppress(Exception):  # the row that fails tells why by itself
            self.store.collect_together(
                self.recipe(trainings(defenses)),
                kept,
                lambda places: signal_behind(tuple(fronts[place] for place in places), self.seed),
                self.world.records,
                self.models,
                self.seed,
                lambda done, _: told(done),
            )

    def done(self, defenses: tuple[Defense, ...]) -> bool:
        """Whether nothing of this row is left to train."""
        try:
            held = self.store.at_hand(
                self.recipe(defenses), self.world.records, self.models, self.seed, self.kept(defenses)
            )
        except Exception:  # whatever it raises is told when the row is made
            return False
        return held == self.models

    def known(self, defenses: tuple[Defense, ...]) -> str | None:
        """As `trained`; None where a defense does not suit the recipe."""
        if id(defenses) not in self._names:
            try:
                self._names[id(defenses)] = self.trained(defenses)
            except Exception:  # whatever it raises is told when its row is made
                self._names[id(defenses)] = None
        return self._names[id(defenses)]

    def plain(self, duplicated: bool) -> dict[str, Drawn]:
        """Everything that is measured without a defense, of the same people and canaries."""
        if duplicated not in self._plain:
            said = self.said((), lambda done: None)
            self._plain[duplicated] = dict(measure(said, self.groups(duplicated), self.lots))
        return self._plain[duplicated]

    def time_of(self, defenses: tuple[Defense, ...]) -> float:
        """Processor seconds that the training of one model took."""
        cost = self.store.cost(self.recipe(defenses), self.world.records, self.seed, self.kept(defenses))
        if cost is None:
            return math.nan
        return cost.seconds if math.isnan(cost.training) else cost.training

    def warm_up(self) -> None:
        """Train a model of a few records and forget it: the first fleet is not to be charged for loading libraries."""
        if not self.done(()):
            with suppress(Exception):  # the fleets meet the same, and tell
                self.trainer.train(self.world.records.take(np.arange(min(FEW, self.world.people))), self.seed)

    def share(self, defenses: tuple[Defense, ...]) -> float:
        """About how long a row takes, in units of the time that the first fleet took: training and asking it."""
        if self.done(defenses):
            return 0.0
        plain = self.store.cost(self.recipe(()), self.world.records, self.seed, self.kept(()))
        if plain is None or not plain.training <= plain.seconds:
            return cost_of(defenses)
        asked = (plain.seconds - plain.training) / len(self.together(()))
        return (plain.training * cost_of(defenses) + asked * len(self.together(defenses))) / plain.seconds


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
      ConfigError: A setting cannot be used, or an unknown defense.
      DataError: Too few records, or of one class.
      TargetError: The recipe itself cannot be trained.
    """
    if models < FEWEST or models % 2:
        raise ConfigError(f"expected an even number of models, at least {FEWEST}, got {models}")
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


def inversions(wanted: Sequence[str]) -> list[Attack[Any]]:
    """Inversion attacks by id.

    Raises:
      ConfigError: An unknown attack, or one of another family.
    """
    found = choose(wanted) if wanted else []
    other = next((attack.name for attack in found if attack.family != "inversion"), None)
    if other is not None:
        raise ConfigError(f"expected inversion attacks, got {other}: membership is measured for every defense anyway")
    return found


def combinations(
    given: Sequence[str | Defense | Sequence[Defense]] | None,
    trainer: Trainer,
    seed: int = 0,
    population: Records | None = None,
) -> list[tuple[Defense, ...]]:
    """What is compared with no defense, each once; labels alone at the end where they were not asked for.

    Secrets that nobody gave are drawn from the seed, so that the same call finds what it stored: nobody is served.
    Defenses that use public records get the population, unless they have some.
    """
    wanted = [given] if isinstance(given, (str, Defense)) else given
    items = default_defenses(trainer) if wanted is None else list(wanted)
    made: list[tuple[Defense, ...]] = []
    for item in [*items, "output/label-only"]:
        each = parse(item) if isinstance(item, str) else item if isinstance(item, (tuple, list)) else (item,)
        if not all(isinstance(one, Defense) for one in each):
            raise ConfigError(f"expected defenses, their ids, or sequences of defenses, got {item!r}")
        each = tuple(_settled(one, seed, population) for one in each)
        if each and each not in made:
            made.append(each)
    return made


def _settled(defense: Defense, seed: int, population: Records | None) -> Defense:
    if population is not None and isinstance(defense, TrainingDefense):
        return defense.given(population)
    return settled(defense, seed)


def named(defenses: Sequence[Defense]) -> str:
    """A row's name."""
    return " + ".join(each.name for each in defenses) or "none"


def twice(defenses: Sequence[Defense]) -> bool:
    """Whether canaries that stand twice show what these defenses do not protect."""
    return any(getattr(each, "canaries", "") == "duplicated" for each in defenses)


def outputs(defenses: Sequence[Defense]) -> tuple[OutputDefense, ...]:
    """Those that stand in front of the model."""
    return tuple(each for each in defenses if isinstance(each, OutputDefense))


def trainings(defenses: Sequence[Defense]) -> tuple[Defense, ...]:
    """Those that change how the model is trained."""
    return tuple(each for each in defenses if not isinstance(each, OutputDefense))


def shareable(defenses: Sequence[Defense]) -> bool:
    """Whether what stands in front of the models hangs on each question alone, so that others may ask them too."""
    return all(each.repeatable and not each.limited for each in outputs(defenses))


def cost_of(defenses: Sequence[Defense]) -> float:
    """About how many times a plain training these take together."""
    return math.prod(each.cost for each in defenses if isinstance(each, TrainingDefense))


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
    if needed > left:
        reason = f"about {needed:.0f} s do not fit into what is left of the budget of {run.seconds:g} s"
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
    if not leaking(plain):
        notes.append("The undefended model shows no leak in this sample: there is nothing that a defense could lower.")
    return tuple(notes)
