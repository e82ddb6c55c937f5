"""Cross-entropy against probabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keepmum.defenses.training._losses import cross_entropy
from keepmum.training import Moment, Objective


@dataclass(frozen=True)
class SoftLabels(Objective):
    """Cross-entropy against ``(n, K)`` probabilities, at a temperature.

    Attributes:
      temperature: Logits are divided by it, and the loss multiplied by its square.

    References:
      Hinton, Vinyals, Dean. Distilling the Knowledge in a Neural Network. arXiv:1503.02531.
    """

    temperature: float = 1.0

    def loss(self, forward: Callable[[Any], Any], X: Any, y: Any, moment: Moment) -> Any:
        """Loss of a batch."""
        return self.temperature**2 * cross_entropy(forward(X) / self.temperature, y)
