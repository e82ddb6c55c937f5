"""How many shadow models fit into the time, learned from the first fleet of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from keepmum._asked import Settings
from keepmum._plan import Training
from keepmum._shadowing import FEWEST, Recipe, none_fit, planned
from keepmum.attacks import Attack
from keepmum.data import Records
from keepmum.errors import KeepmumError, TargetError, WorkerError
from keepmum.runs import check_free, read_manifest
from keepmum.shadows import Cost
from keepmum.training import Trainer
from keepmum.training.engines import workers

SHARE = 0.7
"""Part of the budget that shadow models may take; the rest is for the attacks."""
BRIEF = 2.0
"""Seconds below which the time of the first fleet is mostly that of loading libraries, so that a second is measured."""


def fitted(
    settings: Settings, attacks: Sequence[Attack[Any]], trainer: Trainer | str, pool: Records, recipe: Recipe
) -> Settings:
    """Settings with the number of shadow models that fit into the budget, where nothing else decides it.

    The first fleet is trained to learn what it takes, and kept. A run that was begun keeps the number that it has.

    Args:
      settings: What was asked for.
      attacks: What will be played.
      trainer: The recipe, or why there is none.
      pool: The audited records.
      recipe: Where signals are kept, and the run folder.

    Raises:
      ConfigError: The run folder holds something else.
    """
    if settings.seconds is None or settings.shadows is not None:
        return settings
    if not isinstance(trainer, Trainer) or not planned(attacks, settings, trainer):
        return settings
    begun = None if recipe.run is None else read_manifest(recipe.run)
    if begun is not None:
        return replace(settings, fitted=begun.get("settings", {}).get("fitted"))
    if recipe.run is not None:
        check_free(recipe.run)
    most = settings.effort.shadows
    try:
        cost = measured(trainer, pool, recipe, settings, most)
    except (TargetError, WorkerError):
        return settings  # the audit meets the same, and tells
    models = fit(cost, settings.seconds, most, trainer.fleet_size, workers())
    models = max(models, recipe.store.at_hand(trainer, pool, most, settings.seed))
    return replace(settings, fitted=models if models >= FEWEST else 0)


def measured(trainer: Trainer, pool: Records, recipe: Recipe, settings: Settings, most: int) -> Cost:
    """What a shadow model takes: the first fleet is trained and kept, also a second where the first was brief."""
    fleet = max(2, min(trainer.fleet_size, most))
    recipe.store.collect(trainer, pool, fleet, settings.seed)
    cost = recipe.store.cost(trainer, pool, settings.seed) or Cost(0.0, 0)
    if cost.seconds * fleet < BRIEF and 2 * fleet <= most:
        recipe.store.collect(trainer, pool, 2 * fleet, settings.seed)
        cost = recipe.store.cost(trainer, pool, settings.seed) or cost
    return cost


def duration(cost: Cost, models: int, fleet: int, at_once: int) -> float:
    """Seconds that so many models take: fleets are trained one after another on each worker.

    Args:
      cost: Of one model.
      models: How many.
      fleet: Models that are trained together.
      at_once: Workers.
    """
    fleet = max(1, min(fleet, models))
    fleets = -(-models // fleet)
    return -(-fleets // at_once) * fleet * cost.seconds


def fit(cost: Cost, budget: float, most: int, fleet: int, at_once: int) -> int:
    """Largest even number of models, up to ``most``, that takes no more than `SHARE` of the budget; 0 if none does."""
    each = (models for models in range(most, 0, -2) if duration(cost, models, fleet, at_once) <= SHARE * budget)
    return next(each, 0)


def foreseen(
    settings: Settings, attacks: Sequence[Attack[Any]], trainer: Trainer | str, pool: Records, recipe: Recipe
) -> Training:
    """What training would take, for a plan.

    Raises:
      KeepmumError: The recipe cannot be trained.
    """
    if not isinstance(trainer, Trainer):
        return Training(reason=trainer)
    most = planned(attacks, settings, trainer)
    if not most:
        return Training(reason="no attack that is planned uses them")
    try:
        cost = measured(trainer, pool, recipe, settings, most)
    except KeepmumError:
        if settings.shadows is not None:
            raise
        return Training(reason="the recipe cannot be trained on half of the records")
    settings = fitted(settings, attacks, trainer, pool, recipe)
    fleet, at_once = trainer.fleet_size, workers()
    return Training(
        models=settings.models,
        seconds=cost.seconds,
        duration=duration(cost, settings.models, fleet, at_once),
        reason="" if settings.models else none_fit(settings),
        decided_by=settings.shadows_by,
        fleet=fleet,
        note=trainer.fleet_note,
        workers=at_once,
        worker_memory=cost.memory,
    )
