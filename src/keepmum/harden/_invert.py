"""Whether a picture or a profile of a class can be drawn from a defended model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keepmum._encode import row_keys
from keepmum._version import __version__
from keepmum._whole import write_whole
from keepmum.attacks import Attack, Context
from keepmum.data import Split
from keepmum.errors import KeepmumError
from keepmum.harden._world import World
from keepmum.stats import Estimate
from keepmum.training import Trainer

SUCCESS = {
    "identified": "draws pictures whose class others name right in {value:.0%} of classes [{low:.0%}, {high:.0%}]",
    "recovered_share": "recovers {value:.0%} of records [{low:.0%}, {high:.0%}]",
    "resemblance": "makes up records like a class's people: correlation {value:.2f} [{low:.2f}, {high:.2f}]",
}
"""Metrics that tell it, the first that a finding has, in words."""


@dataclass(frozen=True)
class Inversion:
    """What came of one inversion attack against one model of a row.

    Attributes:
      metric: What is told: ``identified``, ``recovered_share`` or ``resemblance``; empty where it was not played.
      success: The number, with its 95 % interval.
      reason: Why it was not played.
    """

    metric: str = ""
    success: Estimate | None = None
    reason: str = ""

    @property
    def said(self) -> str:
        """The same in words, to follow the attack's id."""
        if self.success is None:
            return f"was not played: {self.reason}"
        numbers = {"value": self.success.value, "low": self.success.low, "high": self.success.high}
        return SUCCESS[self.metric].format(**numbers)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        if self.success is None:
            return {"reason": self.reason}
        return {
            "metric": self.metric,
            "value": self.success.value,
            "low": self.success.low,
            "high": self.success.high,
        }


def invert(
    trainer: Trainer, world: World, attacks: Sequence[Attack[Any]], seed: int, folder: Path | None
) -> dict[str, Inversion]:
    """Play inversion attacks against one model that is trained on half of the people; by id.

    The attacker has what the defended model shows: behind a defense of answers no gradients.

    Args:
      trainer: The recipe behind the defense.
      world: The records.
      attacks: What is played.
      seed: Of the half, the model and the attacks.
      folder: Where what came of each is kept, so that nothing is played twice; None for nowhere.
    """
    rng = np.random.default_rng([seed, 0x696E76])
    order = rng.permutation(world.people)
    half = world.people // 2
    split = Split(world.records.take(np.sort(order[:half])), world.records.take(np.sort(order[half:])))
    found: dict[str, Inversion] = {}
    target: Any = None
    for attack in attacks:
        place = None if folder is None else folder / f"{_digest(trainer, world, attack, seed)}.json"
        kept = _read(place)
        if kept is None:
            target = trainer.train(split.members, seed) if target is None else target
            kept = _played(attack, target, split, seed)
            if place is not None:
                place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_whole(place, json.dumps(kept.to_dict()))
        found[attack.name] = kept
    return found


def _played(attack: Attack[Any], target: Any, split: Split, seed: int) -> Inversion:
    reason = attack.inapplicable(target) or attack.unsuited(split.members)
    if reason:
        return Inversion(reason=str(reason))
    try:
        finding = attack.run(target, split, Context(seed=seed).lend(attack.name))
    except KeepmumError as err:
        return Inversion(reason=str(err))
    except Exception as err:  # whatever one attack does, the others are still reported
        return Inversion(reason=f"{type(err).__name__}: {err}")
    name = next((name for name in SUCCESS if name in finding.metrics), None)
    return Inversion(name, finding.metrics[name]) if name is not None else Inversion(reason=finding.explanation)


def _digest(trainer: Trainer, world: World, attack: Attack[Any], seed: int) -> str:
    seen = hashlib.sha256()
    for part in (__version__, trainer.key, repr(attack), str(seed)):
        seen.update(part.encode() + b"\0")
    seen.update(row_keys(world.records).tobytes())
    return seen.hexdigest()[:32]


def _read(place: Path | None) -> Inversion | None:
    """What was kept, or None."""
    try:
        told = json.loads(place.read_text()) if place is not None else None
        if not isinstance(told, dict):
            return None
        if "reason" in told:
            return Inversion(reason=str(told["reason"]))
        return Inversion(str(told["metric"]), Estimate(told["value"], told["low"], told["high"]))
    except (OSError, ValueError, KeyError):
        return None
