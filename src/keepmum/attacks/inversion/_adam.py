"""Adam on arrays."""

from __future__ import annotations

import numpy as np

from keepmum.attacks.inversion._base import Floats

SMALL = 1e-12


class Adam:
    """Steps that go up a noisy gradient, each number at its own pace.

    Args:
      rate: Length of a step in each number at most, about.
      memory: Share of the mean of past gradients that is kept at each step.
      scale: Share of the mean of their squares that is kept at each step.

    References:
      Kingma, Ba. Adam: A Method for Stochastic Optimization. ICLR 2015, arXiv:1412.6980, algorithm 1.
    """

    def __init__(self, rate: float, memory: float = 0.9, scale: float = 0.99) -> None:
        self.rate, self.memory, self.scale = rate, memory, scale
        self._steps = 0
        self._mean: Floats | None = None
        self._square: Floats | None = None

    def step(self, gradient: Floats, share: float = 1.0) -> Floats:
        """What to add, in the shape of the gradient, to climb it; a share below 1 makes a shorter step."""
        if self._mean is None or self._square is None:
            self._mean, self._square = np.zeros_like(gradient), np.zeros_like(gradient)
        self._steps += 1
        self._mean = self.memory * self._mean + (1 - self.memory) * gradient
        self._square = self.scale * self._square + (1 - self.scale) * gradient**2
        mean = self._mean / (1 - self.memory**self._steps)
        square = self._square / (1 - self.scale**self._steps)
        return np.asarray(share * self.rate * mean / (np.sqrt(square) + SMALL))
