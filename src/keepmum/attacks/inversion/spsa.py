"""Image inversion by simultaneous perturbation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._climb import Climb, check_search
from keepmum.attacks.inversion._image import ImageInversion
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion.oracle import Oracle
from keepmum.attacks.inversion.priors import Prior
from keepmum.targets._base import ScoreTarget

ALPHA, GAMMA = 0.602, 0.101
"""How fast steps and perturbations shrink: the smallest exponents with proven convergence."""
STABILITY = 0.1
"""Share of the steps after which the steps begin to shrink in earnest."""
PROBES = 5
"""Pairs that are asked about first, to learn how steep the landscape is."""


@dataclass(frozen=True)
class Spsa(ImageInversion[ScoreTarget]):
    """Simultaneous perturbation stochastic approximation.

    The attacker asks about one pair of pictures a step: every latent number a little up or down at random, and all the
    other way. The difference moves every number at once, wrongly for many at each step and rightly on average.

    It is the natural evolution strategy with a single direction of signs, and with the gain sequences that are its
    own: steps ``a / (A + k)^0.602``, perturbations ``sigma / k^0.101``, with ``a`` such that the first step has the
    length that is asked for.

    Attributes:
      queries: Rows that are asked about for each class.
      sigma: First perturbation of each latent number, in standard deviations of the prior's samples.
      rate: Length of the first step in each latent number, in the same unit.
      pool: Prior samples that the model is asked about first, to begin in the middle of the best.
      weight: Weight of the prior's log density for each latent number.

    Raises:
      ConfigError: A pool or weight below 0, or a sigma or rate that is not above 0.

    References:
      Spall. Multivariate Stochastic Approximation Using a Simultaneous Perturbation Gradient Approximation. IEEE
      Transactions on Automatic Control 37 (1992), 332–341, doi:10.1109/9.119632.
      Spall. Implementation of the Simultaneous Perturbation Algorithm for Stochastic Optimization. IEEE Transactions on
      Aerospace and Electronic Systems 34 (1998), 817–823, doi:10.1109/7.705889, section III.B (gains).
    """

    id: ClassVar[str] = "inversion/spsa"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("doi:10.1109/9.119632", "doi:10.1109/7.705889")

    queries: int = 2000
    sigma: float = 0.2
    rate: float = 0.1
    pool: int = 64
    weight: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_search(self.pool, self.weight, sigma=self.sigma, rate=self.rate)

    def invert(self, oracle: Oracle, prior: Prior, rng: np.random.Generator) -> Picture:
        """The picture of the oracle's class."""
        climb = Climb(oracle, prior, self.queries, self.weight)
        z = climb.start(self.pool, rng)
        sigma, rate = self.sigma * climb.spread, self.rate * climb.spread
        probes = [_slope(climb, z, sigma, rng) for _ in range(min(PROBES, climb.left // 2))]
        steepness = float(np.mean([np.abs(slope).mean() for slope in probes])) if probes else 0.0
        later = 1 + STABILITY * (climb.left // 2)
        gain, k = rate * later**ALPHA / (steepness or 1.0), 0
        while climb.left >= 2:
            slope = _slope(climb, z, sigma / (1 + k) ** GAMMA, rng)
            z = prior.refine((z + gain / (later + k) ** ALPHA * slope)[None], k)[0]
            k += 1
        return climb.picture(z)


def _slope(climb: Climb, z: Floats, sigma: float, rng: np.random.Generator) -> Floats:
    """Estimate of the gradient from one pair, ``(d,)``."""
    signs = rng.choice((-1.0, 1.0), len(z))
    up, down = climb.scores(np.stack([z + sigma * signs, z - sigma * signs]))
    return np.asarray((up - down) / (2 * sigma) * signs)  # dividing by a sign is multiplying by it
