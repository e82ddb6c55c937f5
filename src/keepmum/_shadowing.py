"""The shadow models of an audit: whether there are any, from which recipe, and whether they are like the target."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from keepmum._asked import Settings
from keepmum.attacks import Attack
from keepmum.data import Split
from keepmum.errors import BudgetError, ConfigError, TargetError, WorkerError
from keepmum.findings import Check
from keepmum.shadows import Shadows, ShadowStore, fidelity, scaled_logit
from keepmum.targets import ScoreTarget, Target
from keepmum.training import Trainer, as_trainer

FEWEST = 4
"""Fewer shadow models than this are not worth their time."""


@dataclass(frozen=True, eq=False)
class Fleet:
    """The shadow models of one audit, or why there are none.

    Attributes:
      shadows: What they say about the audited records.
      check: Whether they behave as the target does.
      reason: Why there are none.
      unfinished: Whether the same audit, begun again, would go on with them: time or workers ran out.
    """

    shadows: Shadows | None = None
    check: Check | None = None
    reason: str = ""
    unfinished: bool = False

    @property
    def doubt(self) -> str:
        """Why findings from these models do not speak about the target, or nothing."""
        if self.check is None or self.check.passed:
            return ""
        return f"the shadow models are not like the target. {self.check.explanation}"


def none_fit(settings: Settings) -> str:
    """Why there are no shadow models where time is short."""
    return f"fewer than {FEWEST} fit into the budget of {settings.seconds:g} s; --shadows {FEWEST} trains them anyway"


NONE_ASKED = Fleet(reason="none were asked for; audit with shadows=16, or --shadows 16")


@dataclass(frozen=True)
class Recipe:
    """Where shadow models come from.

    Attributes:
      trainer: A trainer or an estimator; the target's own estimator if None.
      folder: Where signals are kept; in the run folder if None.
      run: The run folder, if there is one.
    """

    trainer: Any = None
    folder: Path | None = None
    run: Path | None = None

    @cached_property
    def store(self) -> ShadowStore:
        """Where signals are kept, in memory if nothing else was said."""
        inside = None if self.run is None else self.run / "restricted" / "shadows"
        return ShadowStore(self.folder or inside)

    def resolve(self, target: Target, settings: Settings) -> Trainer | str:
        """The trainer, or why there is none; what was asked for and cannot be had is an error.

        Raises:
          ConfigError: A trainer was given, or the target is one, that cannot be used.
        """
        if not settings.models:
            return NONE_ASKED.reason if settings.fitted is None else none_fit(settings)
        if not isinstance(target, ScoreTarget):
            return f"{target.access} access is not enough for them"
        if self.trainer is not None:
            return as_trainer(self.trainer)
        if target.internals is None or not hasattr(target.internals, "fit"):
            return "how the target was trained is not known; audit with trainer=, an estimator or a trainer"
        try:
            trainer = as_trainer(target.internals)
            _ = trainer.key  # a recipe that cannot be told from others cannot be used either
            return trainer
        except ConfigError as err:
            if settings.shadows is not None:
                raise
            return str(err)


def planned(attacks: Sequence[Attack[Any]], settings: Settings, trainer: Trainer | str) -> int:
    """Shadow models that an audit will train, at most."""
    wanted = any(attack.by_recipe for attack in attacks)
    return settings.models if wanted and isinstance(trainer, Trainer) else 0


def collect(
    trainer: Trainer,
    target: ScoreTarget,
    split: Split,
    settings: Settings,
    store: ShadowStore,
    tell: Callable[[int], None],
) -> Fleet:
    """Train what is missing, and compare the shadow models with the target.

    Args:
      trainer: The recipe.
      target: Who is audited.
      split: The audited records, which the shadow models are trained on halves of.
      settings: How many, which seed, how long.
      store: Where signals are kept.
      tell: Called with the number of models that are done.

    Raises:
      TargetError: Training failed, and shadow models were asked for by number.
    """
    began = time.monotonic()

    def check_time(done: int, total: int) -> None:
        tell(done)
        if settings.seconds is not None and done < total and time.monotonic() - began > settings.seconds:
            raise BudgetError(f"the budget of {settings.seconds:g} s was spent; {done} of {total} shadow models exist")

    try:
        shadows = store.collect(trainer, split.pool, settings.models, settings.seed, check_time)
    except (BudgetError, WorkerError) as err:
        return Fleet(reason=str(err), unfinished=True)
    except TargetError as err:
        if settings.shadows is not None:
            raise
        return Fleet(reason=str(err))
    return Fleet(shadows, fidelity(shadows, scaled_logit(target, split.pool), split.is_member))
