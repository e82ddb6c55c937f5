"""What searches by labels alone have in common: a purse, what is plausible, first pictures of the class, the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion.oracle import Oracle
from keepmum.attacks.inversion.priors import Prior
from keepmum.errors import BudgetError
from keepmum.targets._base import Indices

MARKS = 4
"""Pictures that are kept along the way for each tenfold of queries."""
BATCH = 32
"""Samples that a class asks about at once."""
SAMPLES = 1_000
"""Samples of the prior that tell what is plausible; none of them is asked about."""


@dataclass(frozen=True, eq=False)
class Plausible:
    """Latents that the prior's own samples show.

    Attributes:
      low: ``(d,)`` least value of each latent number.
      high: ``(d,)`` largest.
      spread: Root mean square distance of a latent number of a sample from its mean.
    """

    low: Floats
    high: Floats
    spread: float

    def including(self, latent: Floats) -> Plausible:
        """The same, widened to this latent ``(d,)``."""
        return Plausible(np.minimum(self.low, latent), np.maximum(self.high, latent), self.spread)

    def kept(self, latents: Floats) -> Floats:
        """Latents ``(n, d)`` or ``(d,)`` moved to where they are plausible."""
        return np.asarray(latents.clip(self.low, self.high))


def plausible(prior: Prior, tail: float, rng: np.random.Generator) -> Plausible:
    """What is plausible: all but a share of samples on each side of every latent number."""
    drawn = np.asarray(prior.draw(SAMPLES, rng), dtype=np.float64)
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return Plausible(low, high, math.sqrt(float(drawn.var(axis=0).mean())) or 1.0)


class Walk:
    """Asks about latents, and keeps the way.

    Args:
      oracle: Who is asked; its class is the one to be pictured.
      prior: Where pictures are looked for.
      queries: Latents that may be asked about at most; the oracle's budget may allow fewer. A latent that is asked
        about several times because of the oracle's repeats counts once.

    Attributes:
      total: Latents that may be asked about at most.
      asked: Latents that were asked about.

    Raises:
      BudgetError: Nothing may be asked at all.
    """

    def __init__(self, oracle: Oracle, prior: Prior, queries: int) -> None:
        self.oracle, self.prior = oracle, prior
        self.total = min(queries, oracle.left // oracle.repeats)
        if self.total < 1:
            raise BudgetError(
                f"expected a budget of at least {oracle.repeats} rows, got {min(queries, oracle.left)}: raise it"
            )
        self.asked = 0
        self._trace: list[tuple[int, float, Floats]] = []
        self._mark = 0

    @property
    def left(self) -> int:
        """Latents that may still be asked about."""
        return self.total - self.asked

    def labels(self, latents: Floats) -> Indices:
        """Predicted classes of latents ``(n, d)``, as positions, ``(n,)``."""
        labels = self.oracle.labels(self.prior.decode(latents))
        self.asked += len(latents)
        return labels

    def probabilities(self, latents: Floats) -> Floats:
        """Class probabilities of latents ``(n, d)``, ``(n, K)``, where they are told."""
        told = self.oracle.probabilities(self.prior.decode(latents))
        self.asked += len(latents)
        return told

    def hits(self, latents: Floats) -> NDArray[np.bool_]:
        """Which of the latents ``(n, d)`` are taken for the class, ``(n,)``."""
        return np.asarray(self.labels(latents) == self.oracle.place)

    def note(self, latent: Floats, share: float) -> None:
        """Keep a picture when enough queries have gone by since the last."""
        if self.asked >= self._mark:
            self._trace.append((self.oracle.queries, share, self.prior.decode(latent[None])[0]))
            self._mark = math.ceil(self.asked * 10 ** (1 / MARKS))

    def picture(self, latent: Floats, share: float) -> Picture:
        """The picture in the end, with the share of labels that speak for it."""
        image = self.prior.decode(latent[None])[0]
        return Picture(image, latent, share, (*self._trace, (self.oracle.queries, share, image)))


def meet(walks: Sequence[Walk], share: float, wanted: int, rng: np.random.Generator) -> list[Floats]:
    """Samples of the prior that are of each class, ``(hits, d)`` each, perhaps none.

    A sample that one class paid for is told to all. Who has enough asks no more. While a class is not met, it tries
    samples farther from the mean: rare classes are where no usual picture is.

    Args:
      walks: One for each class, with one prior.
      share: Of the latents that each may ask about, how many it asks about here at most.
      wanted: Hits from which a class asks no more.
      rng: Where samples are drawn from.
    """
    prior = walks[0].prior
    middle = np.asarray(prior.start(rng), dtype=np.float64)
    found = [np.empty((0, prior.size)) for _ in walks]
    while True:
        drawn, labels = [], []
        for walk, hits in zip(walks, found, strict=True):
            pool = max(1, int(share * walk.total))
            n = min(BATCH, pool - walk.asked)
            if n < 1 or len(hits) >= wanted:
                continue
            reach = 1.0 if len(hits) else 1.0 + walk.asked / pool
            drawn.append(middle + reach * (prior.draw(n, rng) - middle))
            labels.append(walk.labels(drawn[-1]))
        if not drawn:
            return found
        latents, places = np.concatenate(drawn), np.concatenate(labels)
        found = [np.concatenate([f, latents[places == w.oracle.place]]) for w, f in zip(walks, found, strict=True)]
