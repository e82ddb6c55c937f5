"""Probabilities are replaced by those of a random answer, in the same order of classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from keepmum.defenses._base import OutputDefense
from keepmum.defenses.output import _secret
from keepmum.errors import ConfigError
from keepmum.targets._base import Floats


@dataclass(frozen=True)
class HampSwap(OutputDefense):
    """The test-time part of HAMP: only the order of the classes is true.

    Sorted probabilities are replaced by the sorted ones of a random answer. Which one hangs on a secret and on the
    order of the classes, not on the place in a batch: the same order always gets the same answer. It hides how sure the
    model is; the order, and so the label, stays, and with it what labels tell.

    Attributes:
      spread: How sure random answers are: standard deviation of their logits, above 0.
      secret: At least 16 bytes; drawn anew for each defense unless given.

    Raises:
      ConfigError: A spread that is not above 0, or a short secret.

    References:
      Chen, Pattabiraman. NDSS 2024, arXiv:2307.01610.
    """

    id: ClassVar[str] = "output/hamp-swap"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2307.01610",)

    spread: float = 3.0
    secret: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if not self.spread > 0:
            raise ConfigError(f"expected a spread above 0, got {self.spread}")
        if self.secret and len(self.secret) < 16:
            raise ConfigError(f"expected a secret of at least 16 bytes, got {len(self.secret)}")
        object.__setattr__(self, "_secret", self.secret or _secret.fresh())

    @property
    def key(self) -> str:
        """All settings; of the secret, what tells it from others."""
        return f"{self.id}(spread={self.spread}, secret {_secret.mark(self.__dict__['_secret'])})"

    def answer(self, scores: Floats) -> Floats:
        """Random probabilities in the order of the model's; of equal ones the earlier class comes first."""
        order = np.argsort(-scores, axis=1, kind="stable")
        classes, spread = scores.shape[1], self.spread

        def draw(rng: np.random.Generator) -> Floats:
            powers = np.exp(np.sort(rng.normal(0, spread, classes))[::-1])
            return np.asarray(powers / powers.sum())

        told = np.empty_like(scores)
        drawn = _secret.drawn_for(order.astype(np.float64), self.__dict__["_secret"], "", draw)
        np.put_along_axis(told, order, drawn, axis=1)
        return told
