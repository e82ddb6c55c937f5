"""What searches by labels alone have in common: a purse, what is plausible, first pictures of the class, the way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion.oracle import Oracle
from keepmum.attacks.inversion.priors import Prior
from keepmum.errors import BudgetError

MARKS = 4
"""Pictures that are kept along the way for each tenfold of queries."""
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
    """Asks whether latents are of the class, and keeps the way.

    Args:
      oracle: Who is asked; its class is the one to be pictured.
      prior: Where pictures are looked for.
      queries: Latents that may be asked about at most; the oracle's budget may allow fewer. A latent that is asked
        about several times because of the oracle's repeats counts once.

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
        self._asked = 0
        self._trace: list[tuple[int, float, Floats]] = []
        self._mark = 0

    @property
    def left(self) -> int:
        """Latents that may still be asked about."""
        return self.total - self._asked

    def hits(self, latents: Floats) -> NDArray[np.bool_]:
        """Which of the latents ``(n, d)`` are taken for the class, ``(n,)``."""
        hits = self.oracle.hits(self.prior.decode(latents))
        self._asked += len(latents)
        return hits

    def first(self, pool: int, wanted: int, rng: np.random.Generator) -> Floats:
        """Samples of the prior that are of the class, ``(hits, d)``: the first that are met, perhaps none.

        While none is met, samples farther from the mean are tried: rare classes are where no usual picture is.

        Args:
          pool: Samples that are asked about at most.
          wanted: Hits after which no more are asked about.
          rng: Where samples are drawn from.
        """
        found = np.empty((0, self.prior.size))
        start, stop, reach = self._asked, min(self.total, self._asked + pool), 1.0
        middle = np.asarray(self.prior.start(rng), dtype=np.float64)
        while (n := min(4 * wanted, stop - self._asked)) > 0 and len(found) < wanted:
            drawn = middle + reach * (self.prior.draw(n, rng) - middle)
            found = np.concatenate([found, drawn[self.hits(drawn)]])
            reach = 1.0 if len(found) else 1.0 + (self._asked - start) / pool
        return found

    def note(self, latent: Floats, share: float) -> None:
        """Keep a picture when enough queries have gone by since the last."""
        if self._asked >= self._mark:
            self._trace.append((self.oracle.queries, share, self.prior.decode(latent[None])[0]))
            self._mark = math.ceil(self._asked * 10 ** (1 / MARKS))

    def picture(self, latent: Floats, share: float) -> Picture:
        """The picture in the end, with the share of labels that speak for it."""
        image = self.prior.decode(latent[None])[0]
        return Picture(image, latent, share, (*self._trace, (self.oracle.queries, share, image)))
