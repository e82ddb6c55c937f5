"""Trained towards uncertain labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from keepmum.defenses.training._losses import cross_entropy, entropy, one_hot
from keepmum.defenses.training._torch_only import ObjectiveDefense
from keepmum.errors import ConfigError
from keepmum.training import Moment, Objective


@dataclass(frozen=True)
class Uncertain(Objective):
    """Cross-entropy against soft labels of a given entropy, less entropy of the answers."""

    entropy: float
    strength: float

    def loss(self, forward: Callable[[Any], Any], X: Any, y: Any, moment: Moment) -> Any:
        """Loss of a batch."""
        logits = forward(X)
        classes = logits.shape[1]
        own, truth = top_of(classes, self.entropy), one_hot(y, logits.shape[1])
        soft = truth * own + (1 - truth) * (1 - own) / (classes - 1)
        return cross_entropy(logits, soft.to(logits.dtype)) - self.strength * entropy(logits).mean()


def top_of(classes: int, share: float) -> float:
    """Probability of the true class so that, the others being equal, the entropy is a share of the largest there is."""

    def reached(own: float) -> float:
        rest = (1 - own) / (classes - 1)
        return -(own * math.log(own) + (classes - 1) * rest * math.log(rest)) / math.log(classes)

    low, high = 1 / classes, 1 - 1e-12
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if reached(middle) >= share else (low, middle)
    return low


@dataclass(frozen=True)
class Hamp(ObjectiveDefense):
    """The training part of HAMP: soft labels of high entropy, and a reward for uncertain answers.

    HAMP's other part replaces the answers: ``output/hamp-swap``. Without it, training on soft labels is known to raise
    membership leakage.

    Attributes:
      entropy: Entropy of the soft labels, as a share of the largest possible, between 0 and 1.
      strength: Weight of the answers' entropy, 0 or more.

    Raises:
      ConfigError: A number out of range.

    References:
      Chen, Pattabiraman. Overconfidence is a Dangerous Thing: Mitigating Membership Inference Attacks by Enforcing Less
      Confident Prediction. NDSS 2024, arXiv:2307.01610.
    """

    id: ClassVar[str] = "training/hamp"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2307.01610",)

    entropy: float = 0.8
    strength: float = 0.01

    def __post_init__(self) -> None:
        if not 0 < self.entropy < 1 or self.strength < 0:
            raise ConfigError(
                "expected an entropy between 0 and 1 and a strength of 0 or more, got "
                f"{self.entropy} and {self.strength}"
            )

    def objective(self) -> Objective:
        """Cross-entropy against uncertain labels."""
        return Uncertain(self.entropy, self.strength)
