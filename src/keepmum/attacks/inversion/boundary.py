"""Image inversion from labels alone, by moving away from the boundary of the class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._image import ImageInversion
from keepmum.attacks.inversion._labels import Plausible, Walk, meet, plausible
from keepmum.attacks.inversion._limits import Access
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion.oracle import Oracle
from keepmum.attacks.inversion.priors import Prior
from keepmum.errors import ConfigError
from keepmum.targets._base import LabelTarget

POOL = 0.5
"""Share of the queries that may be spent on first samples of the class; few are, where it is not rare."""
STARTS = 8
"""Samples of the class in whose middle a search begins, at least; classes share what they find."""
FEWEST_STEPS = 8
"""Steps from which on their average is better than the last of them."""


@dataclass(frozen=True)
class Boundary(ImageInversion[LabelTarget]):
    """Boundary repelling (BREP-MI), from labels alone.

    The attacker learns nothing but the name that the model gives a picture. He finds a picture with the right name,
    looks around it on a sphere, and moves away from where the name changes, into the heart of the class.

    Points on a sphere around the guess are asked about. Those that are taken for another class push the guess away;
    once nearly all stay in the class, the sphere grows. Latents stay within what the prior's own samples show. A guess
    is only left for one that is itself in the class.

    Deviations from the paper: it starts anywhere in the class, here in the middle of the samples that are, if that is
    in the class too. Its clip is a constant for one generator, here quantiles of samples of any prior. It ends where
    the last step led; here at the average of the steps but for the first quarter, since each is a random one off the
    middle of the class.

    Attributes:
      queries: Rows that are asked about for each class.
      points: Points on a sphere, at least 2.
      radius: First radius of the sphere, in standard deviations of a latent number of the prior's samples.
      growth: Factor by which it grows, above 1.
      inside: Share of points in the class from which it grows, above 0 and below 1.
      step: Length of a move as a share of the radius.
      tail: Share of the prior's samples on each side of every latent number that is not plausible, 0 … 0.5.

    Raises:
      ConfigError: A setting out of range.

    References:
      Kahla, Chen, Just, Jia. Label-Only Model Inversion Attacks via Boundary Repulsion. CVPR 2022, arXiv:2203.01925,
      algorithm 1.
    """

    id: ClassVar[str] = "inversion/boundary"
    needs: ClassVar[type[LabelTarget]] = LabelTarget
    asks_for: ClassVar[Access] = "labels"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2203.01925",)
    usual: ClassVar[bool] = True

    queries: int = 4000
    points: int = 32
    radius: float = 2.0
    growth: float = 1.3
    inside: float = 0.75
    step: float = 1 / 3
    tail: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.points < 2 or not 0 < self.inside < 1 or not 0 <= self.tail < 0.5:
            raise ConfigError(
                f"expected at least 2 points, inside above 0 and below 1, and a tail from 0 to 0.5, got {self.points}, "
                f"{self.inside} and {self.tail}"
            )
        if not 0 < self.radius < math.inf or not 1 < self.growth < math.inf or not 0 < self.step < math.inf:
            raise ConfigError(
                f"expected a radius and step above 0 and a growth above 1, got {self.radius}, {self.step} and "
                f"{self.growth}"
            )

    def invert(self, oracle: Oracle, prior: Prior, rng: np.random.Generator) -> Picture:
        """The picture of the oracle's class; of a class that is never met, the prior's own start."""
        return self.invert_all([oracle], prior, rng)[0]

    def invert_all(self, oracles: Sequence[Oracle], prior: Prior, rng: np.random.Generator) -> list[Picture]:
        """The pictures of all classes, which share the samples that searches begin from."""
        walks, known = [Walk(oracle, prior, self.queries) for oracle in oracles], plausible(prior, self.tail, rng)
        first = meet(walks, POOL, STARTS, rng)
        return [self._repelled(walk, known, found, rng) for walk, found in zip(walks, first, strict=True)]

    def _repelled(self, walk: Walk, known: Plausible, found: Floats, rng: np.random.Generator) -> Picture:
        """Where the boundary drives a search that begins among ``found``, ``(hits, d)``."""
        if not len(found):
            return walk.picture(np.asarray(walk.prior.start(rng), dtype=np.float64), 0.0)
        middle = found.mean(axis=0)
        z = middle if walk.left and walk.hits(middle[None])[0] else found[0]
        first = radius = self.radius * known.spread
        known, visited = known.including(z), []
        while walk.left > 2 * self.points:
            share, away = self._around(walk, z, radius, rng)
            walk.note(z, share)
            if share > self.inside:
                radius *= self.growth
                continue
            moved = known.kept(z + self.step * radius * away)
            if walk.hits(moved[None])[0]:
                z = moved
            visited.append(z)
        z = self._settled(walk, z, visited)
        return walk.picture(z, self._around(walk, z, first, rng)[0] if walk.left else 1.0)

    def _settled(self, walk: Walk, z: Floats, visited: list[Floats]) -> Floats:
        """Where the walk went on average, once it had found its way; where it ended, if that is not of the class."""
        if len(visited) < FEWEST_STEPS:
            return z
        middle = np.asarray(np.mean(visited[len(visited) // 4 :], axis=0))
        return middle if walk.hits(middle[None])[0] else z

    def _around(self, walk: Walk, z: Floats, radius: float, rng: np.random.Generator) -> tuple[float, Floats]:
        """Share of a sphere that is in the class, and the direction ``(d,)`` away from what is not."""
        directions = rng.standard_normal((min(self.points, walk.left), len(z)))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        hits = walk.hits(z + radius * directions)
        away = -directions[~hits].sum(axis=0)
        return float(hits.mean()), away / (np.linalg.norm(away) or 1.0)
