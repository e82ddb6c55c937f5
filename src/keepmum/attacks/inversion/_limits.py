"""How much of its answers a model shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from keepmum.errors import ConfigError
from keepmum.targets._base import Floats

Access = Literal["labels", "scores", "gradients"]
LADDER: tuple[Access, ...] = ("labels", "scores", "gradients")


@dataclass(frozen=True)
class Limits:
    """How much of its answers a model shows to the outside.

    Where only labels are told they are the model's own: what is done to probabilities does not change them.

    Attributes:
      access: The most that may be asked: ``"gradients"`` (all that the target offers), ``"scores"`` or ``"labels"``.
      top: Only so many of the largest probabilities are told; the attacker shares out the rest evenly. None for all.
      decimals: Decimals that told probabilities are rounded to, or None.
      noise: Standard deviation of Gaussian noise on probabilities, drawn anew for every answer; they are clipped and
        sum to 1 again.
      seed: Seed of the noise.

    Raises:
      ConfigError: A value out of range.
    """

    access: Access = "gradients"
    top: int | None = None
    decimals: int | None = None
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.access not in LADDER:
            raise ConfigError(f"expected access {', '.join(LADDER)}, got {self.access!r}")
        if self.top is not None and self.top < 1:
            raise ConfigError(f"expected top of at least 1, got {self.top}")
        if self.decimals is not None and self.decimals < 0:
            raise ConfigError(f"expected decimals of at least 0, got {self.decimals}")
        if not 0 <= self.noise < np.inf or self.seed < 0:
            raise ConfigError(f"expected noise and a seed of at least 0, got {self.noise} and {self.seed}")

    @property
    def blurred(self) -> bool:
        """Whether probabilities are told otherwise than the model gives them."""
        return self.top is not None or self.decimals is not None or self.noise > 0

    def at_most(self, access: Access) -> Limits:
        """The same limits for an attacker who asks for no more than this."""
        return replace(self, access=LADDER[min(LADDER.index(self.access), LADDER.index(access))])

    def told(self, probabilities: Floats, rng: np.random.Generator) -> Floats:
        """Probabilities ``(n, K)`` as the outside gets to know them."""
        p = probabilities
        if self.noise:
            p = (p + rng.normal(0, self.noise, p.shape)).clip(0, 1)
            p[p.sum(axis=1) == 0] = 1.0
            p = p / p.sum(axis=1, keepdims=True)
        hidden = p.shape[1] - (self.top or p.shape[1])
        unsaid = np.argsort(p, axis=1, kind="stable")[:, : max(hidden, 0)]
        if self.decimals is not None:
            p = np.round(p, self.decimals)
        if hidden <= 0:
            return p
        p = p.copy()
        np.put_along_axis(p, unsaid, np.inf, axis=1)
        smallest, said = p.min(axis=1), np.where(np.isinf(p), 0, p).sum(axis=1)
        rest = np.minimum((1 - said).clip(0) / hidden, smallest)  # what is not told is no more than what is
        np.put_along_axis(p, unsaid, rest[:, None], axis=1)
        return p


EVERYTHING = Limits()
"""All that the target offers."""
