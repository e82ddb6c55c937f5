"""Image inversion by guess and check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.inversion._climb import Climb, check_search
from keepmum.attacks.inversion._image import ImageInversion
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion.oracle import Oracle
from keepmum.attacks.inversion.priors import Prior
from keepmum.errors import ConfigError
from keepmum.targets._base import ScoreTarget

SCALES = (0.25, 1.0, 4.0)
"""Lengths of a step, as multiples of the one that is asked for."""
MEMORY = 0.99
"""Share of what is known of every arm that is kept from one guess to the next: what helps at first soon does not."""


@dataclass(frozen=True)
class Bandit(ImageInversion[ScoreTarget]):
    """Guess and check with Thompson sampling.

    The attacker changes one trait of the picture at a time, keeps the change if the model is surer, takes it back if
    not, and learns which changes pay. Patience and one query at a time are all that it takes.

    Every arm of the bandit is a latent number, a sign and a length of the step. Of each the chance to help is held as a
    Beta distribution that forgets; the arm with the highest draw is played.

    Attributes:
      queries: Rows that are asked about for each class.
      step: Middle length of a step, in standard deviations of the prior's samples.
      recheck: Guesses after which the model is asked about the current picture again, so that one lucky answer of a
        noisy model does not stop the search.
      pool: Prior samples that the model is asked about first, to begin in the middle of the best.
      weight: Weight of the prior's log density for each latent number.

    Raises:
      ConfigError: A pool or weight below 0, a step that is not above 0, or a recheck below 2.

    References:
      Thompson. On the Likelihood that One Unknown Probability Exceeds Another. Biometrika 25 (1933), 285–294,
      doi:10.1093/biomet/25.3-4.285.
      Han, Choi, Lee, Kim. Reinforcement Learning-Based Black-Box Model Inversion Attacks. CVPR 2023, arXiv:2304.04625.
    """

    id: ClassVar[str] = "inversion/bandit"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("doi:10.1093/biomet/25.3-4.285", "arXiv:2304.04625")

    queries: int = 2000
    step: float = 0.5
    recheck: int = 50
    pool: int = 64
    weight: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_search(self.pool, self.weight, step=self.step)
        if self.recheck < 2:
            raise ConfigError(f"expected a recheck after at least 2 guesses, got {self.recheck}")

    def invert(self, oracle: Oracle, prior: Prior, rng: np.random.Generator) -> Picture:
        """The picture of the oracle's class."""
        climb = Climb(oracle, prior, self.queries, self.weight)
        z = climb.start(self.pool, rng)
        steps = self.step * climb.spread * np.outer((1.0, -1.0), SCALES).ravel()
        helped, failed = np.zeros((2, len(z), len(steps)))
        score, guesses = -np.inf, 0
        while climb.left:
            if guesses % self.recheck == 0:
                score = float(climb.scores(z[None])[0])
            else:
                arm = np.unravel_index(rng.beta(1 + helped, 1 + failed).argmax(), helped.shape)
                tried = z.copy()
                tried[arm[0]] += steps[arm[1]]
                reached = float(climb.scores(tried[None])[0])
                helped, failed = helped * MEMORY, failed * MEMORY
                (helped if reached > score else failed)[arm] += 1
                z, score = (tried, reached) if reached > score else (z, score)
            guesses += 1
        return climb.picture(z)
