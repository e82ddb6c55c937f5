"""Trained on what lies between two records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from keepmum.defenses.training._losses import cross_entropy
from keepmum.defenses.training._torch_only import ObjectiveDefense
from keepmum.errors import ConfigError
from keepmum.training import Moment, Objective


@dataclass(frozen=True)
class Mixed(Objective):
    """Cross-entropy of mixtures, with the share of each label."""

    alpha: float

    def loss(self, forward: Callable[[Any], Any], X: Any, y: Any, moment: Moment) -> Any:
        """Loss of a batch."""
        import torch

        share = float(moment.rng.beta(self.alpha, self.alpha))
        other = torch.as_tensor(moment.rng.permutation(len(X)), device=X.device)
        logits = forward(share * X + (1 - share) * X[other])
        return share * cross_entropy(logits, y) + (1 - share) * cross_entropy(logits, y[other])


@dataclass(frozen=True)
class Mixup(ObjectiveDefense):
    """Mixup: pairs of records are mixed, and so are their labels.

    Attributes:
      alpha: Of the Beta distribution that the share is drawn from; 1 for any share alike.

    Raises:
      ConfigError: An alpha that is not above 0.

    References:
      Zhang, Cisse, Dauphin, Lopez-Paz. mixup: Beyond Empirical Risk Minimization. ICLR 2018, arXiv:1710.09412.
    """

    id: ClassVar[str] = "training/mixup"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1710.09412",)

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not self.alpha > 0:
            raise ConfigError(f"expected an alpha above 0, got {self.alpha}")

    def objective(self) -> Objective:
        """Cross-entropy of mixtures."""
        return Mixed(self.alpha)
