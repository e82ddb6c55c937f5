"""Differentially private training of torch modules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from keepmum.defenses._base import TrainingDefense
from keepmum.defenses.training._torch_only import torch_recipe
from keepmum.errors import ConfigError
from keepmum.training import Trainer
from keepmum.training.private import PrivateTrainer


@dataclass(frozen=True)
class DpSgd(TrainingDefense):
    """DP-SGD: the one defense with a bound that holds whatever the attacker does.

    Each record's gradient is clipped, the sum gets Gaussian noise, and records are drawn independently of each other.
    Give an epsilon, or the noise. What the guarantee rests on stands in the statement of the recipe that comes out.

    Attributes:
      epsilon: What training may spend; ignored if ``noise`` is given.
      delta: Of the guarantee.
      noise: Noise multiplier, above 0, or None to choose it for epsilon.
      clip: Largest norm of a record's gradient.
      batch: Expected records in a step; more is better, at the price of time.
      views: Changed copies of each record in a step, for a recipe that changes its records.
      lr: Learning rate, or None for the recipe's.
      epochs: Passes, or None for the recipe's.
      secure: Whether draws and noise come from the operating system: for models that are released.

    Raises:
      ConfigError: A number out of range.

    References:
      Abadi et al. CCS 2016, arXiv:1607.00133; De et al. 2022, arXiv:2204.13650 (several views of a record).
    """

    id: ClassVar[str] = "training/dp-sgd"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1607.00133", "arXiv:2204.13650")

    epsilon: float = 8.0
    delta: float = 1e-5
    noise: float | None = None
    clip: float = 1.0
    batch: int = 256
    views: int = 1
    lr: float | None = None
    epochs: int | None = None
    secure: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < math.inf or (self.noise is not None and not self.noise > 0):
            raise ConfigError(f"expected an epsilon or noise above 0, got {self.epsilon} and {self.noise}")
        if not self.clip > 0 or self.batch < 1 or not 0 < self.delta < 1:
            raise ConfigError(
                f"expected clip above 0, a batch of at least 1 and a delta between 0 and 1, got {self.clip}, "
                f"{self.batch} and {self.delta}"
            )

    def protect(self, trainer: Trainer) -> Trainer:
        """The recipe, trained privately.

        Raises:
          NotApplicableError: It trains no torch modules.
          ConfigError: It has a loss or an objective of its own.
        """
        from dataclasses import replace

        inner = torch_recipe(self, trainer)
        inner = replace(inner, lr=self.lr or inner.lr, epochs=self.epochs or inner.epochs)
        return PrivateTrainer(
            inner,
            noise=self.noise,
            epsilon=None if self.noise is not None else self.epsilon,
            delta=self.delta,
            clip=self.clip,
            batch=self.batch,
            views=self.views,
            secure=self.secure,
        )
