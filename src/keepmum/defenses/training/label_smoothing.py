"""Labels are made less certain, or more than certain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from keepmum.defenses.training._losses import cross_entropy, from_uniform
from keepmum.defenses.training._torch_only import ObjectiveDefense
from keepmum.errors import ConfigError
from keepmum.training import Moment, Objective


@dataclass(frozen=True)
class Smoothed(Objective):
    """``(1 - a) CE(y) + a CE(uniform)``."""

    strength: float

    def loss(self, forward: Callable[[Any], Any], X: Any, y: Any, moment: Moment) -> Any:
        """Loss of a batch."""
        logits = forward(X)
        return (1 - self.strength) * cross_entropy(logits, y) + self.strength * from_uniform(logits)


@dataclass(frozen=True)
class LabelSmoothing(ObjectiveDefense):
    """Label smoothing.

    The model is trained on labels that are mixed with equal probabilities for all classes. With a negative strength it
    is trained to be more than certain. Positive smoothing is known to *raise* membership and inversion leakage: all
    members get the same answer, which others do not. Negative smoothing lowers both somewhat, and costs accuracy.

    Attributes:
      strength: Share of the equal probabilities, above -1 and below 1; negative for negative smoothing.

    Raises:
      ConfigError: A strength out of range.

    References:
      Szegedy et al. CVPR 2016, arXiv:1512.00567; Struppek, Hintersdorf, Kersting. Be Careful What You Smooth For. ICLR
      2024, arXiv:2310.06549.
    """

    id: ClassVar[str] = "training/label-smoothing"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1512.00567", "arXiv:2310.06549")

    strength: float = 0.1

    def __post_init__(self) -> None:
        if not -1 < self.strength < 1 or self.strength == 0:
            raise ConfigError(f"expected a strength between -1 and 1 other than 0, got {self.strength}")

    def objective(self) -> Objective:
        """Smoothed cross-entropy."""
        return Smoothed(self.strength)
