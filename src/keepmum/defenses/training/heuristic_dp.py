"""Clipping and a little noise: no guarantee."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keepmum.defenses._base import TrainingDefense
from keepmum.defenses.training._torch_only import torch_recipe
from keepmum.errors import ConfigError
from keepmum.training import Trainer
from keepmum.training.private import PrivateTrainer


@dataclass(frozen=True)
class HeuristicDp(TrainingDefense):
    """Heuristic DP: the machinery of DP-SGD with so little noise that its epsilon bounds nothing.

    It is no differential privacy in any sense that matters, and its statement says so. At equal accuracy it withstood
    audits better than other heuristics.

    Attributes:
      noise: Noise multiplier, above 0.
      clip: Largest norm of a record's gradient.
      batch: Expected records in a step.

    Raises:
      ConfigError: A number out of range.

    References:
      Aerni, Zhang, Tramèr. Evaluations of Machine Learning Privacy Defenses are Misleading. CCS 2024, arXiv:2404.17399.
    """

    id: ClassVar[str] = "training/heuristic-dp"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2404.17399",)

    noise: float = 0.2
    clip: float = 1.0
    batch: int = 128

    def __post_init__(self) -> None:
        if not self.noise > 0 or not self.clip > 0 or self.batch < 1:
            raise ConfigError(
                f"expected noise and clip above 0 and a batch of at least 1, got {self.noise}, {self.clip} and "
                f"{self.batch}"
            )

    def protect(self, trainer: Trainer) -> Trainer:
        """The recipe with clipping and noise.

        Raises:
          NotApplicableError: It trains no torch modules.
          ConfigError: It has a loss or an objective of its own.
        """
        return PrivateTrainer(torch_recipe(self, trainer), noise=self.noise, clip=self.clip, batch=self.batch)
