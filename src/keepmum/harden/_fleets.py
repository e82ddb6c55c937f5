"""The fleets of a run: one behind each defense, shared by rows that differ in their answers alone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum._session import Progress
from keepmum.attacks import Attack
from keepmum.data import Records
from keepmum.defenses import Defense, OutputDefense, defended
from keepmum.harden._answers import ASKED, Said, said_of, signal, signal_behind
from keepmum.harden._chosen import cost_of, outputs, shareable, trainings, twice
from keepmum.harden._measure import Drawn, Lots, measure
from keepmum.harden._world import Duplicated, World
from keepmum.shadows import ShadowStore
from keepmum.shadows._signal import Signal
from keepmum.training import Trainer

FEW = 64
"""Records of a model that is trained to load what training needs."""


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
