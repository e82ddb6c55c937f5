"""Only the likeliest classes are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.defenses._base import OutputDefense, is_whole
from keepmum.errors import ConfigError
from keepmum.targets._base import Floats


@dataclass(frozen=True)
class TopK(OutputDefense):
    """Tells the k largest probabilities; what is left is spread alike over the other classes.

    Attributes:
      k: Classes whose probabilities are told, at least 1.

    Raises:
      ConfigError: Fewer than 1.

    References:
      Shokri, Stronati, Song, Shmatikov. S&P 2017, arXiv:1610.05820, on restricting the prediction vector.
    """

    id: ClassVar[str] = "output/top-k"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1610.05820",)

    k: int = 1

    def __post_init__(self) -> None:
        if not is_whole(self.k) or self.k < 1:
            raise ConfigError(f"expected at least 1 class, got {self.k!r}")

    def answer(self, scores: Floats) -> Floats:
        """The k largest, of equal ones the earlier classes; the rest alike."""
        classes = scores.shape[1]
        if self.k >= classes:
            return scores.copy()
        order = np.argsort(-scores, axis=1, kind="stable")
        told = np.empty_like(scores)
        kept, rest = order[:, : self.k], order[:, self.k :]
        own = np.take_along_axis(scores, kept, axis=1)
        left = np.take_along_axis(scores, rest, axis=1).mean(axis=1, keepdims=True)
        # the mean of numbers that are all the same may come out a last bit above them
        np.put_along_axis(told, rest, np.minimum(left, own[:, -1:]), axis=1)
        np.put_along_axis(told, kept, own, axis=1)
        return told
