"""Whether a picture of a class can be drawn from a defended model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keepmum.attacks import Attack, Context
from keepmum.data import Split
from keepmum.errors import KeepmumError
from keepmum.harden._world import World
from keepmum.stats import Estimate
from keepmum.training import Trainer

SUCCESS = ("success", "evaluator_accuracy", "accuracy")
"""Metrics that tell it, the first that a finding has."""


def success(trainer: Trainer, world: World, attacks: Sequence[Attack[Any]], seed: int) -> dict[str, Estimate]:
    """Success of inversion attacks against one model that is trained on half of the people, by id.

    Attacks that cannot be played on it are left out.
    """
    rng = np.random.default_rng([seed, 0x696E76])
    order = rng.permutation(world.people)
    half = world.people // 2
    split = Split(world.records.take(np.sort(order[:half])), world.records.take(np.sort(order[half:])))
    target = trainer.train(split.members, seed)
    told = {}
    for attack in attacks:
        if attack.inapplicable(target) or attack.unsuited(split.members):
            continue
        try:
            finding = attack.run(target, split, Context(seed=seed).lend(attack.name))
        except KeepmumError:
            continue
        name = next((name for name in SUCCESS if name in finding.metrics), None)
        if name is not None:
            told[attack.name] = finding.metrics[name]
    return told
