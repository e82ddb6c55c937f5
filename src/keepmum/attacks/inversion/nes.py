"""Image inversion by natural evolution strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.inversion._adam import Adam
from keepmum.attacks.inversion._climb import Climb, check_search
from keepmum.attacks.inversion._image import ImageInversion
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion.oracle import Oracle
from keepmum.attacks.inversion.priors import Prior
from keepmum.targets._base import ScoreTarget


@dataclass(frozen=True)
class Nes(ImageInversion[ScoreTarget]):
    """Natural evolution strategies.

    The attacker asks about pairs of pictures, a little to one side and to the other of a guess, and estimates from
    their probabilities the gradient that the model does not show. Then the guess takes a step up that gradient.

    The gradient of the score ``f`` at ``z`` is the mean over Gaussian directions ``u`` of
    ``(f(z + sigma u) - f(z - sigma u)) u / (2 sigma)``. Steps are Adam's, and shrink to nothing as the queries run out.
    Over pixels, with a rate of about 0.5, it is the attack whose patterns fool recognizers and show nobody.

    Attributes:
      queries: Rows that are asked about for each class.
      directions: Directions, of two pictures each, for one estimate.
      sigma: How far to each side, in standard deviations of the prior's samples.
      rate: Length of the first step in each latent number, in the same unit.
      pool: Prior samples that the model is asked about first, to begin in the middle of the best.
      weight: Weight of the prior's log density for each latent number.

    Raises:
      ConfigError: A pool or weight below 0, or no directions, sigma or rate above 0.

    References:
      Wierstra et al. Natural Evolution Strategies. JMLR 15 (2014), 949–980, arXiv:1106.4487.
      Ilyas, Engstrom, Athalye, Lin. Black-box Adversarial Attacks with Limited Queries and Information. ICML 2018,
      arXiv:1804.08598, section 2.1 (antithetic pairs).
    """

    id: ClassVar[str] = "inversion/nes"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1106.4487", "arXiv:1804.08598")

    queries: int = 2000
    directions: int = 10
    sigma: float = 0.2
    rate: float = 0.1
    pool: int = 64
    weight: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_search(self.pool, self.weight, directions=self.directions, sigma=self.sigma, rate=self.rate)

    def invert(self, oracle: Oracle, prior: Prior, rng: np.random.Generator) -> Picture:
        """The picture of the oracle's class."""
        climb = Climb(oracle, prior, self.queries, self.weight)
        z = climb.start(self.pool, rng)
        sigma, adam, steps = self.sigma * climb.spread, Adam(self.rate * climb.spread), 0
        while (n := min(self.directions, climb.left // 2)) > 0:
            u = rng.standard_normal((n, len(z)))
            f = climb.scores(np.concatenate([z + sigma * u, z - sigma * u]))
            gradient = (f[:n] - f[n:]) @ u / (2 * sigma * n)
            z = z + adam.step(gradient, 1 - climb.progress)
            z = prior.refine(z[None], steps)[0]
            steps += 1
        return climb.picture(z)
