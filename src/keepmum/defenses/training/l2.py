"""Large weights cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from keepmum.defenses._base import TrainingDefense
from keepmum.defenses.training._knobs import turned
from keepmum.errors import ConfigError
from keepmum.training import TorchTrainer, Trainer


@dataclass(frozen=True)
class L2(TrainingDefense):
    """L2 regularization, or weight decay.

    Sets ``weight_decay`` of a torch recipe, and ``alpha``, ``C = 1 / strength``, ``l2_regularization`` or
    ``reg_lambda`` of estimators that have it. As strong as accuracy allows it moves leakage little.

    Attributes:
      strength: Weight of the squared weights, above 0, in the units of the recipe.

    Raises:
      ConfigError: A strength that is not above 0.

    References:
      Krogh, Hertz. A Simple Weight Decay Can Improve Generalization. NIPS 1991; as a defense: Shokri, Stronati, Song,
      Shmatikov. S&P 2017, arXiv:1610.05820.
    """

    id: ClassVar[str] = "training/l2"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1610.05820",)

    strength: float = 1e-3

    def __post_init__(self) -> None:
        if not self.strength > 0:
            raise ConfigError(f"expected a strength above 0, got {self.strength}")

    def protect(self, trainer: Trainer) -> Trainer:
        """The recipe with this weight decay.

        Raises:
          NotApplicableError: It has no such parameter.
        """
        if isinstance(trainer, TorchTrainer):
            return replace(trainer, weight_decay=self.strength)
        names = ("alpha", "l2_regularization", "reg_lambda", "lambda_l2")
        return turned(self, trainer, {**dict.fromkeys(names, self.strength), "C": 1 / self.strength})
