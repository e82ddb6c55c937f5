"""Image inversion by a policy gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.inversion._adam import SMALL, Adam
from keepmum.attacks.inversion._climb import Climb, check_search
from keepmum.attacks.inversion._image import ImageInversion
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion.oracle import Oracle
from keepmum.attacks.inversion.priors import Prior
from keepmum.errors import ConfigError
from keepmum.targets._base import ScoreTarget

NARROWEST = 0.05
"""Width of the policy at least, in standard deviations of the prior's samples: without any it would not learn."""


@dataclass(frozen=True)
class Reinforce(ImageInversion[ScoreTarget]):
    """Reinforcement learning of pictures.

    An agent guesses a latent vector, the model's answer is its reward, and the agent learns to guess where rewards were
    higher than it had come to expect. It knows nothing of the model but these rewards.

    The policy is a Gaussian with a mean and a width for each latent number, and learns by REINFORCE: the gradient of
    its log density times the reward less a baseline, the mean of the other guesses of the batch. The reward is the
    log-margin of the class plus the weighted log density of the prior.

    Deviations from the paper: its agent is a soft actor-critic whose action is blended with the state. The published
    setting blends with weight 0, which discards the state: what remains is a bandit with continuous actions and
    episodes of one step, and that is what is learned here, with a policy that fits it.

    Attributes:
      queries: Rows that are asked about for each class.
      batch: Guesses between two updates, at least 2.
      sigma: First width of the policy, in standard deviations of the prior's samples.
      rate: Length of the first step of the mean in each latent number, in the same unit, and of the log width.
      pool: Prior samples that the model is asked about first, to begin in the middle of the best.
      weight: Weight of the prior's log density for each latent number.

    Raises:
      ConfigError: A pool or weight below 0, a batch below 2, or a sigma or rate that is not above 0.

    References:
      Han, Choi, Lee, Kim. Reinforcement Learning-Based Black-Box Model Inversion Attacks. CVPR 2023, arXiv:2304.04625.
      Williams. Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning. Machine
      Learning 8 (1992), 229–256, doi:10.1007/BF00992696, section 6 (Gaussian units).
    """

    id: ClassVar[str] = "inversion/reinforce"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2304.04625", "doi:10.1007/BF00992696")

    queries: int = 2000
    batch: int = 20
    sigma: float = 0.5
    rate: float = 0.1
    pool: int = 64
    weight: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_search(self.pool, self.weight, sigma=self.sigma, rate=self.rate)
        if self.batch < 2:
            raise ConfigError(f"expected a batch of at least 2 guesses, got {self.batch}")

    def invert(self, oracle: Oracle, prior: Prior, rng: np.random.Generator) -> Picture:
        """The picture of the oracle's class."""
        climb = Climb(oracle, prior, self.queries, self.weight)
        mean = climb.start(self.pool, rng)
        unit, width, steps = climb.spread, np.full(len(mean), np.log(self.sigma)), 0
        move, widen = Adam(self.rate * unit), Adam(self.rate)
        while (n := min(self.batch, climb.left)) > 1:
            u = rng.standard_normal((n, len(mean)))
            reward = climb.scores(mean + unit * np.exp(width) * u)
            gain = reward - (reward.sum() - reward) / (n - 1)
            gain = gain / (gain.std() + SMALL)
            share = 1 - climb.progress
            mean = mean + move.step(gain @ u / (n * np.exp(width)), share)
            width = np.maximum(width + widen.step(gain @ (u**2 - 1) / n, share), np.log(NARROWEST))
            mean = prior.refine(mean[None], steps)[0]
            steps += 1
        return climb.picture(mean)
