"""Membership inference by how unlikely the target's margin is among models that never saw the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._shadow import ShadowAttack
from keepmum.attacks.membership.lira import Variance, variances, variant
from keepmum.shadows import Shadows


@dataclass(frozen=True)
class LiraOffline(ShadowAttack):
    """LiRA, offline.

    The attacker's models never saw the record. How far above theirs is the target's margin? Models that did see it are
    left aside, as an attacker without the record at hand would have to. Variances as in LiRA online.

    The paper's test is one-sided: the score orders people as the distribution function ``Φ((s - mean) / deviation)``
    does. Implementations that take the density instead, ``-log N(s; mean, variance)``, also accuse whomever the target
    finds much *harder* than the models that never saw them; that form is not offered.

    Attributes:
      variance: Whose variances are used.

    References:
      Carlini, Chien, Nasr, Song, Terzis, Tramèr. Membership Inference Attacks From First Principles.
      S&P 2022, arXiv:2112.03570, equation 4.
    """

    id: ClassVar[str] = "membership/lira-offline"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2112.03570",)
    fewest: ClassVar[int] = 4

    variance: Variance = Variance.AUTOMATIC

    @classmethod
    def variants(cls) -> tuple[LiraOffline, ...]:
        """One for each choice of variances."""
        return tuple(cls(rule) for rule in Variance if rule is not Variance.AUTOMATIC)

    @property
    def name(self) -> str:
        """Id, with the choice of variances where one was made: ``:fixed-variance``."""
        return variant(self.id, self.variance)

    def infer(self, signal: Scores, shadows: Shadows, rng: np.random.Generator) -> Scores:
        """``(s - mean out) / deviation out``, which orders as the paper's one-sided probability and does not round."""
        deviation = np.sqrt(variances(shadows, "outside", self.variance))
        return np.asarray((signal - shadows.sums.mean("outside")) / deviation)
