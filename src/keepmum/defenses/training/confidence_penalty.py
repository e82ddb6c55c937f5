"""Certain answers cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from keepmum.defenses.training._losses import cross_entropy, entropy
from keepmum.defenses.training._torch_only import ObjectiveDefense
from keepmum.errors import ConfigError
from keepmum.training import Moment, Objective


@dataclass(frozen=True)
class Penalized(Objective):
    """``CE(y) - b H(p)``."""

    strength: float

    def loss(self, forward: Callable[[Any], Any], X: Any, y: Any, moment: Moment) -> Any:
        """Loss of a batch."""
        logits = forward(X)
        return cross_entropy(logits, y) - self.strength * entropy(logits).mean()


@dataclass(frozen=True)
class ConfidencePenalty(ObjectiveDefense):
    """Confidence penalty: entropy of the answers is rewarded.

    Attributes:
      strength: Weight of the entropy, in nats, above 0.

    Raises:
      ConfigError: A strength that is not above 0.

    References:
      Pereyra, Tucker, Chorowski, Kaiser, Hinton. Regularizing Neural Networks by Penalizing Confident Output
      Distributions. arXiv:1701.06548.
    """

    id: ClassVar[str] = "training/confidence-penalty"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1701.06548",)

    strength: float = 0.1

    def __post_init__(self) -> None:
        if not self.strength > 0:
            raise ConfigError(f"expected a strength above 0, got {self.strength}")

    def objective(self) -> Objective:
        """Cross-entropy less entropy."""
        return Penalized(self.strength)
