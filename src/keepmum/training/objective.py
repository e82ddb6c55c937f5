"""What is minimized, where it is not the cross-entropy alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Moment:
    """Where training stands.

    Attributes:
      epoch: Passes that are done.
      epochs: Passes in all.
      rng: Random numbers of this training alone.
      generator: The same for torch.
    """

    epoch: int
    epochs: int
    rng: np.random.Generator
    generator: Any


class Objective(ABC):
    """What a batch costs. Subclasses are frozen dataclasses: their fields are part of a trainer's key."""

    @abstractmethod
    def loss(self, forward: Callable[[Any], Any], X: Any, y: Any, moment: Moment) -> Any:
        """Loss of a batch, a tensor without dimensions.

        Args:
          forward: From inputs to ``(n, K)`` logits.
          X: ``(n, …)`` inputs.
          y: ``(n,)`` positions of classes, or ``(n, K)`` probabilities where soft labels are trained on.
          moment: Where training stands.
        """


def logits_of(module: Callable[[Any], Any], dtype: Any) -> Callable[[Any], Any]:
    """From inputs to ``(n, K)`` logits; a module with one output has 0 for its first class."""
    import torch

    def forward(X: Any) -> Any:
        answer = module(X)
        logits = getattr(answer, "logits", answer).to(dtype)
        if logits.ndim == 1 or logits.shape[1] == 1:
            one = logits.reshape(-1, 1)
            return torch.cat([torch.zeros_like(one), one], dim=1)
        return logits

    return forward
