"""Image inversion by covariance matrix adaptation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._climb import Climb, check_search
from keepmum.attacks.inversion._image import ImageInversion
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion._surrogate import Surrogate
from keepmum.attacks.inversion.oracle import Oracle
from keepmum.attacks.inversion.priors import Prior
from keepmum.errors import MissingExtraError
from keepmum.targets._base import ScoreTarget

DIAGONAL = 100
"""Latent numbers above which only their variances are adapted: a full matrix costs their cube at every step."""
SATURATED = 0.075
"""Weight of the prior beside the cross-entropy, as a share of that beside the margin, which goes on growing."""


@dataclass(frozen=True)
class Cmaes(ImageInversion[ScoreTarget]):
    """Covariance matrix adaptation.

    The attacker draws pictures around a guess, asks the model about them, and moves and reshapes the cloud that they
    are drawn from toward those that the model is surest of. Nothing but probabilities is needed, and a few hundred
    queries a class lead where an attacker with the weights would come to.

    The objective is the log-margin of the class plus the weighted log density of the prior. With up to 100 latent
    numbers the full covariance is adapted, with more its diagonal (sep-CMA-ES).

    Every answer tells the probabilities of all classes. A multinomial logistic model of all answers so far is a
    stand-in for the classifier that has gradients. Its favorite is where the search begins, one picture of every cloud,
    and in the end beside the best of the search. Half of every cloud is drawn around it, so that the stand-in is fitted
    best where it is believed.

    Deviations from the papers: injected pictures are taken as they are, however far from the cloud, and there are many.

    Attributes:
      queries: Rows that are asked about for each class.
      pool: Prior samples that the model is asked about first, a quarter of the queries at most.
      sigma: Width of the first cloud, in standard deviations of the prior's samples.
      weight: Weight of the prior's log density for each latent number.

    Raises:
      ConfigError: A pool or weight below 0, or a sigma that is not above 0.
      MissingExtraError: The package cmaes is not installed.

    References:
      Hansen, Ostermeier. Completely Derandomized Self-Adaptation in Evolution Strategies. Evolutionary Computation 9
      (2001), 159–195, doi:10.1162/106365601750190398.
      Ros, Hansen. A Simple Modification in CMA-ES Achieving Linear Time and Space Complexity. PPSN X (2008),
      doi:10.1007/978-3-540-87700-4_30.
      Nomura, Shibata. cmaes: A Simple yet Practical Python Library for CMA-ES, arXiv:2402.01373.
      Hansen. Injecting External Solutions Into CMA-ES. 2011, arXiv:1110.4181.
    """

    id: ClassVar[str] = "inversion/cmaes"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = (
        "doi:10.1162/106365601750190398",
        "arXiv:2402.01373",
        "arXiv:1110.4181",
    )
    usual: ClassVar[bool] = True

    pool: int = 128
    sigma: float = 0.5
    weight: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_search(self.pool, self.weight, sigma=self.sigma)

    def invert(self, oracle: Oracle, prior: Prior, rng: np.random.Generator) -> Picture:
        """The picture of the oracle's class."""
        climb = Climb(oracle, prior, self.queries, self.weight, remember=True)
        favorite = self._favorite(climb, climb.start(self.pool, rng))
        cloud = _cloud(favorite, self.sigma * climb.spread, int(rng.integers(2**31)))
        while climb.left >= (n := cloud.population_size):
            favorite = self._favorite(climb, favorite)
            drawn = np.stack([favorite, *(cloud.ask() for _ in range(n - 1))])
            drawn[1 : 1 + (n - 1) // 2] += favorite - cloud.mean
            scores = climb.scores(drawn)
            cloud.tell([(z, -score) for z, score in zip(drawn, scores.tolist(), strict=True)])
            if cloud.should_stop():
                break
        return climb.picture(self._favorite(climb, favorite))

    def _favorite(self, climb: Climb, near: Floats) -> Floats:
        """Where a descent from a latent ``(d,)`` ends on a stand-in fitted to all answers so far; itself if none."""
        if not climb.heard:
            return near
        latents, answers = (np.concatenate(each) for each in zip(*climb.heard, strict=True))
        stand_in = Surrogate(latents, answers, climb.own, climb.spread)
        return np.asarray(stand_in.descend(climb.oracle.place, near[None], SATURATED * self.weight)[0])


def _cloud(mean: Floats, sigma: float, seed: int) -> Any:
    """The evolution strategy that fits the number of latent numbers."""
    try:
        from cmaes import CMA, SepCMA
    except ImportError as err:
        raise MissingExtraError("cmaes", "images") from err
    return (CMA if len(mean) <= DIAGONAL else SepCMA)(mean=mean.copy(), sigma=sigma, seed=seed)
