"""Image inversion without a search: the best of a pool of pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.inversion._climb import Climb
from keepmum.attacks.inversion._image import ImageInversion
from keepmum.attacks.inversion._labels import Walk, plausible
from keepmum.attacks.inversion._limits import Access
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion.oracle import Oracle
from keepmum.attacks.inversion.priors import Prior
from keepmum.errors import ConfigError
from keepmum.targets._base import LabelTarget

BATCH = 64
"""Pictures that are asked about at once."""
ROUNDS = 3
"""Rounds of questions about pictures of the class; each goes on with the better half."""


@dataclass(frozen=True)
class PoolSelect(ImageInversion[LabelTarget]):
    """Best of a pool.

    The attacker draws pictures from what he knows of such pictures, asks about each, and keeps the one that the model
    finds most like the class. It is the cheapest attack, and what every search has to beat.

    With probabilities it is the one with the largest log-margin. With labels alone it is the one that keeps its label
    most often when its latents are moved a little: half of the queries find pictures of the class, the others move
    them, in rounds that each go on with the better half.

    Attributes:
      queries: Rows that are asked about for each class.
      shake: How far latents are moved, in standard deviations of a latent number of the prior's samples.

    Raises:
      ConfigError: A shake that is not above 0.

    References:
      Struppek, Hintersdorf, De Almeida Correia, Adler, Kersting. Plug & Play Attacks: Towards Robust and Flexible Model
      Inversion Attacks. ICML 2022, arXiv:2201.12179, on the initial selection among samples of the generator.
    """

    id: ClassVar[str] = "inversion/pool-select"
    needs: ClassVar[type[LabelTarget]] = LabelTarget
    asks_for: ClassVar[Access] = "scores"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2201.12179",)

    queries: int = 500
    shake: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.shake < math.inf:
            raise ConfigError(f"expected a shake above 0, got {self.shake}")

    def invert(self, oracle: Oracle, prior: Prior, rng: np.random.Generator) -> Picture:
        """The picture of the oracle's class; by labels of a class that is never met, the prior's own start."""
        if oracle.access == "labels":
            return self._by_labels(oracle, prior, rng)
        climb = Climb(oracle, prior, self.queries, weight=0.0)
        while climb.left:
            climb.scores(prior.draw(min(BATCH, climb.left), rng))
        return climb.picture()

    def _by_labels(self, oracle: Oracle, prior: Prior, rng: np.random.Generator) -> Picture:
        walk, known = Walk(oracle, prior, self.queries), plausible(prior, 0.0, rng)
        pool = walk.first(walk.total // 2, walk.total, rng)
        if not len(pool):
            return walk.picture(np.asarray(prior.start(rng), dtype=np.float64), 0.0)
        kept, asked, at = np.ones(len(pool)), np.ones(len(pool)), np.arange(len(pool))
        for rounds_left in range(ROUNDS, 0, -1):
            times = walk.left // rounds_left // len(at)
            if times:
                moved = np.repeat(pool[at], times, axis=0)
                moved = moved + self.shake * known.spread * rng.standard_normal(moved.shape)
                kept[at] += walk.hits(moved).reshape(len(at), times).sum(axis=1)
                asked[at] += times
            at = at[np.argsort(-(kept / asked)[at], kind="stable")]
            walk.note(pool[at[0]], float(kept[at[0]] / asked[at[0]]))
            at = at[: max(1, len(at) // 2)]
        return walk.picture(pool[at[0]], float(kept[at[0]] / asked[at[0]]))
